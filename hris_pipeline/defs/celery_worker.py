"""A Celery worker that executes runs: each in a process of its own, forked from one that has imported everything.

    broker ──▶ worker (imports, opens nothing, forks) ──▶ child: run 1, in a process that ends with it
                                                      ──▶ child: run 2

A child holds the run's lock (``run_lock``) as long as it works on it. Dagster's storage stays connected for the whole
run by Dagster's own means. The worker's settings are the launcher's, so that both agree (``celery_launcher``).
"""

import gc
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

import dagster as dg
from celery import Celery
from celery.signals import worker_init, worker_process_init
from celery.worker import state as worker_state
from celery.worker.control import control_command
from dagster._cli.api import _execute_run_command_body
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import unpack_value
from dagster._utils.interrupts import capture_interrupts
from dagster_celery.config import TASK_EXECUTE_JOB_NAME

from hris_pipeline.defs.celery_launcher import INTERRUPT_RUN, QUEUES, CompanyRunLauncher, settle_run
from hris_pipeline.defs.run_lock import hold_run
from hris_pipeline.environment import Environment
from hris_pipeline.errors import UsageError
from hris_pipeline.store.engine import open_store

__all__ = ["PRELOAD", "serve_runs"]

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
"""What a run imports only once it is under way: a quarter of its computing, if left to each child."""

DEFINITIONS = "hris_pipeline.definitions"

_NOT_BEGUN = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING)
_NEVER_BEGAN = "The run was terminated before it did anything."
_DIED = "The process that worked on the run is gone."

STATEMENT_MILLISECONDS = 300_000
POOL_RECYCLE_SECONDS = 3600
POOL_OVERFLOW = 4
"""Dagster opens a connection a statement unless told that it serves: then it keeps one, and opens so many more."""


def serve_runs(instance: dg.DagsterInstance, *, slots: int, queues: Sequence[str] = QUEUES, name: str = "") -> None:
    """Executes the runs of ``queues``, ``slots`` at a time, until the process is told to stop; then those that are
    under way are finished.

    Raises:
        UsageError: the instance does not launch runs through Celery.
    """
    app = make_app(instance)
    instance.dispose()
    host = ("--hostname", f"{name}@%h") if name else ()
    options = ("--concurrency", str(slots), "--queues", ",".join(queues), "--pool", "prefork", "--loglevel", "INFO")
    app.worker_main(["worker", *options, *host, "--without-gossip", "--without-mingle", "--without-heartbeat"])


def make_app(instance: dg.DagsterInstance) -> Celery:
    """The Celery application of the instance's launcher, with what a worker does.

    Raises:
        UsageError: the instance does not launch runs through Celery.
    """
    launcher = instance.run_launcher
    if not isinstance(launcher, CompanyRunLauncher):
        raise UsageError(
            f"Dagster's instance launches runs by {type(launcher).__name__}, which needs no worker: put "
            "deploy/celery/dagster.yaml into DAGSTER_HOME to hand them to workers."
        )
    app = launcher.celery
    app.task(name=TASK_EXECUTE_JOB_NAME)(execute_job)
    worker_init.connect(_import_everything)
    worker_process_init.connect(_wait_for_a_run)
    return app


def execute_job(execute_job_args_packed: Any) -> None:
    """One run, in the child; a run that another process works on already is left to it."""
    with capture_interrupts():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        _execute(unpack_value(execute_job_args_packed, as_type=ExecuteRunArgs).run_id)


def _execute(run_id: str) -> None:
    store = open_store(Environment.read())
    try:
        with dg.DagsterInstance.get() as instance:
            instance.optimize_for_webserver(STATEMENT_MILLISECONDS, POOL_RECYCLE_SECONDS, POOL_OVERFLOW)
            with hold_run(store, run_id) as held:
                run = instance.get_run_by_id(run_id)
                if not held or run is None:
                    return
                message = _NEVER_BEGAN if run.status is dg.DagsterRunStatus.CANCELING else _DIED
                if run.status in _NOT_BEGUN:
                    _execute_run_command_body(
                        run_id, instance, partial(_keep_canceling, instance, run_id), set_exit_code_on_failure=False
                    )
            settle_run(instance, run_id, message)
    finally:
        store.close()


def _keep_canceling(instance: dg.DagsterInstance, run_id: str, event: dg.DagsterEvent) -> None:
    """Takes up again a termination asked for while the run was starting, whose status its start has overwritten.

    Dagster would call a run that is interrupted but not canceling failed. Whoever terminates a run stores the event
    before the status, so the event is there by now.
    """
    if event.event_type is not dg.DagsterEventType.RUN_START:
        return
    run = instance.get_run_by_id(run_id)
    if run is not None and instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_CANCELING):
        instance.report_run_canceling(run, "The run was terminated while it was starting.")


def _import_everything(**_: Any) -> None:
    """Before the first fork: everything a run imports, so that no child has to."""
    for module in (*PRELOAD, DEFINITIONS):
        import_module(module)
    gc.collect()
    gc.freeze()


def _wait_for_a_run(**_: Any) -> None:
    """In a child before its run: an interrupt waits until the run can be canceled by it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


@control_command(name=INTERRUPT_RUN, args=[("task_id", str), ("grace_seconds", float)])  # type: ignore[untyped-decorator]
def _interrupt_run(state: Any, task_id: str, grace_seconds: float) -> dict[str, str]:
    """In the worker: interrupts the child that works on the task, and kills it after the grace period."""
    for request in tuple(worker_state.active_requests):
        if request.id == task_id and request.worker_pid:
            _send(request.worker_pid, signal.SIGTERM)
            state.consumer.timer.call_after(grace_seconds, _kill, (task_id, request.worker_pid))
            return {"ok": "interrupted"}
    return {"ok": "not here"}


def _kill(task_id: str, pid: int) -> None:
    if any(request.id == task_id and request.worker_pid == pid for request in tuple(worker_state.active_requests)):
        _send(pid, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
