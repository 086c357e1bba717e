"""A process killed anywhere in an import: it happened wholly or not at all, and running it again ends as it should."""

from hris_pipeline_tests.kit.crash_story import Story
from hris_pipeline_tests.kit.forked_processes import Processes
from hris_pipeline_tests.kit.kills import (
    at_every_boundary,
    at_moments,
    kill_extracting,
    kill_planning,
    kill_saving,
)


def test_the_story_holds_every_kind_of_change(story: Story) -> None:
    assert story.staged.status == "planned"
    assert all(story.staged.counts[name] for name in ("created", "updated", "archived"))


def test_killed_at_every_boundary_of_saving(story: Story, killable: Processes) -> None:
    """Every one on SQLite, every third on PostgreSQL; every one of both in ``python -m benchmarks.soak``."""
    every = 1 if story.databases_are_files else 3
    tally = at_every_boundary(kill_saving, story, killable, every)
    assert tally.boundaries > 15
    assert tally.undone > 10 / every
    assert tally.done > 1


def test_killed_at_random_moments_of_saving(story: Story, killable: Processes) -> None:
    assert at_moments(kill_saving, story, killable, (step * 0.006 for step in range(4))).kills == 4


def test_killed_at_boundaries_of_planning(story: Story, killable: Processes) -> None:
    tally = at_every_boundary(kill_planning, story, killable, every=36)
    assert tally.undone
    assert tally.done


def test_killed_at_boundaries_of_a_whole_import(story: Story, killable: Processes) -> None:
    tally = at_every_boundary(kill_extracting, story, killable, every=100)
    assert tally.undone
    assert tally.done
