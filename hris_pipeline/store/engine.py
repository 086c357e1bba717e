"""Opening and upgrading the store: addresses, pools, pragmas and time limits; and what a broken database says, in
words: what, where, what to do.

No statement about users stands here. The driver's own text never leaves: it quotes values. It is translated at the
edge, where a transaction begins and ends; rules that a statement broke are the callers' to judge.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from hris_pipeline.environment import Environment
from hris_pipeline.errors import HrisError, StoreError, StoreNotReady
from hris_pipeline.files import explaining_machine, machine_words
from hris_pipeline.store.keyring import LOAD_KEYRING, Keyring, load_keyring
from hris_pipeline.store.migrations import HEAD, REVISION_TABLE
from hris_pipeline.store.stored_json import read_json

__all__ = ["SERIALIZATION_FAILURE", "Store", "error_code", "open_store", "translating", "upgrade_store"]

SERIALIZATION_FAILURE = "40001"
"""Somebody wrote what a transaction writes that sees one moment of the store; tried again, it sees that."""

_AGAIN = "then run this again"

WORDS: tuple[tuple[str, str, str], ...] = (
    ("SQLITE_FULL", "its disk is full", f"free some space, {_AGAIN}"),
    (
        "SQLITE_READONLY",
        "it may not be written",
        f"let this user write the file and its folder, {_AGAIN}",
    ),
    ("SQLITE_BUSY", "another process has it locked for more than a minute", f"wait for that one to end, {_AGAIN}"),
    ("SQLITE_LOCKED", "another process has it locked", f"wait for that one to end, {_AGAIN}"),
    ("SQLITE_IOERR", "its disk fails or is full", f"look at the disk, {_AGAIN}"),
    (
        "SQLITE_CANTOPEN",
        "it, or a file beside it, cannot be opened",
        f"look at its folder's rights and this user's limit of open files (`ulimit -n`), {_AGAIN}",
    ),
    ("SQLITE_CORRUPT", "it is damaged", "restore it from a backup"),
    ("SQLITE_NOTADB", "it is no SQLite database", "look what stands there, or name another place"),
    ("SQLITE_TOOBIG", "a value is too large for it", "look at what the source sends"),
    ("53100", "its disk is full", f"free some space there, {_AGAIN}"),
    ("53200", "it is out of memory", f"give it more, {_AGAIN}"),
    ("53300", "it has no connection left", f"end others or raise max_connections, {_AGAIN}"),
    ("57P01", "it is being shut down or somebody ended this connection", f"wait until it runs, {_AGAIN}"),
    ("57P02", "it crashed", f"wait until it runs, {_AGAIN}"),
    ("57P03", "it is starting or stopping", f"wait until it runs, {_AGAIN}"),
    ("25006", "it is read-only, as a standby is", "let HRIS_STORE_URL name the primary server"),
    ("55P03", "another process has what is needed locked for more than a minute", f"wait for that one, {_AGAIN}"),
    ("57014", "a statement took longer than it may, or somebody cancelled it", f"look at what keeps it busy, {_AGAIN}"),
    ("40P01", "two processes waited for each other", f"wait a moment, {_AGAIN}"),
    ("42501", "this user may not do that there", "give the user of HRIS_STORE_URL its rights on the tables"),
    ("42P01", "a table is missing", "run `hris store upgrade`"),
    ("58", "its own disk or system fails", f"look at its log, {_AGAIN}"),
    ("08", "the connection was cut", f"look at the network and whether it runs, {_AGAIN}"),
    ("XX", "it is damaged or has a fault", "look at its log"),
)
"""By the beginning of the driver's code: what happened and what to do."""


MEDDLED = ("malformed JSON", "Could not decode to UTF-8", "from a scalar", "on a non-object", "from an object")
"""What a driver says of JSON in a shape that this pipeline never writes, or of text that is none."""

MEDDLED_WORDS = (
    "holds values that this pipeline does not write: they were changed behind its back. Next: `hris verify NAME` lists "
    "what was changed; restore it from a backup."
)


