"""Who is who, through the whole line: no silent takeover, no duplicate, and what people decide is remembered."""

import pytest

from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.operations.members import matching_ids
from hris_pipeline.operations.review_queues import open_conflicts, relink_by_employee_id, resolve
from hris_pipeline.operations.upkeep import verify
from hris_pipeline.operations.users import load_users
from hris_pipeline_tests.kit.acme import Acme, MakeAcme


def rehired(acme: Acme, **changes: object) -> tuple[str, str]:
    """Somebody left for good and is back under a new id; gives the old and the new one."""
    [old] = acme.active()[:1]
    [person] = acme.lose([old])
    acme.run()
    kept = {name: getattr(person, name) for name in ("first_name", "last_name", "birth_date", "work_email", "work_id")}
    return old, acme.company.add(**(kept | changes))


def test_a_rehire_with_a_new_id_and_the_same_work_id_is_the_same_user(acme: Acme) -> None:
    old, new = rehired(acme)
    before = acme.users()[old]
    done = acme.run()
    assert (done.counts["restored"], done.counts["created"], done.counts["conflicts"]) == (1, 0, 0)
    after = acme.users()[new]
    assert (after["user_id"], after["status"]) == (before["user_id"], "active")
    assert old not in acme.users()


def test_a_rehire_with_a_new_work_id_too_is_a_conflict_until_somebody_links(acme: Acme) -> None:
    old, new = rehired(acme, work_id="9001")
    done = acme.run()
    assert (done.counts["conflicts"], done.changes) == (1, 0)
    [conflict] = open_conflicts(acme.services, "acme")
    assert (conflict.hris_id, conflict.kind) == (new, "email")
    assert conflict.user["hris_id"] == old
    assert conflict.incoming["employee_id"] == "9001"
    before = acme.users()[old]["user_id"]
    assert resolve(acme.services, conflict.conflict_id, "link", "lee").resolution == "link"
    assert acme.run().counts["restored"] == 1
    assert acme.users()[new]["user_id"] == before
    assert open_conflicts(acme.services, "acme") == ()
    assert acme.preview().changes == 0


def test_a_reused_work_id_is_a_conflict_that_may_be_ignored(acme_lite: Acme) -> None:
    acme = acme_lite
    _, new = rehired(
        acme, first_name="Someone", last_name="Else", birth_date="1999-09-09", work_email="se@acme.example"
    )
    assert acme.run().counts["conflicts"] == 1
    [conflict] = open_conflicts(acme.services, "acme")
    assert (conflict.hris_id, conflict.kind) == (new, "employee_id")
    resolve(acme.services, conflict.conflict_id, "ignore", "lee")
    ignored = acme.preview()
    assert (ignored.counts["conflicts"], ignored.changes) == (0, 0)
    assert ignored.diagnostics["excluded:ignored"] == (new,), "the work id is another user's"
    acme.company.edit(new, work_id="9002")
    assert new not in acme.users()


@pytest.mark.parametrize(
    "same", [("work_email",), ("first_name", "last_name", "birth_date")], ids=["email", "namesake"]
)
def test_a_recycled_email_and_a_namesake_take_over_nobody_and_can_be_created(
    acme_lite: Acme, same: tuple[str, ...]
) -> None:
    acme = acme_lite
    holder = acme.company.person(acme.active()[0])
    new = acme.company.add(**{name: getattr(holder, name) for name in same})
    before = acme.users()
    assert acme.run().counts["conflicts"] == 1
    assert acme.users() == before
    [conflict] = open_conflicts(acme.services, "acme")
    assert conflict.kind == ("email" if same == ("work_email",) else "name_and_birth_date")
    resolve(acme.services, conflict.conflict_id, "create", "lee")
    assert acme.run().counts["created"] == 1
    created = acme.users()[new]
    assert created["user_id"] != before[holder.id]["user_id"]
    assert acme.users()[holder.id] == before[holder.id]
    if same == ("work_email",):
        assert created["email"] is None


def test_conflicts_that_are_gone_or_unknown_cannot_be_decided(acme_lite: Acme) -> None:
    acme = acme_lite
    holder = acme.company.person(acme.active()[0])
    new = acme.company.add(work_email=holder.work_email)
    acme.run()
    [conflict] = open_conflicts(acme.services, "acme")
    with pytest.raises(UsageError, match="link to that one"):
        resolve(acme.services, conflict.conflict_id, "link", "lee", user_id="somebody else")
    acme.company.edit(new, work_email="new@acme.example")
    acme.run()
    assert open_conflicts(acme.services, "acme") == ()
    with pytest.raises(UsageError, match="gone"):
        resolve(acme.services, conflict.conflict_id, "create", "lee")
    with pytest.raises(UnknownName):
        resolve(acme.services, "0000", "link", "lee")


def test_a_user_who_would_carry_another_users_employee_id_can_be_left_but_not_linked(acme_lite: Acme) -> None:
    acme = acme_lite
    first, second = acme.active()[:2]
    acme.company.edit(first, work_id=acme.users()[second]["employee_id"])
    acme.lose([second])
    acme.edit_user(second, protected=True)
    acme.preview()
    [conflict] = open_conflicts(acme.services, "acme")
    with pytest.raises(UsageError, match="is a user already"):
        resolve(acme.services, conflict.conflict_id, "link", "lee")
    assert relink_by_employee_id(acme.services, "acme", "lee") == 0
    resolve(acme.services, conflict.conflict_id, "ignore", "lee")
    assert acme.preview().counts["conflicts"] == 0


def test_when_all_ids_changed_one_bulk_resolution_links_everybody_again(make: MakeAcme) -> None:
    acme = make(30, seed=8)
    acme.run()
    before = {row["employee_id"]: row["user_id"] for row in acme.users().values()}
    acme.company.renew_ids()
    planned = acme.preview()
    assert (planned.counts["created"], planned.counts["conflicts"]) == (0, 30)
    assert relink_by_employee_id(acme.services, "acme", "lee") == 30
    linked = acme.preview()
    assert (linked.counts["updated"], linked.counts["conflicts"], linked.counts["archived"]) == (30, 0, 0)
    acme.save()
    after = acme.users()
    assert {row["employee_id"]: row["user_id"] for row in after.values()} == before
    assert set(after) == set(acme.company.member_ids)
    assert acme.archived() == set()
    assert verify(acme.services, "acme").ok


def test_local_users_are_linked_by_employee_id_with_match_rates_before(make: MakeAcme) -> None:
    acme = make(12)
    people = acme.company.persons()[:5]
    lines = ["Employee Id,First Name,Last Name,#Team", *(f"{person.work_id},Old,Name,Blue" for person in people)]
    loaded = load_users(acme.services, "acme", "\n".join(lines).encode())
    assert len(loaded.created) == 5
    acme.preview()
    assert matching_ids(acme.services, "acme") == {"justworks_id": 5}
    done = acme.save()
    assert (done.counts["created"], done.counts["updated"]) == (7, 5)
    linked = acme.users()[people[0].id]
    assert linked["first_name"] == people[0].first_name
    assert linked["metadata"]["Team"] == "Blue"
    assert matching_ids(acme.services, "acme") == {}
