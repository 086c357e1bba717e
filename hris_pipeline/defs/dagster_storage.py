"""Dagster's own storage on PostgreSQL, with its connections kept: one pool for a process, whatever it opens there.

Dagster's storage opens a session for each statement, unless it serves a webserver: 30 a run and three at every tick
and look of the daemon. Its way for webservers (``optimize_for_webserver``) keeps a pool for each of its three parts in
each instance, and a code server opens an instance for every tick. Here nothing is stored otherwise, only the engine is
another; the users' store has its own pool (``store.engine``).
"""

import os
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Self

import dagster as dg
import sqlalchemy as sa
from dagster._config import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["PooledPostgresStorage", "share_connections"]

KEPT, OVERFLOW = 2, 20
"""A process keeps so many sessions, and opens so many more while its threads need them at once."""

RECYCLE_SECONDS = 3600

TRUSTED_SECONDS = 1.0
"""A session that was idle for longer is asked whether it lives; at each use that would be half of all statements."""

STATEMENT_TIMEOUT = "5min"

_PARTS = (PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage)

_with_tables: set[str] = set()
"""The databases whose tables this process, or the one it was forked from, has seen."""


class PooledPostgresStorage(DagsterPostgresStorage):
    """``DagsterPostgresStorage`` at the address ``postgres_url`` (``postgresql+psycopg2://…``), its sessions kept."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, should_autocreate_tables=postgres_url not in _with_tables, inst_data=inst_data)
        _with_tables.add(postgres_url)
        for part in (self.event_log_storage, self.run_storage, self.schedule_storage):
            _share(part)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """The storage's ``config`` in dagster.yaml."""
        return {"postgres_url": dg.Field(dg.StringSource, description="The address of Dagster's database.")}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """The storage that dagster.yaml describes."""
        return cls(inst_data=inst_data, **config_value)


def share_connections(instance: dg.DagsterInstance) -> None:
    """Lets an instance on PostgreSQL use the process's pool, whatever its dagster.yaml says; no other is touched."""
    for part in (instance.event_log_storage, instance.run_storage, instance.schedule_storage):
        _share(part)


def _share(part: object) -> None:
    if isinstance(part, _PARTS) and part._token_provider is None:
        part._engine = _engine(part.postgres_url, os.getpid())


@cache
def _engine(url: str, _pid: int) -> sa.Engine:
    """One for each process: a session is nothing that a forked child may share."""
    engine = sa.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=KEPT,
        max_overflow=OVERFLOW,
        pool_recycle=RECYCLE_SECONDS,
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _: object) -> None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
        dbapi_connection.commit()

    @sa.event.listens_for(engine, "checkin")
    def note(_: object, record: ConnectionPoolEntry) -> None:
        record.info["used"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def look(dbapi_connection: Any, record: ConnectionPoolEntry, _: object) -> None:
        if time.monotonic() - record.info.get("used", time.monotonic()) < TRUSTED_SECONDS:
            return
        try:
            with dbapi_connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except Exception as error:
            raise sa.exc.DisconnectionError("the database was restarted, or is another one now") from error

    return engine
