"""Opening, upgrading and the two kinds of transaction."""

import dataclasses
import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from hris_pipeline.environment import Environment
from hris_pipeline.errors import StoreError, StoreNotReady
from hris_pipeline.store import migrations
from hris_pipeline.store.engine import Store, open_store, upgrade_store
from hris_pipeline.store.tables import metadata


def test_the_migrations_lead_to_the_declared_tables(store: Store) -> None:
    options = {"version_table": migrations.REVISION_TABLE, "compare_server_default": True}
    with store.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_the_head_that_the_code_names_is_the_last_migration() -> None:
    assert ScriptDirectory(str(Path(migrations.__file__).parent)).get_heads() == [migrations.HEAD]


def test_a_store_without_a_file_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(StoreNotReady, match=r"no store at .* yet: `hris setup NAME` makes it"):
        open_store(Environment.read({"HRIS_HOME": str(tmp_path / "home")}))
    assert not (tmp_path / "home").exists()


def test_a_database_without_tables_is_not_ready_until_upgraded(tmp_path: Path, empty_postgres: str) -> None:
    environment = Environment.read({"HRIS_HOME": str(tmp_path), "HRIS_STORE_URL": empty_postgres})
    with pytest.raises(StoreNotReady, match="no tables yet: run `hris store upgrade`"):
        open_store(environment)
    upgrade_store(environment)
    upgrade_store(environment)
    open_store(environment).close()


@pytest.mark.parametrize(("revision", "remedy"), [("0000", "hris store upgrade"), ("9999", "upgrade hris-pipeline")])
def test_a_store_of_another_age_is_refused_with_the_remedy(
    environment: Environment, store: Store, revision: str, remedy: str
) -> None:
    with store.begin() as connection:
        connection.execute(sa.text(f"UPDATE {migrations.REVISION_TABLE} SET version_num = '{revision}'"))
    with pytest.raises(StoreNotReady, match=remedy):
        open_store(environment)


def test_a_newer_store_is_never_upgraded(environment: Environment, store: Store) -> None:
    with store.begin() as connection:
        connection.execute(sa.text(f"UPDATE {migrations.REVISION_TABLE} SET version_num = '9999'"))
    with pytest.raises(StoreNotReady, match="upgrade hris-pipeline"):
        upgrade_store(environment)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:hidden@127.0.0.1:1/store",
        "postgresql://someone:hid@den@127.0.0.1:1/store",
        "postgresql://someone:hidden@127.0.0.1:1/store?password=hidden",
    ],
)
def test_an_unreachable_server_is_named_without_its_password(tmp_path: Path, url: str) -> None:
    environment = Environment.read({"HRIS_HOME": str(tmp_path), "HRIS_STORE_URL": url})
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1") as caught:
        open_store(environment)
    assert "hid" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_database_is_named(tmp_path: Path, postgres_url: str) -> None:
    url = sa.make_url(postgres_url).set(database="nowhere").render_as_string()
    with pytest.raises(StoreError, match="no such database"):
        open_store(Environment.read({"HRIS_HOME": str(tmp_path), "HRIS_STORE_URL": url}))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("not a database at all, " * 100)
    with pytest.raises(StoreError, match="is it a SQLite file"):
        open_store(Environment.read({"HRIS_HOME": str(tmp_path)}))


def test_only_the_owner_can_read_a_sqlite_store(tmp_path: Path) -> None:
    environment = Environment.read({"HRIS_HOME": str(tmp_path / "home")})
    upgrade_store(environment)
    store = open_store(environment)
    with store.begin() as connection:
        connection.execute(sa.text("CREATE TABLE scratch (x INTEGER)"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in environment.home.iterdir()}
    store.close()
    assert modes
    assert set(modes.values()) == {0o600}


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.begin() as connection:
            connection.execute(sa.text("CREATE TABLE scratch (x INTEGER)"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not sa.inspect(store.engine).has_table("scratch")


def test_a_reader_sees_one_moment_while_another_writes(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(sa.text("CREATE TABLE scratch (x INTEGER)"))
    count = sa.text("SELECT count(*) FROM scratch")
    with store.read() as reader:
        assert reader.execute(count).scalar() == 0
        with store.begin() as writer:
            writer.execute(sa.text("INSERT INTO scratch VALUES (1)"))
        assert reader.execute(count).scalar() == 0
    with store.read() as reader:
        assert reader.execute(count).scalar() == 1


def test_a_reader_cannot_write_on_postgresql(postgres_environment: Environment) -> None:
    store = open_store(postgres_environment)
    with pytest.raises(StoreError, match="read-only"), store.read() as connection:
        connection.execute(sa.text("CREATE TABLE scratch (x INTEGER)"))
    with store.begin() as connection:
        connection.execute(sa.text("CREATE TABLE scratch (x INTEGER)"))
    store.close()


def test_writers_wait_for_each_other(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(sa.text("CREATE TABLE scratch (x INTEGER)"))
        connection.execute(sa.text("INSERT INTO scratch VALUES (0)"))

    def add() -> None:
        for _ in range(10):
            with store.begin() as connection:
                connection.execute(sa.text("UPDATE scratch SET x = x + 1"))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        assert connection.execute(sa.text("SELECT x FROM scratch")).scalar() == 40


def test_the_server_ends_the_statements_of_a_dead_client(postgres_environment: Environment) -> None:
    store = open_store(postgres_environment)
    with store.read() as connection:
        assert connection.execute(sa.text("SHOW client_connection_check_interval")).scalar() == "2s"
    store.close()


def test_a_store_cannot_be_reassigned(sqlite_environment: Environment) -> None:
    store = open_store(sqlite_environment)
    with pytest.raises(dataclasses.FrozenInstanceError):
        store.home = Path()  # type: ignore[misc]
    store.close()
