"""Laws by person: over made-up companies, directories, settings and weeks, every import is what the oracle says.

Nobody listed, employed and not excluded is ever archived; nobody certain to have left stays active; guards trip exactly
when their row of the table says so, with the figures of the oracle; the same answers once more change nothing; what is
stored is what was expected. Guards are part of it: a held week is approved by a person of the story, or left.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.change_set.guards import GUARDS
from hris_pipeline.settings.document import NOT_IN_PLAN, Settings
from hris_pipeline_tests.kit.judged import Judged
from hris_pipeline_tests.kit.law_profiles import law
from hris_pipeline_tests.kit.story_player import play
from hris_pipeline_tests.oracle import model
from hris_pipeline_tests.oracle.model import World
from hris_pipeline_tests.oracle.settings import Settings as OracleSettings
from hris_pipeline_tests.oracle.strategies import Story, stories

Stage = Callable[[World], AbstractContextManager[tuple[Judged, World]]]

PEOPLE: st.SearchStrategy[Story] = st.one_of(stories("justworks", max_people=12), stories("finch", max_people=12))


@law(10)
@given(story=PEOPLE)
def test_every_week_is_what_the_oracle_says(
    stage: Stage, record_property: Callable[[str, object], None], story: Story
) -> None:
    record_property("weeks of companies tried", len(story.weeks))
    with stage(story.world) as (judged, world):
        assert list(play(judged, world, story)) == []


def test_the_oracle_judges_every_guard_and_every_setting_of_a_plan() -> None:
    of_the_world = {"source", "directory", "time_zone"}
    assert set(model.GUARDS) == set(GUARDS)
    assert {field.name for field in fields(OracleSettings)} == set(Settings.model_fields) - NOT_IN_PLAN - of_the_world
