"""Two processes apply the same import at the same time: one does, the other finds it done or is told to wait."""

import pytest
import sqlalchemy as sa

from hris_pipeline.store.tables import imports
from hris_pipeline_tests.kit import crash_work as work
from hris_pipeline_tests.kit.crash_story import Story, people
from hris_pipeline_tests.kit.forked_processes import Processes
from hris_pipeline_tests.kit.kills import history_is_whole

ENDS = {
    0.0: ({("done", "applied"), ("raised", "ImportRunning")}, {("done", "applied")}),
    60.0: ({("done", "applied")},),
}
"""By how long the second waits for the first: what the two may end with."""


@pytest.mark.parametrize("wait_seconds", ENDS)
@pytest.mark.parametrize("attempt", range(2))
def test_exactly_one_applies(story: Story, killable: Processes, wait_seconds: float, attempt: int) -> None:
    runs = ("one", "other")
    with story.copy(story.planned) as services:
        both = [
            killable.start(work.save_when_told, services.environment, story.staged.import_id, run, wait_seconds)
            for run in runs
        ]
        assert [child.heard() for child in both] == ["ready", "ready"]
        for child in both:
            child.go()
        assert {child.heard() for child in both} in ENDS[wait_seconds]
        for child in both:
            child.kill()
        assert people(services.store) == story.after
        history_is_whole(services)
        with services.store.read() as connection:
            applied = sa.select(imports.c.applied_run_id).where(imports.c.import_id == story.staged.import_id)
            assert connection.execute(applied).scalar_one() in runs
