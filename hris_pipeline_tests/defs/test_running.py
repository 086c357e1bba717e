"""Runs from the command line, the instances they run on, and what they leave behind."""

import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.run_coordinator import QueuedRunCoordinator

from hris_pipeline import running
from hris_pipeline.definitions import defs
from hris_pipeline.defs.runs import add_partition, hold_run, known_partitions
from hris_pipeline.environment import Environment
from hris_pipeline.errors import EnvironmentInvalid, HrisError, MachineError, StoreError
from hris_pipeline.running import open_instance, reap_dead_runs, run_job
from hris_pipeline_tests.kit.dagster_company import NAME, Company

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def tagged_run(company: Company) -> Callable[[dg.DagsterInstance], dg.DagsterRun]:
    """Makes a run that looks as if a process were executing it."""

    def make(instance: dg.DagsterInstance) -> dg.DagsterRun:
        return instance.create_run_for_job(
            defs.resolve_job_def("save_import"), tags={"dagster/partition": NAME}, status=dg.DagsterRunStatus.STARTED
        )

    return make


def test_a_run_makes_the_instance_with_the_projects_configuration(company: Company) -> None:
    progress: list[int] = []
    ended = run_job("preview_import", NAME, actor="ann", progress=progress.append, environment=company.environment)
    home = company.environment.home / "dagster"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert (home / "dagster.yaml").read_text() == (PROJECT / "dagster.yaml").read_text()
    assert progress[-1] == len(company.sandbox.company.members())
    with open_instance(company.environment) as instance:
        run = instance.get_run_by_id(ended.run_id)
        assert run is not None
        assert run.job_name == "preview_import"
        assert instance.get_dynamic_partitions("integration") == [NAME]
        assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
        assert isinstance(instance.run_launcher, DefaultRunLauncher)
        assert not instance.telemetry_enabled
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure


def _write_garbage(path: Path) -> None:
    path.write_bytes(b"garbage" * 1000)


def test_who_opens_the_instance_at_the_same_time_waits(sqlite_environment: Environment) -> None:
    """Dagster makes its tables as if there were no other process."""
    environment = sqlite_environment
    environment.dagster_home.mkdir()
    opened: list[str] = []

    def open_one() -> None:
        with open_instance(environment) as instance:
            opened.append(instance.root_directory)

    with running._lock_home(environment.dagster_home):
        waiting = [threading.Thread(target=open_one) for _ in range(2)]
        for thread in waiting:
            thread.start()
        waiting[0].join(0.3)
        assert opened == []
        assert not (environment.dagster_home / "history").exists()
    for thread in waiting:
        thread.join(60)
    assert opened == [str(environment.dagster_home)] * 2


