"""The story told once on each database, and where processes to be killed come from."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from hris_pipeline.sandbox import running
from hris_pipeline_tests.kit import crash_work
from hris_pipeline_tests.kit.crash_databases import PostgresDatabases, SqliteFiles
from hris_pipeline_tests.kit.crash_story import Story, tell_story
from hris_pipeline_tests.kit.forked_processes import Processes, processes

PEOPLE = 60


@pytest.fixture(scope="session")
def killable() -> Iterator[Processes]:
    """Where processes to be killed come from."""
    with processes(crash_work.__name__) as started:
        yield started


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story on SQLite and on PostgreSQL in turn."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        (folder / "stores").mkdir()
        databases: SqliteFiles | PostgresDatabases = SqliteFiles(folder / "stores")
    else:
        server: sa.URL = request.getfixturevalue("postgres_server")
        databases = PostgresDatabases(server)
    with running(PEOPLE, seed=7) as sandbox:
        yield tell_story(databases, folder / "home", sandbox)
