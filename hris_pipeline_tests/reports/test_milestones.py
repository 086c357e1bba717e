"""Upcoming milestones: who is celebrated when."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.reports.milestones import MILESTONE_COLUMNS, by_week, upcoming_milestones
from hris_pipeline.transform.columns import DATE, INTEGER, TEXT
from hris_pipeline_tests.kit.frames import text_frame, values

Milestone = tuple[str, date, int | None]


def milestones(
    today: date, *, hired: str | None = None, born: str | None = None, status: str = "active", days: int = 90
) -> list[Milestone]:
    """What lies ahead of one user."""
    users = text_frame(user_id=["u"], employee_id=["0001"], status=[status], hire_date=[hired], birth_date=[born])
    frame = upcoming_milestones(users, today, days)
    return list(zip(*(values(frame[name]) for name in ("milestone", "date", "years_or_day")), strict=True))


@pytest.mark.parametrize(
    ("hired", "today", "expected"),
    [
        ("2020-05-01", date(2025, 4, 1), [("service_anniversary", date(2025, 5, 1), 5)]),
        ("2020-05-01", date(2025, 5, 1), [("service_anniversary", date(2025, 5, 1), 5)]),
        ("2020-05-01", date(2025, 5, 2), []),
        ("2020-06-30", date(2025, 4, 1), [("service_anniversary", date(2025, 6, 30), 5)]),
        ("2020-07-01", date(2025, 4, 1), []),
        ("2020-01-15", date(2025, 12, 1), [("service_anniversary", date(2026, 1, 15), 6)]),
        ("2020-02-29", date(2025, 2, 1), [("service_anniversary", date(2025, 2, 28), 5)]),
        ("2020-02-29", date(2024, 2, 1), [("service_anniversary", date(2024, 2, 29), 4)]),
        (None, date(2025, 4, 1), []),
        (
            "2025-04-15",
            date(2025, 4, 1),
            [("onboarding", date(2025, 5, 15), 30), ("onboarding", date(2025, 6, 14), 60)],
        ),
        (
            "2025-03-02",
            date(2025, 4, 1),
            [
                ("onboarding", date(2025, 4, 1), 30),
                ("onboarding", date(2025, 5, 1), 60),
                ("onboarding", date(2025, 5, 31), 90),
            ],
        ),
    ],
)
def test_service_is_celebrated_each_year_and_onboarding_after_30_60_and_90_days(
    hired: str | None, today: date, expected: list[Milestone]
) -> None:
    assert milestones(today, hired=hired) == expected


@pytest.mark.parametrize(
    ("born", "today", "expected"),
    [
        ("1990-05-01", date(2025, 4, 1), [("birthday", date(2025, 5, 1), None)]),
        ("1990-01-02", date(2025, 12, 31), [("birthday", date(2026, 1, 2), None)]),
        ("2000-02-29", date(2025, 2, 28), [("birthday", date(2025, 2, 28), None)]),
        ("2000-02-29", date(2025, 3, 1), []),
        ("2000-02-29", date(2028, 2, 28), [("birthday", date(2028, 2, 29), None)]),
        (None, date(2025, 4, 1), []),
    ],
)
def test_a_birthday_tells_no_age_and_29_february_is_the_28th_in_a_common_year(
    born: str | None, today: date, expected: list[Milestone]
) -> None:
    assert milestones(today, born=born) == expected


def test_each_week_is_counted_by_kind_from_its_monday() -> None:
    users = text_frame(
        user_id=["u", "v"],
        employee_id=["1", "2"],
        status=["active", "active"],
        hire_date=["2020-04-06", "2025-03-09"],
        birth_date=["1990-04-07", None],
    )
    weeks = by_week(upcoming_milestones(users, date(2025, 4, 1), 14))
    assert {name: values(weeks[name]) for name in weeks} == {
        "week": ["2025-03-31", "2025-04-07"],
        "service_anniversary": [1, 0],
        "onboarding": [0, 1],
        "birthday": [0, 1],
    }
    assert by_week(upcoming_milestones(users.head(0), date(2025, 4, 1))).empty


def test_an_archived_user_has_no_milestones() -> None:
    assert milestones(date(2025, 4, 1), hired="2020-05-01", born="1990-05-01", status="archived") == []


def test_a_period_over_years_holds_every_anniversary() -> None:
    ahead = milestones(date(2025, 1, 1), hired="2020-05-01", days=800)
    assert [years for _, _, years in ahead] == [5, 6]


def test_milestones_are_sorted_by_date_and_typed() -> None:
    users = text_frame(
        user_id=["a", "b", "c"],
        employee_id=["1", "2", "3"],
        status=["active"] * 3,
        hire_date=["2020-06-01", "2021-04-20", None],
        birth_date=["1990-04-20", None, "1991-04-10"],
    )
    frame = upcoming_milestones(users, date(2025, 4, 1))
    assert values(frame["employee_id"]) == ["3", "1", "2", "1"]
    assert dict(frame.dtypes) == dict(zip(MILESTONE_COLUMNS, (TEXT, TEXT, TEXT, DATE, INTEGER), strict=True))
    assert dict(upcoming_milestones(users[:0], date(2025, 4, 1)).dtypes) == dict(frame.dtypes)


days = st.dates(date(1950, 1, 1), date(2040, 12, 31))


def plainly(hired: date, born: date, today: date, last: date) -> set[Milestone]:
    """Day by day, as a person would look it up."""
    expected: set[Milestone] = set()
    for offset in range((last - today).days + 1):
        day = today + timedelta(days=offset)
        celebrated = {(day.month, day.day)}
        if celebrated == {(2, 28)} and (day + timedelta(days=1)).month == 3:
            celebrated.add((2, 29))
        if (hired.month, hired.day) in celebrated and day.year > hired.year:
            expected.add(("service_anniversary", day, day.year - hired.year))
        if (born.month, born.day) in celebrated:
            expected.add(("birthday", day, None))
        if (day - hired).days in (30, 60, 90):
            expected.add(("onboarding", day, (day - hired).days))
    return expected


@given(days, days, days, st.integers(0, 500))
def test_milestones_are_what_a_look_at_every_day_finds(hired: date, born: date, today: date, ahead: int) -> None:
    listed = milestones(today, hired=hired.isoformat(), born=born.isoformat(), days=ahead)
    assert set(listed) == plainly(hired, born, today, today + timedelta(days=ahead))
    assert len(listed) == len(set(listed))
