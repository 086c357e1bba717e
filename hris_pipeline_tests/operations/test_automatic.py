"""Which automatic imports are due, over a moving clock: exactly one a period, retried, paused, caught up once."""

from datetime import UTC, datetime, timedelta

import pytest

from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.operations.automation import (
    Due,
    attempt_failed,
    complete_due_import,
    due_imports,
    find_stalled_imports,
    pause,
    resume,
    skip_reason,
)
from hris_pipeline.operations.connection import disconnect
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.store.automation import Automation, automation
from hris_pipeline.store.locks import integration_lock
from hris_pipeline_tests.kit.acme import Acme, MakeAcme

HOUR = timedelta(hours=1)
FIRST_DUE = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
"""The first four in the morning in New York after the clock starts."""


@pytest.fixture
def running(acme_lite: Acme) -> Acme:
    """Imported once and running daily since Monday morning."""
    resume(acme_lite.services, "acme", "dana", "go")
    return acme_lite


def due(acme: Acme, frequency: str = "daily") -> tuple[Due, ...]:
    return due_imports(acme.services, frequency, acme.clock()).due


def left_out(acme: Acme, frequency: str = "daily") -> list[str]:
    return [integration.reason for integration in due_imports(acme.services, frequency, acme.clock()).left_out]


def state_of(services: Services) -> Automation:
    with services.store.read() as connection:
        return automation(connection, "acme")


def ticks(acme: Acme, days: float, frequency: str = "daily") -> list[Due]:
    """Everything that comes due in so many days, asked every hour, each handled at once."""
    moments: list[Due] = []
    until = acme.clock() + timedelta(days=days)
    acme.clock.time = acme.clock().replace(minute=0)
    while acme.clock() <= until:
        for moment in due(acme, frequency):
            moments.append(moment)
            complete_due_import(acme.services, moment.integration_id, moment.due_at)
        acme.clock.time += HOUR
    return moments


def test_once_a_day_at_its_hour_across_a_clock_change(running: Acme) -> None:
    moments = [tick.due_at for tick in ticks(running, 7)]
    assert moments[0] == FIRST_DUE
    assert [moment.hour for moment in moments] == [9, 9, 9, 9, 9, 8, 8]
    assert len({moment.date() for moment in moments}) == 7
    assert due(running, "weekly") == ()


@pytest.mark.parametrize(
    ("frequency", "setting", "count"), [("weekly", "weekday=friday", 4), ("monthly", "day_of_month=31", 1)]
)
def test_other_frequencies_come_once_a_period(running: Acme, frequency: str, setting: str, count: int) -> None:
    running.switch(f"frequency={frequency}", setting)
    moments = ticks(running, 30, frequency)
    assert len(moments) == count
    assert all(moment.trigger == "schedule" for moment in moments)


def test_two_missed_days_are_caught_up_by_exactly_one(running: Acme) -> None:
    running.clock.advance(days=3)
    [moment] = due(running)
    assert moment.trigger == "catch_up"
    assert moment.due_at == FIRST_DUE + timedelta(days=2)
    complete_due_import(running.services, "acme", moment.due_at)
    assert due(running) == ()


def test_the_same_attempt_has_the_same_key_until_it_ends(running: Acme) -> None:
    running.clock.time = FIRST_DUE
    [first] = due(running)
    running.clock.advance(minutes=15)
    [again] = due(running)
    assert first == again
    assert first.key == f"acme:{FIRST_DUE.isoformat()}:0"


def test_a_failed_import_is_tried_again_after_1_4_and_12_hours_then_counts(running: Acme) -> None:
    running.clock.time = FIRST_DUE
    for attempt, hours in enumerate((1, 4, 12)):
        [moment] = due(running)
        assert (moment.due_at, moment.attempt) == (FIRST_DUE, attempt)
        assert not attempt_failed(running.services, "acme", moment.due_at, moment.attempt)
        assert not attempt_failed(running.services, "acme", moment.due_at, moment.attempt), "told twice, counted once"
        running.clock.advance(hours=hours, minutes=-1)
        assert due(running) == ()
        assert "tried again at" in left_out(running)[0]
        running.clock.advance(minutes=1)
    [last] = due(running)
    assert last.trigger == "schedule", "a retry is no catch-up"
    assert not attempt_failed(running.services, "acme", last.due_at, last.attempt)
    assert due(running) == ()
    assert state_of(running.services).failures == 1


def _fail(acme: Acme, due_at: datetime) -> bool:
    return [attempt_failed(acme.services, "acme", due_at, attempt) for attempt in range(4)][-1]


def test_three_failures_in_a_row_pause_with_the_reason(running: Acme) -> None:
    days = [FIRST_DUE + timedelta(days=number) for number in range(3)]
    running.clock.time = days[-1] + timedelta(hours=18)
    assert [_fail(running, day) for day in days] == [False, False, True]
    state = state_of(running.services)
    assert (state.automatic, state.automatic_by) == ("paused", "hris")
    assert state.automatic_reason == "3 automatic imports in a row failed"
    assert "3 automatic imports in a row failed" in str(skip_reason(running.services, "acme"))
    resume(running.services, "acme", "lee", "fixed")
    assert state_of(running.services).failures == 0


