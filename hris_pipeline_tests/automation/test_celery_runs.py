"""Runs executed by Celery's workers: real broker, real processes, real signals; every outcome is the right one."""

import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._daemon.monitoring import execute_run_monitoring_iteration
from kombu.exceptions import OperationalError

from hris_pipeline.defs.runs import ATTEMPT_TAG, DUE_TAG, IMPORT_USERS, SKIPPED_TAG, TRIGGER_TAG
from hris_pipeline.environment import Environment
from hris_pipeline.operations.automation import pause
from hris_pipeline.operations.overview import history
from hris_pipeline.operations.services import open_services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.store.engine import upgrade_store
from hris_pipeline_tests.kit.celery_machines import BEHAVING, Redis, Site, needs_redis, redis_server, site_of
from hris_pipeline_tests.kit.processes import until

pytestmark = needs_redis

LOOK_AGAIN_SECONDS = 1.0
"""With PostgreSQL a run that lost its session is given eight seconds to take its lock again; a file is never lost."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with redis_server(tmp_path_factory.mktemp("redis")) as redis:
        yield redis


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, redis: Redis) -> Iterator[Site]:
    """One worker with two slots; its store is on SQLite."""
    home = tmp_path_factory.mktemp("celery")
    environ = {"HRIS_HOME": str(home / "hris"), "HRIS_BROKER_URL": redis.url}
    upgrade_store(Environment.read(environ))
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        site_of(home, environ, monkeypatch, terminate_grace_seconds=1) as site,
    ):
        monkeypatch.setattr("hris_pipeline.defs.celery.RETAKEN_SECONDS", LOOK_AGAIN_SECONDS)
        site.worker()
        yield site


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def monitor(site: Site) -> None:
    """Two looks of run monitoring; of the workspace it needs nothing, as no run is resumed."""
    workspace = SimpleNamespace(instance=site.instance, create_request_context=lambda: None)
    for seconds in (LOOK_AGAIN_SECONDS, 0):
        problems = execute_run_monitoring_iteration(cast(Any, workspace), logging.getLogger(__name__))
        assert list(filter(None, problems)) == []
        time.sleep(seconds)


def test_each_run_is_a_process_of_its_own_forked_from_one_worker_and_what_it_prints_is_its_own(site: Site) -> None:
    runs = [site.launch("work"), site.launch("fail")]
    assert [site.outcome(run) for run in runs] == ["SUCCESS", "FAILURE"]
    (first, worker), (second, same) = (site.processes(run) for run in runs)
    assert len({first, second, worker, os.getpid()}) == 4
    assert worker == same
    assert "as asked" in site.messages(runs[1])
    (key,) = site.instance.compute_log_manager.get_log_keys_for_log_key_prefix(
        [runs[0].run_id, "compute_logs"], ComputeIOType.STDOUT
    )
    assert site.instance.compute_log_manager.get_log_data(key).stdout == b"printed work\n"


def test_a_hanging_run_holds_up_nobody_and_is_terminated_from_another_process(site: Site) -> None:
    hanging, working = site.launch("hang"), site.launch("work")
    assert site.outcome(working) == "SUCCESS"
    site.process(hanging)
    assert site.health(hanging) is WorkerStatus.RUNNING
    with dg.DagsterInstance.from_ref(site.instance.get_ref()) as webserver:
        assert webserver.run_launcher.terminate(hanging.run_id)
    assert site.outcome(hanging) == "CANCELED"


def test_a_run_terminated_before_or_while_it_starts_is_canceled(site: Site) -> None:
    at_once = site.launch("hang")
    assert site.instance.run_launcher.terminate(at_once.run_id)
    assert site.outcome(at_once) == "CANCELED"
    starting = site.launch_waiting("hang")
    assert site.instance.run_launcher.terminate(starting.run_id)
    site.wait.unlink()
    assert site.outcome(starting) == "CANCELED"


def test_a_run_that_ends_while_it_is_being_terminated_keeps_its_outcome(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = site.launch_waiting("work")
    report = site.instance.report_run_canceling

    def report_too_late(run: dg.DagsterRun) -> None:
        site.wait.unlink()
        until(lambda: site.run(run).is_finished)
        report(run)

    monkeypatch.setattr(site.instance, "report_run_canceling", report_too_late)
    assert site.instance.run_launcher.terminate(run.run_id)
    assert site.outcome(run) == "SUCCESS"


def test_a_run_deaf_to_interrupts_is_killed_after_the_grace_period(site: Site) -> None:
    run = site.launch("cling")
    process = site.process(run)
    time.sleep(0.2)
    assert site.instance.run_launcher.terminate(run.run_id)
    until(lambda: not alive(process))
    time.sleep(1)
    monitor(site)
    assert site.outcome(run) == "CANCELED"


def test_a_killed_run_is_noticed_by_monitoring_and_no_other_is_touched(site: Site) -> None:
    hanging, crashing = site.launch("hang"), site.launch("crash")
    process = site.process(crashing)
    until(lambda: not alive(process))
    assert site.run(crashing).status is dg.DagsterRunStatus.STARTED
    site.process(hanging)
    monitor(site)
    assert site.outcome(crashing) == "FAILURE"
    assert "the run's process is gone" in site.messages(crashing)
    assert site.run(hanging).status is dg.DagsterRunStatus.STARTED
    assert site.instance.run_launcher.terminate(hanging.run_id)
    assert site.outcome(hanging) == "CANCELED"


def test_a_worker_with_all_slots_full_leaves_the_next_run_to_another_machine(site: Site, redis: Redis) -> None:
    hanging = [site.launch("hang"), site.launch("hang")]
    busy = {site.processes(run)[1] for run in hanging}
    third = site.launch("work")
    time.sleep(1)
    assert redis.waiting() == 1
    other = site.worker(1)
    assert site.outcome(third) == "SUCCESS"
    assert site.processes(third)[1] not in busy
    other.stop()
    assert not other.alive
    for run in hanging:
        assert site.instance.run_launcher.terminate(run.run_id)
        assert site.outcome(run) == "CANCELED"


def test_an_import_paused_while_it_waits_in_the_broker_is_skipped_and_asks_the_source_nothing(
    site: Site, redis: Redis
) -> None:
    services = open_services(Environment.read(site.environ))
    set_up(services, "acme", actor="bea", accept=True)  # connected to nothing: any request of it would fail
    hanging = [site.launch("hang"), site.launch("hang")]
    for run in hanging:
        site.process(run)
    tags = {
        "dagster/partition": "acme",
        TRIGGER_TAG: "schedule",
        DUE_TAG: "2026-11-22T04:00:00+00:00",
        ATTEMPT_TAG: "0",
    }
    job = ReconstructableRepository.for_module("hris_pipeline.definitions", "defs").get_reconstructable_job(
        IMPORT_USERS
    )
    site.instance.add_dynamic_partitions("integration", ["acme"])
    import_ = site.instance.create_run_for_job(
        job.get_definition(),
        tags=tags,
        status=dg.DagsterRunStatus.STARTING,
        job_code_origin=job.get_python_origin(),
    )
    site.send(import_)
    until(lambda: redis.waiting() == 1)
    pause(services, "acme", "bea", "audit")
    for run in hanging:
        assert site.instance.run_launcher.terminate(run.run_id)
    assert site.outcome(import_) == "SUCCESS"
    assert site.run(import_).tags[SKIPPED_TAG].endswith("audit")
    assert history(services, "acme") == ()
    assert site.instance.all_logs(import_.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION) == []
    services.close()


def test_a_message_that_comes_a_second_time_starts_nothing(site: Site) -> None:
    run = site.launch("hang")
    process = site.process(run)
    site.send(run)
    assert site.outcome(site.launch("work")) == "SUCCESS"
    assert site.run(run).status is dg.DagsterRunStatus.STARTED
    assert alive(process)
    assert site.starts(run) == 1
    os.kill(process, signal.SIGKILL)
    until(lambda: not alive(process))
    monitor(site)
    assert site.outcome(run) == "FAILURE"


def test_code_that_changes_while_runs_wait_and_go_on_starts_each_once(site: Site, redis: Redis) -> None:
    running, also, queued = site.launch_waiting("work"), site.launch("work"), site.launch("work")
    until(lambda: redis.waiting() == 1)
    site.code.write_text(BEHAVING.replace('print("printed"', 'print("changed"'))
    site.wait.unlink()
    try:
        assert [site.outcome(run) for run in (running, also, queued)] == ["SUCCESS"] * 3
    finally:
        site.code.write_text(BEHAVING)
    assert [site.starts(run) for run in (running, also, queued)] == [1, 1, 1]


def test_the_broker_may_die_while_runs_are_going_on_and_waiting(site: Site, redis: Redis) -> None:
    running, *waiting = [site.launch_waiting("work"), site.launch("work"), site.launch("work")]
    redis.kill()
    time.sleep(1)
    site.wait.unlink()
    assert site.outcome(running) == "SUCCESS"
    redis.start()
    assert [site.outcome(run) for run in waiting] == ["SUCCESS", "SUCCESS"]
    assert [site.starts(run) for run in (running, *waiting)] == [1, 1, 1]


def test_a_launch_without_a_broker_is_refused_at_once_and_never_starts_later(site: Site, redis: Redis) -> None:
    redis.kill()
    run = site.create("work")
    began = time.monotonic()
    with pytest.raises(OperationalError):
        site.send(run)
    assert time.monotonic() - began < 30, "the daemon has other companies to launch"
    redis.start()
    assert site.outcome(site.launch("work")) == "SUCCESS"
    assert site.starts(run) == 0
    site.instance.report_run_failed(site.run(run))  # as the daemon does with what a launcher refuses


def test_the_runs_of_a_machine_that_is_lost_are_noticed_at_the_first_look(site: Site) -> None:
    run = site.launch("hang")
    process, worker = site.processes(run)
    (machine,) = (group for group in site.workers if group.pid == worker)
    machine.kill()
    until(lambda: not alive(process))
    assert site.run(run).status is dg.DagsterRunStatus.STARTED
    monitor(site)
    assert site.outcome(run) == "FAILURE"
    new = site.worker()
    assert site.outcome(site.launch("work")) == "SUCCESS"
    assert new.alive
