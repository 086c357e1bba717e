"""What Dagster keeps of runs, and for how long: the job that deletes old ones, through Dagster's own API.

Every import's record stays in the store; this is about Dagster's own: runs with their events and what they printed. A
run stays, however old, while it holds the latest materialization of an asset for its integration, or the UI would
forget when that was made. Ticks are deleted by the daemon itself (``retention`` in dagster.yaml).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg
from pydantic import Field

from hris_pipeline.defs.runs import FROM_HERE, SKIPPED_TAG
from hris_pipeline.operations.services import Services

__all__ = ["DAILY_PRUNE", "prune", "prune_runs"]

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
        if record.create_timestamp > now - timedelta(days=config.days(run)) or materializations.held_by(run):
            continue
        instance.compute_log_manager.delete_logs(prefix=[run.run_id])
        instance.delete_run(run.run_id)
        deleted += 1
    return deleted


def _ended_runs(instance: dg.DagsterInstance, before: datetime, at_most: int) -> Iterator[dg.RunRecord]:
    """The oldest first, page by page: what is deleted meanwhile is behind."""
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

    def held_by(self, run: dg.DagsterRun) -> bool:
        partition = run.tags.get("dagster/partition")
        if partition is None:
            return False
        if partition not in self._runs:
            self._runs[partition] = frozenset(self._latest(partition))
        return run.run_id in self._runs[partition]

    def _latest(self, partition: str) -> Iterator[str]:
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
    """One op."""
    _delete_old_runs()


DAILY_PRUNE = dg.ScheduleDefinition(
    name="daily_prune",
    job=prune,
    cron_schedule="30 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Keeps Dagster's own database from growing without end.",
)
