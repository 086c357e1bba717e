"""What a reading does not tell for certain: who may have left, who is kept by a rule, who reports to whom."""

from dataclasses import replace
from datetime import date

import pytest

from ..company import Person, crowd, partner_member, reading_of
from ..mapping import employment
from ..model import Employee, JsonObject, Reading, Spell
from ..plan import expect
from ..wire import partner_employee
from .kit import TODAY, action_of, changed, fields_of, imported, plan, with_user

FIRST, BACK = date(2020, 1, 1), date(2024, 1, 1)
BOTH = (Spell(FIRST), Spell(BACK))


@pytest.mark.parametrize(
    ("employee", "expected"),
    [
        (Employee("m", active=True, hire_date=FIRST, latest_rehire_date=BACK, termination_date=BACK), "employed"),
        (Employee("m", active=True, hire_date=FIRST, spells=BOTH, termination_date=BACK), "employed"),
        (Employee("m", active=True, spells=(Spell(FIRST), Spell(BACK, BACK)), termination_date=BACK), "left"),
        (Employee("m", active=True, hire_date=BACK, termination_date=BACK), "left"),
        (Employee("m", active=True, termination_date=BACK, unread=frozenset({"latest_rehire_date"})), "unknown"),
        (Employee("m", active=True, termination_date=BACK, unread=frozenset({"hire_date"})), "unknown"),
        (Employee("m", active=False, termination_date=BACK, unread=frozenset({"hire_date"})), "left"),
        (Employee("m", active=True, unread=frozenset({"termination_date"})), "unknown"),
        (Employee("m", active=None, termination_date=BACK), "unknown"),
    ],
)
def test_who_is_certain_to_have_left(employee: Employee, expected: str) -> None:
    assert employment(employee, TODAY) == expected


@pytest.mark.parametrize(
    ("history", "spells", "is_unread"),
    [
        ([{"start_date": "2020-01-01"}, {"start_date": ""}], [FIRST], True),
        ([{"start_date": ""}, {}], [], False),
        ([{"start_date": "2020-01-01", "effective_date": "2024-01-01"}], [FIRST, BACK], False),
        ([{"start_date": "2020-01-01", "effective_date": "soon"}], [], True),
    ],
)
def test_starts_of_a_history(history: object, spells: list[date], is_unread: bool) -> None:
    read = partner_employee({**partner_member(crowd(1)[0]), "employment_history": history})
    assert [spell.start for spell in read.spells] == spells
    assert ("latest_rehire_date" in read.unread) == is_unread
    assert read.latest_rehire_date is None


UNREAD: JsonObject = {"employment_history": [{"from": "2023-01-01"}], "employment_termination_date": "2022-01-01"}


def test_who_may_have_left_stays_and_nobody_is_brought_back_by_it() -> None:
    people = [*crowd(30), Person("new", "9000")]
    world = with_user(imported(crowd(30)), "m2", status="archived", archived_by="import")
    members = [partner_member(person) for person in people]
    for place in (0, 1, 30):
        members[place].update(UNREAD, job_title="Chief")
    expectation = expect(world, Reading(tuple(members)))
    assert [(row.action, row.hris_id) for row in expectation.rows] == [("update", "m1")]
    assert {(entry.hris_id, entry.reason) for entry in expectation.excluded} == {
        ("m2", "may_have_left"),
        ("new", "may_have_left"),
    }


def test_an_exception_whose_field_is_lost_still_keeps_people_from_a_later_rule() -> None:
    stay = {"name": "Sales", "all": [{"field": "department", "operator": "equals", "value": "Sales"}]}
    out = {"name": "Chiefs", "all": [{"field": "job_title", "operator": "equals", "value": "Chief"}]}
    rules = [stay, {**out, "archive_existing": True}]
    world = replace(imported(crowd(30)), settings={"do_not_import": rules})
    chief = changed(crowd(30), "m1", title="Chief")
    assert action_of(plan(world, chief), "m1") is None
    assert action_of(plan(world, changed(chief, "m2", department="Sales")), "m1") == "archive"
    assert action_of(plan(replace(world, settings={"do_not_import": rules[1:]}), chief), "m1") == "archive"


@pytest.mark.parametrize("answer", ["not_found", "error"])
def test_a_manager_stays_one_while_the_only_report_is_a_hole(answer: str) -> None:
    people = changed(crowd(30), "m2", manager="m1")
    missing = changed(people, "m2", listed=False, lookup=answer)
    expectation = expect(imported(people), reading_of("justworks", missing))
    expected = {"#IsManager": "false"} if answer == "not_found" else {}
    assert fields_of(expectation, "m1") == expected