@contextmanager
def translating(where: str) -> Iterator[None]:
    """The body of a transaction: whatever breaks in the database or below it comes out as a ``StoreError`` in words.

    A rule that was broken (unique, foreign key …) and a failed serialisation stay what they are.
    """
    try:
        yield
    except (HrisError, sa.exc.IntegrityError):
        raise
    except sa.exc.DBAPIError as error:
        if error_code(error) == SERIALIZATION_FAILURE:
            raise
        raise StoreError(_explain_error(error, where)) from None
    except OSError as error:
        words = machine_words(error)
        raise StoreError(f"{where}: {words}") if words else error from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("psycopg", "sqlite3"):  # a driver used directly
            raise
        raise StoreError(_explain_error(error, where)) from None


def error_code(error: BaseException) -> str:
    """The driver's code: SQLite's name, PostgreSQL's five letters, ``""`` when it gives none, as for a cut."""
    original = getattr(error, "orig", None) or error
    code = getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None)
    return str(code or "")


def _explain_error(error: BaseException, where: str) -> str:
    code = error_code(error)
    if any(sign in str(getattr(error, "orig", None) or error) for sign in MEDDLED):
        return f"{where} {MEDDLED_WORDS}"
    for beginning, what, remedy in WORDS:
        if code.startswith(beginning):
            return f"{where} cannot be used: {what} ({code}). Next: {remedy}."
    if not code:
        return f"{where} cannot be used: the connection was cut. Next: look whether it runs, {_AGAIN}."
    return f"{where} refuses a statement ({code}, {type(error).__name__}); nothing was stored. Please report it."


POSTGRESQL_SESSION = {
    "statement_timeout": "10min",
    "lock_timeout": "1min",
    "client_connection_check_interval": "2s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "jit": "off",
}
"""A killed client's statement ends within seconds, a vanished machine's locks within a minute."""

UNREACHABLE = {
    "authentication failed": "it refused the user or the password",
    "no pg_hba.conf entry": "it does not let this machine or user in",
    "does not exist": "it has no such database or user",
    "too many": "it has no connection left",
    "starting up": "it is still starting",
}
"""What the driver's text contains, and what it means; it gives no code when connecting fails."""

SQLITE_PRAGMAS = ("journal_mode = WAL", "foreign_keys = ON", "busy_timeout = 60000")


