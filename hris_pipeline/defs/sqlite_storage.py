"""Dagster's SQLite storage for a process that executes one run: each database is opened once, not for each statement.

Dagster opens its SQLite files anew, with a new engine that compiles every statement again, some three hundred times a
run: more computing than a small company's import. Here a database stays open until ``dispose``. Files, tables and
statements are Dagster's own; what is not there yet is made by Dagster's own storage.

A commit reaches the disk with the next checkpoint (``synchronous = NORMAL``, safe with a write-ahead log): a process
that is killed loses none, a machine that loses power the last ones. Dagster then takes the run for dead; what was
imported is the store's to say.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import sqlalchemy as sa
from dagster._core.events.log import EventLogEntry
from dagster._core.instance import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._core.storage.sqlite_storage import (
    DagsterSqliteStorage,
    _event_logs_directory,
    _runs_directory,
    _schedule_directory,
)
from dagster._serdes import ConfigurableClassData
from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["OpenSqliteStorage", "kept_open"]


def kept_open(instance: InstanceRef) -> InstanceRef:
    """The same instance with its SQLite databases kept open; one on another database stays as it is."""
    data = instance.storage_data
    if data is None or data.class_name != DagsterSqliteStorage.__name__:
        return instance
    kept = ConfigurableClassData(__name__, OpenSqliteStorage.__name__, data.config_yaml)
    return instance._replace(storage_data=kept)


class _Database:
    """One SQLite file, opened when it is first needed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.engine = sa.create_engine(address, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
        sa.event.listen(self.engine, "connect", _prepare)

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """As Dagster's own: committed at the end, rolled back on any exception."""
        with self.engine.begin() as connection:
            yield connection

    def is_made(self) -> bool:
        """Whether it has its tables; the revision is written after all of them."""
        if not os.path.exists(self.engine.url.database or ""):
            return False
        with self.transaction() as connection:
            made = sa.inspect(connection).has_table("alembic_version")
            return made and connection.execute(sa.text("SELECT count(*) FROM alembic_version")).scalar_one() > 0

    def close(self) -> None:
        """Closes its connections."""
        self.engine.dispose()


def _prepare(dbapi_connection: Any, _: ConnectionPoolEntry) -> None:
    dbapi_connection.execute("PRAGMA synchronous = NORMAL")


class _KeptOpen:
    """What Dagster's storages of one database do, on a database that stays open."""

    _database: _Database

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        with self._database.transaction() as connection:
            yield connection

    def dispose(self) -> None:
        self._database.close()


class _Runs(_KeptOpen, SqliteRunStorage):
    def __init__(self, database: _Database) -> None:
        self._database = database
        super().__init__(database.address)


class _Schedules(_KeptOpen, SqliteScheduleStorage):
    def __init__(self, database: _Database) -> None:
        self._database = database
        super().__init__(database.address)


class _Events(SqliteEventLogStorage):
    """One database a run, and an index of what concerns more than one."""

    def __init__(self, folder: str) -> None:
        self._databases: dict[str, _Database] = {}
        self._tables: set[str] = set()
        self._opening = threading.Lock()
        super().__init__(folder)

    def store_event(self, event: EventLogEntry) -> None:
        """Stores it, and touches the run's file: whoever looks at the run in the UI is told of new events by a change
        of that very file, and a commit changes only the log beside it."""
        super().store_event(event)
        os.utime(self.path_for_shard(event.run_id))

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._opened(shard).transaction() as connection:
            yield connection

    def _opened(self, shard: str) -> _Database:
        with self._opening:
            if shard not in self._databases:
                database = _Database(self.conn_string_for_shard(shard))
                if not database.is_made():
                    self._initdb(database.engine)
                self._databases[shard] = database
            return self._databases[shard]

    def has_table(self, table_name: str) -> bool:
        if table_name not in self._tables:
            with self.index_connection() as connection:
                if not sa.inspect(connection).has_table(table_name):
                    return False
            self._tables.add(table_name)
        return True

    def dispose(self) -> None:
        super().dispose()
        while self._databases:
            self._databases.popitem()[1].close()


class OpenSqliteStorage(DagsterSqliteStorage):
    """Runs, events and schedules of an instance, each database kept open until ``dispose``."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        runs = _Database(create_db_conn_string(_runs_directory(base_dir), "runs"))
        schedules = _Database(create_db_conn_string(_schedule_directory(base_dir), "schedules"))
        if not (runs.is_made() and schedules.is_made()):
            DagsterSqliteStorage(base_dir).dispose()
        self.base_dir = base_dir
        self._run_storage = _Runs(runs)
        self._event_log_storage = _Events(_event_logs_directory(base_dir))
        self._schedule_storage = _Schedules(schedules)
        self._inst_data = inst_data
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """The storage that a reference to an instance describes."""
        return cls(inst_data=inst_data, **config_value)
