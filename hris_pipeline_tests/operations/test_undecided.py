"""A user in an open conflict, or whom a person linked to another member, stays while that member's row says nothing."""

from collections.abc import Callable

import pytest

from hris_pipeline.operations.decisions import plan_undo
from hris_pipeline.operations.review import review
from hris_pipeline.operations.review_queues import open_conflicts, resolve
from hris_pipeline_tests.kit.acme import Acme, MakeAcme
from hris_pipeline_tests.kit.remembered_homes import remembered

RULE = "do_not_import=[{name: Board, all: [{field: job_title, operator: equals, value: Board}]}]"


def leave_out(acme: Acme, member: str) -> None:
    acme.company.edit(member, job_title="Board")
    acme.switch(RULE)


UNUSABLE: dict[str, Callable[[Acme, str], object]] = {
    "a bad record": lambda acme, member: acme.company.edit(member, birth_date="soon"),
    "no work id": lambda acme, member: acme.company.edit(member, work_id=None),
    "active unread": lambda acme, member: acme.company.edit(member, raw={"active": "yes"}),
    "left out by a rule": leave_out,
    "details that fail": lambda acme, member: acme.fault("failing_details", members=(member,), status=403),
}


@pytest.mark.parametrize("spoil", UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("decided", [True, False], ids=["linked", "undecided"])
def test_while_the_row_of_the_member_says_nothing(
    make_lite: MakeAcme, spoil: Callable[[Acme, str], object], decided: bool
) -> None:
    acme = make_lite(9, seed=5)
    acme.clock.ticks = True

    def import_first() -> None:
        acme.switch("metadata=[{name: Badge, source: 'custom:Badge Number'}]")
        acme.run()

    def come_into_conflict() -> None:
        assert acme.run().counts["conflicts"] == 1

    remembered(acme, "with a badge", import_first)
    gone = acme.active()[0]
    employee_id = acme.users()[gone]["employee_id"]
    work_id = acme.company.person(gone).work_id
    acme.lose([gone])
    member = acme.company.add(work_id=work_id)
    remembered(acme, "with a badge, in conflict", come_into_conflict)
    [conflict] = open_conflicts(acme.services, "acme")
    if decided:
        resolve(acme.services, conflict.conflict_id, "link", "lee")
    spoil(acme, member)
    for _ in range(2):
        done = acme.run()
        assert done.counts["archived"] == 0
        assert employee_id in done.diagnostics["awaiting_decision"]
    assert acme.users()[gone]["status"] == "active"
    assert bool(open_conflicts(acme.services, "acme")) is not decided


def test_after_the_link_was_imported_and_undone(make_lite: MakeAcme) -> None:
    acme = make_lite(20, seed=5)
    acme.clock.ticks = True
    acme.run()
    gone = acme.active()[0]
    acme.lose([gone])
    member = acme.company.add(work_id=acme.company.gone[gone].work_id)
    acme.run()
    [conflict] = open_conflicts(acme.services, "acme")
    resolve(acme.services, conflict.conflict_id, "link", "lee")
    acme.save(plan_undo(acme.services, acme.run().import_id, actor="lee").import_id)
    acme.company.edit(member, birth_date="soon")
    for _ in range(3):
        assert acme.run().counts["archived"] == 0
    assert acme.users()[gone]["status"] == "active"


def test_while_the_member_is_ignored_who_is_the_same_person_by_now(make_lite: MakeAcme) -> None:
    acme = make_lite(20, seed=5)
    acme.run()
    [other, gone, *_] = acme.active()
    member = acme.company.add(work_email=acme.company.person(other).work_email)
    acme.run()
    [conflict] = open_conflicts(acme.services, "acme")
    resolve(acme.services, conflict.conflict_id, "ignore", "lee")
    [person] = acme.lose([gone])
    acme.company.edit(member, **{name: getattr(person, name) for name in ("first_name", "last_name", "birth_date")})
    done = acme.run()
    assert (done.counts["archived"], acme.users()[gone]["status"]) == (0, "active")
    assert done.diagnostics["listed_under_other_id"] == (acme.users()[gone]["employee_id"],)
    acme.lose([member])
    assert acme.run().counts["archived"] == 1


@pytest.mark.parametrize("listed", [False, True], ids=["gone", "listed as inactive"])
def test_whom_a_person_decided_to_be_somebody_else_keeps_no_leaver(make_lite: MakeAcme, listed: bool) -> None:
    acme = make_lite(20, seed=5)
    acme.run()
    other = acme.active()[0]
    acme.company.add(work_email=acme.company.person(other).work_email)
    acme.run()
    [conflict] = open_conflicts(acme.services, "acme")
    resolve(acme.services, conflict.conflict_id, "ignore", "lee")
    if listed:
        acme.company.edit(other, raw={"active": False})
    else:
        acme.lose([other])
    acme.run()
    assert acme.archived() == {other}


def test_a_hire_who_gets_a_leavers_work_id_is_not_said_to_have_left(acme: Acme) -> None:
    leaver = acme.active()[0]
    acme.company.add(work_id=acme.users()[leaver]["employee_id"])
    acme.company.edit(leaver, raw={"active": False})
    acme.run()
    [conflict] = open_conflicts(acme.services, "acme")
    resolve(acme.services, conflict.conflict_id, "create", "lee")
    rows = review(acme.services, acme.preview().import_id).rows
    has_left = {row.action: "archived:not_employed" in row.why for row in rows if row.action in ("create", "archive")}
    assert has_left == {"create": False, "archive": True}
