"""Whether the process of a run lives: each holds a lock of the store, named by the run, that dies with it.

With PostgreSQL the lock is a session's, so the answer is right for a run on any machine, and a machine that vanished
has lost it after a minute of unanswered keepalives. A database that restarts forgets it; the process takes it again
within seconds. Nothing here decides what becomes of a run whose process is gone.
"""

import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa

from hris_pipeline.store.engine import Store
from hris_pipeline.store.locks import held_locks, named_lock

__all__ = ["RETAKEN_SECONDS", "hold_run", "living_runs"]

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
    with named_lock(store, _name(run_id), PATIENCE_SECONDS) as held:
        if not held:
            yield False
            return
        _held_by_this_process.add(run_id)
        try:
            with _retaken(store, _name(run_id)):
                yield True
        finally:
            _held_by_this_process.discard(run_id)


def living_runs(store: Store, run_ids: Collection[str]) -> frozenset[str]:
    """Those of the runs whose process lives; one question to the store, however many."""
    by_name = {_name(run_id): run_id for run_id in run_ids}
    return frozenset(by_name[name] for name in held_locks(store, by_name))


@contextmanager
def _retaken(store: Store, name: str) -> Iterator[None]:
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


def _name(run_id: str) -> str:
    return f"run/{run_id}"
