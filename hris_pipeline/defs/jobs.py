"""The jobs: three that import, those by which a person steers from the UI, each for one integration, and the one that
deletes Dagster's old runs through its own API.

Every import's record stays in the store; pruning is about Dagster's own: runs with their events and what they
printed. A run stays, however old, while it holds the latest materialization of an asset for its integration, or the
UI would forget when that was made. Ticks are deleted by the daemon itself (``retention`` in dagster.yaml).
"""

import glob
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from pydantic import Field

from hris_pipeline.defs.failures import redacted_errors, require_integration
from hris_pipeline.defs.runs import FROM_HERE, IMPORT_USERS, SKIPPED_TAG, deciding_in_run, integration_partitions
from hris_pipeline.errors import UnknownName
from hris_pipeline.operations.automation import pause, resume
from hris_pipeline.operations.connection import refresh_connection as refresh
from hris_pipeline.operations.decisions import approve_import as approve
from hris_pipeline.operations.decisions import open_import
from hris_pipeline.operations.overview import read_import
from hris_pipeline.operations.services import Services
from hris_pipeline.store.imports import Import

__all__ = [
    "DAILY_PRUNE",
    "JOBS",
    "PREVIEWED",
    "approve_import",
    "import_users",
    "pause_imports",
    "preview_import",
    "prune",
    "prune_runs",
    "refresh_connection",
    "resume_imports",
    "save_import",
]

PAGE = 500

_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


class PruneConfig(dg.Config):
    """How many days runs are kept, by how they ended."""

    skipped_days: int = Field(default=2, description="Runs that found nothing to do.")
    success_days: int = Field(default=14, description="Runs that ended well.")
    failure_days: int = Field(default=60, description="Runs that failed, were held or cancelled.")
    at_most: int = Field(default=50_000, description="So many runs are looked at in one go, the oldest first.")

    def days(self, run: dg.DagsterRun) -> int:
        """How long that run is kept."""
        if run.status is not dg.DagsterRunStatus.SUCCESS:
            return self.failure_days
        return self.skipped_days if SKIPPED_TAG in run.tags else self.success_days


def prune_runs(instance: dg.DagsterInstance, config: PruneConfig, now: datetime) -> int:
    """Deletes what is old enough; gives how many runs."""
    materializations = _LatestMaterializations(instance)
    deleted = 0
    for record in _ended_runs(instance, now - timedelta(days=config.skipped_days), config.at_most):
        run = record.dagster_run
        if record.create_timestamp > now - timedelta(days=config.days(run)) or materializations.is_latest(run):
            continue
        instance.compute_log_manager.delete_logs(prefix=[run.run_id])
        instance.delete_run(run.run_id)
        _remove_file(instance, run.run_id)
        deleted += 1
    return deleted


def _remove_file(instance: dg.DagsterInstance, run_id: str) -> None:
    """Removes the file of a run's events on SQLite: Dagster empties it and leaves it at its size."""
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        shard = Path(storage.path_for_shard(run_id))
        for path in shard.parent.glob(f"{glob.escape(shard.name)}*"):
            path.unlink(missing_ok=True)


def _ended_runs(instance: dg.DagsterInstance, before: datetime, at_most: int) -> Iterator[dg.RunRecord]:
    """Runs that have ended, the oldest first, page by page; deleting those already given shifts no page."""
    after: datetime | None = None
    for _ in range(0, at_most, PAGE):
        filters = dg.RunsFilter(statuses=list(_ENDED), tags=FROM_HERE, created_before=before, created_after=after)
        records = instance.get_run_records(filters, limit=PAGE, ascending=True)
        yield from records
        if len(records) < PAGE:
            return
        after = records[-1].create_timestamp


