"""One sandbox for all these tests; each module has a home, companies and an instance of its own."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hris_pipeline.sandbox import Sandbox, running
from hris_pipeline_tests.kit.automatic_companies import companies_of
from hris_pipeline_tests.kit.machine import Machine, MakeMachine, machine_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Dagster's own warnings are not ours to mend."""
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster"))
            item.add_marker(pytest.mark.filterwarnings("ignore:The `__fields__` attribute"))
            item.add_marker(pytest.mark.filterwarnings("ignore:Task name 'execute_job' is already registered"))


@pytest.fixture(scope="module")
def make_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeMachine]:
    """Makes a machine without companies; a run that died is noticed soon, and a busy one is given time to start."""
    with ExitStack() as stack:

        def make(**changes: Any) -> Machine:
            sandbox: Sandbox = stack.enter_context(running(1))
            companies = stack.enter_context(companies_of(tmp_path_factory.mktemp("home"), sandbox))
            monitoring = {"poll_interval_seconds": 2, "start_timeout_seconds": 240, **changes.pop("run_monitoring", {})}
            return stack.enter_context(machine_of(companies, run_monitoring=monitoring, **changes))

        yield make
