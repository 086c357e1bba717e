"""Upcoming milestones of active users: service anniversaries, onboarding days and birthdays."""

from calendar import isleap
from collections.abc import Iterator
from datetime import date, timedelta

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.transform.columns import DATE, INTEGER, TEXT, from_arrow, to_arrow, to_date

__all__ = ["KINDS", "MILESTONE_COLUMNS", "ONBOARDING_DAYS", "by_week", "upcoming_milestones"]

MILESTONE_COLUMNS: tuple[str, ...] = ("user_id", "employee_id", "milestone", "date", "years_or_day")
ONBOARDING_DAYS: tuple[int, ...] = (30, 60, 90)
KINDS: tuple[str, ...] = ("service_anniversary", "onboarding", "birthday")

_TYPES = dict(zip(MILESTONE_COLUMNS, (TEXT, TEXT, TEXT, DATE, INTEGER), strict=True))


def upcoming_milestones(users: pd.DataFrame, today: date, days: int = 90) -> pd.DataFrame:
    """The milestones of active users from ``today`` to ``days`` days later, both included, by date.

    ``milestone`` is ``service_anniversary`` (``years_or_day``: years of service), ``onboarding`` (the 30th, 60th or
    90th day after the hire date) or ``birthday`` (null: nobody's age is told). Somebody of 29 February celebrates on
    28 February in a common year.

    Args:
        users: ``user_id``, ``employee_id``, ``status``, ``hire_date`` (the one in force) and ``birth_date``.
    """
    active = users[users["status"] == "active"].reset_index(drop=True)
    last = today + timedelta(days=days)
    frame = pd.concat(
        [pd.DataFrame(columns=list(MILESTONE_COLUMNS)).astype(_TYPES), *_candidate_milestones(active, today, last)]
    )
    within = frame[frame["date"].between(today, last)]
    return within.sort_values(["date", "milestone", "employee_id", "user_id"], ignore_index=True)


def by_week(milestones: pd.DataFrame) -> pd.DataFrame:
    """How many milestones of each kind a week holds: ``week``, its Monday, and a column a kind; in order of weeks.

    Args:
        milestones: ``date`` and ``milestone``, as ``upcoming_milestones`` gives them.
    """
    mondays = from_arrow(
        pc.floor_temporal(to_arrow(milestones["date"]), unit="week").cast(pa.string()), milestones.index
    )
    counts = {kind: (milestones["milestone"] == kind).groupby(mondays).sum().astype(INTEGER) for kind in KINDS}
    return pd.DataFrame(counts).rename_axis("week").reset_index().astype({"week": TEXT})


def _candidate_milestones(users: pd.DataFrame, today: date, last: date) -> Iterator[pd.DataFrame]:
    """Every milestone that can lie in the period, with some that do not."""
    hired, born = to_date(users["hire_date"]), to_date(users["birth_date"])
    for year in range(today.year, last.year + 1):
        years = year - from_arrow(pc.year(to_arrow(hired)))
        served = years.fillna(0) > 0
        yield _build_milestone_lines(users[served], "service_anniversary", _in_year(hired[served], year), years[served])
        yield _build_milestone_lines(users, "birthday", _in_year(born, year))
    for day in ONBOARDING_DAYS:
        on = from_arrow(pc.add(to_arrow(hired), pa.scalar(timedelta(days=day))).cast(pa.date32()))
        yield _build_milestone_lines(users, "onboarding", on, day)


def _in_year(dates: pd.Series, year: int) -> pd.Series:
    """The same day of the given year; 29 February is 28 February in a common year."""
    days = pc.strftime(to_arrow(dates), "%m-%d")
    if not isleap(year):
        days = pc.replace_substring(days, "02-29", "02-28")
    return to_date(from_arrow(pc.binary_join_element_wise(f"{year:04}", days, "-"), dates.index))


def _build_milestone_lines(
    users: pd.DataFrame, milestone: str, on: pd.Series, years_or_day: pd.Series | int | None = None
) -> pd.DataFrame:
    lines = users[["user_id", "employee_id"]].assign(milestone=milestone, date=on, years_or_day=years_or_day)
    return lines[list(MILESTONE_COLUMNS)].astype(_TYPES)
