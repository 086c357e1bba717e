"""A company without oddities through its first weeks: the oracle and the pipeline must agree on every field."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, timedelta

import pytest

from hris_pipeline_tests.kit.judged import Judged
from hris_pipeline_tests.kit.story_player import play
from hris_pipeline_tests.oracle.company import Person, crowd, reading_of
from hris_pipeline_tests.oracle.model import Source, World
from hris_pipeline_tests.oracle.strategies import MONDAY, Story, Week

Stage = Callable[[World], AbstractContextManager[tuple[Judged, World]]]


def weeks(source: Source) -> tuple[Week, ...]:
    """Somebody leaves, somebody is gone, somebody is hired and a department moves; then one comes back."""
    people = [replace(person, department="Sales", manager="m1") for person in crowd(30)]
    second = [replace(people[1], active=False), *people[2:], *crowd(2, first=31)]
    moved = [replace(person, department="Support") if person.hris_id == "m9" else person for person in second]
    third = [*moved, replace(people[0], rehires=(MONDAY + timedelta(days=10),))]
    weeks: list[list[Person]] = [people, [*moved, replace(people[0], listed=False)], third]
    return tuple(
        Week(MONDAY + timedelta(days=5 * number), tuple(company), reading_of(source, company))
        for number, company in enumerate(weeks)
    )


def plays(stage: Stage, source: Source) -> None:
    story = Story(World("acme", source, (), MONDAY), weeks(source))
    with stage(story.world) as (judged, world):
        assert list(play(judged, world, story)) == []


def test_plain_weeks_end_where_the_oracle_says(stage: Stage) -> None:
    plays(stage, "justworks")


def test_plain_weeks_of_the_aggregator_end_where_the_oracle_says(lite_stage: Stage) -> None:
    plays(lite_stage, "finch")


BACK, AGAIN, AHEAD = date(2023, 3, 1), date(2025, 4, 1), MONDAY + timedelta(days=3)
LEFT = date(2022, 5, 1)


SINCE = {"start_date": "2020-01-01", "effective_date": "2023-03-01"}


def histories() -> list[Person]:
    """People of several spells: re-hires, an end of some spell, and whether the source calls them active."""
    weeks: list[dict[str, object]] = [
        {"rehires": (BACK, AHEAD), "end": LEFT},
        {"rehires": (BACK, AGAIN), "end": LEFT},
        {"rehires": (AGAIN, BACK), "end": date(2024, 1, 1)},
        {"rehires": (BACK, AGAIN, AHEAD), "end": date(2024, 1, 1)},
        {"rehires": (BACK, AHEAD), "end": MONDAY - timedelta(days=1)},
        {"rehires": (BACK, AHEAD), "end": MONDAY + timedelta(days=1)},
        {"rehires": (BACK, AHEAD), "end": None, "active": False},
        {"rehires": (BACK, AGAIN), "end": date(2025, 5, 1)},
        {"rehires": (AHEAD,), "end": LEFT},
        {"rehires": (AHEAD, AHEAD + timedelta(days=2)), "end": None},
        {"rehires": (), "odd": (("justworks", "employment_history", _periods((LEFT, MONDAY - timedelta(days=1)))),)},
        {"rehires": (), "odd": (("justworks", "employment_history", _periods((LEFT, None))),)},
        {"rehires": (BACK,), "end": BACK},
        {"end": LEFT, "odd": (("justworks", "employment_history", [{"from": "2023-03-01"}]),)},
        {"end": LEFT, "odd": (("justworks", "employment_history", [*_periods((LEFT, None))[:1], {"start_date": ""}]),)},
        {"end": LEFT, "odd": (("justworks", "employment_history", [SINCE]), ("finch", "start_date", {"on": "2020"}))},
        {"end": LEFT, "odd": (("justworks", "active", "perhaps"), ("finch", "is_active", "perhaps"))},
        {"odd": (("justworks", "employment_termination_date", {"on": "2022"}), ("finch", "end_date", ["2022"]))},
    ]
    plain = crowd(18 + len(weeks))
    return [replace(person, **more) for person, more in zip(plain, [*weeks, *[{}] * 18], strict=True)]  # type: ignore[arg-type]


def _periods(ends: tuple[date | None, date | None]) -> list[dict[str, str]]:
    starts = (date(2020, 1, 1), BACK, AHEAD)
    periods = [{"start_date": start.isoformat()} for start in starts]
    return [
        period | ({"end_date": end.isoformat()} if end else {})
        for period, end in zip(periods, (*ends, None), strict=True)
    ]


@pytest.mark.parametrize(("source", "priority"), [("justworks", "latest"), ("finch", "original")])
def test_any_number_of_spells_is_what_the_oracle_says_on_every_day(
    lite_stage: Stage, source: Source, priority: str
) -> None:
    """Imported before anything was known, and while starts and ends come and go."""
    company = histories()
    before = [replace(person, rehires=(), end=None, active=True, odd=()) for person in company]
    companies = [before, *[company] * 5]
    days = (MONDAY - timedelta(days=1), *(MONDAY + timedelta(days=number) for number in range(5)))
    weeks = tuple(
        Week(day, tuple(people), reading_of(source, people), approve=True)
        for day, people in zip(days, companies, strict=True)
    )
    story = Story(World("acme", source, (), days[0], {"hire_date_priority": priority}), weeks)
    with lite_stage(story.world) as (judged, world):
        assert list(play(judged, world, story)) == []
