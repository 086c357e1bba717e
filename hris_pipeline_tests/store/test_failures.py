"""A broken machine or database is told in words: what, where, what to do; and a save that was cut says what became."""

import errno
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from upath import UPath

from hris_pipeline.environment import Environment
from hris_pipeline.errors import EnvironmentInvalid, HrisError, MachineError, StoreError
from hris_pipeline.files import machine_words, open_root, replacing
from hris_pipeline.store.engine import Store, open_store, upgrade_store
from hris_pipeline.store.tables import import_rows, users
from hris_pipeline_tests.kit.store_builders import apply, create, integration, stage, state, states, user_id


def written(store: Store, *, size: int = 10, before: str = "") -> None:
    """One small transaction."""
    with store.begin() as connection:
        if before:
            connection.exec_driver_sql(before)
        integration_row = {"integration_id": "x" * size, "directory_id": "d", "display_name": "d", "source": "s"}
        connection.exec_driver_sql("SELECT 1")
        connection.execute(sa.text("UPDATE integrations SET source = :source"), integration_row)
        connection.execute(
            sa.text("INSERT INTO imports (import_id) SELECT :integration_id WHERE 1 = 0"), integration_row
        )


def fill(store: Store) -> None:
    with store.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.exec_driver_sql("CREATE TABLE big (text)")
        connection.execute(sa.text("INSERT INTO big VALUES (:text)"), {"text": "x" * 10_000_000})


def locked(store: Store) -> None:
    other = sa.create_engine(store.engine.url)
    with other.connect() as holder:
        holder.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        with store.engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA busy_timeout = 50")  # type: ignore[union-attr]
        try:
            written(store)
        finally:
            holder.exec_driver_sql("ROLLBACK")


def damaged(store: Store) -> None:
    store.close()
    path = Path(str(store.engine.url.database))
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    path.write_bytes(b"no database" * 1000)
    written(store)


def read_only(store: Store) -> None:
    written(store, before="PRAGMA query_only = ON")


SQLITE: dict[str, tuple[Callable[[Store], None], str]] = {
    "full": (fill, "disk is full.*free some space"),
    "read-only": (read_only, "may not be written"),
    "locked": (locked, "another process has it locked.*wait for that one"),
    "damaged": (damaged, "no SQLite database|damaged"),
}


@pytest.mark.parametrize("what", SQLITE)
def test_a_broken_sqlite_store_is_told_in_words(sqlite_environment: Environment, what: str) -> None:
    store = open_store(sqlite_environment)
    action, words = SQLITE[what]
    with pytest.raises(StoreError, match=f"(?s)The store .*store.db.*({words})"):
        action(store)
    store.close()


POSTGRESQL = {
    "cut": ("SELECT pg_terminate_backend(pg_backend_pid())", "shut down or somebody ended|connection was cut"),
    "read-only": ("SET TRANSACTION READ ONLY", "read-only.*primary"),
    "slow": ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)", "took longer than it may"),
    "without rights": ("CREATE ROLE nobody; SET LOCAL ROLE nobody", "may not do that"),
    "without tables": ("ALTER TABLE integrations RENAME TO gone", "hris store upgrade"),
}


@pytest.mark.parametrize("what", POSTGRESQL)
def test_a_broken_server_is_told_in_words(postgres_environment: Environment, what: str) -> None:
    store = open_store(postgres_environment)
    statement, words = POSTGRESQL[what]
    with pytest.raises(StoreError, match=f"(?s)The store on .*({words})") as caught:
        written(store, before=statement)
    assert "postgres:" not in str(caught.value)
    store.close()


def test_a_server_that_waits_for_a_lock_says_so(postgres_environment: Environment) -> None:
    store = open_store(postgres_environment)
    integration(store)
    with store.engine.connect() as holder, holder.begin():
        holder.exec_driver_sql("LOCK TABLE integrations")
        with pytest.raises(StoreError, match="locked for more than a minute"):
            written(store, before="SET LOCAL lock_timeout = 50")
    store.close()


def test_a_copy_that_fails_is_told_in_words_too(postgres_environment: Environment) -> None:
    store = open_store(postgres_environment)
    integration(store)
    with store.engine.connect() as connection, connection.begin():
        connection.execute(sa.text("ALTER TABLE import_rows RENAME TO gone"))
    with pytest.raises(StoreError, match="a table is missing"):
        stage(store, create(1))
    store.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("statement", ["lock", "update", "mark applied"])
