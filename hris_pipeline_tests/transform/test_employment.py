"""Employment: the spell that runs on the local date."""

from datetime import date

import pytest

from hris_pipeline.transform.employment import employment_columns, has_left, is_employed
from hris_pipeline_tests.kit.frames import TODAY, member, validated, values

CASES = [
    ("works since long", {"hire_date": "2021-01-01"}, True, None),
    ("the last day counts as worked", {"termination_date": "2025-06-02"}, True, date(2025, 6, 2)),
    ("past the last day", {"termination_date": "2025-06-01"}, False, date(2025, 6, 1)),
    ("inactive", {"active": False}, False, None),
    ("without an end", {"termination_date": "9999-12-31"}, True, None),
    ("to come", {"hire_date": "2025-06-03"}, False, None),
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
        "left, and comes back",
        {"hire_date": "2021-01-01", "termination_date": "2024-05-01", "latest_rehire_date": "2027-06-01"},
        False,
        date(2024, 5, 1),
    ),
    ("no start known", {"hire_date": None}, True, None),
]


@pytest.mark.parametrize(("person", "employed", "ends"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_employed_is_active_started_and_not_past_the_end_of_the_present_spell(
    person: dict[str, object], employed: bool, ends: date | None
) -> None:
    employees = validated(member(**person)).employees
    assert is_employed(employees, TODAY).tolist() == [employed]
    assert values(employment_columns(employees, TODAY)["termination_date"]) == [ends]


def test_the_starts_are_told_apart() -> None:
    person = member(hire_date="2021-01-01", latest_rehire_date="2027-06-01")
    columns = employment_columns(validated(person).employees, TODAY)
    assert values(columns["starts_on"]) == [date(2021, 1, 1)]
    assert values(columns["present_start"]) == [date(2021, 1, 1)]
    assert values(columns["rehired_on"]) == [date(2027, 6, 1)]


def test_who_is_still_to_come_has_not_left() -> None:
    employees = validated(member(hire_date="2025-07-01")).employees
    assert has_left(employees, TODAY).tolist() == [False]
    assert is_employed(employees, date(2025, 7, 1)).tolist() == [True]
