"""What starts by itself: every quarter hour the store is asked which integrations are due; and what follows when an
import failed, or did not happen at all, and what is thrown away in the end.

The pure functions decide what to request; schedules and sensors gather and report.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import dagster as dg

from hris_pipeline.defs.assets.employees import observation
from hris_pipeline.defs.io_manager import frames_root, purge_frames
from hris_pipeline.defs.jobs import DAILY_PRUNE, import_users, refresh_connection
from hris_pipeline.defs.metadata import shorten
from hris_pipeline.defs.runs import (
    ACTOR_TAG,
    ATTEMPT_TAG,
    DUE_KEY_TAG,
    DUE_TAG,
    FAILURE_TAG,
    FROM_HERE,
    HELD_TAG,
    IMPORT_USERS,
    SKIPPED_TAG,
    TRIGGER_TAG,
    RunInfo,
    known_partitions,
    living_runs,
    run_info,
)
from hris_pipeline.operations.automation import (
    FAILURES_TO_PAUSE,
    RETRY_HOURS,
    Due,
    DueImports,
    SkippedIntegration,
    attempt_failed,
    due_imports,
    find_stalled_imports,
)
from hris_pipeline.operations.connection import RETENTION, connections_due, purge_old
from hris_pipeline.operations.notification import notify, untold_integrations
from hris_pipeline.operations.planning import record_failure
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import settings_changed
from hris_pipeline.settings.calendar import FREQUENCIES

__all__ = [
    "SCHEDULES",
    "SENSORS",
    "dead_runs",
    "explain_skip",
    "failed_imports",
    "import_request",
    "refresh_request",
    "retention",
    "settings_observation",
    "stalled_imports",
]

EVERY_QUARTER_HOUR = "*/15 * * * *"

REQUESTS_A_TICK = 2500
"""So many runs are asked for at once: the daemon makes them one by one, 0.3 seconds each, and must not be busy with
them when the next quarter hour strikes."""

KEYS_AT_ONCE = 2000
"""So many due moments are looked up in one question to Dagster."""

NEXT_TICK = "so many are due that it starts at the next quarter hour"

BEHIND_PEOPLE = {"dagster/priority": "-1"}
"""Whoever waits at a screen goes first in Dagster's queue."""

LARGE_QUEUE = {"dagster-celery/queue": "large"}
"""Where runs go to Celery's workers, a company that needs a machine nearly for itself goes to workers of their own."""

_NOT_ENDED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

NO_PARTITION = "not known to this Dagster instance: run `hris setup` for it here"


def import_request(due: Due, schedule: str, skipped_before: int) -> dg.RunRequest:
    """The run for one due import. A run that was skipped while the integration was paused does not count as the
    attempt, so ``skipped_before`` keeps the key from being used up."""
    key = due.key if not skipped_before else f"{due.key}:{skipped_before}"
    tags = {
        TRIGGER_TAG: due.trigger,
        ACTOR_TAG: schedule,
        DUE_TAG: due.due_at.isoformat(),
        DUE_KEY_TAG: due.key,
        ATTEMPT_TAG: str(due.attempt),
        **_partition_tag(due.integration_id),
        **BEHIND_PEOPLE,
        **(LARGE_QUEUE if due.large else {}),
    }
    return dg.RunRequest(run_key=key, partition_key=due.integration_id, tags=tags)


def refresh_request(integration_id: str, tick: datetime) -> dg.RunRequest:
    """The run that renews one connection."""
    key = f"{integration_id}:{tick.isoformat()}"
    return dg.RunRequest(
        run_key=key,
        partition_key=integration_id,
        tags={ACTOR_TAG: "connection_refresh", **_partition_tag(integration_id)},
    )


def _partition_tag(integration_id: str) -> dict[str, str]:
    """The partition's tag; with it Dagster does not look for the partition once for every request."""
    return {"dagster/partition": integration_id}


def explain_skip(left_out: Sequence[SkippedIntegration]) -> str:
    """Who is left out of a tick, and why; only the first of very many, because every tick keeps its text."""
    if not left_out:
        return "Nothing is due."
    return f"Left out: {shorten([f'{item.integration_id} ({item.reason})' for item in left_out], '; ')}."


def _split_by_partition(
    imports: DueImports, partition_names: Iterable[str]
) -> tuple[tuple[Due, ...], tuple[SkippedIntegration, ...]]:
    """Only partitions of this instance can run: one request for another would lose the whole tick."""
    partitions = set(partition_names)
    unknown = tuple(
        SkippedIntegration(due.integration_id, NO_PARTITION)
        for due in imports.due
        if due.integration_id not in partitions
    )
    return tuple(due for due in imports.due if due.integration_id in partitions), (*imports.left_out, *unknown)


