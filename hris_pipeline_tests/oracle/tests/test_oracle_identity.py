"""Who is who, supervisors, conflicts."""

from dataclasses import replace
from datetime import date

import pytest

from ..applying import apply
from ..company import Person, crowd, user_of
from ..model import Resolution, World
from .kit import (
    action_of,
    add_users,
    changed,
    empty_world,
    fields_of,
    imported,
    plan,
    row_of,
    tripped,
    unlinked,
    user,
    with_user,
    without,
)

BORN = date(1990, 5, 5)
ANN = Person("ann", "0700", first_name="Ann", last_name="Lee", email="ann@acme.test", birth_date=BORN)


def directory_with_local(**fields: object) -> World:
    local = replace(user_of(ANN, integration_id=None), **fields)  # type: ignore[arg-type]
    return add_users(imported(crowd(20)), local)


def test_link_wins_over_every_other_likeness() -> None:
    people = crowd(20)
    world = imported(people)
    swapped = changed(changed(people, "m1", work_id="0002"), "m2", work_id="0001")
    expectation = plan(world, swapped)
    assert expectation.conflicts == ()
    assert fields_of(expectation, "m1")["employee_id"] == "0002"
    assert fields_of(expectation, "m2")["employee_id"] == "0001"


def test_local_user_with_the_same_employee_id_is_linked() -> None:
    expectation = plan(directory_with_local(email=None, birth_date=None), [*crowd(20), ANN])
    assert action_of(expectation, "ann") == "update"
    assert fields_of(expectation, "ann")["hris_id"] == "ann"


@pytest.mark.parametrize("work_id", ["700", "0700 x"])
def test_employee_ids_are_text_with_leading_zeros(work_id: str) -> None:
    stranger = replace(ANN, work_id=work_id, email=None, birth_date=None)
    assert action_of(plan(directory_with_local(), [*crowd(20), stranger]), "ann") == "create"


def test_employee_ids_are_case_sensitive() -> None:
    local = directory_with_local(employee_id="ab1", email=None, birth_date=None)
    assert action_of(plan(local, [*crowd(20), replace(ANN, work_id="AB1")]), "ann") == "create"
    assert action_of(plan(local, [*crowd(20), replace(ANN, work_id="ab1")]), "ann") == "update"


@pytest.mark.parametrize("archived", [True, False])
@pytest.mark.parametrize(
    ("fields", "agrees"),
    [
        ({}, True),
        ({"email": None}, True),
        ({"birth_date": None, "first_name": "Eve"}, True),
        ({"email": None, "birth_date": None}, False),
        ({"email": "other@acme.test", "last_name": "Other"}, False),
    ],
)
def test_local_user_managed_before_or_archived_needs_agreement(
    archived: bool, fields: dict[str, object], agrees: bool
) -> None:
    before: dict[str, object] = {"was_managed_link": ("finch", "elsewhere")}
    if archived:
        before = {"status": "archived", "archived_by": "import"}
    expectation = plan(directory_with_local(**fields, **before), [*crowd(20), ANN])
    if agrees:
        assert action_of(expectation, "ann") == ("restore" if archived else "update")
    else:
        assert [conflict.hris_id for conflict in expectation.conflicts] == ["ann"]
        assert row_of(expectation, "ann") is None


def test_member_who_is_not_employed_never_takes_over_a_local_user() -> None:
    for person in (replace(ANN, active=False), replace(ANN, start=date(2030, 1, 1))):
        expectation = plan(directory_with_local(), [*crowd(20), person])
        assert row_of(expectation, "ann") is None
        assert expectation.inactive_local == {"u-ann"}
        archived = plan(directory_with_local(status="archived"), [*crowd(20), person])
        assert archived.inactive_local == frozenset()


def test_deleted_integration_of_the_same_kind_gives_its_people_back() -> None:
    people = crowd(20)
    expectation = plan(unlinked(imported(people)), changed(people, "m1", work_id="9999", email="x@acme.test"))
    assert expectation.conflicts == ()
    assert expectation.counts["updated"] == 20
    assert fields_of(expectation, "m1")["employee_id"] == "9999"


