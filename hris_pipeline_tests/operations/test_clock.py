"""The clock may jump: what is stamped later than now alarms, counts as not there, and silences nothing."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from hris_pipeline.errors import ImportStale
from hris_pipeline.operations.automation import (
    attempt_failed,
    complete_due_import,
    due_imports,
    find_stalled_imports,
    resume,
)
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.overview import history
from hris_pipeline.operations.upkeep import verify
from hris_pipeline_tests.kit.acme import Acme

FUTURE = datetime(2031, 7, 1, 12, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def tick(acme: Acme) -> list[datetime]:
    """What the schedule does every quarter hour: the imports that are due, done; gives their due moments."""
    due = due_imports(acme.services, "daily", acme.clock()).due
    for due_import in due:
        complete_due_import(acme.services, "acme", due_import.due_at)
    return [moment.due_at for moment in due]


def alarms(acme: Acme) -> list[str]:
    findings = find_stalled_imports(acme.services, acme.clock())
    return [finding.integration_id for finding in findings if finding.clock_jumped]


def test_days_of_schedule_under_a_jumping_clock(acme: Acme) -> None:
    resume(acme.services, "acme", "dana", "go")
    handled: list[datetime] = []
    start = acme.clock()
    for number in range(6 * 96):
        acme.clock.time = start + number * QUARTER
        if number in (100, 300):  # one tick under a clock of another year
            acme.clock.time = FUTURE + number * QUARTER
            assert len(tick(acme)) == 1
            acme.clock.time = start + number * QUARTER
            assert alarms(acme) == ["acme"]
        handled += tick(acme)
        assert alarms(acme) == []
    days = sorted({moment.date() for moment in handled})
    assert len(days) == 6, "no day is left out, from the first one's due moment on"
    assert all(first < second for first, second in pairwise(days))
    assert all(moment < start + timedelta(days=7) for moment in handled)
    assert len(handled) <= len(days) + 2, "each jump costs one catch-up at most"


def test_a_clock_that_goes_back_imports_again_and_goes_on(acme_lite: Acme) -> None:
    acme = acme_lite
    resume(acme.services, "acme", "dana", "go")
    acme.clock.advance(days=3)
    assert len(tick(acme)) == 1
    acme.clock.advance(days=-2)
    assert len(tick(acme)) == 1
    assert tick(acme) == []
    acme.clock.advance(days=1)
    assert len(tick(acme)) == 1


def test_a_retry_set_by_a_wrong_clock_waits_for_nobody(acme_lite: Acme) -> None:
    acme = acme_lite
    resume(acme.services, "acme", "dana", "go")
    acme.clock.advance(days=1)
    [due] = due_imports(acme.services, "daily", acme.clock()).due
    now = acme.clock()
    acme.clock.time = FUTURE
    attempt_failed(acme.services, "acme", due.due_at, 0)
    acme.clock.time = now
    [again] = due_imports(acme.services, "daily", acme.clock()).due
    assert (again.due_at, again.attempt) == (due.due_at, 1)


def test_an_import_made_in_the_future_alarms_and_counts_as_not_there(acme: Acme) -> None:
    services, now = acme.services, acme.clock()
    resume(services, "acme", "dana", "go")
    first, second, third = acme.active()[:3]
    acme.clock.time = FUTURE
    acme.connect()
    acme.company.edit(first, job_title="Astronaut")
    late = acme.run()
    acme.company.edit(second, job_title="Baker")
    planned = acme.preview()
    acme.clock.time = now + timedelta(minutes=5)
    assert alarms(acme) == ["acme"]
    with pytest.raises(ImportStale):
        acme.save(planned.import_id)
    acme.connect()
    acme.company.edit(third, job_title="Cook")
    today = acme.run()
    assert today.finished_at is not None
    assert (today.status, today.finished_at < now + timedelta(hours=1)) == ("applied", True)
    assert save_import(services, "acme", actor="dana") == today, "not the one of the future"
    assert {late.import_id, today.import_id} <= {record.import_id for record in history(services, "acme")}
    assert verify(services, "acme").ok
