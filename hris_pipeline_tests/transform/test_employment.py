"""Employment: the spell that runs on the local date, among any number of spells."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd
import pytest

from hris_pipeline.settings.document import Settings
from hris_pipeline.transform.eligibility import employment_columns, has_left, is_employed
from hris_pipeline.transform.map_users import map_users
from hris_pipeline.transform.normalise import normalise
from hris_pipeline.transform.validate import Employees, validate
from hris_pipeline_tests.kit.frames import TODAY, Company, columns, member, values

Spells = Sequence[tuple[str, str | None]]

CASES: list[tuple[str, dict[str, Any], bool, date | None]] = [
    ("works since long", {"hire_date": "2021-01-01"}, True, None),
    ("the last day counts as worked", {"termination_date": "2025-06-02"}, True, date(2025, 6, 2)),
    ("past the last day", {"termination_date": "2025-06-01"}, False, date(2025, 6, 1)),
    ("inactive", {"active": False}, False, None),
    ("without an end", {"termination_date": "9999-12-31"}, True, None),
    ("to come", {"hire_date": "2025-06-03"}, False, None),
    ("to come, after an end", {"hire_date": "2025-06-03", "termination_date": "2024-01-01"}, False, None),
    ("starts today", {"hire_date": "2025-06-02"}, True, None),
    (
        "the termination belongs to an earlier spell",
        {"hire_date": "2020-01-01", "termination_date": "2024-05-01", "latest_rehire_date": "2025-06-01"},
        True,
        None,
    ),
    (
        "a start to come beside a running spell",
        {"hire_date": "2021-01-01", "latest_rehire_date": "2027-06-01"},
        True,
        None,
    ),
    (
        "a re-hire to come tells nothing of the first start",
        {"hire_date": None, "latest_rehire_date": "2027-06-01"},
        True,
        None,
    ),
    (
        "left, and comes back, if no spell between runs",
        {"hire_date": "2021-01-01", "termination_date": "2024-05-01", "latest_rehire_date": "2027-06-01"},
        False,
        None,
    ),
    ("no start known", {"hire_date": None}, True, None),
    ("one day of work", {"hire_date": "2024-05-01", "termination_date": "2024-05-01"}, False, date(2024, 5, 1)),
    (
        "re-hired on the last day of the earlier spell",
        {"hire_date": "2020-01-01", "termination_date": "2024-05-01", "latest_rehire_date": "2024-05-01"},
        True,
        None,
    ),
]


def people(person: dict[str, Any], spells: Spells = ()) -> Employees:
    """One person of whom the source tells spells beside the columns."""
    text = " ".join(f"{start}/{end or ''}" for start, end in spells) or None
    return validate(normalise({**columns(member(**person)), "spells": [text]}), TODAY).people


def employment(person: dict[str, Any], spells: Spells = ()) -> tuple[bool, bool, dict[str, Any]]:
    """Whether the person is employed, has left, and what planning is told."""
    theirs = people(person, spells)
    frame: pd.DataFrame = employment_columns(theirs.rows, theirs.spells, theirs.unread, TODAY)
    employed, left = (rule(frame, TODAY).tolist() for rule in (is_employed, has_left))
    return employed[0], left[0], {name: values(frame[name])[0] for name in frame.columns}


@pytest.mark.parametrize(("person", "employed", "ends"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_employed_is_active_started_and_not_past_the_end_of_the_present_spell(
    person: dict[str, Any], employed: bool, ends: date | None
) -> None:
    is_working, _, dates = employment(person)
    assert (is_working, dates["termination_date"]) == (employed, ends)


FIRST, BACK, AHEAD = "2020-01-01", "2023-03-01", "2027-06-01"
AGAIN = "2025-04-01"
WORKS, LEFT, TO_COME = (True, False), (False, True), (False, False)

THREE_SPELLS: list[tuple[str, Spells, bool, str | None, tuple[bool, bool], str | None]] = [
    # what, spells, active, termination date, (employed, left), the latest re-hire that has come
    ("came back, a start ahead", [(FIRST, "2022-05-01"), (BACK, None), (AHEAD, None)], True, None, WORKS, BACK),
    ("the same, the former end told", [(FIRST, None), (BACK, None), (AHEAD, None)], True, "2022-05-01", WORKS, BACK),
    ("its end ahead", [(FIRST, None), (BACK, None), (AHEAD, None)], True, "2026-01-01", WORKS, BACK),
    ("the last day is today", [(FIRST, None), (BACK, None), (AHEAD, None)], True, "2025-06-02", WORKS, BACK),
    ("left yesterday, a start ahead", [(FIRST, None), (BACK, None), (AHEAD, None)], True, "2025-06-01", LEFT, BACK),
    ("inactive, a start ahead", [(FIRST, "2022-05-01"), (BACK, None), (AHEAD, None)], False, None, LEFT, BACK),
    ("inactive, the former end told", [(FIRST, None), (BACK, None), (AHEAD, None)], False, "2022-05-01", LEFT, BACK),
    ("between two spells by their ends", [(FIRST, "2022-05-01"), (BACK, "2024-01-01"), (AHEAD, None)], True, None,
     TO_COME, BACK),
    ("between two spells, started twice that day", [(FIRST, "2022-05-01"), (BACK, "2024-01-01"), (BACK, None),
     (AHEAD, None)], True, None, WORKS, BACK),
    ("two re-hires that have come", [(FIRST, "2022-05-01"), (BACK, "2024-01-01"), (AGAIN, None)], True, "2024-01-01",
     WORKS, AGAIN),
    ("two re-hires, in any order", [(AGAIN, None), (FIRST, None), (BACK, None)], True, "2024-01-01", WORKS, AGAIN),
    ("two re-hires, and left", [(FIRST, "2022-05-01"), (BACK, "2024-01-01"), (AGAIN, "2025-05-01")], True, "2025-05-01",
     LEFT, AGAIN),
    ("two re-hires and one ahead", [(FIRST, None), (BACK, None), (AGAIN, None), (AHEAD, None)], True, "2024-01-01",
     WORKS, AGAIN),
    ("two starts ahead", [(FIRST, "2022-05-01"), (BACK, None), (AHEAD, None), ("2028-01-01", None)], True, None, WORKS,
     BACK),
    ("one spell and two starts ahead", [(FIRST, None), (AHEAD, None), ("2028-01-01", None)], True, None, WORKS, None),
    ("left for good after one spell, two starts ahead", [(FIRST, None), (AHEAD, None), ("2028-01-01", None)], True,
     "2022-05-01", LEFT, None),
    ("several ends, the last spell over, none ahead", [(FIRST, "2022-05-01"), (BACK, "2024-01-01")], True, None, WORKS,
     BACK),
    ("starts today again", [(FIRST, "2022-05-01"), (BACK, "2024-01-01"), ("2025-06-02", None)], True, "2024-01-01",
     WORKS, "2025-06-02"),
    ("starts again on the last day", [(FIRST, None), (BACK, None)], True, BACK, WORKS, BACK),
    ("the same, the former end told", [(FIRST, BACK), (BACK, None)], True, BACK, WORKS, BACK),
    ("and left again that day", [(FIRST, BACK), (BACK, BACK)], True, BACK, LEFT, BACK),
    ("moved, and the spells overlap", [(FIRST, "2025-06-01"), ("2025-05-30", None)], True, "2025-06-01", WORKS,
     "2025-05-30"),
    ("both are over", [(FIRST, "2025-06-01"), ("2025-05-30", "2025-05-31")], True, "2025-06-01", LEFT, "2025-05-30"),
    ("the later one ends today", [(FIRST, "2025-06-01"), ("2025-05-30", "2025-06-02")], True, "2025-06-01", WORKS,
     "2025-05-30"),
    ("starts today, one ahead", [(FIRST, "2022-05-01"), ("2025-06-02", None), (AHEAD, None)], True, None, WORKS,
     "2025-06-02"),
    ("its end today is told", [(FIRST, "2022-05-01"), (BACK, "2025-06-02"), (AHEAD, None)], True, None, WORKS, BACK),
    ("the end is of none of them", [(FIRST, "2022-05-01"), (BACK, None)], True, "2025-06-01", LEFT, BACK),
    ("starts tomorrow again", [(FIRST, None), (BACK, None), ("2025-06-03", None)], True, "2024-01-01", LEFT, BACK),
]  # fmt: skip


@pytest.mark.parametrize("case", THREE_SPELLS, ids=[case[0] for case in THREE_SPELLS])
def test_any_number_of_spells(
    case: tuple[str, Spells, bool, str | None, tuple[bool, bool], str | None],
) -> None:
    _, spells, active, termination_date, employed_and_left, rehired_on = case
    latest = max(start for start, _ in spells)
    person = {
        "hire_date": FIRST,
        "latest_rehire_date": latest,
        "active": active,
        "termination_date": termination_date,
    }
    employed, left, dates = employment(person, spells)
    assert (employed, left) == employed_and_left
    assert dates["rehired_on"] == (date.fromisoformat(rehired_on) if rehired_on else None)
    ahead = [start for start, _ in spells if start > TODAY.isoformat()]
    assert dates["next_start"] == (date.fromisoformat(min(ahead)) if ahead else None)
    for priority in ("original", "latest"):
        mapped = map_users(
            people(person, spells), Settings.model_validate({"hire_date_priority": priority}), Company(), TODAY
        ).users
        hired = rehired_on if priority == "latest" and rehired_on else FIRST
        assert values(mapped["hire_date"]) == [date.fromisoformat(hired)]
        assert values(mapped["latest_rehire_date"]) == [date.fromisoformat(rehired_on or latest)]


def test_who_may_work_between_a_termination_and_a_start_ahead_has_not_left_for_certain() -> None:
    between = {"hire_date": FIRST, "termination_date": "2024-05-01", "latest_rehire_date": AHEAD}
    assert employment(between)[:2] == TO_COME
    assert employment(between | {"active": False})[:2] == LEFT
    assert employment(between, [(FIRST, None), (AHEAD, None)])[:2] == LEFT
    assert employment(between, [(FIRST, None), (BACK, "2024-05-01"), (AHEAD, None)])[:2] == LEFT


def test_a_first_start_to_come_gives_way_to_one_that_has_come() -> None:
    theirs = people({"hire_date": AHEAD, "latest_rehire_date": None}, [(FIRST, None), (AHEAD, None)])
    assert is_employed(employment_columns(theirs.rows, theirs.spells, theirs.unread, TODAY), TODAY).tolist() == [True]
    assert values(map_users(theirs, Settings(), Company(), TODAY).users["hire_date"]) == [date(2020, 1, 1)]
    today = people({"hire_date": AHEAD, "latest_rehire_date": None}, [(TODAY.isoformat(), None), (AHEAD, None)])
    assert values(map_users(today, Settings(), Company(), TODAY).users["hire_date"]) == [TODAY]
    again = people({"hire_date": TODAY.isoformat(), "latest_rehire_date": None}, [(FIRST, None)])
    assert values(map_users(again, Settings(), Company(), TODAY).users["hire_date"]) == [TODAY]


def test_a_start_known_from_the_history_alone_is_one() -> None:
    assert employment({"hire_date": None}, [(AHEAD, None)])[:2] == TO_COME
    assert employment({"hire_date": None}, [(BACK, None)])[2]["starts_on"] == date(2023, 3, 1)


def test_the_starts_are_told_apart() -> None:
    _, _, dates = employment({"hire_date": "2021-01-01", "latest_rehire_date": "2027-06-01"})
    assert [dates[name] for name in ("starts_on", "present_start", "next_start", "rehired_on")] == [
        date(2021, 1, 1),
        date(2021, 1, 1),
        date(2027, 6, 1),
        None,
    ]


def test_who_is_still_to_come_has_not_left() -> None:
    theirs = people({"hire_date": "2025-07-01"})
    later = date(2025, 7, 1)
    assert has_left(employment_columns(theirs.rows, theirs.spells, theirs.unread, TODAY), TODAY).tolist() == [False]
    assert is_employed(employment_columns(theirs.rows, theirs.spells, theirs.unread, later), later).tolist() == [True]


MANAGERS: list[tuple[dict[str, Any], bool]] = [
    ({"first_name": None}, True),
    ({"active": False}, False),
    ({"active": "maybe"}, False),
    ({"termination_date": "2025-06-01"}, False),
    ({"termination_date": "2025-06-02"}, True),
    ({"hire_date": "2025-06-10"}, True),
    ({"termination_date": "2024-05-01", "latest_rehire_date": "2025-01-01"}, True),
    ({"termination_date": "2024-05-01", "hire_date": "soon"}, True),
    ({"termination_date": "2024-05-01", "active": "maybe"}, False),
]


@pytest.mark.parametrize(("report", "manages"), MANAGERS)
def test_a_manager_is_who_has_a_report_active_today_even_when_that_report_is_bad_elsewhere(
    report: dict[str, Any], manages: bool
) -> None:
    rows = columns(member(1), member(2, supervisor_hris_id="m-1", **report), *(member(n) for n in range(3, 9)))
    managers = validate(normalise(rows), TODAY).people.rows.set_index("hris_id")["is_manager"]
    assert (managers["m-1"], managers["m-3"]) == (manages, False)
