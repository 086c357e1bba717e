"""Locks that processes share and that die with the process that holds them: no leases, nothing to clean up."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from urllib.parse import quote

import sqlalchemy as sa

from hris_pipeline.errors import ImportRunning
from hris_pipeline.store.engine import Store

__all__ = ["import_running", "integration_lock", "named_lock"]

POLL_SECONDS = 0.1


@contextmanager
def integration_lock(store: Store, integration_id: str, wait_seconds: float = 0) -> Iterator[None]:
    """Holds the integration's lock: for planning and for applying. A second holder in the same process waits too.

    Raises:
        ImportRunning: somebody else still holds it after ``wait_seconds``.
    """
    with named_lock(store, _name(integration_id), wait_seconds) as held:
        if not held:
            raise ImportRunning(
                f"Another import of {integration_id} is running and did not end within {wait_seconds:g} seconds: "
                "wait for it, then run this again."
            )
        yield


def import_running(store: Store, integration_id: str) -> bool:
    """Whether somebody holds the integration's lock at this moment."""
    return (_advisory_lock_held if store.dialect == "postgresql" else _file_lock_held)(store, _name(integration_id))


def _name(integration_id: str) -> str:
    return f"integration/{integration_id}"


@contextmanager
def named_lock(store: Store, name: str, wait_seconds: float) -> Iterator[bool]:
    """Holds the lock of that name; gives False when somebody else still holds it after ``wait_seconds``."""
    with (_advisory_lock if store.dialect == "postgresql" else _file_lock)(store, name, wait_seconds) as held:
        yield held


@contextmanager
def _advisory_lock(store: Store, name: str, wait_seconds: float) -> Iterator[bool]:
    key = _advisory_key(name)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()  # never back into the pool, where a forgotten lock would live on
        held = _tried(lambda: bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(key)))), wait_seconds)
        try:
            yield held
        finally:
            if held and not connection.invalidated:
                # Unlocked before it is closed: the server takes a moment to notice that a client is gone.
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))


def _advisory_key(name: str) -> int:
    return int.from_bytes(blake2b(f"hris/{name}".encode(), digest_size=8).digest(), signed=True)


def _advisory_lock_held(store: Store, name: str) -> bool:
    """Asked of the server, which costs no connection of its own and keeps nobody from taking the lock meanwhile."""
    high, low = divmod(_advisory_key(name) % 2**64, 2**32)
    held = sa.text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
        "AND classid = :high AND objid = :low AND database = (SELECT oid FROM pg_database "
        "WHERE datname = current_database())"
    )
    with store.read() as connection:
        return bool(connection.execute(held, {"high": high, "low": low}).scalar_one())


def _file_lock_held(store: Store, name: str) -> bool:
    with _file_lock(store, name, 0) as free:
        return not free


@contextmanager
def _file_lock(store: Store, name: str, wait_seconds: float) -> Iterator[bool]:
    folder = store.home / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(folder / f"{quote(name, safe='')}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield _tried(lambda: _flock(file), wait_seconds)
    finally:
        os.close(file)  # the file stays: removing it would let two processes lock two files of one name


def _flock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tried(take: Callable[[], bool], wait_seconds: float) -> bool:
    deadline = time.monotonic() + wait_seconds
    while not take():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