def test_linked_to_another_id_is_relinked_only_when_gone_and_agreeing() -> None:
    people = crowd(40)
    world = imported(people)
    old = people[0]
    returned = replace(old, hris_id="new1")
    missing = [*changed(people, "m1", listed=False), returned]
    assert fields_of(plan(world, missing), "new1") == {"hris_id": "new1"}
    assert action_of(plan(world, missing), "m1") is None
    inactive = [*changed(people, "m1", active=False), returned]
    assert action_of(plan(world, inactive), "new1") == "update"
    hole = plan(world, [*changed(people, "m1", listed=False, lookup="error"), returned])
    assert [conflict.hris_id for conflict in hole.conflicts] == ["new1"]
    stranger = replace(returned, first_name="Eve", email="eve@acme.test")
    reused = plan(world, [*changed(people, "m1", listed=False), stranger])
    assert [(conflict.kind, conflict.user_ids) for conflict in reused.conflicts] == [
        ("employee_id", (user(world, "m1").user_id,))
    ]
    assert reused.awaiting_decision == {user(world, "m1").user_id}


def test_rehire_under_a_new_id_restores_whom_an_import_archived() -> None:
    people = crowd(40)
    world = imported(people)
    left = apply(world, plan(world, changed(people, "m1", active=False)))
    assert user(left, "m1").status == "archived"
    returned = [*changed(people, "m1", active=False), replace(people[0], hris_id="new1")]
    expectation = plan(left, returned)
    assert action_of(expectation, "new1") == "restore"
    after = apply(left, expectation)
    assert user(after, "new1").employee_id == "0001"
    assert plan(after, returned).rows == ()


def test_same_email_or_same_name_and_birth_date_is_a_conflict() -> None:
    people = crowd(20)
    world = imported(people)
    by_email = Person("n", "8000", first_name="Eve", last_name="New", email="P1@ACME.test")
    assert [conflict.kind for conflict in plan(world, [*people, by_email]).conflicts] == ["email"]
    by_name = replace(people[0], hris_id="n", work_id="8000", email=None, first_name="FIRST1")
    assert [conflict.kind for conflict in plan(world, [*people, by_name]).conflicts] == ["name_and_birth_date"]
    by_name_alone = replace(by_name, birth_date=None)
    assert action_of(plan(world, [*people, by_name_alone]), "n") == "create"


def test_conflict_holds_back_only_its_own_row() -> None:
    people = crowd(20)
    conflicting = Person("n", "8000", email="p1@acme.test")
    expectation = plan(imported(people), [*changed(people, "m2", title="Chief"), conflicting])
    assert expectation.status == "planned"
    assert action_of(expectation, "m2") == "update"
    assert row_of(expectation, "n") is None


def test_user_on_either_side_of_a_conflict_is_never_archived_and_nothing_that_points_to_them_is_cleared() -> None:
    people = changed(crowd(20), "m2", manager="m1")
    world = imported(people)
    assert user(world, "m2").supervisor_id == "0001"
    now = changed(changed(people, "m1", active=False), "m2", manager=None)
    now = [*changed(now, "m3", manager="m4"), Person("n", "8000", email="p1@acme.test")]
    expectation = plan(world, now)
    assert action_of(expectation, "m1") is None
    assert expectation.awaiting_decision == {user(world, "m1").user_id}
    assert "supervisor_id" not in fields_of(expectation, "m2")
    assert fields_of(expectation, "m3")["supervisor_id"] == "0004"


def test_employee_id_that_another_user_keeps_is_a_conflict_that_protects_both() -> None:
    people = crowd(20)
    world = imported(people)
    now = changed(changed(people, "m1", active=False), "m2", work_id="0001")
    expectation = plan(world, now)
    ids = {user(world, "m1").user_id, user(world, "m2").user_id}
    assert [set(conflict.user_ids) for conflict in expectation.conflicts] == [ids]
    assert expectation.rows == ()
    assert expectation.awaiting_decision == {user(world, "m1").user_id}


def test_shared_employee_id_quarantines_all_employed_rows_and_never_lets_the_last_win() -> None:
    people = crowd(40)
    world = imported(people)
    expectation = plan(world, changed(people, "m1", work_id="0002"))
    assert {entry.hris_id for entry in expectation.quarantined} == {"m1", "m2"}
    assert expectation.rows == ()


