"""What of Dagster's instance is ours where it is on many machines; dagster.yaml names it. What runs print is kept
in the folder or bucket of ``HRIS_FILES_URL``; and Dagster's own storage on PostgreSQL keeps its sessions.

Dagster captures into local files and asks this to upload them; siblings of it exist for each cloud, this one is for
whatever fsspec reaches. Nobody's data is printed (see ``failures``).

Dagster's storage opens a session for each statement, unless it serves a webserver. Its way for webservers
(``optimize_for_webserver``) keeps a pool for each of its three parts in each instance, and a code server opens an
instance for every tick. Here a process has one pool, whatever it opens; nothing is stored otherwise. The users' store
has its own (``store.engine``).
"""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import IO, Any, Self

import dagster as dg
import sqlalchemy as sa
from dagster._config import UserConfigSchema
from dagster._core.storage.cloud_storage_compute_log_manager import TruncatingCloudStorageComputeLogManager
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from sqlalchemy.pool import ConnectionPoolEntry
from upath import UPath

from hris_pipeline.environment import Environment
from hris_pipeline.files import open_root

__all__ = ["FilesComputeLogManager", "PooledPostgresStorage", "share_connections"]

KEPT, OVERFLOW = 2, 20
"""A process keeps so many sessions, and opens so many more while its threads need them at once."""

RECYCLE_SECONDS = 3600

TRUSTED_SECONDS = 1.0
"""A session that was idle for longer is asked whether it lives; at each use that would be half of all statements."""

STATEMENT_TIMEOUT = "5min"

_PARTS = (PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage)

_with_tables: set[str] = set()
"""The databases whose tables this process, or the one it was forked from, has seen."""


class FilesComputeLogManager(TruncatingCloudStorageComputeLogManager[dg.DagsterInstance], ConfigurableClass):
    """Keeps each run's output below ``compute_logs`` of ``HRIS_FILES_URL``, uploaded when its process ends."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._local = LocalComputeLogManager(tempfile.mkdtemp(prefix="hris-compute-logs-"))
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What dagster.yaml says of it."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Empty: the environment says where files are."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """What dagster.yaml describes."""
        return cls(inst_data=inst_data, **config_value)

    @property
    def local_manager(self) -> LocalComputeLogManager:
        """Where output is before it is uploaded."""
        return self._local

    @property
    def upload_interval(self) -> int | None:
        """None: once, in the end."""
        return None

    def delete_logs(self, log_key: Sequence[str] | None = None, prefix: Sequence[str] | None = None) -> None:
        """Removes the output of one key, or of all keys that begin so."""
        self._local.delete_logs(log_key, prefix)
        if log_key is not None:
            for io_type in ComputeIOType:
                self._log_path(log_key, io_type).unlink(missing_ok=True)
        elif prefix:
            folder = self._logs_root().joinpath(*prefix)
            for path in list(folder.rglob("*")) if folder.exists() else []:
                if path.is_file():
                    path.unlink(missing_ok=True)

    def download_url_for_type(
        self,
        log_key: Sequence[str],  # noqa: ARG002
        io_type: ComputeIOType,  # noqa: ARG002
    ) -> str | None:
        """None: a bucket gives nothing to a browser."""
        return None

    def display_path_for_type(self, log_key: Sequence[str], io_type: ComputeIOType) -> str:
        """Where it is."""
        return str(self._log_path(log_key, io_type))

    def cloud_storage_has_logs(self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False) -> bool:
        """Whether it was uploaded."""
        return not partial and self._log_path(log_key, io_type).exists()

    def download_from_cloud_storage(
        self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False
    ) -> None:
        """Fetches it for whoever looks at the run."""
        local = UPath(self._local.get_captured_local_path(log_key, IO_TYPE_EXTENSION[io_type], partial=partial))
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(self._log_path(log_key, io_type).read_bytes())

    def _upload_file_obj(
        self, data: IO[bytes], log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False
    ) -> None:
        content = data.read()
        if content and not partial:
            path = self._log_path(log_key, io_type)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def _logs_root(self) -> UPath:
        return open_root(Environment.read().files_url) / "compute_logs"

    def _log_path(self, log_key: Sequence[str], io_type: ComputeIOType) -> UPath:
        *folders, name = log_key
        return self._logs_root().joinpath(*folders, f"{name}.{IO_TYPE_EXTENSION[io_type]}")


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
    """Lets an instance on PostgreSQL use the process's pool, whatever its dagster.yaml says; an instance on SQLite is
    left as it is."""
    for part in (instance.event_log_storage, instance.run_storage, instance.schedule_storage):
        _share(part)


def _share(part: object) -> None:
    if isinstance(part, _PARTS) and part._token_provider is None:
        part._engine = _create_engine(part.postgres_url, os.getpid())


@cache
def _create_engine(url: str, _pid: int) -> sa.Engine:
    """One engine a process: a forked child may not share a session."""
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
