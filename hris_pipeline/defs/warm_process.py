"""The process that forks the runs of a code location, and the workers it forks. ``launcher`` starts it and asks it.

A warm process imports what a run needs, opens nothing, starts no thread, and then only forks and waits. It answers
every message with what went wrong, in words, or with nothing. Nothing here decides what runs or when.
"""

import gc
import importlib
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import IO, Any

from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRunStatus
from dagster._cli.api import _execute_run_command_body
from dagster._core.instance import InstanceRef
from dagster._core.origin import RepositoryPythonOrigin
from dagster._utils import get_run_crash_explanation
from dagster._utils.hosted_user_process import recon_repository_from_origin
from dagster._utils.interrupts import capture_interrupts

from hris_pipeline.defs.sqlite_storage import kept_open
from hris_pipeline.errors import UsageError

try:
    import fcntl
except ImportError as missing:
    raise UsageError(
        "WarmRunLauncher forks its runs, which this system cannot: remove run_launcher from dagster.yaml."
    ) from missing

__all__ = ["Launch", "Warmth", "Worker", "living_worker", "serve", "settle"]

_INTERRUPTS = {signal.SIGINT, signal.SIGTERM}

_ENDS = {DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Warmth:
    """The first message: what to import before forking."""

    preload: tuple[str, ...]
    origin: RepositoryPythonOrigin


@dataclass(frozen=True)
class Launch:
    """Every further message: the run to fork a worker for, its instance, and the file that the worker holds."""

    run_id: str
    instance: InstanceRef
    worker_file: Path


@dataclass(frozen=True)
class Worker:
    """A living worker: its process id, and the host (machine or container) on which that id means it."""

    pid: int
    host: str


def living_worker(worker_file: Path) -> Worker | None:
    """The worker that holds the file; None when nobody does."""
    try:
        with worker_file.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        pid, host = worker_file.read_text().split()
        return Worker(int(pid), host)
    return None


def serve(pipe_descriptor: int) -> None:
    """The life of a warm process: imports, then forks a worker a launch until nobody can ask and no worker is left."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    pipe: Connection[Any, Any] = Connection(pipe_descriptor)
    problem = _warm_up(pipe.recv())
    pipe.send(problem)
    if not problem:
        _fork_workers(pipe)


def _warm_up(warmth: Warmth) -> str:
    try:
        for module in warmth.preload:
            importlib.import_module(module)
        recon_repository_from_origin(warmth.origin).get_definition()
    except Exception as error:
        _log.exception("The code of the runs does not load.")
        return f"The code of the run does not load ({type(error).__name__}: {error}): mend it and launch the run again."
    threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if threads:
        return (
            f"Importing the code of the run starts threads, which no fork has ({', '.join(threads)}): start them later."
        )
    gc.collect()
    gc.freeze()
    return ""


def _fork_workers(pipe: "Connection[Any, Any]") -> None:
    workers: dict[int, tuple[ForkProcess, Launch]] = {}
    askers = [pipe]
    while askers or workers:
        for ready in wait([*askers, *workers]):
            if isinstance(ready, int):
                _bury(*workers.pop(ready))
                continue
            try:
                launch = pipe.recv()
                worker, problem = _fork(pipe, launch)
                if worker is not None:
                    workers[worker.sentinel] = worker, launch
                pipe.send(problem)
            except (EOFError, OSError):
                askers.clear()


def _fork(pipe: "Connection[Any, Any]", launch: Launch) -> tuple[ForkProcess | None, str]:
    """The worker, holding its file from its first moment, or why there is none."""
    try:
        with _held(launch.worker_file) as file:
            worker = ForkProcess(target=_work, args=(pipe, launch))
            worker.start()
            file.write(f"{worker.pid} {os.uname().nodename}")
    except OSError as error:
        return None, f"Run {launch.run_id} gets no process: {error}."
    return worker, ""


@contextmanager
def _held(worker_file: Path) -> Iterator[IO[str]]:
    """The worker file, locked until this handle and every one inherited from it is closed."""
    worker_file.parent.mkdir(parents=True, exist_ok=True)
    with worker_file.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError("it already has a living one") from None
        file.truncate(0)
        yield file


def _bury(worker: ForkProcess, launch: Launch) -> None:
    worker.join()
    if worker.exitcode:
        ForkProcess(target=_report_crash, args=(launch, worker.exitcode)).start()


def _work(pipe: "Connection[Any, Any]", launch: Launch) -> None:
    """Executes one run, in the worker; an interrupt sent to it at any moment since the fork cancels the run."""
    pipe.close()
    with capture_interrupts(), DagsterInstance.from_ref(kept_open(launch.instance)) as instance:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTS)
        _execute_run_command_body(
            launch.run_id, instance, partial(_keep_canceling, instance, launch), set_exit_code_on_failure=False
        )
        launch.worker_file.unlink(missing_ok=True)
        settle(instance, launch.run_id)


def _keep_canceling(instance: DagsterInstance, launch: Launch, event: DagsterEvent) -> None:
    """Takes up again a termination asked for while the run was starting, whose status its start has overwritten.

    Dagster would call a run that is interrupted but not canceling failed. Whoever terminates a run stores the event
    before the status, so the event is there by now.
    """
    if event.event_type is not DagsterEventType.RUN_START:
        return
    run = instance.get_run_by_id(launch.run_id)
    if run is not None and instance.all_logs(launch.run_id, of_type=DagsterEventType.RUN_CANCELING):
        instance.report_run_canceling(run, "The run was terminated while it was starting.")


def _report_crash(launch: Launch, exit_code: int) -> None:
    """Ends the run of a worker that died, in a process of its own: the warm process opens nothing."""
    with DagsterInstance.from_ref(launch.instance) as instance:
        settle(instance, launch.run_id, get_run_crash_explanation(f"The process of run {launch.run_id}", exit_code))
    launch.worker_file.unlink(missing_ok=True)


def settle(
    instance: DagsterInstance, run_id: str, message: str = "The run was terminated before it did anything."
) -> None:
    """Gives a run that no worker will end its outcome: the one reported before a termination overwrote it, or else
    canceled when it was terminated, failed when it was not."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    if ended := instance.all_logs(run_id, of_type=_ENDS):
        at = datetime.fromtimestamp(ended[-1].timestamp, UTC)
        instance.run_storage.handle_run_event(run_id, ended[-1].get_dagster_event(), at)
    elif run.status is DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)
