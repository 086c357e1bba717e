"""A company without oddities through its first weeks: the oracle and the pipeline must agree on every field."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

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
    told: list[list[Person]] = [people, [*moved, replace(people[0], listed=False)], third]
    return tuple(
        Week(MONDAY + timedelta(days=5 * number), tuple(company), reading_of(source, company))
        for number, company in enumerate(told)
    )


@pytest.mark.parametrize("source", ["justworks", "finch"])
def test_plain_weeks_end_where_the_oracle_says(stage: Stage, source: Source) -> None:
    story = Story(World("acme", source, (), MONDAY), weeks(source))
    with stage(story.world) as (judged, world):
        assert list(play(judged, world, story)) == []
