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
from hris_pipeline_tests.kit.trouble_matrix import WORKS
from hris_pipeline_tests.kit.troubles import TROUBLES

DATABASES = ("sqlite", "postgresql")
PEOPLE = 60


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the matrix every work and every trouble meets both databases, but each two of them only one: the whole is
    tried by ``python -m benchmarks.soak_matrix``."""
    left_out = {item for item in items if item.path.name == "test_matrix.py" and _is_on_another_database(item)}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def _is_on_another_database(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function):
        return False
    params = item.callspec.params
    place = TROUBLES.index(params["trouble"]) + WORKS.index(params["work"])
    return bool(params["story"] != DATABASES[place % len(DATABASES)])


@pytest.fixture(scope="session")
def killable() -> Iterator[Processes]:
    """Where processes to be killed come from."""
    with processes(crash_work.__name__) as started:
        yield started


@pytest.fixture(scope="session", params=DATABASES)
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