def test_row_that_is_not_employed_never_blocks_an_employed_one() -> None:
    people = [*crowd(40), Person("old", "0002", active=False, email="old@acme.test")]
    expectation = plan(imported(crowd(40)), changed(people, "m2", title="Chief"))
    assert expectation.quarantined == ()
    assert action_of(expectation, "m2") == "update"


def test_many_ids_at_once_relink_nobody_unasked() -> None:
    people = crowd(40)
    world = imported(people)
    now = [replace(person, hris_id=f"n{person.hris_id}") for person in people[:5]]
    gone = [replace(person, listed=False) for person in people[:5]]
    expectation = plan(world, [*people[5:], *gone, *now])
    assert "identity_change" in tripped(expectation)
    assert expectation.rows == ()
    assert {conflict.kind for conflict in expectation.conflicts} == {"identity_change"}
    assert len(expectation.awaiting_decision) == 5
    four = plan(world, [*people[4:], *gone[:4], *now[:4]])
    assert tripped(four) == set()
    assert four.counts["updated"] == 4


def test_approving_identity_change_applies_the_rest_without_those_people() -> None:
    people = crowd(40)
    world = imported(people)
    now = [replace(person, hris_id=f"n{person.hris_id}") for person in people[:5]]
    gone = [replace(person, listed=False) for person in people[:5]]
    expectation = plan(world, [*changed(people[5:], "m9", title="Chief"), *gone, *now])
    after = apply(world, expectation, approved=True)
    assert user(after, "m9").metadata["JobTitle"] == "Chief"
    assert user(after, "m1").is_active


@pytest.mark.parametrize(("restore", "action"), [(False, None), (True, "restore")])
def test_linking_to_a_user_whom_a_person_archived_needs_that_said(restore: bool, action: str | None) -> None:
    world = directory_with_local(status="archived", archived_by="person")
    world = replace(world, resolutions=(Resolution("ann", "link", "u-ann", restore=restore),))
    expectation = plan(world, [*crowd(20), ANN])
    assert action_of(expectation, "ann") == action
    assert bool(expectation.conflicts) is not restore


def test_ignore_and_create_anyway_are_remembered() -> None:
    people = crowd(20)
    newcomer = Person("n", "8000", email="p1@acme.test")
    world = imported(people)
    ignored = plan(replace(world, resolutions=(Resolution("n", "ignore"),)), [*people, newcomer])
    assert ignored.conflicts == ()
    assert row_of(ignored, "n") is None
    created = plan(replace(world, resolutions=(Resolution("n", "create"),)), [*people, newcomer])
    assert action_of(created, "n") == "create"
    assert "email" not in fields_of(created, "n")


def test_user_who_has_an_address_keeps_it() -> None:
    people = crowd(20)
    world = imported(people)
    expectation = plan(world, changed(people, "m1", email="p2@acme.test"))
    assert row_of(expectation, "m1") is None
    assert {warned.kind for warned in expectation.warnings} >= {"email_taken"}
    swapped = changed(changed(people, "m1", email="p2@acme.test"), "m2", email="p1@acme.test")
    assert fields_of(plan(world, swapped), "m1") == {"email": "p2@acme.test"}


# Supervisors


def test_supervisor_is_resolved_through_links_then_through_the_extract() -> None:
    people = changed(crowd(20), "m2", manager="m1")
    world = imported(people)
    assert user(world, "m2").supervisor_id == "0001"
    renamed = changed(people, "m1", work_id="7000")
    assert fields_of(plan(world, renamed), "m2") == {"supervisor_id": "7000"}
    local = add_users(world, replace(user_of(ANN, integration_id=None)))
    excluded = replace(local, settings={"do_not_import": [_rule("Left out", "justworks_id", "0700")]})
    expectation = plan(excluded, [*changed(people, "m3", manager="ann"), ANN])
    assert fields_of(expectation, "m3")["supervisor_id"] == "0700"
    assert row_of(expectation, "ann") is None