def test_a_good_import_between_failures_starts_the_count_anew(running: Acme) -> None:
    for number in range(6):
        day = FIRST_DUE + timedelta(days=number)
        running.clock.time = day + timedelta(hours=18)
        if number == 2:
            complete_due_import(running.services, "acme", day)
        else:
            assert _fail(running, day) == (number == 5)


def test_a_pause_says_who_when_and_why_and_resuming_catches_up_once(running: Acme) -> None:
    pause(running.services, "acme", "lee", "audit")
    reason = "paused by lee at 2026-03-02 10:02 EST: audit"
    assert skip_reason(running.services, "acme") == reason
    running.clock.advance(days=5)
    assert due(running) == ()
    assert left_out(running) == [reason]
    resume(running.services, "acme", "lee", "done")
    assert [moment.trigger for moment in due(running)] == ["catch_up"]
    assert skip_reason(running.services, "acme") is None


def test_manual_imports_stay_possible_while_paused(running: Acme) -> None:
    pause(running.services, "acme", "lee", "audit")
    running.company.edit(running.active()[0], job_title="Astronaut")
    assert running.run().counts["updated"] == 1


def test_a_reason_is_needed_and_a_saved_manual_import(make_lite: MakeAcme) -> None:
    acme = make_lite(8)
    with pytest.raises(UsageError, match="saved manual import"):
        resume(acme.services, "acme", "dana", "go")
    acme.run("backfill")
    with pytest.raises(UsageError, match="saved manual import"):
        resume(acme.services, "acme", "dana", "go")
    for switch in (pause, resume):
        with pytest.raises(UsageError, match="reason"):
            switch(acme.services, "acme", "dana", " ")
        with pytest.raises(UnknownName):
            switch(acme.services, "nobody", "dana", "why")
    assert skip_reason(acme.services, "acme") == "automatic imports are off"
    acme.clock.advance(days=2)
    assert due(acme) == ()


def test_an_import_that_runs_is_a_reason_and_the_moment_stays_due(running: Acme) -> None:
    running.clock.time = FIRST_DUE
    with integration_lock(running.services.store, "acme"):
        assert due(running) == ()
        assert left_out(running) == ["an import of it is running"]
    assert len(due(running)) == 1


def test_a_dead_connection_is_a_reason_and_stays_due(running: Acme) -> None:
    disconnect(running.services, "acme")
    running.clock.time = FIRST_DUE
    assert due(running) == ()
    assert left_out(running) == ["the connection is disconnected: run `hris connect acme`"]
    running.connect()
    assert len(due(running)) == 1


def test_moving_the_hour_neither_repeats_nor_loses_a_day(running: Acme) -> None:
    running.clock.time = FIRST_DUE
    complete_due_import(running.services, "acme", FIRST_DUE)
    running.clock.advance(hours=8)  # one in the afternoon in New York
    running.switch("at=08:00")
    assert due(running) == ()
    assert [tick.due_at for tick in ticks(running, 1)] == [FIRST_DUE + timedelta(days=1, hours=4)]


def test_moving_the_hour_while_something_is_due_keeps_it_due(running: Acme) -> None:
    running.clock.time = FIRST_DUE
    running.switch("at=03:00")
    assert len(due(running)) == 1


def test_an_integration_without_a_good_import_for_too_long_is_stalled(running: Acme) -> None:
    services = running.services
    running.clock.time = FIRST_DUE + timedelta(hours=18)
    assert find_stalled_imports(services, running.clock()) == ()
    running.clock.advance(minutes=1)
    [finding] = find_stalled_imports(services, running.clock())
    assert (finding.integration_id, finding.due_at) == ("acme", FIRST_DUE)
    pause(services, "acme", "lee", "audit")
    running.clock.advance(days=20)
    assert find_stalled_imports(services, running.clock()) == ()
    resume(services, "acme", "lee", "done")
    assert find_stalled_imports(services, running.clock()) == (), "the pause does not count"
    running.clock.advance(days=2)
    assert len(find_stalled_imports(services, running.clock())) == 1
    running.run("schedule")
    assert find_stalled_imports(services, running.clock()) == ()


def test_many_integrations_are_each_asked_in_their_own_zone(acme: Acme) -> None:
    """On both databases: what decides is read in one statement."""
    services = acme.services
    resume(services, "acme", "dana", "go")
    set_up(services, "idle", actor="dana")
    acme.clock.time = FIRST_DUE
    imports = due_imports(services, "daily", acme.clock())
    assert [moment.integration_id for moment in imports.due] == ["acme"]
    assert imports.left_out == ()
    assert attempt_failed(services, "acme", FIRST_DUE, 0) is False
    assert "failed 1 times" in due_imports(services, "daily", acme.clock()).left_out[0].reason
