"""What the processes of all machines share: locks that die with the process that holds them, no leases, nothing to
clean up; and the ceilings on calls, one row a bucket, one statement a lease of turns.

A row of a bucket says when its next turn is, by the clock of the store: PostgreSQL's own, so that the clocks of
machines need not agree. Who waits how long is decided in ``sources.pacing``.
"""

import fcntl
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.dialects import postgresql, sqlite

from hris_pipeline.errors import ImportRunning, StoreError
from hris_pipeline.files import explaining_machine
from hris_pipeline.sources.pacing import LEAST_PART, RECOVERY, Bucket, Lease
from hris_pipeline.store.engine import Store, translating
from hris_pipeline.store.tables import rate_buckets

__all__ = ["StoredBuckets", "held_locks", "import_running", "imports_running", "integration_lock", "named_lock"]

POLL_SECONDS = 0.1


@contextmanager
def integration_lock(store: Store, integration_id: str, wait_seconds: float = 0) -> Iterator[None]:
    """Holds the integration's lock: for planning and for applying. A second holder in the same process waits too.

    Raises:
        ImportRunning: somebody else still holds it after ``wait_seconds``.
    """
    with named_lock(store, _lock_name(integration_id), wait_seconds) as held:
        if not held:
            raise ImportRunning(
                f"Another import of {integration_id} is running and did not end within {wait_seconds:g} seconds: "
                "wait for it, then run this again."
            )
        yield


def import_running(store: Store, integration_id: str) -> bool:
    """Whether somebody holds the integration's lock at this moment."""
    return integration_id in imports_running(store, (integration_id,))


def imports_running(store: Store, integration_ids: Collection[str]) -> frozenset[str]:
    """Those of the integrations whose lock somebody holds at this moment; one statement, however many."""
    by_name = {_lock_name(integration_id): integration_id for integration_id in integration_ids}
    return frozenset(by_name[name] for name in held_locks(store, by_name))


def held_locks(store: Store, names: Collection[str]) -> frozenset[str]:
    """Those of the names whose lock somebody holds at this moment, asked without taking any from whoever wants it."""
    if not names:
        return frozenset()
    return (_advisory_locks_held if store.dialect == "postgresql" else _file_locks_held)(store, names)


def _lock_name(integration_id: str) -> str:
    return f"integration/{integration_id}"


@contextmanager
def named_lock(store: Store, name: str, wait_seconds: float) -> Iterator[bool]:
    """Holds the lock of that name; gives False when somebody else still holds it after ``wait_seconds``."""
    with (_advisory_lock if store.dialect == "postgresql" else _file_lock)(store, name, wait_seconds) as held:
        yield held


@contextmanager
def _advisory_lock(store: Store, name: str, wait_seconds: float) -> Iterator[bool]:
    key = _advisory_key(name)
    with translating(store.where):
        connection = store.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            connection.detach()  # never back into the pool, where a forgotten lock would live on
            held = _wait_until_taken(
                lambda: bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(key)))), wait_seconds
            )
        except BaseException:
            connection.close()
            raise
    try:
        yield held
    finally:
        with suppress(sa.exc.DBAPIError):
            if held and not connection.invalidated:
                # Unlocked before it is closed: the server takes a moment to notice that a client is gone. A session
                # that was lost has taken its lock along.
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))
        with suppress(sa.exc.DBAPIError):
            connection.close()


def _advisory_key(name: str) -> int:
    return int.from_bytes(blake2b(f"hris/{name}".encode(), digest_size=8).digest(), signed=True)