def test_a_save_that_was_cut_before_its_end_says_that_nothing_was_applied(
    postgres_environment: Environment, statement: str
) -> None:
    store, other = open_store(postgres_environment), open_store(postgres_environment)
    integration(store)
    staged = stage(store, create(1))
    with pytest.raises(StoreError, match=r"was not applied \(it is planned\)"):
        apply(store, staged.import_id, on_statement=lambda name: cut(other) if name == statement else None)
    assert states(other) == {}
    assert apply(other, staged.import_id).status == "applied"
    store.close()
    other.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_save_whose_commit_came_through_though_the_answer_was_lost_says_so(postgres_environment: Environment) -> None:
    store, other = open_store(postgres_environment), open_store(postgres_environment)
    integration(store)
    staged = stage(store, create(1))

    def commit_and_cut(connection: sa.Connection) -> None:
        connection.connection.commit()
        connection.connection.cursor().execute("SELECT 1")  # so that the driver's own commit has something to send
        cut(other)

    def arm(name: str) -> None:
        if name == "mark applied":
            sa.event.listen(store.engine, "commit", commit_and_cut, once=True)

    with pytest.raises(StoreError, match="was applied all the same"):
        apply(store, staged.import_id, on_statement=arm)
    assert states(other) == {user_id(1): state(1)}
    store.close()
    other.close()


def cut(store: Store) -> None:
    """Ends every other connection to the database."""
    with store.engine.connect() as connection, connection.begin():
        others = sa.text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute(others)


def test_a_rule_that_is_broken_stays_an_error_of_its_own(store: Store) -> None:
    with pytest.raises(sa.exc.IntegrityError), store.begin() as connection:
        connection.execute(
            sa.insert(import_rows).values(user_id="x", import_id="y", action="none", changed=[], after={})
        )


def test_a_port_that_is_no_number_names_the_variable(tmp_path: Path) -> None:
    environment = Environment.read({"HRIS_HOME": str(tmp_path), "HRIS_STORE_URL": "postgresql://u:secret@h:port/db"})
    with pytest.raises(HrisError, match=r"HRIS_STORE_URL.*port") as caught:
        open_store(environment)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["what?x=1", "50%", "50%25", "a#b", "a b", "ä"])
def test_a_home_of_any_name_holds_the_store(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    environment = Environment.read({"HRIS_HOME": str(home), "DAGSTER_HOME": str(tmp_path / "dagster")})
    upgrade_store(environment)
    store = open_store(environment)
    with store.read() as connection:
        assert connection.execute(sa.select(users)).all() == []
    store.close()
    assert (home / "store.db").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {name}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EACCES, "change the rights"),
        (errno.EIO, "disk fails"),
    ],
)
def test_a_file_that_cannot_be_written_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with (
        pytest.raises(MachineError, match=f"Writing .*file failed: .*{words}"),
        replacing(UPath(tmp_path / "file")) as file,
    ):
        file.write(b"half")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UnicodeEncodeError("ascii", "ä", 0, 1, "x"), "PYTHONIOENCODING"),
        (ImportError("Install s3fs to access S3"), "pip install 'hris-pipeline[s3]'"),
        (OSError(errno.EFBIG, "x"), "ulimit -f"),
        (OSError(errno.EBUSY, "x"), "busy"),
        (ImportError("the 'socksio' package is not installed"), "SOCKS"),
        (OverflowError("date value out of range"), "between the years"),
        (MemoryError(), "no memory"),
        (ValueError("a fault of ours"), None),
        (ImportError("cannot import name"), None),
    ],
)
def test_what_is_the_machines_fault_is_told_and_nothing_else(error: Any, words: str | None) -> None:
    message = machine_words(error)
    assert message is None if words is None else words in str(message)


def test_a_bucket_without_its_library_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hris_pipeline.files.find_spec", lambda name: None if name == "s3fs" else find_spec(name))
    with pytest.raises(MachineError, match=r"s3://.*pip install 'hris-pipeline\[s3\]'"):
        open_root("s3://bucket/files")


@pytest.mark.parametrize("kind", ["warehouse", "ftp", "https"])
def test_a_place_of_no_known_kind_is_refused(kind: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=rf"HRIS_FILES_URL.*'{kind}'"):
        open_root(f"{kind}://bucket/files")