@dataclass(frozen=True)
class Store:
    """An open store: ``home`` holds what belongs to this machine (SQLite's lock files, a key file)."""

    engine: sa.Engine
    home: Path

    @property
    def dialect(self) -> str:
        """``postgresql`` or ``sqlite``."""
        return self.engine.dialect.name

    @contextmanager
    def begin(self, *, one_view: bool = False) -> Iterator[sa.Connection]:
        """One transaction that writes: committed at the end, rolled back on any exception. With ``one_view`` it sees a
        single moment of the store, and fails when somebody else writes what it writes (SQLite's always do)."""
        options = {"isolation_level": "REPEATABLE READ"} if one_view and self.dialect == "postgresql" else {}
        with (
            translating(self.where),
            self.engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One read-only transaction that sees a single moment of the store, however many statements it runs."""
        options: dict[str, Any] = {"reading": True}
        if self.dialect == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with (
            translating(self.where),
            self.engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    @property
    def where(self) -> str:
        """How messages call it: never with a user or password."""
        url = self.engine.url
        if self.dialect == "sqlite":
            return f"The store {url.database or 'in memory'}"
        return f"The store on {url.host or 'the local socket'}"

    def with_keyring(self, keyring: Keyring) -> "Store":
        """The same store, whose secrets are encrypted and sealed with other keys."""
        return replace(self, engine=self.engine.execution_options(**{LOAD_KEYRING: lambda: keyring}))

    def close(self) -> None:
        """Gives back all connections."""
        self.engine.dispose()


def open_store(environment: Environment) -> Store:
    """Opens the store that ``environment`` names.

    Raises:
        StoreNotReady: no tables yet, or tables older or newer than this code.
        StoreError: the store cannot be reached.
    """
    store = _connect_store(environment, create=False)
    try:
        _check_revision(_read_revision(store))
    except BaseException:
        store.close()
        raise
    return store


def upgrade_store(environment: Environment) -> None:
    """Creates or upgrades the store's tables in one transaction; does nothing when they are up to date.

    Raises:
        StoreNotReady: the tables are newer than this code.
        StoreError: the store cannot be reached.
    """
    from alembic import command  # noqa: PLC0415 - costs every other command a fifth of a second
    from alembic.config import Config  # noqa: PLC0415

    from hris_pipeline.store.rotation import seal_first  # noqa: PLC0415 - stands below this room

    store = _connect_store(environment, create=True)
    try:
        revision = _read_revision(store)
        if revision == HEAD:
            return
        if revision is not None and revision > HEAD:
            _check_revision(revision)
        with store.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            seal_first(connection)
    finally:
        store.close()


def _check_revision(revision: str | None) -> None:
    if revision is None:
        raise StoreNotReady("The store has no tables yet: run `hris store upgrade`.")
    if revision < HEAD:
        raise StoreNotReady(
            f"The store's tables are older ({revision}) than this code ({HEAD}): run `hris store upgrade`."
        )
    if revision > HEAD:
        raise StoreNotReady(
            f"The store's tables are newer ({revision}) than this code ({HEAD}): upgrade hris-pipeline."
        )


def _read_revision(store: Store) -> str | None:
    with translating(store.where), store.engine.connect() as connection:
        if not sa.inspect(connection).has_table(REVISION_TABLE):
            return None
        return connection.execute(sa.text(f"SELECT version_num FROM {REVISION_TABLE}")).scalar()


def _connect_store(environment: Environment, *, create: bool) -> Store:
    try:
        url = sa.make_url(environment.store_url)
    except (sa.exc.ArgumentError, ValueError):
        raise StoreError(
            "HRIS_STORE_URL cannot be read as a database address (is the port a number?): "
            "see `hris store upgrade --help`."
        ) from None
    engine = _make_sqlite_engine(url, create=create) if environment.embedded else _make_postgresql_engine(url)
    engine.update_execution_options(**{LOAD_KEYRING: cache(lambda: load_keyring(environment))})
    try:
        with engine.connect():
            pass
    except sa.exc.DBAPIError as error:
        engine.dispose()
        raise StoreError(_explain_unreachable(url, error)) from None
    return Store(engine, environment.home)


def _make_postgresql_engine(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(
        url,
        pool_size=2,
        max_overflow=4,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10},
        json_deserializer=read_json,
    )
    settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in POSTGRESQL_SESSION.items())

    @sa.event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _: ConnectionPoolEntry) -> None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute(f"SELECT {settings}")
        dbapi_connection.commit()

    return engine


def _make_sqlite_engine(url: sa.URL, *, create: bool) -> sa.Engine:
    if url.database:
        _owned_file(Path(url.database), create=create)
    engine = sa.create_engine(url, json_deserializer=read_json)

    @sa.event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _: ConnectionPoolEntry) -> None:
        dbapi_connection.isolation_level = None  # or the driver begins and commits on its own
        for pragma in SQLITE_PRAGMAS:
            dbapi_connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A transaction that reads first and writes later would fail at once, not wait, when another wrote meanwhile.
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _owned_file(path: Path, *, create: bool) -> None:
    """Sees to it that only the owner can read the file; SQLite's files beside it take over its mode."""
    if path.exists():
        return
    if not create:
        raise StoreNotReady(
            f"There is no store at {path} yet: `hris setup NAME` makes it (`hris demo`, one to look at)."
        )
    with explaining_machine(f"Making the store {path}"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def _explain_unreachable(url: sa.URL, error: sa.exc.DBAPIError) -> str:
    if url.get_backend_name() == "sqlite":
        where = f"The store at {url.database}"
        if error_code(error).startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_CORRUPT")):
            return _explain_error(error, where)
        return f"{where} cannot be opened: is it a SQLite file that this user may write?"
    # The driver's own text is left out: a password with a special character ends up in what it takes for the host.
    host = (url.host or str(url.query.get("host") or "") or "the local socket").rpartition("@")[2]
    text = str(error.orig)
    reason = next((reason for sign, reason in UNREACHABLE.items() if sign in text), "it does not answer")
    return f"The store on {host}:{url.port or 5432} cannot be reached: {reason}; check HRIS_STORE_URL."
