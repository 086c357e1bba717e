"""One running sandbox for all these tests, a company of its own for each, and a fresh store."""

import dataclasses
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.sandbox import Company, Sandbox
from hris_pipeline.settings.document import Settings
from hris_pipeline.sources.pacing import Retries
from hris_pipeline_tests.kit.acme import Acme, MakeAcme
from hris_pipeline_tests.kit.clock import MONDAY, Clock
from hris_pipeline_tests.kit.databases import DATABASES, MakeDatabase, environment_of
from hris_pipeline_tests.kit.law_profiles import TIMES

QUICK = Retries(attempts=2, first=0.0)

ON_BOTH_DATABASES = {
    *("test_costs", "test_many_integrations", "test_metrics", "test_review", "test_review_paging", "test_rotation"),
    "test_two_imports",
}
"""Whose subject is the database: what is asked of it, in which order, and by whom at once. Of the others each test
takes one of them, half of them the other, unless its name says ``both_databases``; `make soak` tries all on both."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Chooses the database of such a test by its name."""
    if TIMES > 1:
        return
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    others = [item for item in ours if item.path.stem not in ON_BOTH_DATABASES and _is_on_another_database(item)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in set(others)]


def _is_on_another_database(item: pytest.Item) -> bool:
    name = item.name.partition("[")[0]
    if "both_databases" in name:
        return False
    database = DATABASES[zlib.crc32(name.encode()) % len(DATABASES)]
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return parameters.get("environment", database) != database


def connected_environment(environment: Environment, sandbox: Sandbox) -> Environment:
    """The environment of a store, pointed at the sandbox."""
    environ = {
        "HRIS_HOME": str(environment.home),
        "HRIS_STORE_URL": environment.store_url,
        "HRIS_SECRET_KEY": ",".join(environment.secret_keys),
        "FINCH_API_URL": sandbox.finch_url,
        "FINCH_REQUESTS_PER_MINUTE": "60000",
        "PATH": os.environ.get("PATH", ""),
    }
    return Environment.read(environ | sandbox.environment())


@contextmanager
def _opened(environment: Environment, sandbox: Sandbox, clock: Clock) -> Iterator[Services]:
    opened = open_services(connected_environment(environment, sandbox))
    try:
        yield dataclasses.replace(opened, now=clock, retries=QUICK)
    finally:
        opened.close()


@pytest.fixture(params=DATABASES)
def environment(request: pytest.FixtureRequest) -> Environment:
    """A fresh home and store, on SQLite and on PostgreSQL in turn; a copy of one that has imported ``acme``, where a
    test takes that: importing anew for every test would take most of the time."""
    name = "sqlite_environment" if request.param == "sqlite" else "postgres_environment"
    imported = "imported_" if "acme" in request.fixturenames else ""
    environment = request.getfixturevalue(imported + name)
    assert isinstance(environment, Environment)
    return environment


@pytest.fixture
def services(environment: Environment, sandbox: Sandbox, clock: Clock) -> Iterator[Services]:
    """The operations' surroundings on a fresh store, on SQLite and on PostgreSQL in turn."""
    with _opened(environment, sandbox, clock) as services:
        yield services


@pytest.fixture
def lite_services(sqlite_environment: Environment, sandbox: Sandbox, clock: Clock) -> Iterator[Services]:
    """The same on SQLite alone, for what does not depend on the database."""
    with _opened(sqlite_environment, sandbox, clock) as services:
        yield services


def _maker(services: Services, sandbox: Sandbox, clock: Clock) -> MakeAcme:
    def make(
        employees: int = 12,
        seed: int = 1,
        *,
        company: Company | None = None,
        settings: Settings | None = None,
    ) -> Acme:
        company = company or Company(employees, seed, today=MONDAY.date())
        sandbox.add_company("acme", company)
        set_up(services, "acme", settings=settings, actor="dana", accept=True)
        acme = Acme(services, sandbox, clock, company)
        acme.connect()
        return acme

    return make


@pytest.fixture
def make(services: Services, sandbox: Sandbox, clock: Clock) -> MakeAcme:
    """Makes a connected integration ``acme`` with a company of its own."""
    return _maker(services, sandbox, clock)


@pytest.fixture
def make_lite(lite_services: Services, sandbox: Sandbox, clock: Clock) -> MakeAcme:
    """The same on SQLite alone."""
    return _maker(lite_services, sandbox, clock)


@pytest.fixture(scope="session")
def imported_home(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, session_sandbox: Sandbox, session_clock: Clock
) -> Path:
    """A home with ``acme`` imported once, its store on SQLite."""
    home = tmp_path_factory.mktemp("imported")
    shutil.copy(sqlite_template, home / "store.db")
    _import_once(environment_of(home), session_sandbox, session_clock)
    return home


@pytest.fixture(scope="session")
def imported_postgres(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_databases: MakeDatabase,
    postgres_template: str,
    session_sandbox: Sandbox,
    session_clock: Clock,
) -> Iterator[Environment]:
    """The same on PostgreSQL."""
    with postgres_databases(postgres_template) as address:
        environment = environment_of(tmp_path_factory.mktemp("imported"), address)
        _import_once(environment, session_sandbox, session_clock)
        yield environment


def _import_once(environment: Environment, sandbox: Sandbox, clock: Clock) -> None:
    clock.time = MONDAY
    with _opened(environment, sandbox, clock) as services:
        _maker(services, sandbox, clock)().run()


@pytest.fixture
def imported_sqlite_environment(imported_home: Path, tmp_path: Path) -> Environment:
    """A copy of the home."""
    shutil.copytree(imported_home, tmp_path / "home")
    return environment_of(tmp_path / "home")


@pytest.fixture
def imported_postgres_environment(
    imported_postgres: Environment, postgres_databases: MakeDatabase, tmp_path: Path
) -> Iterator[Environment]:
    """A copy of the database and of the files beside it."""
    shutil.copytree(imported_postgres.home, tmp_path / "home")
    with postgres_databases(imported_postgres.store_url) as address:
        yield environment_of(tmp_path / "home", address)


@pytest.fixture
def acme(services: Services, sandbox: Sandbox, clock: Clock) -> Acme:
    """Twelve people, none of them odd, imported once, on SQLite and on PostgreSQL in turn."""
    clock.advance(minutes=2)  # as after importing them
    return _maker(services, sandbox, clock)()


@pytest.fixture
def acme_lite(imported_sqlite_environment: Environment, sandbox: Sandbox, clock: Clock) -> Iterator[Acme]:
    """The same on SQLite alone."""
    clock.advance(minutes=2)
    with _opened(imported_sqlite_environment, sandbox, clock) as services:
        yield _maker(services, sandbox, clock)()
