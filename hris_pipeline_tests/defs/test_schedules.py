"""When imports start: who is due gets one run, who is left out is named with the reason, and nothing starts twice."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData

from hris_pipeline.definitions import defs
from hris_pipeline.defs.automation import explain_skip, import_request
from hris_pipeline.defs.runs import DUE_KEY_TAG, SKIPPED_TAG, run_info
from hris_pipeline.errors import ImportRunning
from hris_pipeline.operations.automation import Due, SkippedIntegration, complete_due_import, pause
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.planning import plan_import
from hris_pipeline.operations.settings import change_settings
from hris_pipeline.settings.calendar import next_due
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.locks import import_running, integration_lock
from hris_pipeline_tests.kit.dagster_company import NAME, Company

AT_FOUR = Settings(at="04:00", time_zone="UTC")
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=4, minute=0, second=0, microsecond=0)


def tick(company: Company, schedule: str, at: datetime) -> ScheduleExecutionData:
    context = dg.build_schedule_context(
        instance=company.instance,
        scheduled_execution_time=at,
        resources={"services": company.services},
        repository_def=defs.get_repository_def(),
    )
    return defs.get_repository_def().get_schedule_def(schedule).evaluate_tick(context)


def requests(company: Company, schedule: str, at: datetime) -> list[dg.RunRequest]:
    return list(tick(company, schedule, at).run_requests or [])


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A tick needs an instance that can be opened again."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        yield instance


@pytest.fixture
def automatic(make_company: Callable[..., Company]) -> Company:
    """A company with one saved import and automatic imports running daily at four."""
    return make_company(12, settings=AT_FOUR).saved()


def test_a_due_import_gets_one_run_that_says_why_it_runs(automatic: Company) -> None:
    (request,) = requests(automatic, "daily_imports", TOMORROW)
    assert request.run_key == f"{NAME}:{TOMORROW.isoformat()}:0"
    assert request.partition_key == NAME
    assert request.tags["hris/trigger"] == "schedule"
    assert request.tags["hris/actor"] == "daily_imports"
    assert requests(automatic, "weekly_imports", TOMORROW) == []


def test_a_due_moment_handled_is_not_due_again_and_one_missed_is_caught_up_once(automatic: Company) -> None:
    late = TOMORROW + timedelta(hours=5)
    (request,) = requests(automatic, "daily_imports", late)
    assert request.tags["hris/trigger"] == "catch_up"
    complete_due_import(automatic.services, NAME, TOMORROW)
    assert tick(automatic, "daily_imports", late).skip_message == "Nothing is due."


def test_who_is_left_out_is_named_with_the_reason(automatic: Company) -> None:
    pause(automatic.services, NAME, "ann", "audit")
    message = tick(automatic, "daily_imports", TOMORROW).skip_message
    assert message is not None
    assert message.startswith(f"Left out: {NAME} (paused by ann at")
    assert message.endswith("audit).")


def test_an_integration_that_is_no_partition_here_does_not_lose_the_tick(automatic: Company) -> None:
    automatic.instance.delete_dynamic_partition("integration", NAME)
    message = tick(automatic, "daily_imports", TOMORROW).skip_message
    assert message == f"Left out: {NAME} (not known to this Dagster instance: run `hris setup` for it here)."


def test_the_run_of_a_schedule_handles_its_due_moment(automatic: Company) -> None:
    (request,) = requests(automatic, "daily_imports", TOMORROW)
    automatic.run("import_users", tags=dict(request.tags), trigger="schedule", actor="daily_imports")
    run = run_info(automatic.last_run())
    assert (run.automatic, run.due_at, run.attempt) == (True, TOMORROW, 0)
    assert automatic.import_(automatic.last_run().tags["hris/applied"]).trigger == "schedule"
    assert requests(automatic, "daily_imports", TOMORROW) == []


def test_a_run_skipped_in_a_pause_leaves_its_due_moment_to_be_caught_up(automatic: Company) -> None:
    (request,) = requests(automatic, "daily_imports", TOMORROW)
    pause(automatic.services, NAME, "ann", "audit")
    automatic.run("import_users", tags=dict(request.tags), trigger="schedule", actor="daily_imports")
    assert SKIPPED_TAG in automatic.last_run().tags
    automatic.resume()
    (again,) = requests(automatic, "daily_imports", TOMORROW + timedelta(hours=2))
    assert again.run_key == f"{request.run_key}:1"


def test_an_import_that_runs_already_leaves_its_integration_out(automatic: Company) -> None:
    (request,) = requests(automatic, "daily_imports", TOMORROW)
    with integration_lock(automatic.services.store, NAME):
        automatic.run("import_users", tags=dict(request.tags), trigger="schedule", actor="daily_imports")
        message = tick(automatic, "daily_imports", TOMORROW).skip_message
    assert automatic.last_run().tags[SKIPPED_TAG] == "an import of it is running"
    assert message == f"Left out: {NAME} (an import of it is running)."
    (again,) = requests(automatic, "daily_imports", TOMORROW + timedelta(minutes=15))
    assert again.run_key == f"{request.run_key}:1"


@pytest.mark.parametrize(
    ("job", "steps"), [("preview_import", {"read", "planned"}), ("import_users", {"read", "planned", "saved"})]
)
def test_no_other_import_comes_between_the_first_request_and_the_end(
    automatic: Company, monkeypatch: pytest.MonkeyPatch, job: str, steps: set[str]
) -> None:
    (request,) = requests(automatic, "daily_imports", TOMORROW)
    refused: set[str] = set()

    def meanwhile(step: str) -> None:
        try:
            with integration_lock(automatic.services.store, NAME):
                pass
        except ImportRunning:
            refused.add(step)

    def doing(work: Callable[..., Any], step: str) -> Callable[..., Any]:
        def done(*arguments: Any, **options: Any) -> Any:
            meanwhile(step)
            return work(*arguments, **options)

        return done

    module = import_module("hris_pipeline.defs.assets.change_set")  # whose name is an asset's, too
    monkeypatch.setattr(module, "plan_import", doing(plan_import, "planned"))
    monkeypatch.setattr(module, "save_import", doing(save_import, "saved"))
    automatic.run(
        job,
        tags=dict(request.tags),
        trigger="schedule",
        actor="daily_imports",
        progress=lambda _: meanwhile("read"),
    )
    assert refused == steps
    assert not import_running(automatic.services.store, NAME)
    assert SKIPPED_TAG not in automatic.last_run().tags


def test_one_that_comes_second_is_skipped_and_asked_for_again(
    automatic: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    (request,) = requests(automatic, "daily_imports", TOMORROW)
    monkeypatch.setattr("hris_pipeline.operations.automation.import_running", lambda *_: False)
    with integration_lock(automatic.services.store, NAME):
        automatic.run("import_users", tags=dict(request.tags), trigger="schedule", actor="daily_imports")
    assert automatic.last_run().tags[SKIPPED_TAG] == "an import of it is running"
    assert automatic.failed_imports() == []
    (again,) = requests(automatic, "daily_imports", TOMORROW + timedelta(minutes=15))
    assert again.run_key == f"{request.run_key}:1"


def changes_of_offset(settings: Settings, years: int = 2) -> list[tuple[datetime, datetime]]:
    """Due moments each with the one before it: around every change of the zone's clock, and the last of all."""
    zone = ZoneInfo(settings.time_zone)
    moments = [next_due(settings, datetime(2026, 12, 20, tzinfo=UTC))]
    while moments[-1] - moments[0] < timedelta(days=366 * years):
        moments.append(next_due(settings, moments[-1]))
    pairs = list(pairwise(moments))
    changed = [
        at
        for at, (before, due) in enumerate(pairs)
        if before.astimezone(zone).utcoffset() != due.astimezone(zone).utcoffset()
    ]
    return [pairs[at] for at in sorted({*changed, *(at + 1 for at in changed), len(pairs) - 1}) if at < len(pairs)]