class _LatestMaterializations:
    """Which runs hold the latest materialization of an asset, looked up once an integration."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._assets = tuple(instance.all_asset_keys())
        self._runs: dict[str, frozenset[str]] = {}

    def is_latest(self, run: dg.DagsterRun) -> bool:
        partition = run.tags.get("dagster/partition")
        if partition is None:
            return False
        if partition not in self._runs:
            self._runs[partition] = frozenset(self._latest_run_ids(partition))
        return run.run_id in self._runs[partition]

    def _latest_run_ids(self, partition: str) -> Iterator[str]:
        for asset in self._assets:
            latest = dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[partition])
            yield from (record.run_id for record in self._instance.fetch_materializations(latest, limit=1).records)


@dg.op(name="delete_old_runs")
def _delete_old_runs(context: dg.OpExecutionContext, config: PruneConfig, services: dg.ResourceParam[Services]) -> None:
    deleted = prune_runs(context.instance, config, services.now())
    context.log.info("Deleted %d runs with their events.", deleted)


@dg.job(
    executor_def=dg.in_process_executor,
    description=(
        "Deletes old runs with their events, by age and outcome; the latest materializations of every integration "
        "stay, and every import's record in the store."
    ),
)
def prune() -> None:
    """Deletes old runs; one op."""
    _delete_old_runs()


DAILY_PRUNE = dg.ScheduleDefinition(
    name="daily_prune",
    job=prune,
    cron_schedule="30 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Keeps Dagster's own database from growing without end.",
)

PREVIEWED = ("justworks_members", "employees", "mapped_users", "change_set", "user_file")
"""What a preview materializes."""

preview_import = dg.define_asset_job(
    "preview_import",
    selection=list(PREVIEWED),
    executor_def=dg.in_process_executor,
    description="The first half of a manual import: reads, validates, maps and plans. Changes no user.",
)

save_import = dg.define_asset_job(
    "save_import",
    selection=["applied_changes"],
    executor_def=dg.in_process_executor,
    description="The second half of a manual import: applies the very change set that was previewed.",
)

import_users = dg.define_asset_job(
    IMPORT_USERS,
    selection=[*PREVIEWED, "applied_changes", "upcoming_milestones", "reporting_lines"],
    executor_def=dg.in_process_executor,
    description="A whole import: plans, and applies unless a guard holds it. What schedules and `hris import` run.",
)


class ReasonConfig(dg.Config):
    """Who switches automatic imports, and why."""

    reason: str = Field(description="Why; whoever looks later wants to know.")
    by: str = Field(default="", description="Who; empty: whoever started the run.")


_APPROVAL_FIELDS = {
    "by": dg.Field(str, description="Who approves."),
    "reason": dg.Field(str, description="Why."),
    "import_id": dg.Field(str, is_required=False, description="The held import; left out: the integration's open one."),
    "digest": dg.Field(str, description="Its digest, as its preview shows it: exactly that change set is approved."),
}
"""The launchpad asks for what is required: who, why and exactly what."""


@dg.op(name="pause")
def _pause(context: dg.OpExecutionContext, config: ReasonConfig, services: dg.ResourceParam[Services]) -> None:
    with redacted_errors("pause_imports"):
        run = require_integration(context.run)
        with deciding_in_run(context.run, services, "pause", config.by, config.reason):
            pause(services, run.integration_id, config.by or run.actor, config.reason)


@dg.op(name="resume")
def _resume(context: dg.OpExecutionContext, config: ReasonConfig, services: dg.ResourceParam[Services]) -> None:
    with redacted_errors("resume_imports"):
        run = require_integration(context.run)
        with deciding_in_run(context.run, services, "resume", config.by, config.reason):
            resume(services, run.integration_id, config.by or run.actor, config.reason)


@dg.op(name="approve", config_schema=_APPROVAL_FIELDS)
def _approve(context: dg.OpExecutionContext, services: dg.ResourceParam[Services]) -> None:
    approval = context.op_config
    by, reason = approval["by"], approval["reason"]
    with redacted_errors("approve_import"):
        held = _held_import(context.run, approval.get("import_id", ""), services)
        with deciding_in_run(context.run, services, "approve", by, reason, held):
            approve(services, held.import_id, approval["digest"], by, reason)


def _held_import(run: dg.DagsterRun, import_id: str, services: Services) -> Import:
    """The one named, or the open one of the run's integration."""
    if import_id:
        return read_import(services, import_id)
    name = require_integration(run).integration_id
    present = open_import(services, name)
    if present is None:
        raise UnknownName(f"{name} has no open import to approve: `hris history {name}` lists what there was.")
    return present


@dg.op(name="refresh")
def _refresh(context: dg.OpExecutionContext, services: dg.ResourceParam[Services]) -> None:
    with redacted_errors("refresh_connection"):
        refresh(services, require_integration(context.run).integration_id)


@dg.job(
    partitions_def=integration_partitions,
    executor_def=dg.in_process_executor,
    description="Stops automatic imports of the integration at once, with a reason; manual ones stay possible.",
)
def pause_imports() -> None:
    """Pauses automatic imports; one op."""
    _pause()


@dg.job(
    partitions_def=integration_partitions,
    executor_def=dg.in_process_executor,
    description="Starts automatic imports of the integration, with a reason; what was missed is caught up once.",
)
def resume_imports() -> None:
    """Resumes automatic imports; one op."""
    _resume()


@dg.job(
    partitions_def=integration_partitions,
    executor_def=dg.in_process_executor,
    description=(
        "Lets exactly one held change set through, with a name and a reason; applied by `save_import` or the next "
        "import."
    ),
)
def approve_import() -> None:
    """Approves a held import; one op."""
    _approve()


@dg.job(
    partitions_def=integration_partitions,
    executor_def=dg.in_process_executor,
    description="Renews the integration's tokens, so that the connection lives however rare the imports are.",
)
def refresh_connection() -> None:
    """Refreshes one connection; one op."""
    _refresh()


JOBS = (
    preview_import,
    save_import,
    import_users,
    approve_import,
    pause_imports,
    resume_imports,
    refresh_connection,
    prune,
)
