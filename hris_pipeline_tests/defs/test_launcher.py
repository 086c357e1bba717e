"""Runs forked from a warm process: a real instance, real processes, real signals."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.instance import InstanceRef
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from dagster._core.remote_origin import RemoteJobOrigin
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.monitoring import execute_run_monitoring_iteration

from hris_pipeline.errors import HrisError

CODE = """
import os, signal, time
import dagster as dg

@dg.op(config_schema=str)
def behave(context):
    print("printed", context.op_config)
    context.log.info(f"worker {os.getpid()} of {os.getppid()} version one")
    match context.op_config:
        case "fail":
            raise dg.Failure("as asked")
        case "hang":
            time.sleep(600)
        case "cling":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            time.sleep(600)
        case "crash":
            os.kill(os.getpid(), signal.SIGKILL)

@dg.executor(config_schema=dg.in_process_executor.config_schema)
def when_let(context):
    while os.path.exists(__file__ + ".wait"):
        time.sleep(0.01)
    return dg.in_process_executor.executor_creation_fn(context)

@dg.job(executor_def=when_let)
def company():
    behave()

defs = dg.Definitions(jobs=[company])
"""

IN_PROGRESS = (DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING)

T = TypeVar("T")


def until(found: Callable[[], T], seconds: float = 30) -> T:
    """What ``found`` gives once it gives something."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return value


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Machine:
    """An instance with a warm launcher, and the code of one job that does as it is told."""

    def __init__(self, home: Path, code: str = CODE, **launcher: object) -> None:
        home.mkdir()
        self.code = home / "company_code.py"
        self.code.write_text(code)
        (home / "dagster.yaml").write_text(
            yaml.safe_dump(
                {
                    "run_launcher": {
                        "module": "hris_pipeline.defs.launcher",
                        "class": "WarmRunLauncher",
                        "config": launcher,
                    },
                    "run_monitoring": {"enabled": True},
                    "telemetry": {"enabled": False},
                }
            )
        )
        self.instance = DagsterInstance.from_ref(InstanceRef.from_dir(str(home)))

    @property
    def wait(self) -> Path:
        return Path(f"{self.code}.wait")

    def worker_file(self, run: DagsterRun) -> Path:
        return Path(self.instance.storage_directory()) / "run_workers" / run.run_id

    @property
    def job(self) -> ReconstructableJob:
        repository = ReconstructableRepository.for_file(str(self.code), "defs", str(self.code.parent))
        return repository.get_reconstructable_job("company")

    @contextmanager
    def workspace(self) -> Iterator[WorkspaceProcessContext]:
        """A real code server for the code."""
        target = PythonFileTarget(str(self.code), attribute=None, working_directory=None, location_name="companies")
        with WorkspaceProcessContext(self.instance, target) as workspace:
            yield workspace

    def create(self, does: str, origin: RemoteJobOrigin | None = None) -> DagsterRun:
        return self.instance.create_run_for_job(
            self.job.get_definition(),
            run_config={"ops": {"behave": {"config": does}}},
            status=DagsterRunStatus.STARTING,
            job_code_origin=self.job.get_python_origin(),
            remote_job_origin=origin,
        )

    def launch(self, does: str) -> DagsterRun:
        run = self.create(does)
        self.instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
        return run

    def launch_waiting(self, does: str) -> DagsterRun:
        """A run whose worker is there, but starts only when the file ``wait`` is gone."""
        self.wait.touch()
        run = self.launch(does)
        until(lambda: "Started process for run" in self.messages(run))
        return run

    def launch_from(self, workspace: WorkspaceProcessContext, does: str) -> DagsterRun:
        context = workspace.create_request_context()
        (repository,) = context.get_code_location("companies").get_repositories().values()
        run = self.create(does, repository.get_full_job("company").get_remote_origin())
        self.instance.run_launcher.launch_run(LaunchRunContext(run, context))
        return run

    def run(self, run: DagsterRun) -> DagsterRun:
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found

    def outcome(self, run: DagsterRun) -> str:
        until(lambda: self.run(run).status not in IN_PROGRESS)
        return self.run(run).status.value

    def messages(self, run: DagsterRun) -> str:
        return "\n".join(
            f"{record.user_message} {record.message} {record.dagster_event}"
            for record in self.instance.all_logs(run.run_id)
        )

    def processes(self, run: DagsterRun) -> tuple[int, int]:
        """The ids of the run's worker and of the process that forked it, once the run is under way."""
        words = until(lambda: self.messages(run).partition("worker ")[2]).split()
        return int(words[0]), int(words[2])

    def health(self, run: DagsterRun) -> WorkerStatus:
        return self.instance.run_launcher.check_run_worker_health(run).status


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("launcher") / "home", terminate_grace_seconds=1)
    with machine.instance:
        yield machine


