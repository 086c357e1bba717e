"""Who moves from one company of a directory to another stays, whatever comes first: until somebody decides, until what
was decided is imported, and while nothing is known of them there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from hris_pipeline.errors import ImportStale, UsageError
from hris_pipeline.operations.connection import delete_integration
from hris_pipeline.operations.decisions import plan_undo
from hris_pipeline.operations.review_queues import open_conflicts, relink_by_employee_id, resolve
from hris_pipeline.sandbox import Company
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.mapping import add_metadata
from hris_pipeline.transform.validate import TooManyBadRows
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.clock import MONDAY
from hris_pipeline_tests.kit.remembered_homes import remembered


@dataclass
class Move:
    """Somebody of acme who is gone from there, and comes to globex of the same directory."""

    acme: Acme
    globex: Acme
    mover: str
    arrived: str = ""

    @property
    def employee_id(self) -> str:
        return str(self.acme.users()[self.mover]["employee_id"])

    @property
    def user_id(self) -> str:
        return str(self.acme.users()[self.mover]["user_id"])

    def arrive(self, **other: str | None) -> str:
        """A member of globex who is the mover but for ``other``."""
        person = self._person
        fields = ("first_name", "last_name", "birth_date", "work_email", "work_id")
        self.arrived = self.globex.company.add(**{name: getattr(person, name) for name in fields} | other)
        return self.arrived

    def arrive_left_out(self) -> None:
        """As a member of globex whom a rule there leaves out."""
        self.arrive(job_title="Board")
        self.globex.switch("do_not_import=[{name: Board, all: [{field: job_title, operator: equals, value: Board}]}]")

    def leave(self, *, listed: bool = False) -> None:
        self._person = self.acme.company.person(self.mover)
        if listed:
            self.acme.company.edit(self.mover, raw={"active": False})
        else:
            self.acme.lose([self.mover])

    def decide(self) -> None:
        [conflict] = open_conflicts(self.acme.services, "globex")
        resolve(self.acme.services, conflict.conflict_id, "link", "lee")

    def stays(self) -> bool:
        """Whether an import of acme archives nobody, and says for whom it waits."""
        done = self.acme.run()
        assert (done.counts["archived"], done.diagnostics.get("awaiting_decision")) == (0, (self.employee_id,))
        return bool(self.acme.users()[self.mover]["status"] == "active")


@pytest.fixture
def move(acme: Acme) -> Move:
    mover = acme.active()[0]
    company = Company(3, 9, today=MONDAY.date(), display_name="Globex")
    globex = acme.sibling("globex", company, Settings.model_validate({"directory": "acme"}))
    for number, colleague in enumerate(company.persons()):
        company.edit(colleague.id, work_id=f"G{number}")
    assert remembered(acme, "globex imported", lambda: globex.run().counts["conflicts"]) == 0
    return Move(acme, globex, mover)


@pytest.mark.parametrize("planned", ["before", "after"])
def test_until_somebody_decides(move: Move, planned: str) -> None:
    move.leave()
    early = move.acme.preview() if planned == "before" else None
    move.arrive()
    assert move.globex.run().counts["conflicts"] == 1
    if early is not None:
        assert early.counts["archived"] == 1
        with pytest.raises(ImportStale, match="conflict of another integration"):
            move.acme.save(early.import_id)
    assert move.stays()


@pytest.mark.parametrize("singly", [True, False], ids=["one by one", "all at once"])
def test_until_what_was_decided_is_imported(move: Move, singly: bool) -> None:
    move.leave()
    early = move.acme.preview()
    move.arrive()
    move.globex.run()
    if singly:
        move.decide()
    else:
        assert relink_by_employee_id(move.acme.services, "globex", "lee") == 1
    with pytest.raises(ImportStale, match="linked there"):
        move.acme.save(early.import_id)
    assert move.stays()
    planned = move.globex.preview()
    assert move.stays()  # a preview moves nobody yet
    move.globex.save(planned.import_id)
    user = move.acme.users()[move.arrived]
    assert (user["integration_id"], user["status"]) == ("globex", "active")
    assert move.acme.run().counts["archived"] == 0


def test_reports_at_the_company_that_was_left_keep_the_manager(move: Move) -> None:
    report = move.acme.active()[1]
    move.acme.company.edit(report, manager=move.mover)
    move.acme.run()
    assert move.acme.users()[report]["supervisor_id"] == move.employee_id
    move.leave()
    move.arrive()
    move.globex.run()
    move.decide()
    move.globex.run()
    for _ in range(2):
        done = move.acme.run()
        assert "warning:supervisor_unknown" not in done.diagnostics
    user = move.acme.users()[move.arrived]
    assert move.acme.users()[report]["supervisor_id"] == user["employee_id"]


def test_reports_at_the_other_company_keep_a_manager_who_came_back_under_another_id(move: Move) -> None:
    manager = move.acme.company.person(move.mover)
    report = move.globex.company.member_ids[0]
    move.globex.company.edit(report, manager=None, raw={"manager": {"id": move.mover}})
    move.globex.run()
    assert move.acme.users()[report]["supervisor_id"] == move.employee_id
    employee_id = move.employee_id
    move.leave()
    move.acme.company.add(msgspec.structs.replace(manager, id="again"))
    move.acme.run()
    assert move.acme.users()["again"]["employee_id"] == employee_id
    done = move.globex.run()
    assert "warning:supervisor_unknown" not in done.diagnostics
    assert move.acme.users()[report]["supervisor_id"] == employee_id


def test_after_the_link_was_imported_and_undone(move: Move) -> None:
    move.leave()
    move.arrive()
    move.globex.run()
    move.decide()
    linked = move.globex.run()
    undo = plan_undo(move.acme.services, linked.import_id, actor="lee")
    move.globex.save(undo.import_id)
    assert move.acme.users()[move.mover]["integration_id"] == "acme"
    assert move.stays()
    move.globex.run()  # what was decided is followed again
    assert move.acme.users()[move.arrived]["status"] == "active"


def leave_out(globex: Acme, member: str) -> None:
    globex.company.edit(member, job_title="Board")
    globex.switch("do_not_import=[{name: Board, all: [{field: job_title, operator: equals, value: Board}]}]")


def refuse_details(globex: Acme, member: str) -> None:
    globex.switch("metadata=[{name: Badge, source: 'custom:Badge Number'}]")
    globex.fault("failing_details", members=(member,), status=403)


OF_NO_USE: dict[str, tuple[Callable[[Acme, str], object], bool]] = {
    "a bad record": (lambda globex, member: globex.company.edit(member, birth_date="soon"), True),
    "no work id": (lambda globex, member: globex.company.edit(member, work_id=None), False),
    "left out by a rule": (leave_out, False),
    "details that fail": (refuse_details, True),
}
"""How the row is spoilt, and whether the one that was left is still listed, as inactive."""


@pytest.mark.parametrize(("spoil", "listed"), OF_NO_USE.values(), ids=OF_NO_USE)
def test_while_the_row_there_was_never_of_any_use(
    move: Move, spoil: Callable[[Acme, str], object], listed: bool
) -> None:
    move.leave(listed=listed)
    early = move.acme.preview()
    member = move.arrive()
    spoil(move.globex, member)
    assert move.globex.run().counts["conflicts"] == 0
    with pytest.raises(ImportStale, match="seem to be listed there"):
        move.acme.save(early.import_id)
    assert move.stays()
    move.globex.fault("short_list", share=0.3)
    move.globex.preview()  # asked for singly, they are there, or nothing is known of them
    move.globex.sandbox.clear_faults()
    assert move.stays()
    move.globex.lose([member])
    move.globex.run()
    assert move.acme.run().counts["archived"] == 1


def test_not_once_the_other_company_is_deleted(move: Move) -> None:
    move.globex.connect()  # the token that other tests have is not revoked
    move.leave()
    move.globex.company.edit(move.globex.company.add(), birth_date="soon")
    move.globex.company.edit(move.arrive(), birth_date="soon")
    move.globex.run()
    assert move.stays()
    delete_integration(move.acme.services, "globex", "globex")
    assert move.acme.run().counts["archived"] == 1


UNKNOWN: dict[str, Callable[[Acme, str], object]] = {
    "a bad record": lambda globex, member: globex.company.edit(member, birth_date="soon"),
    "a list that is short": lambda globex, _: globex.fault("short_list", share=0.3),
}


@pytest.mark.parametrize("lose_sight", UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("decided", [True, False])
def test_while_nothing_is_known_of_them_there(
    move: Move, lose_sight: Callable[[Acme, str], object], decided: bool
) -> None:
    move.leave()
    member = move.arrive()
    move.globex.run()
    if decided:
        move.decide()
    lose_sight(move.globex, member)
    seen = move.globex.preview()
    if not seen.tripped:
        move.globex.save(seen.import_id)
    assert (seen.counts["conflicts"], seen.counts["updated"]) == (0, 0)
    assert move.stays()


def test_not_once_they_have_left_there_too(move: Move) -> None:
    move.leave()
    member = move.arrive()
    move.globex.run()
    move.globex.company.edit(member, active=False, termination_date="2025-03-01")
    move.globex.run()
    assert move.acme.run().counts["archived"] == 1


def test_two_members_are_never_decided_to_be_one_user(move: Move) -> None:
    move.leave()
    move.arrive(first_name="Somebody", work_id="G90")
    move.arrive(work_email=None, work_id="G91")
    assert move.globex.run().counts["conflicts"] == 2
    first, second = open_conflicts(move.acme.services, "globex")
    assert first.user_id == second.user_id == move.user_id
    resolve(move.acme.services, first.conflict_id, "link", "lee")
    with pytest.raises(UsageError, match=f"so conflict {first.conflict_id} of globex was decided"):
        resolve(move.acme.services, second.conflict_id, "link", "lee")
    resolve(move.acme.services, first.conflict_id, "create", "lee")
    resolve(move.acme.services, second.conflict_id, "link", "lee")
    done = move.globex.run()
    assert (done.counts["created"], done.counts["updated"]) == (1, 1)
    assert move.acme.users()[second.hris_id]["user_id"] == second.user_id


def test_the_work_id_of_somebody_who_left_the_other_company_can_be_given_to_a_hire(move: Move) -> None:
    """Each company numbers its people for itself."""
    employee_id = move.employee_id
    hire = move.globex.company.add(work_id=employee_id)
    move.globex.run()
    [conflict] = open_conflicts(move.acme.services, "globex")
    with pytest.raises(UsageError, match="has not left"):
        resolve(move.acme.services, conflict.conflict_id, "create", "lee")
    move.leave(listed=True)
    assert move.stays()
    resolve(move.acme.services, conflict.conflict_id, "create", "lee")
    assert move.acme.run().counts["archived"] == 1
    done = move.globex.run()
    assert (done.counts["created"], done.counts["updated"], done.counts["conflicts"]) == (1, 1, 0)
    users = {**move.acme.users(), **move.globex.users()}
    assert (users[hire]["employee_id"], users[move.mover]["employee_id"]) == (employee_id, None)
    assert move.acme.run().counts["updated"] == move.globex.run().counts["updated"] == 0


def test_who_was_archived_before_the_other_company_was_read_stays_once_that_was_undone(move: Move) -> None:
    move.leave(listed=True)
    archived = move.acme.run()
    assert archived.counts["archived"] == 1
    move.arrive_left_out()
    move.globex.run()
    move.acme.save(plan_undo(move.acme.services, archived.import_id, actor="lee").import_id)
    assert move.stays()


def test_of_whom_nothing_archives_no_employee_id_is_given_away(move: Move) -> None:
    move.leave(listed=True)
    move.arrive_left_out()
    move.globex.run()
    employee_id = move.employee_id
    move.acme.company.add(work_id=employee_id)
    assert move.acme.run().counts["conflicts"] == 1
    [conflict] = open_conflicts(move.acme.services, "acme")
    resolve(move.acme.services, conflict.conflict_id, "create", "lee")
    done = move.acme.run()
    assert (done.counts["created"], done.counts["updated"], done.counts["conflicts"]) == (0, 0, 1)
    assert move.employee_id == employee_id


@pytest.mark.parametrize("field", ["birth_date", "work_email"])
def test_while_an_extract_of_the_other_company_is_refused_for_its_bad_rows(move: Move, field: str) -> None:
    move.leave()
    move.arrive(**{field: "bad"})
    others = [move.globex.company.add(None, work_id=f"G9{number}", **{field: "bad"}) for number in range(5)]
    with pytest.raises(TooManyBadRows):
        move.globex.run()
    assert move.stays()
    for hris_id in (*others, move.arrived):
        move.globex.company.edit(hris_id, **{field: None})
    move.globex.run()
    assert move.stays()


@pytest.mark.parametrize("missing", [{"last_name": None}, {"raw": {"active": None}}], ids=["last_name", "active"])
def test_while_an_extract_of_the_other_company_lacks_a_needed_column_altogether(
    move: Move, missing: dict[str, Any]
) -> None:
    move.leave()
    move.arrive(work_id="G90")
    for person in move.globex.company.persons():
        move.globex.company.edit(person.id, **missing)
    with pytest.raises(TooManyBadRows):
        move.globex.run()
    assert move.stays()


def test_a_refused_extract_keeps_nobody_who_is_not_in_it(move: Move) -> None:
    move.leave()
    for number in range(6):
        move.globex.company.add(work_id=f"G9{number}", birth_date="bad")
    with pytest.raises(TooManyBadRows):
        move.globex.run()
    assert move.acme.run().counts["archived"] == 1


def be_supervised(globex: Acme, report: str, mover: str) -> None:
    globex.company.edit(report, manager=None, raw={"manager": {"id": mover}})


def have_a_buddy(globex: Acme, report: str, mover: str) -> None:
    globex.change(add_metadata(globex.settings(), "Buddy", "supervisor_hris_id", "associated"))
    globex.switch("exclude_fields=[supervisor_id]")
    be_supervised(globex, report, mover)


@pytest.mark.parametrize("refer", [be_supervised, have_a_buddy])
def test_no_supervisor_is_written_whose_employee_id_changed_hands_since(
    move: Move, refer: Callable[[Acme, str, str], None]
) -> None:
    report = move.globex.company.persons()[0].id
    refer(move.globex, report, move.mover)
    planned = move.globex.preview()
    employee_id = move.employee_id
    move.acme.company.edit(move.mover, work_id="9006")
    move.acme.run()
    move.acme.company.add(work_id=employee_id)
    assert move.acme.run().counts["created"] == 1
    with pytest.raises(ImportStale, match="changed hands"):
        move.globex.save(planned.import_id)
    move.globex.run()
    user = move.globex.users()[report]
    assert "9006" in (user["supervisor_id"], user["metadata"].get("Buddy"))


def test_a_user_of_the_refused_company_itself_keeps_no_namesake(move: Move) -> None:
    names = {name: getattr(move.acme.company.person(move.mover), name) for name in ("first_name", "last_name")}
    born = move.acme.company.person(move.mover).birth_date
    namesake = move.globex.company.add(None, work_id="G80", **names)
    move.globex.run()
    assert namesake in move.globex.users()
    move.leave()
    move.globex.company.edit(namesake, birth_date=born)
    for number in range(6):
        move.globex.company.add(work_id=f"G9{number}", birth_date="bad")
    with pytest.raises(TooManyBadRows):
        move.globex.run()
    assert move.acme.run().counts["archived"] == 1
