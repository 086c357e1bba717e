"""Dagster's SQLite kept open for one run: the same files and events as Dagster's own storage, opened once."""

import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.events.log import EventLogEntry
from dagster._core.instance import InstanceRef
from dagster._serdes import ConfigurableClassData

from hris_pipeline.defs.sqlite_storage import OpenSqliteStorage, kept_open
from hris_pipeline_tests.kit.processes import until


@dg.asset(check_specs=[dg.AssetCheckSpec("fine", asset="counted")])
def counted() -> Iterator[dg.Output[int] | dg.AssetCheckResult]:
    yield dg.Output(1, metadata={"rows": 3})
    yield dg.AssetCheckResult(passed=True, check_name="fine")


@dg.op
def killed(context: dg.OpExecutionContext) -> None:
    context.log.info("the last words")
    os.kill(os.getpid(), signal.SIGKILL)


@dg.job
def dying() -> None:
    killed()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with Dagster's own storage, as daemon and webserver have it."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def materialize_kept_open(own: dg.DagsterInstance) -> str:
    with dg.DagsterInstance.from_ref(kept_open(own.get_ref())) as instance:
        return dg.materialize([counted], instance=instance).run_id


def words(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    return [f"{entry.user_message} {entry.message}" for entry in instance.all_logs(run_id)]


def test_only_dagsters_own_sqlite_is_replaced(own: dg.DagsterInstance) -> None:
    ref = own.get_ref()
    assert kept_open(ref) == ref._replace(storage_data=kept_open(ref).storage_data)
    elsewhere = ref._replace(storage_data=ConfigurableClassData("dagster_postgres", "DagsterPostgresStorage", "{}"))
    assert kept_open(elsewhere) == elsewhere
    assert kept_open(kept_open(ref)) == kept_open(ref)


def test_what_it_writes_is_what_dagsters_own_storage_reads(own: dg.DagsterInstance) -> None:
    written = materialize_kept_open(own)
    compared = dg.materialize([counted], instance=own).run_id
    kinds = [[entry.dagster_event_type for entry in own.all_logs(run_id)] for run_id in (written, compared)]
    assert kinds[0] == kinds[1]
    assert [run.status for run in own.get_runs()] == [dg.DagsterRunStatus.SUCCESS] * 2
    records = own.fetch_materializations(counted.key, limit=2).records
    assert [record.run_id for record in records] == [compared, written]
    changes = own.fetch_run_status_changes(dg.DagsterEventType.RUN_SUCCESS, limit=9).records
    assert {record.run_id for record in changes} == {written, compared}


def test_a_database_stays_open_and_is_closed_in_the_end(
    own: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: Counter[str] = Counter()

    def connect(path: str, *args: Any, **options: Any) -> Any:
        opened[Path(path).name] += 1
        return connection(path, *args, **options)

    connection = sqlite3.connect
    monkeypatch.setattr(sqlite3.dbapi2, "connect", connect)
    run_id = materialize_kept_open(own)
    assert {"index.db", "runs.db", f"{run_id}.db"} <= set(opened)
    assert max(opened.values()) <= 2, "once, and once more when one statement is asked for within another's transaction"
    kept = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.exists()]
    assert not [path for path in kept if run_id in path or path.endswith("index.db")]


def test_whoever_watches_the_run_is_told_before_it_ends(own: dg.DagsterInstance) -> None:
    run_id = dg.materialize([counted], instance=own).run_id
    told: list[EventLogEntry] = []
    cursor = own.get_records_for_run(run_id).cursor
    own.event_log_storage.watch(run_id, cursor, lambda entry, _: told.append(entry))
    with dg.DagsterInstance.from_ref(kept_open(own.get_ref())) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        instance.report_engine_event("still here", run)
        until(lambda: [entry for entry in told if "still here" in entry.message], seconds=20)


def die(ref: InstanceRef, run_id: str) -> None:
    with dg.DagsterInstance.from_ref(kept_open(ref)) as instance:
        dying.execute_in_process(instance=instance, run_id=run_id)


def test_a_killed_process_loses_nothing_that_it_told(own: dg.DagsterInstance) -> None:
    run_id = "0a7bd65c-0000-4000-8000-000000000001"
    process = get_context("spawn").Process(target=die, args=(own.get_ref(), run_id))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert "the last words" in "\n".join(words(own, run_id))


@pytest.mark.parametrize("there", ["", "history/runs.db", "schedules/schedules.db"])
def test_what_is_not_there_yet_is_made(tmp_path: Path, there: str) -> None:
    if there:
        (tmp_path / there).parent.mkdir()
        (tmp_path / there).touch()
    storage = OpenSqliteStorage(str(tmp_path))
    assert storage.run_storage.get_runs() == []
    assert storage.event_log_storage.get_asset_records() == []
    assert storage.schedule_storage.all_instigator_state() == []
    storage.dispose()
