"""Dagster's storage on SQLite makes a database engine for every statement, which compiles it anew: a fifth of what its
tests would compute. Here the engine of a file is made once; connections are still opened one by one."""

import functools
from typing import Any

import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

__all__ = ["make_engines_once"]

MOST = 64


def make_engines_once() -> None:
    """From now on, in this process."""
    for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        setattr(module, "create_engine", _create_engine)  # noqa: B010 - they do not export it


def _create_engine(url: str, *, poolclass: object, connect_args: dict[str, Any] | None = None) -> sa.Engine:
    assert poolclass is sa.NullPool, "a file that was replaced would still be open"
    return _engine(url, tuple((connect_args or {}).items()))


@functools.lru_cache(MOST)
def _engine(url: str, connect_args: tuple[tuple[str, Any], ...]) -> sa.Engine:
    return sa.create_engine(url, poolclass=sa.NullPool, connect_args=dict(connect_args))
