"""A run launcher for one machine that forks every run from a warm process instead of starting an interpreter for it.

Starting a process that imports Dagster, pandas and the definitions costs about three seconds of computing, several
times what a small company's import takes. So the launcher keeps one *warm process* a code location: it has imported
everything, opened nothing, and forks a *worker* for each run. Nothing else changes: a worker is a process of its own
that executes one run as ``dagster api execute_run`` does, with its own connections, outcome and logs, and may fail,
hang or be killed without anyone else noticing. Dagster's SQLite files it opens once (``sqlite_storage``).

    daemon (or webserver) ──pipe──▶ warm process ──fork──▶ worker: run 1
      WarmRunLauncher               single-threaded ─fork─▶ worker: run 2

- A worker holds a lock on ``run_workers/<run id>`` in the instance's storage folder, with its process id inside. The
  lock dies with the process, so whether a run lives is never a guess, whichever process asks, even when launcher and
  warm process are gone.
- A worker that crashes is reported by its warm process at once; one that died together with it, by Dagster's run
  monitoring.
- A terminated worker is interrupted, and killed when it has not ended ``terminate_grace_seconds`` later.
- A dead warm process is replaced by the next launch; its workers go on. When the launcher ends, the warm process ends
  after its last worker.
- New code: the warm process is replaced when the code location has another server, that is after the location was
  reloaded or the daemon restarted. Workers already forked keep the code they started with.

Limits: POSIX; the launching daemon, the code and the runs on one host and in one environment. What the definitions
import must start no thread (checked) and open no connection. NumPy's global random state is the same in every worker.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, Self

from dagster import Array, DagsterInstance, DagsterRun, Field, IntSource, String
from dagster._api.get_server_id import sync_get_server_id
from dagster._config import UserConfigSchema
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._core.origin import RepositoryPythonOrigin
from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from hris_pipeline.defs import warm_process
from hris_pipeline.defs.warm_process import Launch, Warmth, Worker, living_worker, settle
from hris_pipeline.errors import HrisError

__all__ = ["PRELOAD", "WarmRunLauncher"]

PRELOAD = (
    "dagster._core.execution.plan.active",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.instance.runs.run_domain",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.migration.utils",
    "dagster._core.storage.root",
    "dagster._core.system_config.composite_descent",
    "dagster_postgres",
    "httpcore",
    "pandas.core.methods.to_dict",
    "pandera.accessors.pandas_accessor",
    "pandera.api.geopandas.container",
    "pandera.backends.pandas.builtin_checks",
    "pandera.backends.pandas.builtin_hypotheses",
    "pandera.backends.pandas.container",
    "pandera.backends.pandas.register",
    "pandera.backends.register_checks",
    "psycopg",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
    "upath.implementations.local",
    "watchdog.observers.polling",
)
"""What a run imports only once it is under way, left to each worker: a quarter of its computing."""

_WARM_UP_SECONDS = 120
_FORK_SECONDS = 30


class WarmRunLauncher(RunLauncher[DagsterInstance], ConfigurableClass):
    """Launches each run as a fork of a warm process.

    ``preload`` names the modules to import before the first fork, beside what the code location's definitions import.
    ``terminate_grace_seconds`` is how long a terminated run may take to end before it is killed.
    """

    def __init__(
        self,
        preload: Sequence[str] = PRELOAD,
        terminate_grace_seconds: int = 30,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        self._preload = tuple(preload)
        self._grace = terminate_grace_seconds
        self._inst_data = inst_data
        self._current: dict[str, _WarmProcess] = {}
        self._lock = threading.Lock()
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What dagster.yaml says of this launcher."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """The launcher's ``config`` in dagster.yaml."""
        return {
            "preload": Field(
                Array(String),
                is_required=False,
                description="Modules to import before the first fork, beside what the definitions import.",
            ),
            "terminate_grace_seconds": Field(
                IntSource,
                is_required=False,
                description="Seconds a terminated run may take to end before it is killed. Defaults to 30.",
            ),
        }

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """The launcher that dagster.yaml describes."""
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Forks a worker for the run; returns when it exists, not when it has ended.

        Raises:
            HrisError: the definitions or a preloaded module do not load, the run already has a living worker, or the
                system gives no process.
        """
        run, origin = context.dagster_run, context.job_code_origin
        if origin is None:
            raise HrisError(f"Run {run.run_id} does not say where its code is: launch it from a workspace.")
        launch = Launch(run.run_id, self._instance.get_ref(), self._worker_file(run.run_id))
        with self._lock:
            try:
                self._warm_process(context, origin.repository_origin).ask(launch, _FORK_SECONDS)
            except _WarmProcessGoneError:
                self._warm_process(context, origin.repository_origin).ask(launch, _FORK_SECONDS)

    def terminate(self, run_id: str) -> bool:
        """Interrupts the run's worker, and kills it if it is still there after the grace period.

        False, and nothing done, when the run has no living worker, or one on another host: terminate it there.
        """
        run = self._instance.get_run_by_id(run_id)
        worker_file = self._worker_file(run_id)
        worker = living_worker(worker_file)
        if run is None or run.is_finished or worker is None or worker.host != os.uname().nodename:
            return False
        self._instance.report_run_canceling(run)
        _send(worker, signal.SIGTERM)
        # The worker removes its file before it looks at its outcome for the last time: one of the two sees the other.
        if not worker_file.exists():
            settle(self._instance, run_id)
            return True
        killer = threading.Timer(self._grace, _kill, (worker_file, worker))
        killer.daemon = True
        killer.start()
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True: run monitoring finds the runs whose worker is gone."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's worker lives."""
        worker = living_worker(self._worker_file(run.run_id))
        if worker is None:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the run's process is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=f"{worker.pid} on {worker.host}")

    def dispose(self) -> None:
        """Lets the warm processes go; each ends when its last worker has."""
        with self._lock:
            while self._current:
                self._current.popitem()[1].retire()

    def _worker_file(self, run_id: str) -> Path:
        return Path(self._instance.storage_directory()) / "run_workers" / run_id

    def _warm_process(self, context: LaunchRunContext, origin: RepositoryPythonOrigin) -> "_WarmProcess":
        """The living warm process of the run's code location, with the code it has now."""
        location, server = _code_location(context)
        process = self._current.pop(location, None)
        if process is not None and (process.server != server or process.ended):
            process.retire()
            process = None
        self._current[location] = process = process or _WarmProcess(server, Warmth(self._preload, origin))
        return process


