"""What happens when an import failed, or did not happen at all, and what is thrown away in the end."""

import json
from datetime import datetime

import dagster as dg

from hris_pipeline.defs.io_manager import frames_root, purge_frames
from hris_pipeline.defs.metadata import shorten
from hris_pipeline.defs.observation import observation
from hris_pipeline.defs.partitions import known_partitions
from hris_pipeline.defs.run_lock import living_runs
from hris_pipeline.defs.runs import FAILURE_TAG, FROM_HERE, HELD_TAG, IMPORT_USERS, SKIPPED_TAG, RunInfo, run_info
from hris_pipeline.operations.automation import attempt_failed, stalled
from hris_pipeline.operations.deletion import RETENTION, purge_old
from hris_pipeline.operations.notification import notify, untold
from hris_pipeline.operations.planning import record_failure
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import settings_changed

__all__ = ["SENSORS", "dead_runs", "failed_imports", "observed_settings", "retention", "stalled_imports"]

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
        "Counts a failed automatic import, which is tried again after 1, 4 and 12 hours; three failures in a row pause "
        "the integration. Tells whoever the settings name. A held change set is no failure."
    ),
)
def failed_imports(context: dg.RunFailureSensorContext, services: dg.ResourceParam[Services]) -> dg.SkipReason | None:
    """Told of every failed run once."""
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
        body = f"Automatic imports are paused after three failures in a row: `hris resume {run.integration_id}`."
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
    """That nothing happened is an alarm too."""
    findings = stalled(services, services.now())
    to_tell = frozenset(
        untold(services, "stalled", {finding.integration_id: finding.due_at.isoformat() for finding in findings})[
            :TOLD_A_LOOK
        ]
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
    name="observed_settings",
    minimum_interval_seconds=_MINUTE,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Observes changed settings, which marks `mapped_users` as out of date.",
)
def observed_settings(
    context: dg.SensorEvaluationContext, services: dg.ResourceParam[Services]
) -> dg.SensorResult | dg.SkipReason:
    """The cursor is when the newest settings seen so far were stored; ten thousand are seen in slices."""
    after = datetime.fromisoformat(context.cursor) if context.cursor else None
    changed = settings_changed(services, after, SETTINGS_SLICE)
    if not changed:
        return dg.SkipReason("No settings changed.")
    known = set(known_partitions(context.instance))
    events = [observation(version) for version in changed if version.integration_id in known]
    return dg.SensorResult(asset_events=events, cursor=changed[-1].created_at.isoformat())


@dg.sensor(
    name="retention",
    minimum_interval_seconds=_DAY,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Removes extracts, frames, quarantined values and discarded plans that are older than the retention.",
)
def retention(services: dg.ResourceParam[Services]) -> dg.SkipReason:
    """Once a day."""
    extracts = purge_old(services)
    frames = purge_frames(frames_root(services.environment.files_url), services.now() - RETENTION)
    return dg.SkipReason(f"Removed {extracts} extracts and {frames} frames.")


SENSORS = (failed_imports, dead_runs, stalled_imports, observed_settings, retention)
