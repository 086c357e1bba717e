"""A console over a company in the sandbox, SQLite alone: what the store does on both databases is tested there."""

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.sandbox import Company, Sandbox
from hris_pipeline.settings.document import Settings
from hris_pipeline.sources.pacing import Retries
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.browser import Served, serve
from hris_pipeline_tests.kit.clock import MONDAY, Clock

MakeCompany = Callable[..., Acme]


@contextmanager
def _opened(home: Path, sandbox: Sandbox, clock: Clock) -> Iterator[Services]:
    environ = {"HRIS_HOME": str(home), "PATH": os.environ.get("PATH", "")} | sandbox.environment()
    opened = open_services(Environment.read(environ))
    try:
        yield dataclasses.replace(opened, now=clock, retries=Retries(attempts=2, first=0.0))
    finally:
        opened.close()


@pytest.fixture
def services(tmp_path: Path, sqlite_template: Path, sandbox: Sandbox, clock: Clock) -> Iterator[Services]:
    """The operations' surroundings on a fresh home."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copy(sqlite_template, home / "store.db")
    with _opened(home, sandbox, clock) as services:
        yield services


@pytest.fixture
def served(services: Services) -> Served:
    """A console of this machine, with nothing set up."""
    return serve(services)


@pytest.fixture
def make(services: Services, sandbox: Sandbox, clock: Clock) -> MakeCompany:
    """Makes a connected integration ``acme`` with a company of its own."""

    return partial(_make, services, sandbox, clock)


def _make(
    services: Services,
    sandbox: Sandbox,
    clock: Clock,
    employees: int = 12,
    seed: int = 1,
    settings: Settings | None = None,
) -> Acme:
    company = Company(employees, seed, today=MONDAY.date())
    sandbox.add_company("acme", company)
    set_up(services, "acme", settings=settings, actor="dana", accept=True)
    acme = Acme(services, sandbox, clock, company)
    acme.connect()
    return acme


@pytest.fixture(scope="session")
def imported_home(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, session_sandbox: Sandbox, session_clock: Clock
) -> tuple[Path, str]:
    """A home with ``acme`` imported once, and that import's id; to be copied."""
    home = tmp_path_factory.mktemp("imported")
    shutil.copy(sqlite_template, home / "store.db")
    session_clock.time = MONDAY
    with _opened(home, session_sandbox, session_clock) as services:
        import_id = _make(services, session_sandbox, session_clock).run().import_id
    return home, import_id


@dataclasses.dataclass(frozen=True)
class Imported:
    """What a test of a page needs to know of the company that is there."""

    import_id: str


@pytest.fixture
def imported(imported_home: tuple[Path, str], services: Services) -> Imported:
    """``acme``, imported once; the store is a copy, so this costs nothing."""
    home, import_id = imported_home
    services.store.close()
    for path in home.iterdir():
        target = services.environment.home / path.name
        shutil.copytree(path, target, dirs_exist_ok=True) if path.is_dir() else shutil.copy(path, target)
    return Imported(import_id)


@pytest.fixture
def acme(make: MakeCompany) -> Acme:
    """Twelve people, imported once."""
    acme = make()
    acme.run()
    return acme