class _WarmProcessGoneError(HrisError):
    """The warm process died or does not answer."""


class _WarmProcess:
    """A warm process, seen from the launcher; ``server`` identifies the code it has imported."""

    def __init__(self, server: str, warmth: Warmth) -> None:
        self.server = server
        self._pipe, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [warmth.origin.executable_path, "-c", _command(theirs)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        try:
            self.ask(warmth, _WARM_UP_SECONDS)
        except HrisError:
            self.retire()
            raise

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def ask(self, message: Warmth | Launch, seconds: float) -> None:
        """Sends a message and waits for the answer; raises what it says is wrong."""
        try:
            self._pipe.send(message)
            if not self._pipe.poll(seconds):
                raise TimeoutError
            problem = self._pipe.recv()
        except (OSError, EOFError) as error:
            self._process.kill()
            self._process.wait()
            raise _WarmProcessGoneError(
                "The process that forks runs died or is stuck: launch the run again."
            ) from error
        if problem:
            raise HrisError(problem)

    def retire(self) -> None:
        """No more launches: it ends by itself after its last worker, and is waited for so that it leaves no zombie."""
        self._pipe.close()
        threading.Thread(target=self._process.wait, daemon=True).start()


def _command(pipe: "Connection[Any, Any]") -> str:
    return f"from {warm_process.__name__} import serve; serve({pipe.fileno()})"


def _code_location(context: LaunchRunContext) -> tuple[str, str]:
    """The name of the run's code location and the id of the server that has its code; empty without a workspace.

    The server is asked, for it may have been replaced since the location was last looked at; one that does not answer
    is taken for the one that was there.
    """
    remote = context.dagster_run.remote_job_origin
    if context.workspace is None or remote is None:
        return "", ""
    name = remote.repository_origin.code_location_origin.location_name
    location = context.workspace.get_code_location(name)
    if not isinstance(location, GrpcServerCodeLocation):
        return name, ""
    try:
        return name, sync_get_server_id(location.client)
    except DagsterUserCodeUnreachableError:
        return name, location.server_id


def _kill(worker_file: Path, worker: Worker) -> None:
    if living_worker(worker_file) == worker:
        _send(worker, signal.SIGKILL)


def _send(worker: Worker, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(worker.pid, number)