def _advisory_locks_held(store: Store, names: Collection[str]) -> frozenset[str]:
    """Asks the server which locks are held: no connection of its own, and nobody is kept from taking a lock
    meanwhile."""
    held = sa.text(
        "SELECT classid::bigint, objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with store.read() as connection:
        keys = {(high << 32) | low for high, low in connection.execute(held)}
    return frozenset(name for name in names if _advisory_key(name) % 2**64 in keys)


def _file_locks_held(store: Store, names: Collection[str]) -> frozenset[str]:
    folder = store.home / "locks"
    return frozenset(name for name in names if _is_locked(folder / _file_name(name)))


def _is_locked(path: Path) -> bool:
    """Whether the file is locked, found by taking a shared lock, which ``filelock`` does not have: two who ask at the
    same moment do not take each other for the holder."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _file_name(name: str) -> str:
    return f"{quote(name, safe='')}.lock"


@contextmanager
def _file_lock(store: Store, name: str, wait_seconds: float) -> Iterator[bool]:
    folder = store.home / "locks"
    with explaining_machine(f"Locking in {folder}"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A lock that is let go of by another thread than took it, and never one that would outlive its process.
    lock = FileLock(
        folder / _file_name(name), mode=0o600, thread_local=False, poll_interval=POLL_SECONDS, fallback_to_soft=False
    )
    with explaining_machine(f"Locking in {folder}"), suppress(Timeout):
        lock.acquire(timeout=max(0.0, wait_seconds))
    try:
        yield lock.is_locked
    finally:
        lock.release()


def _wait_until_taken(take: Callable[[], bool], wait_seconds: float) -> bool:
    deadline = time.monotonic() + wait_seconds
    while not take():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


FARTHEST_TURN = 3600.0
"""Seconds: no turn is so far ahead but by a clock that was wrong when it was taken."""


def _plausible_moment(moment: Any, now: Any) -> Any:
    """A stored moment; one farther ahead than any turn counts as not there."""
    return sa.case((moment > now + FARTHEST_TURN, 0.0), else_=moment)


class StoredBuckets:
    """The buckets of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        postgres = store.dialect == "postgresql"
        self._greatest: Any = sa.func.greatest if postgres else sa.func.max  # SQLite's, of two values
        self._least: Any = sa.func.least if postgres else sa.func.min

    def take(self, buckets: Sequence[Bucket], turns: int) -> tuple[Lease, ...] | None:
        """The next ``turns`` turns of each of the buckets, in one statement; None when the store cannot be asked."""
        now = self._now_expression()
        rows = [
            {
                "bucket_id": bucket.bucket_id,
                "interval_seconds": bucket.interval,
                "next_at": now + (turns - bucket.burst + 1) * bucket.interval,
                "slowed_until": 0.0,
            }
            for bucket in buckets
        ]
        insert: Any = (postgresql if self._store.dialect == "postgresql" else sqlite).insert(rate_buckets).values(rows)
        base, floor = insert.excluded.interval_seconds, insert.excluded.next_at
        recovered = rate_buckets.c.interval_seconds * RECOVERY**-turns
        interval = self._greatest(base, self._least(base / LEAST_PART, recovered))
        earliest = self._greatest(_plausible_moment(rate_buckets.c.next_at, now), floor - turns * base)
        leased = insert.on_conflict_do_update(
            index_elements=["bucket_id"], set_={"interval_seconds": interval, "next_at": earliest + turns * interval}
        ).returning(rate_buckets.c.next_at - self._now_expression(), rate_buckets.c.interval_seconds)
        try:
            with self._store.begin() as connection:
                return tuple(Lease(end - turns * seconds, seconds) for end, seconds in connection.execute(leased))
        except StoreError:
            return None

    def slow(self, buckets: Sequence[Bucket], seconds: float) -> None:
        """No turns for so many seconds, then half as many as before, unless another process has just said so."""
        now, row = self._now_expression(), rate_buckets.c
        slowed_until = _plausible_moment(row.slowed_until, now)
        try:
            with self._store.begin() as connection:
                for bucket in buckets:
                    halved = self._least(row.interval_seconds * 2, bucket.interval / LEAST_PART)
                    values = {
                        "interval_seconds": sa.case((slowed_until <= now, halved), else_=row.interval_seconds),
                        "next_at": self._greatest(_plausible_moment(row.next_at, now), now + seconds),
                        "slowed_until": self._greatest(slowed_until, now + max(seconds, 1.0)),
                    }
                    connection.execute(sa.update(rate_buckets).where(row.bucket_id == bucket.bucket_id).values(values))
        except StoreError:
            return

    def _now_expression(self) -> Any:
        """Seconds since 1970, as an expression."""
        if self._store.dialect == "postgresql":
            return sa.func.extract("epoch", sa.func.clock_timestamp()).cast(sa.Double)
        return sa.literal(time.time())