def test_each_run_is_a_process_of_its_own_from_one_warm_process(machine: Machine) -> None:
    runs = [machine.launch("work"), machine.launch("work")]
    assert [machine.outcome(run) for run in runs] == ["SUCCESS", "SUCCESS"]
    (first, warm), (second, same) = (machine.processes(run) for run in runs)
    assert len({first, second, warm, os.getpid()}) == 4
    assert warm == same


def test_what_a_run_prints_is_its_own_compute_log(machine: Machine) -> None:
    run = machine.launch("work")
    assert machine.outcome(run) == "SUCCESS"
    (key,) = machine.instance.compute_log_manager.get_log_keys_for_log_key_prefix(
        [run.run_id, "compute_logs"], ComputeIOType.STDOUT
    )
    assert machine.instance.compute_log_manager.get_log_data(key).stdout == b"printed work\n"


def test_a_failing_run_fails_alone(machine: Machine) -> None:
    failing, working = machine.launch("fail"), machine.launch("work")
    assert (machine.outcome(failing), machine.outcome(working)) == ("FAILURE", "SUCCESS")
    assert "as asked" in machine.messages(failing)


def test_a_killed_run_is_failed_at_once_and_says_by_what(machine: Machine) -> None:
    crashing, working = machine.launch("crash"), machine.launch("work")
    assert (machine.outcome(crashing), machine.outcome(working)) == ("FAILURE", "SUCCESS")
    assert "SIGKILL" in machine.messages(crashing)


def test_a_hanging_run_holds_up_nobody_and_can_be_terminated_from_another_process(machine: Machine) -> None:
    hanging, working = machine.launch("hang"), machine.launch("work")
    assert machine.outcome(working) == "SUCCESS"
    machine.processes(hanging)
    assert machine.health(hanging) is WorkerStatus.RUNNING
    with DagsterInstance.from_ref(machine.instance.get_ref()) as webserver:
        assert webserver.run_launcher.terminate(hanging.run_id)
    assert machine.outcome(hanging) == "CANCELED"


def test_a_run_terminated_the_moment_it_was_launched_is_canceled(machine: Machine) -> None:
    run = machine.launch("hang")
    assert machine.instance.run_launcher.terminate(run.run_id)
    assert machine.outcome(run) == "CANCELED"


def test_a_run_terminated_while_it_was_starting_is_canceled(machine: Machine) -> None:
    run = machine.launch_waiting("hang")
    assert machine.instance.run_launcher.terminate(run.run_id)
    machine.wait.unlink()
    assert machine.outcome(run) == "CANCELED"


