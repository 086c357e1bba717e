"""When imports run: every quarter hour the store is asked which integrations are due. The pure functions decide what to
request; the schedules gather and report."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import dagster as dg

from hris_pipeline.defs.jobs import import_users, refresh_connection
from hris_pipeline.defs.metadata import shorten
from hris_pipeline.defs.partitions import known_partitions
from hris_pipeline.defs.pruning import DAILY_PRUNE
from hris_pipeline.defs.runs import ACTOR_TAG, ATTEMPT_TAG, DUE_KEY_TAG, DUE_TAG, SKIPPED_TAG, TRIGGER_TAG
from hris_pipeline.operations.automation import Due, DueImports, SkippedIntegration, due_imports
from hris_pipeline.operations.connection import connections_due
from hris_pipeline.operations.services import Services

__all__ = [
    "SCHEDULES",
    "explain_skip",
    "import_request",
    "refresh_request",
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
        **_partition(due.integration_id),
        **BEHIND_PEOPLE,
        **(LARGE_QUEUE if due.large else {}),
    }
    return dg.RunRequest(run_key=key, partition_key=due.integration_id, tags=tags)


def refresh_request(integration_id: str, tick: datetime) -> dg.RunRequest:
    """The run that renews one connection."""
    key = f"{integration_id}:{tick.isoformat()}"
    return dg.RunRequest(
        run_key=key, partition_key=integration_id, tags={ACTOR_TAG: "connection_refresh", **_partition(integration_id)}
    )


def _partition(integration_id: str) -> dict[str, str]:
    """With this tag Dagster does not ask again, for each request by itself, whether there is such a partition."""
    return {"dagster/partition": integration_id}


def explain_skip(left_out: Sequence[SkippedIntegration]) -> str:
    """Who is left out of a tick, and why; of very many the first, for every tick keeps its text."""
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
    """One run a connection, those that end first first; one whose run still waits in the queue gets no second."""
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
    *(_import_schedule(frequency) for frequency in ("daily", "weekly", "monthly")),
    connection_refresh,
    DAILY_PRUNE,
)