def test_who_does_not_let_others_open_the_instance_is_named(
    sqlite_environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = sqlite_environment
    environment.dagster_home.mkdir()
    monkeypatch.setattr(running, "OPENING_WAIT_SECONDS", 0.0)
    with (
        running._lock_home(environment.dagster_home),
        pytest.raises(MachineError, match="Another process has been opening"),
    ):
        open_instance(environment)


@pytest.mark.parametrize(("spoil", "words"), [(Path.mkdir, "cannot be opened"), (_write_garbage, "no SQLite database")])
def test_what_dagsters_storage_lacks_is_said_in_words(
    sqlite_environment: Environment, spoil: Callable[[Path], object], words: str
) -> None:
    history = sqlite_environment.dagster_home / "history"
    history.mkdir(parents=True)
    spoil(history / "runs.db")
    with pytest.raises(StoreError, match=rf"Dagster's storage \(DAGSTER_HOME\) cannot be used: .*{words}"):
        open_instance(sqlite_environment)


@pytest.mark.parametrize(
    "text", ["::: {", "nonsense: 1", "storage: {sqlite: {base_dir: {}}}", "scheduler: {module: nowhere}"]
)
def test_a_configuration_that_dagster_cannot_use_is_named(sqlite_environment: Environment, text: str) -> None:
    path = sqlite_environment.dagster_home / "dagster.yaml"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(EnvironmentInvalid, match=r"dagster\.yaml cannot be used .*: correct it, or take it away"):
        open_instance(sqlite_environment)


def test_so_is_what_it_lacks_in_the_middle_of_a_run() -> None:
    original = sqlite3.OperationalError("database or disk is full")
    original.sqlite_errorname = "SQLITE_FULL"
    error = dg.Failure("a step failed")
    error.__cause__ = sa.exc.OperationalError("INSERT", {"name": "Zoe"}, original)
    in_words = running._own_error(error, "preview_import", "run")
    assert str(in_words).startswith("Dagster's storage (DAGSTER_HOME) cannot be used: its disk is full")
    assert "Zoe" not in str(in_words)


def test_a_partition_made_by_another_process_at_this_moment_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        add = instance.add_dynamic_partitions

        def add_second(name: str, keys: list[str]) -> None:
            add(name, keys)
            raise sa.exc.IntegrityError("INSERT", {}, Exception("unique"))

        monkeypatch.setattr(instance, "add_dynamic_partitions", add_second)
        add_partition(instance, NAME)
        assert known_partitions(instance) == (NAME,)


def test_a_run_whose_process_is_gone_is_reaped_and_a_living_one_is_not(
    company: Company, tagged_run: Callable[[dg.DagsterInstance], dg.DagsterRun]
) -> None:
    with open_instance(company.environment) as instance:
        dead, living = tagged_run(instance), tagged_run(instance)
        with hold_run(company.services.store, living.run_id):
            assert reap_dead_runs(instance, NAME) == 1
        statuses = {run.run_id: run.status for run in instance.get_runs()}
        assert statuses == {dead.run_id: dg.DagsterRunStatus.FAILURE, living.run_id: dg.DagsterRunStatus.STARTED}


def test_nothing_of_anybody_is_left_in_dagster_whatever_fails(company: Company) -> None:
    run_job("import_users", NAME, actor="ann", environment=company.environment)
    company.sandbox.fault("not_json")
    with pytest.raises(HrisError):
        run_job("import_users", NAME, actor="ann", environment=company.environment)
    home = company.environment.home / "dagster"
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    for member in company.sandbox.company.members():
        personal = {
            member["name"]["family_name"],
            *(entry.get("email") or entry.get("address") or entry.get("value") for entry in member["emails"]),
        }
        for value in personal - {None, ""}:
            if len(value) > 5:
                assert value.encode() not in kept


@pytest.mark.parametrize(
    ("file", "adds"),
    [
        ("deploy/dagster.yaml", {"storage"}),
        ("deploy/celery/one-machine.yaml", {"run_launcher"}),
        ("deploy/celery/dagster.yaml", {"storage", "run_launcher", "compute_logs", "schedules", "sensors"}),
    ],
)
def test_the_instances_differ_in_what_they_add_alone(file: str, adds: set[str]) -> None:
    local = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    other = yaml.safe_load((PROJECT / file).read_text())
    assert set(other) - set(local) == adds
    extra_keys = {"run_coordinator", "run_monitoring"} if file == "deploy/celery/dagster.yaml" else set()
    assert {name: other[name] for name in set(local) - extra_keys} == {
        name: local[name] for name in set(local) - extra_keys
    }


@pytest.mark.parametrize("file", ["dagster.yaml", "celery/dagster.yaml"])
def test_the_production_configuration_boots_on_postgresql(
    file: str, empty_postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HRIS_DAGSTER_STORAGE", empty_postgres.replace("+psycopg:", "+psycopg2:"))
    monkeypatch.setenv("HRIS_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("HRIS_WORKER_SLOTS", "7")
    shutil.copy(PROJECT / "deploy" / file, tmp_path / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.add_dynamic_partitions("integration", [NAME])
        assert instance.get_dynamic_partitions("integration") == [NAME]
        assert list(instance.get_runs()) == []
