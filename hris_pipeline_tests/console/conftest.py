"""A console over a company in the sandbox, SQLite alone: what the store does on both databases is tested there."""

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.sandbox import Company, Sandbox, running
from hris_pipeline.settings.document import Settings
from hris_pipeline.sources.http import Retries
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.browser import Served, serve
from hris_pipeline_tests.kit.clock import MONDAY, Clock

MakeCompany = Callable[..., Acme]


@pytest.fixture(scope="session")
def session_clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def session_sandbox(session_clock: Clock) -> Iterator[Sandbox]:
    with running(employees=1, now=session_clock) as sandbox:
        yield sandbox


@pytest.fixture
def clock(session_clock: Clock) -> Clock:
    session_clock.time = MONDAY
    return session_clock


@pytest.fixture
def sandbox(session_sandbox: Sandbox, clock: Clock) -> Iterator[Sandbox]:
    yield session_sandbox
    session_sandbox.clear_faults()


@pytest.fixture
def services(tmp_path: Path, sqlite_template: Path, sandbox: Sandbox, clock: Clock) -> Iterator[Services]:
    """The operations' surroundings on a fresh home."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copy(sqlite_template, home / "store.db")
    environ = {"HRIS_HOME": str(home), "PATH": os.environ.get("PATH", "")} | sandbox.environment()
    opened = open_services(Environment.read(environ))
    yield dataclasses.replace(opened, now=clock, retries=Retries(attempts=2, first=0.0))
    opened.close()


@pytest.fixture
def served(services: Services) -> Served:
    """A console of this machine, with nothing set up."""
    return serve(services)


@pytest.fixture
def make(services: Services, sandbox: Sandbox, clock: Clock) -> MakeCompany:
    """Makes a connected integration ``acme`` with a company of its own."""

    def make(employees: int = 12, seed: int = 1, settings: Settings | None = None) -> Acme:
        company = Company(employees, seed, today=MONDAY.date())
        sandbox.add_company("acme", company)
        set_up(services, "acme", settings=settings, actor="dana", accept=True)
        acme = Acme(services, sandbox, clock, company)
        acme.connect()
        return acme

    return make


@pytest.fixture
def acme(make: MakeCompany) -> Acme:
    """Twelve people, imported once."""
    acme = make()
    acme.run()
    return acme
