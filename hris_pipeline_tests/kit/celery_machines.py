"""Machines that execute runs through Celery: a broker, an instance, and workers that can be lost at any moment."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.launcher import LaunchRunContext, WorkerStatus

from hris_pipeline_tests.kit.processes import Group, until

__all__ = ["BEHAVING", "IN_PROGRESS", "Redis", "Site", "needs_redis", "redis_server", "site_of"]

needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not installed: Celery on Redis was not tested"
)

IN_PROGRESS = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)

BEHAVING = """
import os, signal, time
import dagster as dg

@dg.op(config_schema=str)
def behave(context):
    print("printed", context.op_config)
    context.log.info(f"behaving in {os.getpid()} of {os.getppid()}")
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
"""A job that does as it is told, and starts only when the file ``.wait`` beside it is gone."""


@dataclass
class Redis:
    """A broker of one's own, with its queue kept in a file."""

    folder: Path
    port: int
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """For ``HRIS_BROKER_URL``."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts it, with what it had when it was stopped."""
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--appendonly", "yes")
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(["redis-server", *options, "--save", ""], stdout=log, stderr=log)
        until(self._answers, 30, what="redis")

    def kill(self) -> None:
        """As when its machine loses power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def waiting(self, queue: str = "imports") -> int:
        """How many messages no worker has taken."""
        import redis

        with redis.Redis(port=self.port) as client:
            return int(str(client.llen(queue)))

    def _answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def redis_server(folder: Path) -> Iterator[Redis]:
    """A running broker."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    redis = Redis(folder, port)
    redis.start()
    try:
        yield redis
    finally:
        redis.kill()


@dataclass
class Site:
    """An instance whose runs go to Celery, the code of one job, and the workers started so far."""

    instance: dg.DagsterInstance
    environ: Mapping[str, str]
    code: Path
    logs: Path
    workers: list[Group] = field(default_factory=list)

    @property
    def wait(self) -> Path:
        """While it exists, no run starts."""
        return Path(f"{self.code}.wait")

    @property
    def job(self) -> ReconstructableJob:
        """The one of the code."""
        repository = ReconstructableRepository.for_file(str(self.code), "defs", str(self.code.parent))
        return repository.get_reconstructable_job("company")

    def worker(self, slots: int = 2, **environ: str) -> Group:
        """A worker on a machine of its own, once it listens."""
        name = f"w{len(self.workers)}"
        command = ["hris_pipeline.cli", "worker", "--slots", str(slots), "--name", name]
        group = Group(command, {**self.environ, **environ}, self.logs / f"{name}.log")
        self.workers.append(group)
        until(lambda: " ready." in group.output or not group.alive, 60, what="a worker")
        assert group.alive, group.output[-3000:]
        return group

    def create(self, does: str) -> dg.DagsterRun:
        """A run that is about to be launched."""
        return self.instance.create_run_for_job(
            self.job.get_definition(),
            run_config={"ops": {"behave": {"config": does}}},
            status=dg.DagsterRunStatus.STARTING,
            job_code_origin=self.job.get_python_origin(),
        )

    def send(self, run: dg.DagsterRun) -> dg.DagsterRun:
        """Hands the run to the broker."""
        self.instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
        return self.run(run)

    def launch(self, does: str) -> dg.DagsterRun:
        """A run handed to the broker."""
        return self.send(self.create(does))

    def launch_waiting(self, does: str) -> dg.DagsterRun:
        """A run whose process is there, but starts only when the file ``wait`` is gone."""
        self.wait.touch()
        run = self.launch(does)
        until(lambda: "Started process for run" in self.messages(run))
        return run

    def run(self, run: dg.DagsterRun) -> dg.DagsterRun:
        """As the instance has it now."""
        current = self.instance.get_run_by_id(run.run_id)
        assert current is not None
        return current

    def outcome(self, run: dg.DagsterRun, seconds: float = 240) -> str:
        """Its status, once it has ended; a worker may take minutes to find its broker again."""
        until(lambda: self.run(run).status not in IN_PROGRESS, seconds, 0.05, f"the end of {run.tags}")
        return self.run(run).status.value

    def messages(self, run: dg.DagsterRun) -> str:
        """Everything the run said."""
        return "\n".join(
            f"{record.user_message} {record.message} {record.dagster_event}"
            for record in self.instance.all_logs(run.run_id)
        )

    def starts(self, run: dg.DagsterRun) -> int:
        """How often it was begun."""
        return len(self.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_START))

    def process(self, run: dg.DagsterRun) -> int:
        """The id of the process that works on the run, once it is under way."""
        return self.processes(run)[0]

    def processes(self, run: dg.DagsterRun) -> tuple[int, int]:
        """The ids of the run's process and of the worker that forked it."""
        words = until(lambda: self.messages(run).partition("behaving in ")[2], 240, 0.05, "the run").split()
        return int(words[0]), int(words[2])

    def health(self, run: dg.DagsterRun) -> WorkerStatus:
        """What run monitoring would be told."""
        return self.instance.run_launcher.check_run_worker_health(self.run(run)).status


@contextmanager
def site_of(
    home: Path, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, **launcher: object
) -> Iterator[Site]:
    """An instance on SQLite below ``home``; workers that still run in the end are lost."""
    dagster_home = home / "dagster"
    dagster_home.mkdir(parents=True)
    config = {
        "run_launcher": {
            "module": "hris_pipeline.defs.celery",
            "class": "CompanyRunLauncher",
            "config": {"broker": {"env": "HRIS_BROKER_URL"}, **launcher},
        },
        "run_monitoring": {"enabled": True, "cancel_timeout_seconds": 1},
        "telemetry": {"enabled": False},
    }
    (dagster_home / "dagster.yaml").write_text(yaml.safe_dump(config))
    code = home / "company_code.py"
    code.write_text(BEHAVING)
    environ = {"PATH": os.environ["PATH"], **environ, "DAGSTER_HOME": str(dagster_home)}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        site = Site(instance, environ, code, home)
        try:
            yield site
        finally:
            for worker in site.workers:
                worker.kill()