@pytest.mark.parametrize(
    ("frequency", "zone"),
    [
        ("daily", "Pacific/Niue"),
        ("daily", "America/New_York"),
        ("daily", "Australia/Lord_Howe"),
        ("daily", "Pacific/Chatham"),
        ("daily", "Pacific/Kiritimati"),
        ("weekly", "Australia/Lord_Howe"),
        ("monthly", "Pacific/Chatham"),
    ],
)
def test_dagsters_own_ticks_ask_once_for_each_due_moment_on_both_sides_of_a_clock_change(
    automatic: Company, zone: str, frequency: Literal["daily", "weekly", "monthly"]
) -> None:
    settings = Settings(frequency=frequency, at="02:15", weekday="sunday", day_of_month=31, time_zone=zone)
    change_settings(automatic.services, NAME, settings, "ann")
    for before, due in changes_of_offset(settings):
        complete_due_import(automatic.services, NAME, before)
        asked = []
        for tick_at in (due - timedelta(minutes=15), due, due + timedelta(minutes=15)):
            asked.append([request.run_key for request in requests(automatic, f"{frequency}_imports", tick_at)])
            if asked[-1]:
                complete_due_import(automatic.services, NAME, due)
        assert asked == [[], [f"{NAME}:{due.isoformat()}:0"], []]


def test_connections_that_grow_old_are_refreshed_one_run_each(automatic: Company) -> None:
    assert tick(automatic, "connection_refresh", datetime.now(UTC)).skip_message == "Every connection is fresh."
    (request,) = requests(automatic, "connection_refresh", datetime.now(UTC) + timedelta(days=15))
    assert request.partition_key == NAME
    before = automatic.sandbox.requests["POST /oauth/token"]
    automatic.run("refresh_connection")
    assert automatic.sandbox.requests["POST /oauth/token"] == before + 1


def test_the_request_carries_the_attempt() -> None:
    due = Due("acme", datetime(2026, 3, 1, 9, tzinfo=UTC), 2, "schedule")
    request = import_request(due, "daily_imports", 0)
    assert request.tags["hris/attempt"] == "2"
    assert request.tags[DUE_KEY_TAG] == request.run_key == due.key


def test_the_skip_message_lists_everybody_left_out() -> None:
    assert explain_skip([]) == "Nothing is due."
    assert explain_skip([SkippedIntegration("a", "x"), SkippedIntegration("b", "y")]) == "Left out: a (x); b (y)."