def _rule(name: str, field: str, value: str) -> dict[str, object]:
    return {"name": name, "all": [{"field": field, "operator": "equals", "value": value}]}


def test_supervisor_in_an_open_conflict_without_a_certain_user_leaves_the_stored_one() -> None:
    people = changed(crowd(20), "m2", manager="m1")
    newcomer = Person("n", "8000", email="p3@acme.test")
    expectation = plan(imported(people), [*changed(people, "m2", manager="n"), newcomer])
    assert "supervisor_id" not in fields_of(expectation, "m2")


def test_supervisor_is_blank_with_a_warning_only_when_no_user_at_all() -> None:
    people = changed(crowd(20), "m2", manager="m1")
    people = changed(people, "m3", manager="m1")
    expectation = plan(imported(people), changed(people, "m2", manager="nobody"))
    assert fields_of(expectation, "m2") == {"supervisor_id": None}
    assert {warned.kind for warned in expectation.warnings} == {"supervisor_unknown"}


def test_supervisor_who_is_archived_or_quarantined_is_still_named() -> None:
    people = changed(crowd(40), "m2", manager="m1")
    world = with_user(imported(crowd(40)), "m1", status="archived", archived_by="person")
    assert fields_of(plan(world, people), "m2")["supervisor_id"] == "0001"
    bad = changed(people, "m1", last_name="")
    assert fields_of(plan(imported(crowd(40)), bad), "m2")["supervisor_id"] == "0001"


def test_supervisor_created_by_the_same_plan_is_named() -> None:
    expectation = plan(empty_world(), changed(crowd(3), "m2", manager="m1"))
    assert fields_of(expectation, "m2")["supervisor_id"] == "0001"


def test_cycle_is_kept_with_a_warning() -> None:
    people = changed(changed(crowd(20), "m1", manager="m2"), "m2", manager="m1")
    people = changed(people, "m3", manager="m3")
    expectation = plan(imported(crowd(20)), people)
    assert fields_of(expectation, "m1")["supervisor_id"] == "0002"
    assert fields_of(expectation, "m3")["supervisor_id"] == "0003"
    assert {(warned.kind, warned.who) for warned in expectation.warnings} == {
        ("supervisor_cycle", "m1"),
        ("supervisor_cycle", "m2"),
        ("supervisor_cycle", "m3"),
    }


def test_re_used_work_id_names_nobody_wrongly() -> None:
    people = [*crowd(20), Person("old", "0005", active=False, email="old@acme.test")]
    people = changed(people, "m2", manager="old")
    world = imported(changed(crowd(20), "m2", manager="m1"))
    assert fields_of(plan(world, changed(people, "m3", manager="m1")), "m2")["supervisor_id"] is None


def test_missing_manager_clears_the_stored_one() -> None:
    people = changed(changed(crowd(20), "m2", manager="m1"), "m3", manager="m1")
    expectation = plan(imported(people), changed(people, "m2", manager=None))
    assert fields_of(expectation, "m2")["supervisor_id"] is None
    all_cleared = plan(imported(people), changed(changed(people, "m2", manager=None), "m3", manager=None))
    assert "supervisor_id" not in fields_of(all_cleared, "m2")
    assert ("absent_for_everybody", "supervisor_id") in {(warned.kind, warned.who) for warned in all_cleared.warnings}


def test_leavers_with_re_used_employee_id_wait_for_the_decision() -> None:
    people = crowd(20)
    world = imported(people)
    newcomer = Person("n", "0001", first_name="Eve", last_name="New", email="eve@acme.test")
    expectation = plan(world, [*without(people, "m1"), replace(people[0], active=False), newcomer])
    assert [conflict.hris_id for conflict in expectation.conflicts] == ["n"]
    assert expectation.awaiting_decision == {user(world, "m1").user_id}


def test_manager_named_by_a_former_id_is_still_the_same_user() -> None:
    people = changed(changed(crowd(40), "m2", manager="m1"), "m3", manager="m4")
    world = imported(people)
    returned = [*changed(people, "m1", active=False), replace(people[0], hris_id="new1")]
    after = apply(world, plan(world, returned))
    assert user(after, "new1").employee_id == "0001"
    assert plan(after, returned).rows == ()