def _without_existing_run(
    instance: dg.DagsterInstance, due: Sequence[Due], schedule: str
) -> tuple[list[dg.RunRequest], tuple[SkippedIntegration, ...]]:
    """One request for each due import that has no run yet; Dagster itself compares run keys within one tick only, and
    an import may wait in the queue, or run, for longer than a quarter hour. The rest of very many waits for the next
    tick."""
    requests: list[dg.RunRequest] = []
    left_out: list[SkippedIntegration] = []
    for number in range(0, len(due), KEYS_AT_ONCE):
        slice_ = due[number : number + KEYS_AT_ONCE]
        runs = _runs_by_key(instance, [item.key for item in slice_])
        for item in slice_:
            runs_of_item = runs.get(item.key, ())
            reason = _existing_run(runs_of_item)
            if reason is None and len(requests) < REQUESTS_A_TICK:
                requests.append(import_request(item, schedule, sum(SKIPPED_TAG in run.tags for run in runs_of_item)))
            else:
                left_out.append(SkippedIntegration(item.integration_id, reason or NEXT_TICK))
    return requests, tuple(left_out)


def _runs_by_key(instance: dg.DagsterInstance, keys: Sequence[str]) -> Mapping[str, Sequence[dg.DagsterRun]]:
    runs: dict[str, list[dg.DagsterRun]] = {}
    for run in instance.get_runs(dg.RunsFilter(tags={DUE_KEY_TAG: keys})):
        runs.setdefault(run.tags[DUE_KEY_TAG], []).append(run)
    return runs


def _existing_run(runs: Iterable[dg.DagsterRun]) -> str | None:
    """What became of the run that a due moment has already, or None: one that was skipped does not count, nor one that
    an interrupted tick made and never sent to the queue."""
    for run in runs:
        if SKIPPED_TAG not in run.tags and run.status is not dg.DagsterRunStatus.NOT_STARTED:
            return f"run {run.run_id[:8]} for it is {run.status.value.lower()}"
    return None


def _import_schedule(frequency: str) -> dg.ScheduleDefinition:
    name = f"{frequency}_imports"

    @dg.schedule(
        name=name,
        job=import_users,
        cron_schedule=EVERY_QUARTER_HOUR,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            f"Starts the {frequency} imports that are due, each at the local time its settings say. "
            "A tick without runs says who was left out and why."
        ),
    )
    def evaluate(
        context: dg.ScheduleEvaluationContext, services: dg.ResourceParam[Services]
    ) -> dg.SkipReason | list[dg.RunRequest]:
        imports = due_imports(services, frequency, context.scheduled_execution_time)
        due, left_out = _split_by_partition(imports, known_partitions(context.instance))
        requests, waiting = _without_existing_run(context.instance, due, name)
        explained = explain_skip((*left_out, *waiting))
        if not requests:
            return dg.SkipReason(explained)
        if left_out or waiting:
            context.log.info(explained)
        return requests

    return evaluate


@dg.schedule(
    name="connection_refresh",
    job=refresh_connection,
    cron_schedule="0 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Renews the tokens of connections that are growing old, so that a monthly import finds a live one.",
)
def connection_refresh(
    context: dg.ScheduleEvaluationContext, services: dg.ResourceParam[Services]
) -> dg.SkipReason | list[dg.RunRequest]:
    """One run a connection, those that expire first first; a connection whose refresh still waits in the queue gets no
    second run."""
    tick = context.scheduled_execution_time
    partition_names = set(known_partitions(context.instance)) - _being_refreshed(context.instance)
    due = [name for name in connections_due(services, tick) if name in partition_names]
    return [refresh_request(name, tick) for name in due[:REQUESTS_A_TICK]] or dg.SkipReason(
        "Every connection is fresh."
    )


def _being_refreshed(instance: dg.DagsterInstance) -> set[str]:
    """The integrations with a refresh that has not ended; one question, however many."""
    runs = instance.get_runs(dg.RunsFilter(job_name=refresh_connection.name, statuses=_NOT_ENDED))
    return {run.tags["dagster/partition"] for run in runs if "dagster/partition" in run.tags}


SCHEDULES = (
    *(_import_schedule(frequency) for frequency in FREQUENCIES),
    connection_refresh,
    DAILY_PRUNE,
)

_HALF_MINUTE, _MINUTE, _QUARTER_HOUR, _DAY = 30, 60, 900, 86_400

SETTINGS_SLICE = 250
"""So many changed settings are observed at one look."""

TOLD_A_LOOK = 100
"""So many stalled integrations are told of at one look: each message takes its time, and the daemon waits a minute."""

_WILL_RETRY_TAG = "dagster/will_retry"

_DIED = "the run ended without a word: its process died or never started"


@dg.run_failure_sensor(
    name="failed_imports",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        f"Counts a failed automatic import, which is tried again after {', '.join(map(str, RETRY_HOURS))} hours; "
        f"{FAILURES_TO_PAUSE} failures in a row pause the integration. Tells whoever the settings name. A held change "
        "set is no failure."
    ),
)
def failed_imports(context: dg.RunFailureSensorContext, services: dg.ResourceParam[Services]) -> dg.SkipReason | None:
    """Handles each failed run once: records an import whose process died, counts the failure of an automatic import,
    and tells of a connection that could not be refreshed."""
    run, tags = run_info(context.dagster_run), context.dagster_run.tags
    if not run.integration_id or HELD_TAG in tags or SKIPPED_TAG in tags:
        return dg.SkipReason("No import failed.")
    if tags.get(_WILL_RETRY_TAG) == "true":
        return dg.SkipReason("Its process died, and it is started once more.")
    message = tags.get(FAILURE_TAG)
    if message is None:
        message = _DIED
        _record(services, run, message)
    if run.job == "refresh_connection":
        notify(services, run.integration_id, "expiring", message, message)
    elif run.job == IMPORT_USERS:
        _count(services, run, message)
    return None


