"""The guards, each at its edge."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ..applying import apply
from ..company import Person, crowd, user_of
from ..guards import exceeds
from ..model import PastArchive
from .kit import add_users, changed, empty_world, imported, plan, tripped, user, with_user


def with_leavers(people: list[Person], number: int) -> list[Person]:
    return [replace(person, active=False) if place < number else person for place, person in enumerate(people)]


def test_percentage_is_ignored_below_min_people_and_never_of_nobody() -> None:
    limits = {"percent": 10.0, "min_people": 5.0}
    assert not exceeds(4, 5, limits)
    assert not exceeds(5, 50, limits)
    assert exceeds(6, 50, limits)
    assert not exceeds(5, 0, limits)


@pytest.mark.parametrize(
    ("leavers", "of", "trips"),
    [(4, 30, False), (5, 50, False), (5, 49, True), (1, 1, False), (1, 2, False), (2, 4, True), (2, 5, False)],
)
def test_archive_limit(leavers: int, of: int, trips: bool) -> None:
    people = [*crowd(of), Person("stays", "stays", active=True, start=None)]
    world = imported(crowd(of))
    expectation = plan(world, with_leavers(crowd(of), leavers) + ([people[-1]] if of == leavers else []))
    assert expectation.guards["archive_limit"].observed == leavers
    assert ("archive_limit" in tripped(expectation)) is trips


def test_limits_are_settings() -> None:
    world = imported(crowd(30), {"guards": {"archive_limit": {"percent": 50}, "slow_bleed": {"percent": 50}}})
    assert tripped(plan(world, with_leavers(crowd(30), 5))) == set()


def test_slow_bleed_counts_the_last_seven_days_outside_approved_undone_and_restored() -> None:
    people = crowd(40)
    world = imported(people)
    day = world.today - timedelta(days=3)
    for person in people[:6]:
        world = with_user(world, person.hris_id, status="archived", archived_by="import")
    counted = tuple(PastArchive(user(world, person.hris_id).user_id, day) for person in people[:6])
    now = with_leavers(people, 9)
    trips = plan(replace(world, archives=counted), now)
    assert tripped(trips) == {"slow_bleed"}
    assert (trips.guards["slow_bleed"].observed, trips.guards["slow_bleed"].denominator) == (9, 40)
    for fields in ({"approved": True}, {"undo": True}, {"restored_since": True}, {"day": day - timedelta(days=10)}):
        others = tuple(replace(archive, **fields) for archive in counted)
        assert tripped(plan(replace(world, archives=others), now)) == set()


def test_create_limit_not_on_a_first_import() -> None:
    assert tripped(plan(empty_world(), crowd(60))) == set()
    world = imported(crowd(48))
    assert tripped(plan(world, crowd(48 + 24))) == set()
    assert tripped(plan(world, crowd(48 + 25))) == {"create_limit"}


def test_employee_id_mismatch() -> None:
    people = crowd(40)
    world = imported(people)
    five = [replace(person, work_id=f"9{person.work_id}") for person in people[:5]] + people[5:]
    assert tripped(plan(world, five)) == {"employee_id_mismatch"}
    assert tripped(plan(world, people[:1] + five[1:])) == set()


def test_employee_id_mismatch_counts_conflicts_before_the_first_applied_import_only() -> None:
    people = crowd(10)
    local = [replace(user_of(person, integration_id=None), employee_id=f"old{person.work_id}") for person in people]
    first = add_users(empty_world(), *local)
    assert tripped(plan(first, people)) == {"employee_id_mismatch"}
    assert tripped(plan(replace(first, import_applied=True), people)) == set()


def test_email_change_limit() -> None:
    people = crowd(30)
    world = imported(people)
    moved = [replace(person, email=f"new-{person.email}") for person in people]
    assert tripped(plan(world, moved[:6] + people[6:])) == set()
    assert tripped(plan(world, moved[:7] + people[7:])) == {"email_change_limit"}


def test_quarantine_growth_counts_only_who_was_not_quarantined_before() -> None:
    people = crowd(40)
    world = imported(people)
    bad = [replace(person, last_name="") for person in people[:5]] + people[5:]
    expectation = plan(world, bad)
    assert tripped(expectation) == {"quarantine_growth"}
    again = apply(world, expectation, approved=True)
    assert tripped(plan(again, bad)) == set()


def test_field_wipe() -> None:
    people = [replace(person, title="Chief") for person in crowd(20)]
    world = imported(people)
    wiped = [replace(person, title=None) for person in people]
    assert tripped(plan(world, wiped[:6] + people[6:])) == set()
    assert tripped(plan(world, wiped[:7] + people[7:])) == {"field_wipe"}


def test_held_change_set_applies_nothing_until_approved() -> None:
    people = crowd(30)
    world = imported(people)
    expectation = plan(world, with_leavers(people, 10))
    assert expectation.status == "held"
    assert apply(world, expectation) == world
    after = apply(world, expectation, approved=True)
    assert sum(not user.is_active for user in after.users) == 10
    assert all(archive.approved for archive in after.archives)


def test_rows_in_conflict_affect_nothing() -> None:
    people = crowd(30)
    world = imported(people)
    newcomers = [Person(f"n{n}", f"n{n}", email=f"p{n}@acme.test") for n in range(1, 30)]
    expectation = plan(world, [*people, *newcomers])
    assert expectation.counts["conflicts"] == 29
    assert expectation.status == "planned"


def test_import_of_the_same_people_again_changes_nothing() -> None:
    people = changed(crowd(30), "m3", manager="m1", phone="+1 415 555 2671", department="Sales")
    world = imported(people)
    expectation = plan(world, people)
    assert expectation.rows == ()
    assert expectation.counts["unchanged"] == 30
    assert expectation.status == "planned"
