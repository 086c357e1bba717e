"""A run: for which integration (its partition), who or what started it and for which due moment, read from its tags;
what its assets and jobs work with; decisions that are made by launching it, written down as such, once; and whether
its process lives.

Each process of a run holds a lock of the store, named by the run, that dies with it. With PostgreSQL the lock is a
session's, so the answer is right for a run on any machine, and a machine that vanished has lost it after a minute of
unanswered keepalives. A database that restarts forgets it; the process takes it again within seconds. What becomes
of a run whose process is gone is not decided here.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

import dagster as dg
import sqlalchemy as sa

from hris_pipeline.contract import Trigger
from hris_pipeline.operations.roles import DecidedBy, Method, deciding
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.store.engine import Store
from hris_pipeline.store.imports import Import
from hris_pipeline.store.locks import held_locks, named_lock

__all__ = [
    "ACTOR_TAG",
    "ADDRESS_TAG",
    "APPLIED_TAG",
    "ATTEMPT_TAG",
    "AUTOMATIC",
    "DECIDED_TAG",
    "DUE_KEY_TAG",
    "DUE_TAG",
    "FAILURE_TAG",
    "FROM_HERE",
    "HELD_TAG",
    "IMPORT_GROUP",
    "IMPORT_USERS",
    "LOCK_WAIT_SECONDS",
    "METHOD_TAG",
    "OWNERS",
    "PLANNED_TAG",
    "REPORTS_GROUP",
    "RETAKEN_SECONDS",
    "SKIPPED_TAG",
    "TRIGGER_TAG",
    "Progress",
    "ProgressResource",
    "RunInfo",
    "ServicesResource",
    "add_partition",
    "current_tags",
    "deciding_in_run",
    "hold_run",
    "integration_partitions",
    "known_partitions",
    "living_runs",
    "remove_partition",
    "run_info",
    "tag_run",
]

LOCK_WAIT_SECONDS = 60.0
"""How long a person's import waits for another one of the integration; a schedule's does not wait."""

IMPORT_USERS = "import_users"
"""The one job that applies what it planned itself."""

FROM_HERE = {".dagster/repository": "__repository__@hris_pipeline"}
"""The tag of every run of these definitions, whoever started it; the location's name is workspace.yaml's."""

TRIGGER_TAG = "hris/trigger"

ACTOR_TAG = "hris/actor"

METHOD_TAG = "hris/method"
"""How the actor was authenticated, at the door of `hris ui` and the console, or on the command line."""

ADDRESS_TAG = "hris/address"
"""From where the actor came through that door; empty: from this machine."""

DECIDED_TAG = "hris/decided"
"""On a run whose decision was written down by what started it and waits for its end: the command line."""

DUE_TAG = "hris/due"

DUE_KEY_TAG = "hris/due_key"

ATTEMPT_TAG = "hris/attempt"

PLANNED_TAG = "hris/planned"
"""The import that the run planned."""

APPLIED_TAG = "hris/applied"
"""The import that the run applied."""

HELD_TAG = "hris/held"
"""The guards that hold the import the run planned, which is why it ended red."""

FAILURE_TAG = "hris/failure"
"""Why the run failed."""

SKIPPED_TAG = "hris/skipped"
"""Why a run ended without doing anything."""

AUTOMATIC = frozenset({"schedule", "catch_up"})
"""Triggers that a pause stops."""

_PARTITION_TAG = "dagster/partition"

_BACKFILL_TAG = "dagster/backfill"

_UI_USER_TAG = "user"


@dataclass(frozen=True)
class RunInfo:
    """Who or what started a run, for which integration ("" when for none); ``due_at`` and ``attempt`` belong to
    automatic imports."""

    run_id: str
    job: str
    integration_id: str
    trigger: Trigger
    actor: str
    due_at: datetime | None = None
    attempt: int = 0

    @property
    def automatic(self) -> bool:
        """Whether a schedule started it."""
        return self.trigger in AUTOMATIC


def run_info(run: dg.DagsterRun) -> RunInfo:
    """What the run's tags tell; whoever starts one in the UI without saying more is ``dagster``, by hand."""
    tags = run.tags
    default = "backfill" if _BACKFILL_TAG in tags else "manual"
    current_tags = tags.get(TRIGGER_TAG, default)
    trigger: Trigger = next((arg for arg in get_args(Trigger) if arg == current_tags), "manual")
    due = tags.get(DUE_TAG)
    return RunInfo(
        run_id=run.run_id,
        job=run.job_name,
        integration_id=tags.get(_PARTITION_TAG, ""),
        trigger=trigger,
        actor=tags.get(ACTOR_TAG) or tags.get(_UI_USER_TAG) or "dagster",
        due_at=datetime.fromisoformat(due) if due else None,
        attempt=int(tags.get(ATTEMPT_TAG, "0")),
    )


def tag_run(instance: dg.DagsterInstance, run_id: str, tag: str, value: str) -> None:
    """Writes on the run what became of it."""
    instance.add_run_tags(run_id, {tag: value})