def _record(services: Services, run: RunInfo, message: str) -> None:
    record_failure(services, run.integration_id, message, trigger=run.trigger, actor=run.actor, run_id=run.run_id)


def _count(services: Services, run: RunInfo, message: str) -> None:
    notify(services, run.integration_id, "failed", message, f"An import failed: {message}")
    if run.due_at is not None and attempt_failed(services, run.integration_id, run.due_at, run.attempt):
        paused = f"Automatic imports are paused after {FAILURES_TO_PAUSE} failures in a row"
        body = f"{paused}: `hris resume {run.integration_id}`."
        notify(services, run.integration_id, "paused", "failures", body)


@dg.sensor(
    name="dead_runs",
    minimum_interval_seconds=_HALF_MINUTE,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Ends runs whose process is gone, such as after a power cut, so that they are started once more. Needed where "
        "Dagster's own launcher runs them; Celery's is asked by run monitoring."
    ),
)
def dead_runs(
    context: dg.SensorEvaluationContext, services: dg.ResourceParam[Services]
) -> dg.SkipReason | dg.SensorResult:
    """A run without its lock is believed dead when it is seen a second time: it holds none in its first and last
    moment. The cursor is those seen last."""
    if context.instance.run_launcher.supports_check_run_worker_health:
        return dg.SkipReason("Run monitoring looks after the runs of this launcher.")
    seen = set(json.loads(context.cursor or "[]"))
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags=FROM_HERE)
    runs = {run.run_id: run for run in context.instance.get_runs(started)}
    lost = set(runs) - living_runs(services.store, runs)
    for run_id in lost & seen:
        context.instance.report_run_failed(runs[run_id], "The process of the run is gone.")
    summary = f"{len(lost & seen)} of {len(runs)} runs had lost their process."
    return dg.SensorResult(skip_reason=summary, cursor=json.dumps(sorted(lost - seen)))


@dg.sensor(
    name="stalled_imports",
    minimum_interval_seconds=_QUARTER_HOUR,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells of integrations whose last good import is older than their frequency allows.",
)
def stalled_imports(services: dg.ResourceParam[Services]) -> dg.SkipReason:
    """Tells about imports that are overdue: nothing happening is an alarm too."""
    findings = find_stalled_imports(services, services.now())
    to_tell = frozenset(
        untold_integrations(
            services, "stalled", {finding.integration_id: finding.due_at.isoformat() for finding in findings}
        )[:TOLD_A_LOOK]
    )
    for finding in findings:
        if finding.integration_id not in to_tell:
            continue
        last = f"{finding.last_good_at:%Y-%m-%d %H:%M} UTC" if finding.last_good_at else "never"
        body = f"An import was due {finding.due_at:%Y-%m-%d %H:%M} UTC; the last good one: {last}."
        if finding.clock_jumped:
            body = (
                f"The due moment {finding.due_at:%Y-%m-%d %H:%M} UTC was handled although it is later than now: a "
                "clock was wrong. It counts as not handled; look at the clocks of the machines."
            )
        notify(services, finding.integration_id, "stalled", finding.due_at.isoformat(), body)
    names = shorten([finding.integration_id for finding in findings])
    return dg.SkipReason(f"Stalled: {names}." if names else "No integration is stalled.")


@dg.sensor(
    name="settings_observation",
    minimum_interval_seconds=_MINUTE,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Observes changed settings, which marks `mapped_users` as out of date.",
)
def settings_observation(
    context: dg.SensorEvaluationContext, services: dg.ResourceParam[Services]
) -> dg.SensorResult | dg.SkipReason:
    """The cursor is when the newest settings seen so far were stored; ten thousand are seen in slices."""
    after = datetime.fromisoformat(context.cursor) if context.cursor else None
    changed = settings_changed(services, after, SETTINGS_SLICE)
    if not changed:
        return dg.SkipReason("No settings changed.")
    partitions = set(known_partitions(context.instance))
    events = [observation(version) for version in changed if version.integration_id in partitions]
    return dg.SensorResult(asset_events=events, cursor=changed[-1].created_at.isoformat())


@dg.sensor(
    name="retention",
    minimum_interval_seconds=_DAY,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Removes extracts, frames, quarantined values and discarded plans that are older than the retention.",
)
def retention(services: dg.ResourceParam[Services]) -> dg.SkipReason:
    """Removes once a day what is older than the retention."""
    extracts = purge_old(services)
    frames = purge_frames(frames_root(services.environment.files_url), services.now() - RETENTION)
    return dg.SkipReason(f"Removed {extracts} extracts and {frames} frames.")


SENSORS = (failed_imports, dead_runs, stalled_imports, settings_observation, retention)
