"""A console over a company in the sandbox, SQLite alone: what the store does on both databases is tested there."""

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from hris_pipeline.environment import Environment
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.sandbox import Company, Sandbox
from hris_pipeline.settings.document import Settings
from hris_pipeline.sources.pacing import Retries
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.browser import Served, serve
from hris_pipeline_tests.kit.clock import MONDAY, Clock
from hris_pipeline_tests.kit.remembered_homes import remembered

MakeCompany = Callable[..., Acme]
KEY = Fernet.generate_key().decode()


@contextmanager
def _opened(home: Path, sandbox: Sandbox, clock: Clock) -> Iterator[Services]:
    environ = {"HRIS_HOME": str(home), "HRIS_SECRET_KEY": KEY, "PATH": os.environ.get("PATH", "")}
    opened = open_services(Environment.read(environ | sandbox.environment()))
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
def acme(imported: Imported, make: MakeCompany, clock: Clock) -> Acme:
    """Twelve people, imported once."""
    clock.advance(minutes=2)  # as after importing them
    return make()


@pytest.fixture
def changed(acme: Acme) -> Acme:
    """Somebody is called otherwise, somebody has another EmployeeId, somebody left."""
    first, second, third = acme.active()[:3]
    acme.company.edit(first, first_name="Ottilie", last_name="Beispiel")
    acme.company.edit(second, work_id="NEW-7")
    acme.company.edit(third, active=False)
    return acme


@pytest.fixture
def held(make: MakeCompany) -> Acme:
    """Of thirty people ten left at once: a guard holds it."""
    acme = make(30)
    remembered(acme, "thirty imported", acme.run)
    for hris_id in acme.active()[:10]:
        acme.company.edit(hris_id, active=False)
    return acme