def current_tags(instance: dg.DagsterInstance, run_id: str) -> Mapping[str, str]:
    """The run's tags as they are now, with what its steps wrote on it."""
    run = instance.get_run_by_id(run_id)
    return run.tags if run else {}


_NAME = "integration"

integration_partitions = dg.DynamicPartitionsDefinition(name=_NAME)


def known_partitions(instance: dg.DagsterInstance) -> tuple[str, ...]:
    """The integrations that this Dagster instance knows, in order of name."""
    return tuple(sorted(instance.get_dynamic_partitions(_NAME)))


def add_partition(instance: dg.DagsterInstance, integration_id: str) -> None:
    """Makes the integration a partition; one that is there already stays, also when another process makes it at this
    very moment: Dagster looks first and writes then."""
    try:
        instance.add_dynamic_partitions(_NAME, [integration_id])
    except sa.exc.IntegrityError:
        if integration_id not in known_partitions(instance):
            raise


def remove_partition(instance: dg.DagsterInstance, integration_id: str) -> None:
    """Takes a deleted integration out of the partitions; what was recorded for it stays."""
    instance.delete_dynamic_partition(_NAME, integration_id)


OWNERS = ("team:people-operations",)
"""Whom Dagster names beside every asset: those who decide about a company's people, not those who run the machines."""

IMPORT_GROUP = "import"
"""The line from the source to the store."""

REPORTS_GROUP = "reports"
"""What is made of it beside."""

PATIENCE_SECONDS = 1.0
"""Whoever asks whether a file lock is held holds it for a moment."""

BEAT_SECONDS = 3.0

RETAKEN_SECONDS = 8.0
"""So long after its session was lost, a living run holds its lock again."""

_held_by_this_process: set[str] = set()


@contextmanager
def hold_run(store: Store, run_id: str) -> Iterator[bool]:
    """Holds the run's lock; gives False when another process does, and does nothing when this one does already."""
    if run_id in _held_by_this_process:
        yield True
        return
    with named_lock(store, _lock_name(run_id), PATIENCE_SECONDS) as held:
        if not held:
            yield False
            return
        _held_by_this_process.add(run_id)
        try:
            with _retake_lost_lock(store, _lock_name(run_id)):
                yield True
        finally:
            _held_by_this_process.discard(run_id)


def living_runs(store: Store, run_ids: Collection[str]) -> frozenset[str]:
    """Those of the runs whose process lives; one question to the store, however many."""
    by_name = {_lock_name(run_id): run_id for run_id in run_ids}
    return frozenset(by_name[name] for name in held_locks(store, by_name))


@contextmanager
def _retake_lost_lock(store: Store, name: str) -> Iterator[None]:
    """Looks at the lock every few seconds and takes it again when its session was lost; a file lock cannot be."""
    if store.dialect != "postgresql":
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_keep, args=(store, name, over), name="run-lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _keep(store: Store, name: str, over: threading.Event) -> None:
    with ExitStack() as retaken:
        while not over.wait(BEAT_SECONDS):
            try:
                if not held_locks(store, (name,)):
                    retaken.enter_context(named_lock(store, name, 0))
            except sa.exc.DBAPIError:
                continue  # the database is not there yet: at the next beat


def _lock_name(run_id: str) -> str:
    return f"run/{run_id}"


class ServicesResource(dg.ConfigurableResource[Services]):
    """Opens the services that the environment names for one run or tick, and closes them after it.

    Assets get the plain ``Services``; anything that is one can stand in for this resource.
    """

    def create_resource(self, _context: dg.InitResourceContext) -> Services:
        return open_services()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Services]:
        services = self.create_resource(context)
        # A run holds its lock while it works, whatever launched it; a tick has none.
        held = hold_run(services.store, context.run.run_id) if context.run else nullcontext()
        try:
            with held:
                yield services
        finally:
            services.close()


@dataclass(frozen=True)
class Progress:
    """Is told how many members were read so far."""

    update: Callable[[int], None]


class ProgressResource(dg.ConfigurableResource[Progress]):
    """Tells nobody; the command line puts its progress bar here."""

    def create_resource(self, _context: dg.InitResourceContext) -> Progress:
        return Progress(lambda _: None)


def deciding_in_run(
    run: dg.DagsterRun, services: Services, action: str, by: str, reason: str, summary: Import | None = None
) -> AbstractContextManager[None]:
    """Writes down a decision that somebody made by launching a run, what it was about and what came of it; who that was
    is known where they came through the door of `hris ui` or the console. A schedule decides nothing.

    Args:
        run: The run.
        services: The store and the clock.
        action: As ``roles`` names it.
        by: The name given in the launchpad; empty: whoever started the run.
        reason: Why, as it was given.
        summary: The import it is about.
    """
    info = run_info(run)
    if DECIDED_TAG in run.tags or info.automatic:
        return nullcontext()
    integration_id = summary.integration_id if summary else info.integration_id
    method: Method = next((arg for arg in get_args(Method) if arg == run.tags.get(METHOD_TAG)), "dagster")
    decided_by = DecidedBy(by or info.actor, info.actor, method, run.tags.get(ADDRESS_TAG) or None)
    return deciding(services, integration_id, action, decided_by, summary.import_id if summary else None, reason)
