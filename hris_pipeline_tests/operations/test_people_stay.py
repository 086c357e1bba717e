"""Nobody who works is archived, through the whole line: identity changes, conflicts, first imports, and what is shown
of an import that stays open."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from hris_pipeline.errors import FrameInvalid, ImportHeld, UsageError
from hris_pipeline.operations.connection import connect
from hris_pipeline.operations.decisions import approve_import
from hris_pipeline.operations.review_queues import open_conflicts, relink_by_employee_id, resolve
from hris_pipeline.operations.users import load_users
from hris_pipeline.sandbox import wire
from hris_pipeline.sandbox.world import finch_token
from hris_pipeline.settings.validating import settings_from
from hris_pipeline.store.imports import Import
from hris_pipeline_tests.kit.acme import Acme, MakeAcme


def tripped(record: Import) -> list[str]:
    return [guard.name for guard in record.tripped]


def renumber(acme: Acme, number: int) -> None:
    """So many people come back under new member ids, all else equal; the old ones are gone."""
    for hris_id in acme.active()[:number]:
        person = acme.company.person(hris_id)
        fields = ("first_name", "last_name", "birth_date", "work_email", "work_id")
        same = {name: getattr(person, name) for name in fields}
        acme.lose([hris_id])
        acme.company.add(**same)


def test_many_new_member_ids_are_held_approving_archives_none_and_relinking_mends_them(make: MakeAcme) -> None:
    acme = make(60, seed=8)
    acme.run()
    before = {row["employee_id"]: row["user_id"] for row in acme.users().values()}
    renumber(acme, 6)
    held = acme.preview("schedule")
    assert (held.status, tripped(held)) == ("held", ["identity_change"])
    with pytest.raises(ImportHeld, match="hris resolve acme --relink"):
        acme.save(held.import_id)
    approve_import(acme.services, held.import_id, held.digest, "lee", "looked at it")
    assert acme.save(held.import_id).status == "applied"
    assert acme.archived() == set()
    assert relink_by_employee_id(acme.services, "acme", "lee") == 6
    done = acme.run()
    assert (done.counts["updated"], done.counts["archived"], done.counts["created"]) == (6, 0, 0)
    assert {row["employee_id"]: row["user_id"] for row in acme.users().values()} == before


def test_a_manager_who_is_rehired_under_new_ids_stays_and_keeps_her_reports(make: MakeAcme) -> None:
    acme = make(60, seed=3)
    acme.run()
    managers = [person.manager for person in acme.company.persons() if person.manager]
    manager = max(set(managers), key=managers.count)
    work_id = acme.users()[manager]["employee_id"]
    reports = [key for key, row in acme.users().items() if row["supervisor_id"] == work_id]
    person = acme.company.person(manager)
    same = {name: getattr(person, name) for name in ("first_name", "last_name", "birth_date", "work_email")}
    new = acme.company.add(**same, work_id="9001")
    for hris_id in reports:
        acme.company.edit(hris_id, manager=new)
    acme.lose([manager])
    done = acme.run()
    assert (done.counts["conflicts"], done.counts["archived"]) == (1, 0)
    assert done.diagnostics["awaiting_decision"] == (work_id,)
    users = acme.users()
    assert users[manager]["status"] == "active"
    assert {users[key]["supervisor_id"] for key in reports} == {work_id}


def test_conflicts_of_hires_hold_nobody_else(make_lite: MakeAcme) -> None:
    acme = make_lite(60, seed=4)
    acme.run()
    for hris_id in acme.active()[:5]:
        acme.company.add(work_email=acme.company.person(hris_id).work_email)
    fine = acme.company.add()
    done = acme.run()
    assert (done.counts["conflicts"], done.counts["created"], done.status) == (5, 1, "applied")
    assert fine in acme.users()


def test_an_import_that_stays_open_tells_what_is_so_today(make: MakeAcme) -> None:
    acme = make(30, seed=5)
    acme.run()
    acme.lose(acme.active()[:5])
    monday = acme.preview("schedule")
    assert (monday.status, monday.counts["archived"], monday.counts["conflicts"]) == ("held", 5, 0)
    stays = acme.active()[-2:]
    acme.company.add(work_email=acme.company.person(stays[0]).work_email)
    acme.company.edit(stays[1], last_name=None)
    tuesday = acme.preview("schedule")
    assert (tuesday.import_id, tuesday.digest) == (monday.import_id, monday.digest)
    assert (tuesday.counts["conflicts"], tuesday.counts["quarantined"]) == (1, 1)
    assert tuesday.extract_id != monday.extract_id
    assert len(open_conflicts(acme.services, "acme")) == 1
    assert len(tuesday.diagnostics["quarantined"]) == 1
    approve_import(acme.services, tuesday.import_id, monday.digest, "lee", "they left")
    assert acme.save(tuesday.import_id).counts["archived"] == 5


def local_users(acme: Acme, *, count: int | None = None) -> list[str]:
    """People of the company who are local users already, as far as nothing is odd about them; their member ids."""
    plain = [
        person
        for person in acme.company.persons()[:count]
        if person.active
        and "@" in (person.work_email or "")
        and re.fullmatch(r"\d{4}-\d\d-\d\d", str(person.birth_date))
    ]
    lines = ["Employee Id,First Name,Last Name,Email,Birth Date"]
    lines += [
        f"{person.work_id},{person.first_name},{person.last_name},{person.work_email},{person.birth_date}"
        for person in plain
    ]
    load_users(acme.services, "acme", "\n".join(lines).encode())
    return [person.id for person in plain]


def test_a_first_import_into_local_users_counts_of_those_it_links(make_lite: MakeAcme) -> None:
    acme = make_lite(38, seed=6)
    local = local_users(acme)
    for hris_id in local[:5]:
        acme.company.edit(hris_id, work_email=f"other-{hris_id}@acme.example")
    planned = acme.preview()
    assert (planned.status, planned.counts["updated"]) == ("planned", len(local))
    observed = {guard.name: guard.observed for guard in planned.guards}
    assert observed["email_change_limit"].startswith(f"5 of {len(local)} (")


def test_a_first_import_without_consent_keeps_what_local_users_have(make: MakeAcme) -> None:
    acme = make(12)
    local_users(acme, count=4)
    for person in acme.company.persons():
        acme.company.edit(person.id, birth_date=None)
    done = acme.run()
    assert "birth_date" in done.diagnostics["warning:field_missing_for_all"]
    assert sum(row["birth_date"] is not None for row in acme.users().values()) == 4


@pytest.mark.parametrize(
    ("condition", "lost"),
    [
        ({"field": "birth_date", "operator": "is_empty"}, {"birth_date": None}),
        ({"field": "department", "operator": "not_in", "value": ["Support"]}, {"department": None}),
        ({"field": "is_manager", "operator": "equals", "value": False}, {"manager": None}),
        ({"field": "custom:Badge Number", "operator": "is_empty"}, {"custom": {}}),
    ],
    ids=lambda value: value.get("field", ""),
)
def test_a_rule_on_a_field_that_is_lost_for_everybody_archives_no_user(
    make_lite: MakeAcme, condition: dict[str, object], lost: dict[str, object]
) -> None:
    interns = {"field": "job_title", "operator": "equals", "value": "Intern"}
    rule = {"name": "Out", "all": [condition, interns], "archive_existing": True}
    acme = make_lite(12, settings=settings_from({"do_not_import": [rule]}))
    chief, intern, *_ = (person.id for person in acme.company.persons() if person.active)
    acme.company.edit(intern, job_title="Intern", department="Support")
    acme.company.edit(chief, manager=intern)
    acme.run()
    before = acme.users()
    assert before[intern]["status"] == "active"
    for person in acme.company.persons():
        acme.company.edit(person.id, **lost)
    done = acme.run()
    assert (done.status, done.counts["archived"]) in {("applied", 0), ("no_changes", 0)}
    assert acme.users()[intern] == before[intern]


def test_linking_to_somebody_whom_a_person_archived_must_be_said(make: MakeAcme) -> None:
    acme = make(12)
    acme.run()
    [old] = acme.active()[:1]
    acme.edit_user(old, status="archived", archived_by="Pat")
    person = acme.company.person(old)
    acme.lose([old])
    same = {name: getattr(person, name) for name in ("first_name", "last_name", "birth_date", "work_email", "work_id")}
    new = acme.company.add(**same)
    assert acme.run().counts["conflicts"] == 1
    [conflict] = open_conflicts(acme.services, "acme")
    with pytest.raises(UsageError, match="--restore"):
        resolve(acme.services, conflict.conflict_id, "link", "lee")
    assert relink_by_employee_id(acme.services, "acme", "lee") == 0
    resolve(acme.services, conflict.conflict_id, "link", "lee", restore=True)
    assert acme.run().counts["restored"] == 1
    assert acme.users()[new]["status"] == "active"


def test_do_not_archive_follows_the_user_when_the_work_id_changes(make: MakeAcme) -> None:
    acme = make(12)
    acme.run()
    kept, other = acme.active()[:2]
    work_id = acme.users()[kept]["employee_id"]
    acme.switch(f"do_not_archive=['{work_id}']")
    acme.company.edit(kept, work_id="9001")
    acme.run()
    acme.company.edit(other, work_id=work_id)
    acme.run()
    acme.lose([kept, other])
    done = acme.run()
    assert (done.counts["archived"], done.counts["protected"]) == (0, 2)
    acme.switch("do_not_archive=[]")
    acme.lose([])
    assert acme.preview().counts["archived"] == 2


def test_many_who_are_quarantined_anew_are_held_once(make: MakeAcme) -> None:
    acme = make(60, seed=9)
    acme.run()
    bad = acme.active()[:6]
    for hris_id in bad:
        acme.company.edit(hris_id, last_name=None)
    held = acme.preview("schedule")
    assert (held.status, tripped(held)) == ("held", ["quarantine_growth"])
    assert "last_name: missing 6" in held.tripped[0].observed
    approve_import(acme.services, held.import_id, held.digest, "lee", "being mended")
    acme.save(held.import_id)
    assert acme.run("schedule").status == "applied"


@pytest.mark.parametrize("sent", ["false", None, 0, [True]])
def test_active_that_cannot_be_read_of_anybody_stops_the_run_also_on_a_first_import(
    make_lite: MakeAcme, sent: object
) -> None:
    acme = make_lite(12)
    for person in acme.company.persons():
        acme.company.edit(person.id, raw={"active": sent})
    with pytest.raises(FrameInvalid, match="active is needed and missing: 12"):
        acme.preview()
    for person in acme.company.persons():
        acme.company.edit(person.id, raw=None)
    acme.run()
    for person in acme.company.persons():
        acme.company.edit(person.id, raw={"active": sent})
    with pytest.raises(FrameInvalid, match="active is needed and missing: 12"):
        acme.preview()
    for person in acme.company.persons()[:6]:
        acme.company.edit(person.id, raw=None)
    with pytest.raises(FrameInvalid, match="active is needed and missing: 6"):
        acme.preview()
    assert acme.archived() == set()


@pytest.mark.parametrize("listed", [True, False], ids=["listed as left", "gone"])
def test_a_work_id_given_to_a_hire_at_once_takes_one_decision(make: MakeAcme, listed: bool) -> None:
    """The same work id may be the same person: until somebody says that they are two, nothing happens to either."""
    acme = make(12)
    acme.run()
    [leaver] = acme.active()[:1]
    work_id = acme.users()[leaver]["employee_id"]
    hire = acme.company.add(work_id=work_id)
    if listed:
        acme.company.edit(leaver, active=False)
    else:
        acme.lose([leaver])
    done = acme.run()
    assert (done.counts["conflicts"], done.counts["archived"], done.counts["created"]) == (1, 0, 0)
    assert done.diagnostics["awaiting_decision"] == (work_id,)
    [conflict] = open_conflicts(acme.services, "acme")
    resolve(acme.services, conflict.conflict_id, "create", "lee")
    done = acme.run()
    assert (done.counts["conflicts"], done.counts["archived"], done.counts["created"]) == (0, 1, 1)
    users = acme.users()
    assert (users[hire]["employee_id"], users[hire]["status"]) == (work_id, "active")
    assert (users[leaver]["employee_id"], users[leaver]["status"]) == (None, "archived")
    assert acme.run().counts["unchanged"] == sum(row["status"] == "active" for row in users.values()) + listed


def test_a_work_id_of_somebody_who_works_is_not_given_away(make_lite: MakeAcme) -> None:
    acme = make_lite(12)
    acme.run()
    [person] = acme.active()[:1]
    acme.company.add(work_id=acme.users()[person]["employee_id"])
    acme.company.edit(person, work_id="9009", work_email=None)
    acme.edit_user(person, protected=True)
    acme.run()
    for conflict in open_conflicts(acme.services, "acme"):
        with pytest.raises(UsageError, match="has not left"):
            resolve(acme.services, conflict.conflict_id, "create", "lee")


Body = dict[str, Any]
LEFT = {"is_active": False, "employment_status": "terminated"}
DOUBTFUL: dict[str, tuple[str, Callable[[Body, Body], Body], str]] = {
    "somebody else's employment": ("finch_employment", lambda _, other: other | LEFT, "hole"),
    "somebody else's name": ("finch_individual", lambda _, other: other, "hole"),
    "the directory shows active": ("finch_employment", lambda body, _: body | LEFT, "quarantined"),
    "inactive, and at work": ("finch_employment", lambda body, _: body | {"is_active": False}, "quarantined"),
    "inactive, by an unknown word": (
        "finch_employment",
        lambda body, _: body | LEFT | {"employment_status": "on_leave"},
        "quarantined",
    ),
}


@pytest.mark.parametrize(("describe", "spoil", "reason"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_details_of_the_aggregator_that_are_anothers_or_contradict_themselves_archive_nobody(
    make_lite: MakeAcme,
    monkeypatch: pytest.MonkeyPatch,
    describe: str,
    spoil: Callable[[Body, Body], Body],
    reason: str,
) -> None:
    acme = make_lite(12)
    acme.switch("source=finch")
    connect(acme.services, "acme", finch_token("acme"), redirect_uri="")
    acme.run()
    before = acme.users()
    person, other = acme.active()[:2]
    honest = getattr(wire, describe)

    def answer(asked: Any, *day: str) -> Body:
        body: Body = honest(asked, *day)
        another = acme.company.by_finch_id()[other]
        return spoil(body, honest(another, *day)) if body["id"] == person else body

    monkeypatch.setattr(wire, describe, answer)
    done = acme.run()
    assert (done.status, done.changes, len(done.diagnostics[reason])) == ("applied", 0, 1)
    assert acme.archived() == set()
    assert acme.users()[person] == before[person]


GONE: list[dict[str, object]] = [
    {"active": False},
    {"employment_termination_date": "2024-12-31"},
    {"active": False, "updated_at": "2026-11-02T10:00:00Z"},
]

HERE: list[dict[str, object]] = [
    {"active": True, "updated_at": None},
    {"active": True, "updated_at": "garbage"},
    {"active": None, "updated_at": None},
    {"active": "yes", "updated_at": {"at": 5}},
]


def test_who_is_listed_twice_and_works_by_one_of_the_records_stays_in_either_order(make_lite: MakeAcme) -> None:
    acme = make_lite(80)
    acme.run()
    cases = [pair for works in HERE for left in GONE for pair in ((works, left), (left, works))]
    twice = dict(zip(acme.active(), cases, strict=False))
    assert len(twice) == len(cases)
    for hris_id, (first, second) in twice.items():
        person = acme.company.person(hris_id)
        again = acme.company.add(work_id=person.work_id, first_name=person.first_name, last_name=person.last_name)
        acme.company.edit(again, raw={"work_email": person.work_email, **second, "id": hris_id})
        acme.company.edit(hris_id, raw=first)
    leaver = acme.active()[len(cases)]
    acme.company.edit(leaver, active=False)
    planned = acme.preview()
    assert (planned.counts["archived"], planned.counts["created"]) == (1, 0)
