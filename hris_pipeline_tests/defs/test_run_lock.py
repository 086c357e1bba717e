"""Whether a run's process lives: a lock that dies with it, is retaken after a lost session, and is asked for twice."""

import time

import dagster as dg
import pytest
import sqlalchemy as sa

from hris_pipeline.definitions import defs
from hris_pipeline.defs.automation import dead_runs
from hris_pipeline.defs.celery import CompanyRunLauncher
from hris_pipeline.defs.runs import FROM_HERE, RETAKEN_SECONDS, hold_run, living_runs
from hris_pipeline.environment import Environment
from hris_pipeline.store.engine import Store, open_store
from hris_pipeline_tests.kit.dagster_company import Company
from hris_pipeline_tests.kit.many_integrations import counted_statements
from hris_pipeline_tests.kit.processes import until


def test_a_run_is_alive_while_its_lock_is_held_and_no_longer(store: Store) -> None:
    with hold_run(store, "one") as held, hold_run(store, "one") as again:
        assert held
        assert again, "the process itself is not kept out"
        assert living_runs(store, ("one", "two")) == {"one"}
    assert living_runs(store, ("one", "two")) == frozenset()


def test_however_many_runs_are_asked_for_at_once(postgres_environment: Environment) -> None:
    store = open_store(postgres_environment)
    names = [f"run-{number}" for number in range(500)]
    with hold_run(store, names[3]), counted_statements(store.engine) as statements:
        assert living_runs(store, names) == {names[3]}
        assert len(statements) == 1
    store.close()


def test_a_lost_session_is_taken_for_no_death_and_the_lock_is_held_again_in_time(
    postgres_environment: Environment,
) -> None:
    store, other = open_store(postgres_environment), open_store(postgres_environment)
    locks = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with hold_run(store, "one"):
        with other.engine.connect() as connection:
            connection.execute(locks)
        assert living_runs(other, ("one",)) == frozenset()
        assert until(lambda: living_runs(other, ("one",)), RETAKEN_SECONDS, what="the lock, held again,") == {"one"}
    assert living_runs(other, ("one",)) == frozenset()
    store.close()
    other.close()


def test_the_launcher_believes_in_a_death_only_when_it_sees_it_twice(
    sqlite_environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HRIS_HOME", str(sqlite_environment.home))
    launcher = CompanyRunLauncher("memory://")
    run = dg.DagsterRun("company", status=dg.DagsterRunStatus.STARTED)
    store = open_store(sqlite_environment)
    assert launcher.check_run_worker_health(run).transient
    with hold_run(store, run.run_id):
        assert launcher.check_run_worker_health(run).transient is None
    now = time.monotonic()
    assert launcher.check_run_worker_health(run).transient
    monkeypatch.setattr(time, "monotonic", lambda: now + RETAKEN_SECONDS + 1)
    assert launcher.check_run_worker_health(run).status.value == "NOT_FOUND"
    store.close()


def test_a_run_that_a_power_cut_left_is_ended_at_the_second_look(company: Company) -> None:
    def started(tags: dict[str, str]) -> str:
        job = defs.resolve_job_def("save_import")
        return company.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED).run_id

    dead, living, foreign = started(FROM_HERE), started(FROM_HERE), started({})

    def look(cursor: str | None) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=company.instance, cursor=cursor)
        seen = dead_runs(context, services=company.services)
        assert isinstance(seen, dg.SensorResult)
        return seen

    with hold_run(company.services.store, living):
        first = look(None)
        assert {run.status for run in company.instance.get_runs()} == {dg.DagsterRunStatus.STARTED}
        look(first.cursor)
    statuses = {run.run_id: run.status.value for run in company.instance.get_runs()}
    assert statuses == {dead: "FAILURE", living: "STARTED", foreign: "STARTED"}
