"""Who is employed, and what a reading says about whom."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from ..company import Person, crowd, json_answer, partner_member, reading_of, record
from ..mapping import employment, hire_dates
from ..model import Answer, Employee, Reading, Spell
from ..plan import expect
from ..reading import read, verdict
from ..wire import finch_active
from .kit import TODAY, action_of, changed, imported, plan, row_of, tripped, user, with_user

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("employee", "expected"),
    [
        (Employee("m", active=True), "employed"),
        (Employee("m", active=False), "left"),
        (Employee("m", active=None), "unknown"),
        (Employee("m", active=True, termination_date=TODAY), "employed"),
        (Employee("m", active=True, termination_date=TODAY - DAY), "left"),
        (Employee("m", active=True, hire_date=TODAY), "employed"),
        (Employee("m", active=True, hire_date=TODAY + DAY), "not_started"),
        (Employee("m", active=False, hire_date=TODAY + DAY), "left"),
    ],
)
def test_employed_is_active_and_started_and_not_past_the_last_day(employee: Employee, expected: str) -> None:
    assert employment(employee, TODAY) == expected


def test_termination_before_the_latest_start_belongs_to_an_earlier_spell() -> None:
    rehired = Employee(
        "m",
        active=True,
        hire_date=date(2020, 1, 1),
        latest_rehire_date=date(2024, 1, 1),
        termination_date=date(2022, 1, 1),
        spells=(Spell(date(2024, 1, 1)),),
    )
    assert employment(rehired, TODAY) == "employed"


def test_start_in_the_future_never_hides_a_running_spell() -> None:
    employee = Employee("m", active=True, hire_date=date(2020, 1, 1), latest_rehire_date=TODAY + DAY)
    assert employment(employee, TODAY) == "employed"
    assert hire_dates(employee, TODAY, 0)[0] == date(2020, 1, 1)
    assert hire_dates(employee, TODAY, 0)[1] != TODAY + DAY


def test_between_two_spells_nobody_is_employed() -> None:
    employee = Employee(
        "m",
        active=True,
        hire_date=date(2020, 1, 1),
        latest_rehire_date=TODAY + 10 * DAY,
        termination_date=TODAY - 10 * DAY,
        spells=(Spell(TODAY + 10 * DAY),),
    )
    assert employment(employee, TODAY) == "left"
    assert employment(employee, TODAY, days_before_start=14) == "employed"
    assert employment(replace(employee, spells=()), TODAY) == "not_started"


def test_hire_takes_effect_some_days_earlier_when_set_so() -> None:
    people = [*crowd(3), Person("new", "9000", start=TODAY + 3 * DAY)]
    assert action_of(plan(imported(crowd(3)), people), "new") is None
    early = imported(crowd(3), {"import_days_before_start": 3})
    assert action_of(plan(early, people), "new") == "create"


def test_not_started_is_excluded_as_not_started() -> None:
    expectation = plan(imported(crowd(3)), [*crowd(3), Person("new", "9000", start=TODAY + DAY)])
    assert [entry.reason for entry in expectation.excluded] == ["not_started"]


def test_inactive_and_no_user_yet_is_not_created() -> None:
    expectation = plan(imported(crowd(3)), [*crowd(3), Person("old", "9000", active=False)])
    assert [entry.reason for entry in expectation.excluded] == ["inactive"]
    assert expectation.rows == ()


@pytest.mark.parametrize(
    ("employment_record", "expected"),
    [
        ({"is_active": False, "employment_status": "leave"}, (True, False)),
        ({"is_active": False, "employment_status": "prehire"}, (True, True)),
        ({"is_active": None, "employment_status": "terminated"}, (False, False)),
        ({"is_active": None, "employment_status": "active"}, (True, False)),
        ({"is_active": None, "employment_status": None}, (None, False)),
        ({"is_active": False, "employment_status": None}, (False, False)),
        ({"is_active": "false"}, (None, False)),
        ({"is_active": True, "employment_status": "terminated"}, (True, False)),
        ({"is_active": False, "employment_status": "terminated"}, (False, False)),
        ({"is_active": False, "employment_status": "active"}, (None, False)),
        ({"is_active": False, "employment_status": "onboarding"}, (None, False)),
        ({"is_active": False, "employment_status": "on_leave"}, (None, False)),
        ({"is_active": False, "employment_status": ["leave"]}, (None, False)),
    ],
)
def test_aggregator_leave_is_employed_and_prehire_is_not_started(
    employment_record: dict[str, object], expected: tuple[bool | None, bool]
) -> None:
    assert finch_active(employment_record) == expected
    contradicted = (None, False) if expected == (False, False) else expected
    if employment_record.get("employment_status") or employment_record.get("is_active") is not None:
        assert finch_active(employment_record, True) == contradicted


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (json_answer(404, {"error": "no"}), "gone"),
        (Answer(404, b"<html>"), "hole"),
        (Answer(404, b""), "hole"),
        (json_answer(200, record("justworks", "m1", False)), "gone"),
        (json_answer(200, record("justworks", "m1", True)), "active"),
        (json_answer(200, record("justworks", "m2", False)), "hole"),
        (json_answer(200, record("justworks", "m1", None)), "hole"),
        (json_answer(200, record("justworks", "m1", "false")), "hole"),
        (json_answer(200, record("justworks", "m1", 0)), "hole"),
        (json_answer(200, {"data": {"id": "m1", "active": False}}), "hole"),
        (json_answer(500, record("justworks", "m1", False)), "hole"),
        (json_answer(410, {"error": "gone"}), "hole"),
        (json_answer(403, {"error": "scope"}), "hole"),
        (None, "hole"),
    ],
)
def test_two_answers_only_confirm(answer: Answer | None, expected: str) -> None:
    assert verdict("justworks", "m1", answer) == expected


@pytest.mark.parametrize(
    ("lookup", "action", "complete", "hole"),
    [
        ("not_found", "archive", True, False),
        ("inactive", "archive", True, False),
        ("active", None, False, False),
        ("error", None, True, True),
        ("html", None, True, True),
        ("other_id", None, True, True),
        ("none", None, True, True),
    ],
)
def test_missing_person_is_archived_only_when_confirmed(
    lookup: str, action: str | None, complete: bool, hole: bool
) -> None:
    people = crowd(30)
    expectation = plan(imported(people), changed(people, "m7", listed=False, lookup=lookup))
    assert action_of(expectation, "m7") == action
    assert expectation.complete is complete
    assert ("m7" in expectation.holes) is hole


def test_first_who_answers_active_proves_the_list_short_and_nobody_is_archived() -> None:
    people = crowd(30)
    people = changed(people, "m1", listed=False, lookup="active")
    people = changed(people, "m2", listed=False)
    people = changed(people, "m3", active=False)
    expectation = plan(imported(crowd(30)), people)
    assert tripped(expectation) == {"incomplete_extract"}
    assert expectation.rows_of("archive") == ()


def test_incomplete_extract_contains_no_archives_and_the_rest_stands() -> None:
    people = changed(crowd(30), "m3", active=False)
    people = changed(people, "m4", title="Chief")
    expectation = plan(imported(crowd(30)), people, complete=False)
    assert expectation.status == "held"
    assert action_of(expectation, "m3") is None
    assert action_of(expectation, "m4") == "update"


@pytest.mark.parametrize(
    "control",
    [
        json_answer(200, record("justworks", "m2", True)),
        json_answer(200, record("justworks", "m1", False)),
        json_answer(404, {"error": "no"}),
        Answer(200, b"{"),
    ],
)
def test_question_is_itself_put_to_the_proof(control: Answer) -> None:
    people = crowd(30)
    reading = reading_of("justworks", changed(people, "m7", listed=False))
    expectation = expect(imported(people), replace(reading, control=control, control_id="m1"))
    assert expectation.complete is False
    assert expectation.rows_of("archive") == ()


def test_without_anybody_shown_active_nobodys_absence_is_confirmed() -> None:
    people = crowd(2)
    reading = [replace(people[0], active=False), replace(people[1], listed=False)]
    assert plan(imported(people), reading).complete is False


def test_person_whose_details_failed_is_a_hole_and_no_reason_to_stop() -> None:
    people = crowd(10)
    world = imported(people, source="finch")
    expectation = plan(world, changed(people, "m4", details_fail=True, title="Chief"))
    assert expectation.holes == {"m4"}
    assert row_of(expectation, "m4") is None
    assert expectation.status == "planned"


def test_member_seen_twice_counts_once_and_the_newest_wins() -> None:
    people = crowd(5)
    newest = {**partner_member(replace(people[2], title="Chief")), "updated_at": "2026-02-01T00:00:00Z"}
    oldest = {**partner_member(people[2]), "updated_at": "2026-02-01T00:00:00+02:00"}
    for order in ((newest, oldest), (oldest, newest)):
        members = (*reading_of("justworks", people[:2]).members, *order)
        employees = read(imported(people), Reading(members)).employees
        assert [employee.hris_id for employee in employees] == ["m1", "m2", "m3"]
        assert employees[2].job_title == "Chief"


@pytest.mark.parametrize("stamp", [None, "garbage", "2026-02-01T00:00:00Z", "2026-02-01 00:00:00 UTC", 1769904000])
def test_where_it_is_not_certain_which_record_is_newest_the_one_that_works_counts(stamp: object) -> None:
    people = crowd(3)
    for fields in ({"active": False}, {"employment_termination_date": "2020-12-31"}):
        works = {**partner_member(people[0]), "updated_at": stamp}
        left = {**partner_member(people[0]), "updated_at": "2026-02-01T00:00:00Z", **fields}
        for order in ((works, left), (left, works)):
            employee = read(imported(people), Reading(order)).employees[0]
            assert (employee.active, employee.termination_date) == (True, None), fields


def test_ids_that_become_equal_by_cleaning_are_one_member() -> None:
    people = crowd(3)
    again = {**partner_member(people[0]), "id": " m1\u200b\u0000", "updated_at": "2020-01-01T00:00:00Z"}
    reading = Reading((*reading_of("justworks", people).members, again))
    assert [employee.hris_id for employee in read(imported(people), reading).employees] == ["m1", "m2", "m3"]


def test_leaver_is_archived_although_the_rest_of_the_row_is_bad() -> None:
    people = crowd(30)
    for fields in ({"last_name": ""}, {"work_id": None}, {"work_id": "0002"}, {"first_name": "x" * 101}):
        expectation = plan(imported(people), changed(people, "m1", active=False, **fields))
        assert action_of(expectation, "m1") == "archive", fields
    assert action_of(plan(imported(people), changed(people, "m1", work_id="0002")), "m1") is None


def test_unreadable_dates_make_nobody_a_leaver() -> None:
    people = crowd(30)
    members = [partner_member(person) for person in people]
    members[0]["employment_termination_date"] = "soon"
    expectation = expect(imported(people), Reading(tuple(members)))
    assert row_of(expectation, "m1") is None
    assert [(entry.hris_id, entry.failures[0].field) for entry in expectation.quarantined] == [
        ("m1", "termination_date")
    ]


def test_last_day_counts_as_worked() -> None:
    people = crowd(30)
    assert action_of(plan(imported(people), changed(people, "m1", end=TODAY)), "m1") is None
    assert action_of(plan(imported(people), changed(people, "m1", end=TODAY - DAY)), "m1") == "archive"


def test_archive_employees_off_leaves_such_users_as_they_are() -> None:
    people = crowd(30)
    world = imported(people, {"archive_employees": False})
    gone = changed(changed(people, "m1", active=False), "m2", listed=False)
    assert plan(world, gone).rows == ()


def test_only_users_whom_an_import_archived_are_restored() -> None:
    people = crowd(30)
    by_import = with_user(imported(people), "m1", status="archived", archived_by="import")
    assert action_of(plan(by_import, people), "m1") == "restore"
    by_person = with_user(imported(people), "m1", status="archived", archived_by="person")
    expectation = plan(by_person, people)
    assert row_of(expectation, "m1") is None
    assert expectation.protected == {user(by_person, "m1").user_id}


def test_archive_changes_the_status_alone() -> None:
    people = crowd(30)
    row = row_of(plan(imported(people), changed(people, "m1", active=False, title="Chief")), "m1")
    assert row is not None
    assert [change.field for change in row.changes] == ["status"]


def test_do_not_archive_follows_the_user() -> None:
    people = crowd(30)
    by_id = imported(people, {"do_not_archive": ["0001", "none"]})
    expectation = plan(by_id, changed(people, "m1", active=False))
    assert row_of(expectation, "m1") is None
    assert expectation.counts["protected"] == 1
    assert {warned.who for warned in expectation.warnings if warned.kind == "do_not_archive_unknown"} == {"none"}
    renamed = changed(people, "m1", work_id="5000", active=False)
    remembered = replace(by_id, never_archive=frozenset({user(by_id, "m1").user_id}), settings={"do_not_archive": []})
    assert row_of(plan(remembered, renamed), "m1") is None


def test_protected_user_is_never_archived_and_keeps_email_and_employee_id() -> None:
    people = crowd(30)
    world = with_user(imported(people), "m1", protected=True)
    assert row_of(plan(world, changed(people, "m1", active=False)), "m1") is None
    expectation = plan(world, changed(people, "m1", email="new@acme.test", work_id="7777", title="Chief"))
    row = row_of(expectation, "m1")
    assert row is not None
    assert [change.field for change in row.changes] == ["#JobTitle"]
    alone = plan(world, changed(people, "m1", email="new@acme.test", work_id="7777"))
    assert (alone.rows, alone.counts["protected"]) == ((), 1)
