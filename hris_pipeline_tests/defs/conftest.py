"""A company on the sandbox, connected to a fresh home, and a real Dagster instance for it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.operations.connection import connect
from hris_pipeline.operations.services import open_services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.sandbox import running
from hris_pipeline.settings.document import Settings
from hris_pipeline_tests.kit.dagster_company import NAME, Company
from hris_pipeline_tests.kit.dagster_engines import make_engines_once

make_engines_once()

REDIRECT = "http://127.0.0.1:8765/callback"
QUIET = {"python_logs": {"python_log_level": "INFO"}}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Dagster's own warnings are not ours to mend; and nothing here is about how patient one is with a source."""
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.usefixtures("impatient"))
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster"))
            item.add_marker(pytest.mark.filterwarnings("ignore:The `__fields__` attribute"))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A real instance, its storage in memory."""
    with dg.DagsterInstance.ephemeral(str(tmp_path), settings=QUIET) as instance:
        yield instance


@pytest.fixture
def make_company(
    sqlite_environment: Environment, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Company]]:
    """Makes the company; takes what the sandbox takes, and ``settings``."""
    opened: list[Any] = []

    def make(employees: int = 30, seed: int = 1, settings: Settings | None = None, **options: Any) -> Company:
        context = running(employees, seed, **options)
        sandbox = context.__enter__()
        opened.append(context)
        monkeypatch.setenv("HRIS_HOME", str(sqlite_environment.home))
        monkeypatch.setenv("HRIS_SECRET_KEY", ",".join(sqlite_environment.secret_keys))
        monkeypatch.setenv("DAGSTER_HOME", str(sqlite_environment.home / "dagster"))
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        services = open_services()
        set_up(services, NAME, settings=settings, actor="ann", accept=True)
        connect(services, NAME, sandbox.authorize(redirect_uri=REDIRECT), redirect_uri=REDIRECT)
        instance.add_dynamic_partitions("integration", [NAME])
        return Company(sandbox, services.environment, services, instance)

    yield make
    for context in opened:
        context.__exit__(None, None, None)


@pytest.fixture
def company(make_company: Callable[..., Company]) -> Company:
    """Thirty people."""
    return make_company()
