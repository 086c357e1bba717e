"""Dagster's storage on PostgreSQL keeps its sessions: however many instances a process opens, and after a restart."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def home(empty_postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME with the production instance's file."""
    monkeypatch.setenv("HRIS_DAGSTER_STORAGE", empty_postgres.replace("+psycopg:", "+psycopg2:"))
    monkeypatch.setenv("PGAPPNAME", "counted")
    shutil.copy(PROJECT / "deploy" / "dagster.yaml", tmp_path / "dagster.yaml")
    return tmp_path


@pytest.fixture
def server(empty_postgres: str) -> Iterator[sa.Connection]:
    """Looks at the server from beside."""
    engine = sa.create_engine(empty_postgres, isolation_level="AUTOCOMMIT", connect_args={"application_name": "beside"})
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def sessions(server: sa.Connection) -> set[int]:
    """The server's processes of the sessions that are open now."""
    return set(server.scalars(sa.text("SELECT pid FROM pg_stat_activity WHERE application_name = 'counted'")))


def look(home: Path) -> None:
    """Opens an instance, as at each tick, and asks all three parts of its storage something."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.add_dynamic_partitions("integration", ["acme"])
        assert instance.get_dynamic_partitions("integration") == ["acme"]
        assert list(instance.get_runs()) == []
        assert list(instance.all_instigator_state()) == []


def test_all_instances_of_a_process_share_its_sessions(home: Path, server: sa.Connection) -> None:
    look(home)
    before = sessions(server)
    for _ in range(3):
        look(home)
    assert sessions(server) == before
    assert len(before) == 1


def test_a_session_that_was_lost_while_it_was_idle_is_replaced(
    home: Path, server: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hris_pipeline.defs.instance.TRUSTED_SECONDS", 0.0)
    look(home)
    (lost,) = sessions(server)
    server.execute(sa.text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": lost})
    look(home)
    assert lost not in sessions(server)


def test_a_forked_process_has_sessions_of_its_own_and_leaves_its_parents_alone(
    home: Path, server: sa.Connection, empty_postgres: str
) -> None:
    look(home)
    before = sessions(server)
    child = os.fork()
    if not child:
        code = 1
        try:
            look(home)
            with sa.create_engine(empty_postgres, connect_args={"application_name": "beside"}).connect() as onlooker:
                code = len(sessions(onlooker) - before) - 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    look(home)
    assert sessions(server) == before
