"""What breaks below a piece of work, from one of its statements on: in the process that does it, before that statement.

Statements are counted from 1 as they come, commits and COPY included. A trouble lasts until the process ends, but for a
cut, after which a server is there again. What a full server says is said by it (it refuses the statement with its own
code); that no disk is filled for it is the one thing here that is not as in life.
"""

import resource
import signal
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal, get_args

import psycopg
import sqlalchemy as sa

from hris_pipeline.environment import Environment
from hris_pipeline.errors import HrisError
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.extraction import extract_members, kept_manifest
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.store import frames
from hris_pipeline_tests.kit.crash_work import NAME, NEVER, planned
from hris_pipeline_tests.kit.forked_processes import Parent

__all__ = ["TROUBLES", "Trouble", "WorkName", "cut_connections", "work_in_trouble"]

Trouble = Literal["cut", "kill", "freeze", "full", "locked", "read-only"]
TROUBLES: tuple[Trouble, ...] = get_args(Trouble)

WorkName = Literal["plan", "save", "import"]

_DISK_FULL = "DO $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
_WRITES = ("INSERT", "UPDATE", "DELETE", "COPY")
_SOON_MILLISECONDS = 50
"""How long locks are waited for, in place of a minute."""


def work_in_trouble(
    parent: Parent, environment: Environment, work: WorkName, import_id: str, trouble: Trouble, at: int
) -> tuple[str, object]:
    """Does the work while something breaks before its statement ``at``; gives ``("done", statements)`` or ``("told",
    message)``. For a kill or a freeze it says ``here`` and stands still."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    services = open_services(environment)
    statements = _Statements(services, parent, trouble, at)
    try:
        _WORK[work](services, import_id)
    except HrisError as error:
        return "told", str(error)
    return "done", statements.passed


def _import(services: Services, _: str) -> None:
    save_import(services, NAME, planned(services, extract_members(services, NAME)).import_id, actor="tester")


_WORK: Mapping[WorkName, Callable[[Services, str], object]] = {
    "plan": lambda services, _: planned(services, kept_manifest(services, NAME)),
    "save": lambda services, import_id: save_import(services, NAME, import_id, actor="tester"),
    "import": _import,
}


class _Statements:
    """Counts the statements of a piece of work, and brings trouble before one of them."""

    def __init__(self, services: Services, parent: Parent, trouble: Trouble, at: int) -> None:
        self.passed = 0
        self._parent, self._trouble, self._at = parent, trouble, at
        engine = services.store.engine
        self._url = engine.url
        self._breakage: Breakage = _Server(self._url) if services.store.dialect == "postgresql" else _File(self._url)
        engine.dispose()
        sa.event.listen(engine, "connect", lambda driver, _: self._breakage.prepare(driver))
        sa.event.listen(engine, "before_cursor_execute", self._before_statement)
        sa.event.listen(engine, "commit", self._before_commit)
        self._hook_copies()
        self._hook_commits(engine.dialect)
        parent.tell("started")

    def _before_statement(self, connection: sa.Connection, _: Any, statement: str, *__: Any) -> None:
        self._next(connection.connection.dbapi_connection, statement)  # that of a detached one, too

    def _before_commit(self, connection: sa.Connection) -> None:
        self._count()

    def _hook_commits(self, dialect: sa.Dialect) -> None:
        """A commit breaks inside the driver's own, where a server's refusal would come from."""
        commit = dialect.do_commit

        def do_commit(pooled: Any) -> None:
            if self._has_come:
                self._bring(getattr(pooled, "dbapi_connection", pooled), "COMMIT")
            commit(pooled)

        dialect.do_commit = do_commit  # type: ignore[method-assign,assignment]

    def _hook_copies(self) -> None:
        """COPY goes past SQLAlchemy."""
        driver = frames._driver_connection

        def hooked(connection: sa.Connection) -> Any:
            self._next(driver(connection), "COPY")
            return driver(connection)

        frames._driver_connection = hooked

    def _next(self, driver: Any, statement: str) -> None:
        self._count()
        if self._has_come:
            self._bring(driver, statement)

    def _count(self) -> None:
        self.passed += 1
        if self.passed == self._at and self._trouble in ("kill", "freeze"):
            self._parent.tell("here")
            self._parent.wait()

    @property
    def _has_come(self) -> bool:
        if self._trouble in ("kill", "freeze"):
            return False
        return self._at != NEVER and (self.passed == self._at if self._trouble == "cut" else self.passed >= self._at)

    def _bring(self, driver: Any, statement: str) -> None:
        self._breakage.bring(self._trouble, driver, statement.lstrip().upper())


class _Server:
    """What can happen to a PostgreSQL server."""

    def __init__(self, url: sa.URL) -> None:
        self._url = url
        self._others: list[psycopg.Connection[Any]] = []

    def prepare(self, driver: Any) -> None:
        driver.execute(f"SET lock_timeout = {_SOON_MILLISECONDS}")
        driver.commit()

    def bring(self, trouble: Trouble, driver: Any, statement: str) -> None:
        if trouble == "cut":
            cut_connections(self._url)
        elif trouble == "full" and (statement.startswith(_WRITES) or (statement == "COMMIT" and _has_written(driver))):
            driver.execute(_DISK_FULL)
        elif trouble == "read-only" and not driver.autocommit:
            driver.execute("SET TRANSACTION READ ONLY")
        elif trouble == "locked" and not self._others:
            self._lock_tables()

    def _lock_tables(self) -> None:
        """Whatever table nobody writes at this moment is locked from now on."""
        other = psycopg.connect(_conninfo(self._url), autocommit=True)
        tables = [name for (name,) in other.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        for table in tables:
            holder = psycopg.connect(_conninfo(self._url))
            with suppress(psycopg.errors.LockNotAvailable):
                holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE NOWAIT")
                self._others.append(holder)
        self._others.append(other)


class _File:
    """What can happen to a SQLite file. It has no connection that could be cut: its disk fails instead."""

    def __init__(self, url: sa.URL) -> None:
        self._path = str(url.database)
        self._other: sqlite3.Connection | None = None

    def prepare(self, driver: Any) -> None:
        driver.execute(f"PRAGMA busy_timeout = {_SOON_MILLISECONDS}")

    def bring(self, trouble: Trouble, driver: Any, statement: str) -> None:
        if trouble == "cut":
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        elif trouble == "full":
            pages = driver.execute("PRAGMA page_count").fetchone()[0]
            driver.execute(f"PRAGMA max_page_count = {pages}")
        elif trouble == "read-only":
            driver.execute("PRAGMA query_only = ON")
        elif trouble == "locked" and self._other is None:
            self._other = self._locked()

    def _locked(self) -> sqlite3.Connection | None:
        """None while the work itself has the lock."""
        other = sqlite3.connect(self._path, isolation_level=None, timeout=0)
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            other.close()
            return None
        return other


def _has_written(driver: Any) -> bool:
    return driver.execute("SELECT pg_current_xact_id_if_assigned()").fetchone()[0] is not None


Breakage = _Server | _File


def cut_connections(url: sa.URL) -> None:
    """Ends every connection to the database but the one this is asked by, as a server does that is restarted."""
    with psycopg.connect(_conninfo(url), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def _conninfo(url: sa.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