def test_a_run_that_ends_while_it_is_being_terminated_keeps_its_outcome(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = machine.launch_waiting("work")
    report = machine.instance.report_run_canceling

    def report_too_late(run: DagsterRun) -> None:
        machine.wait.unlink()
        until(lambda: not machine.worker_file(run).exists())
        report(run)

    monkeypatch.setattr(machine.instance, "report_run_canceling", report_too_late)
    assert machine.instance.run_launcher.terminate(run.run_id)
    assert machine.outcome(run) == "SUCCESS"


def test_a_run_deaf_to_interrupts_is_killed_after_the_grace_period(machine: Machine) -> None:
    run = machine.launch("cling")
    worker, _ = machine.processes(run)
    time.sleep(0.2)
    assert machine.instance.run_launcher.terminate(run.run_id)
    until(lambda: not alive(worker))
    assert machine.outcome(run) == "CANCELED"


def test_a_run_that_has_ended_cannot_be_terminated_and_leaves_no_file(machine: Machine) -> None:
    for does in ("work", "crash"):
        run = machine.launch(does)
        machine.outcome(run)
        until(lambda run=run: not machine.worker_file(run).exists())  # type: ignore[misc]
        assert not machine.instance.run_launcher.terminate(run.run_id)


def test_a_run_with_a_living_process_is_not_given_another(machine: Machine) -> None:
    run = machine.launch("hang")
    worker, _ = machine.processes(run)
    with pytest.raises(HrisError, match=f"Run {run.run_id} gets no process: it already has a living one"):
        machine.instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    assert alive(worker)
    assert machine.instance.run_launcher.terminate(run.run_id)


def test_when_the_warm_process_is_killed_its_workers_go_on_and_the_next_launch_has_a_new_one(machine: Machine) -> None:
    hanging = machine.launch("hang")
    worker, warm = machine.processes(hanging)
    os.kill(warm, signal.SIGKILL)
    working = machine.launch("work")
    assert machine.outcome(working) == "SUCCESS"
    assert machine.processes(working)[1] != warm
    assert alive(worker)
    assert machine.health(hanging) is WorkerStatus.RUNNING
    assert machine.instance.run_launcher.terminate(hanging.run_id)
    assert machine.outcome(hanging) == "CANCELED"


def test_a_run_whose_worker_and_warm_process_both_died_is_failed_by_run_monitoring(machine: Machine) -> None:
    run = machine.launch("hang")
    worker, warm = machine.processes(run)
    os.kill(warm, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    until(lambda: machine.health(run) is WorkerStatus.NOT_FOUND)
    assert machine.run(run).status is DagsterRunStatus.STARTED
    with machine.workspace() as workspace:
        assert list(execute_run_monitoring_iteration(workspace, logging.getLogger(__name__))) == [None]
    assert machine.outcome(run) == "FAILURE"


def test_the_warm_process_ends_after_its_last_worker_when_the_launcher_has_gone(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "home", preload=[])
    run = machine.launch("hang")
    worker, warm = machine.processes(run)
    machine.instance.run_launcher.dispose()
    time.sleep(0.5)
    assert alive(warm)
    os.kill(worker, signal.SIGTERM)
    until(lambda: not alive(warm))
    machine.instance.dispose()


def test_runs_have_the_code_their_location_had_when_it_was_last_loaded(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "home", preload=[])
    with machine.instance, machine.workspace() as workspace:
        before = machine.launch_from(workspace, "work")
        machine.processes(before)
        machine.code.write_text(CODE.replace("version one", "version two"))
        unreloaded = machine.launch_from(workspace, "work")
        machine.processes(unreloaded)
        workspace.reload_code_location("companies")
        reloaded = machine.launch_from(workspace, "work")
        assert machine.outcome(reloaded) == "SUCCESS"
        assert machine.processes(before)[1] == machine.processes(unreloaded)[1] != machine.processes(reloaded)[1]
        assert "version one" in machine.messages(unreloaded)
        assert "version two" in machine.messages(reloaded)


@pytest.mark.parametrize(
    ("code", "preload", "says"),
    [
        ("raise ValueError('broken')", [], "does not load .*ValueError: broken"),
        (CODE, ["no_such_module"], "does not load .*no_such_module"),
        (
            CODE
            + "import threading\nthreading.Thread(target=time.sleep, args=(600,), name='poll', daemon=True).start()",
            [],
            "starts threads.*poll",
        ),
    ],
)
def test_code_that_cannot_be_forked_is_refused_with_the_reason(
    tmp_path: Path, code: str, preload: list[str], says: str
) -> None:
    machine = Machine(tmp_path / "home", preload=preload)
    with machine.instance:
        run = machine.create("work")
        machine.code.write_text(code)
        with pytest.raises(HrisError, match=says):
            machine.instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
