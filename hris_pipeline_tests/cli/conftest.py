"""The command line against a running sandbox, each test in a home of its own."""

import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hris_pipeline.cli.app import run
from hris_pipeline.environment import VARIABLES, Environment
from hris_pipeline.sandbox.server import Sandbox, running
from hris_pipeline_tests.kit.command_line import Hris, Result
from hris_pipeline_tests.kit.dagster_engines import make_engines_once

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Dagster looks at its config classes in a way that pydantic has deprecated
    import hris_pipeline.definitions  # noqa: F401
    from hris_pipeline.running import open_instance

make_engines_once()

PEOPLE = 40
SEED = 3


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Dagster's own warnings are not ours to mend; and nothing here is about how patient one is with a source."""
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.usefixtures("impatient"))
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster"))
            item.add_marker(pytest.mark.filterwarnings("ignore:The `__fields__` attribute"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and an environment that says nothing else."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.setenv("HRIS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    return tmp_path / "home"


@pytest.fixture
def hris(home: Path, capfd: pytest.CaptureFixture[str]) -> Hris:
    """Runs one command line in this process."""

    def command(*arguments: str) -> Result:
        capfd.readouterr()
        exit_code = run(arguments)
        captured = capfd.readouterr()
        return Result(exit_code, captured.out, captured.err)

    return command


@pytest.fixture
def sandbox(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox that the environment points at."""
    with running(PEOPLE, SEED) as served:
        for name, value in served.environment().items():
            monkeypatch.setenv(name, value)
        yield served


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Homes in which `acme` is set up (`connected`), and its first import saved (`saved`): copied, not made, for each
    test, because a new Dagster instance costs more than the tests do."""
    root = tmp_path_factory.mktemp("prepared")
    with running(PEOPLE, SEED) as served, pytest.MonkeyPatch.context() as patch:
        home = root / "making"
        for name, value in {**served.environment(), "HRIS_HOME": str(home), "HRIS_STORE_URL": ""}.items():
            patch.setenv(name, value)
        patch.setenv("DAGSTER_HOME", str(home / "dagster"))
        assert run(["setup", "acme", "--accept-terms", "--code", served.authorize()]) == 0
        open_instance(Environment.read()).dispose()
        shutil.copytree(home, root / "connected")
        assert run(["import", "acme", "--yes"]) == 0
        shutil.copytree(home, root / "saved")
    return {name: root / name for name in ("connected", "saved")}


def _connected(home: Path, template: Path, sandbox: Sandbox, hris: Hris) -> None:
    shutil.copytree(template, home)
    assert hris("connect", "acme", "--code", sandbox.authorize()).exit_code == 0


@pytest.fixture
def acme(home: Path, prepared: dict[str, Path], sandbox: Sandbox, hris: Hris) -> str:
    """An integration that is set up and connected."""
    _connected(home, prepared["connected"], sandbox, hris)
    return "acme"


@pytest.fixture
def saved(home: Path, prepared: dict[str, Path], sandbox: Sandbox, hris: Hris) -> Any:
    """An integration whose first import is saved; gives that import's document."""
    _connected(home, prepared["saved"], sandbox, hris)
    return hris("history", "acme", "--json").document["imports"][0]


@pytest.fixture
def child_environment(home: Path) -> dict[str, str]:
    """The environment for a process of its own."""
    return {**os.environ, "HRIS_HOME": str(home), "COLUMNS": "120", "TERM": "xterm"}
