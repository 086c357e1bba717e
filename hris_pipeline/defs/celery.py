"""Runs through Celery: its run launcher, with what it lacks (dead workers are noticed, a terminated run ends as
canceled), and a worker that executes each run in a process of its own, forked from one that has imported everything.

    broker ──▶ worker (imports, opens nothing, forks) ──▶ child: run 1, in a process that ends with it
                                                      ──▶ child: run 2

Launching is dagster-celery's own. Whether a run lives is asked of the store (``defs.runs``), never of Celery, whose
result backend calls a run started for ever when its machine died; so no result backend is needed. A child holds the
run's lock as long as it works on it. Dagster's storage stays connected for the whole run (``instance``). The
worker's settings are the launcher's, so that both agree.
"""

import logging
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib import import_module
from typing import Any, Self

import dagster as dg
from celery import Celery
from celery.signals import worker_init, worker_process_init
from celery.worker import state as worker_state
from celery.worker.control import control_command
from dagster._cli.api import _execute_run_command_body
from dagster._config import UserConfigSchema
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClassData, unpack_value
from dagster._utils.interrupts import capture_interrupts
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from fsspec import get_filesystem_class
from fsspec.utils import get_protocol
from kombu.entity import Exchange, Queue
from kombu.transport import redis

from hris_pipeline.defs.instance import share_connections
from hris_pipeline.defs.runs import RETAKEN_SECONDS, hold_run, living_runs
from hris_pipeline.environment import Environment
from hris_pipeline.errors import UsageError
from hris_pipeline.store.engine import Store, open_store

__all__ = [
    "IMPORTS_QUEUE",
    "INTERRUPT_RUN",
    "LARGE_QUEUE",
    "PRELOAD",
    "QUEUES",
    "CompanyRunLauncher",
    "declared_queues",
    "serve_runs",
    "settle_run",
]

IMPORTS_QUEUE, LARGE_QUEUE = "imports", "large"

QUEUES = (IMPORTS_QUEUE, LARGE_QUEUE)
"""Where runs wait for a worker; a run goes to the second with the tag ``dagster-celery/queue: large``."""

INTERRUPT_RUN = "interrupt_run"
"""What a worker is asked for when a run of it is terminated."""

LONGEST_RUN_SECONDS = 8 * 3600
"""After so long a broker like Redis gives a run to another worker; above ``max_runtime_seconds`` of the instance."""

HEALTH_CHECK_SECONDS = 5
"""A worker whose connection to Redis is there and dead, as after Redis was lost, notices within two of these and a
second; by itself it would take a minute."""

_ENDS = {dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED}


class CompanyRunLauncher(CeleryRunLauncher):
    """``CeleryRunLauncher`` whose runs' health is a lock of the store; ``HRIS_STORE_URL`` must be set where it is.

    ``broker`` is the broker's address: Redis or RabbitMQ, or ``filesystem://`` for one machine without a service (the
    messages are then files in ``HRIS_HOME/broker``). ``terminate_grace_seconds`` is how long a terminated run may take
    to end before its process is killed.
    """

    def __init__(
        self,
        broker: str,
        terminate_grace_seconds: int = 30,
        config_source: dict[str, Any] | None = None,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        settings = _app_settings(broker) | (config_source or {})
        super().__init__(default_queue=IMPORTS_QUEUE, broker=broker, config_source=settings, inst_data=inst_data)
        self.celery.conf.task_queues = declared_queues()
        self._grace = terminate_grace_seconds
        self._seen_dead: dict[str, float] = {}

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """The launcher's ``config`` in dagster.yaml."""
        return {
            "broker": dg.Field(dg.StringSource, description="The address of the Celery broker."),
            "terminate_grace_seconds": dg.Field(
                dg.IntSource,
                is_required=False,
                description="Seconds a terminated run may take to end before its process is killed. Defaults to 30.",
            ),
            "config_source": dg.Field(
                dict, is_required=False, description="Further settings of the Celery application."
            ),
        }

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """The launcher that dagster.yaml describes."""
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_resume_run(self) -> bool:
        """False: a run is one process and is started again as a whole."""
        return False

    def terminate(self, run_id: str) -> bool:
        """Interrupts the run wherever it is; its worker kills it if it is still there after the grace period.

        False, and nothing done, when it has ended. A run that still waits for a worker ends the moment it gets one.
        """
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        if self._is_alive(run_id):
            task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
            self.celery.control.broadcast(INTERRUPT_RUN, arguments={"task_id": task_id, "grace_seconds": self._grace})
        elif self._instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_START):
            # Its worker lets the lock go before it looks at its outcome for the last time: one of the two sees it.
            settle_run(self._instance, run_id)
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process lives, on whatever machine; it is believed dead when it is seen so twice."""
        if self._is_alive(run.run_id):
            self._seen_dead.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        since = self._seen_dead.setdefault(run.run_id, time.monotonic())
        if time.monotonic() - since < RETAKEN_SECONDS:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its process is looked for once more", transient=True)
        del self._seen_dead[run.run_id]
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the run's process is gone")

    def get_run_worker_debug_info(
        self,
        run: dg.DagsterRun,
        include_container_logs: bool | None = True,  # noqa: ARG002
    ) -> str | None:
        """Which task it is, for whoever looks through the worker's log."""
        return f"Celery task {run.tags.get(DAGSTER_CELERY_TASK_ID_TAG, 'unknown')}"

    def dispose(self) -> None:
        """Lets go of the store."""
        if "_store" in self.__dict__:
            self._store.close()

    def _is_alive(self, run_id: str) -> bool:
        return run_id in living_runs(self._store, (run_id,))

    @cached_property
    def _store(self) -> Store:
        """Kept open: run monitoring asks for every run under way, three times a minute."""
        return open_store(Environment.read())


def declared_queues() -> tuple[Queue, ...]:
    """Every queue with the routing keys that dagster-celery publishes under."""
    return tuple(Queue(name, _topic_exchange(name), routing_key=f"{name}.#") for name in QUEUES)  # type: ignore[no-untyped-call]


def _topic_exchange(name: str) -> Exchange:
    return Exchange(name, type="topic")  # type: ignore[no-untyped-call]


def settle_run(
    instance: dg.DagsterInstance, run_id: str, message: str = "The run was terminated before it did anything."
) -> None:
    """Gives a run that no worker will end its outcome: the one reported before a termination overwrote it, or else
    canceled when it was terminated, failed when it was not."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    if ended := instance.all_logs(run_id, of_type=_ENDS):
        at = datetime.fromtimestamp(ended[-1].timestamp, UTC)
        instance.run_storage.handle_run_event(run_id, ended[-1].get_dagster_event(), at)
    elif run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)


def _app_settings(broker: str) -> dict[str, Any]:
    """What launcher and workers must agree on. A message is acknowledged when its run has ended: a worker that has all
    its slots full takes no further one, which another machine could start at once."""
    return {
        "worker_prefetch_multiplier": 1,
        "task_acks_late": True,
        "task_ignore_result": True,
        "task_default_queue": IMPORTS_QUEUE,
        "worker_max_tasks_per_child": 1,
        "worker_redirect_stdouts": False,
        "worker_hijack_root_logger": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": _transport_options(broker),
    }


def _transport_options(broker: str) -> dict[str, Any]:
    if broker.startswith(("amqp:", "amqps:", "pyamqp:")):
        return {"confirm_publish": True, "max_retries": 3, "interval_max": 0.5}  # a launch is on disk, or refused
    if not broker.startswith("filesystem:"):
        return {
            "visibility_timeout": LONGEST_RUN_SECONDS,
            "max_retries": 3,
            "interval_max": 0.5,
            "health_check_interval": HEALTH_CHECK_SECONDS,
        }
    folder = Environment.read().home / "broker"
    for name in ("", "messages", "control"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    messages = str(folder / "messages")
    return {"data_folder_in": messages, "data_folder_out": messages, "control_folder": str(folder / "control")}


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

TALKATIVE = ("httpx", "aiobotocore", "botocore")
"""They log a line for each request, one for each member."""

_NOT_BEGUN = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING)

_NEVER_BEGAN = "The run was terminated before it did anything."

_DIED = "The process that worked on the run is gone."


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
    redis.Channel.QoS = _UnreachableIsNoFault
    app = launcher.celery
    app.task(name=TASK_EXECUTE_JOB_NAME)(execute_job)
    worker_init.connect(_import_everything)
    worker_process_init.connect(_wait_for_a_run)
    return app


class _UnreachableIsNoFault(redis.QoS):
    """What a worker has taken from Redis. When Redis is lost while runs are under way there is nobody to give their
    messages back to; kombu stumbles over that, and Celery would end the worker. They come again, to no effect, when
    the visibility timeout is over."""

    def restore_unacked(self, client: Any = None) -> None:
        if self.channel.connection.client is not None:
            super().restore_unacked(client)  # type: ignore[no-untyped-call]


def execute_job(execute_job_args_packed: Any) -> None:
    """One run, in the child; a run that another process works on already is left to it."""
    with capture_interrupts():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        _execute(unpack_value(execute_job_args_packed, as_type=ExecuteRunArgs).run_id)


def _execute(run_id: str) -> None:
    store = open_store(Environment.read())
    try:
        with dg.DagsterInstance.get() as instance:
            share_connections(instance)
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
    """Repeats a termination that came while the run was starting: starting has overwritten its status.

    Dagster would call a run that is interrupted but not canceling failed. Whoever terminates a run stores the event
    before the status, so the event is there by now.
    """
    if event.event_type is not dg.DagsterEventType.RUN_START:
        return
    run = instance.get_run_by_id(run_id)
    if run is not None and instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_CANCELING):
        instance.report_run_canceling(run, "The run was terminated while it was starting.")


def _import_everything(**_: Any) -> None:
    """Imports, before the first fork, everything that a run needs, so that no child has to."""
    from hris_pipeline.sources.extract import keep_frozen  # noqa: PLC0415 - the launcher does without frames

    for module in (*PRELOAD, DEFINITIONS):
        import_module(module)
    get_filesystem_class(get_protocol(Environment.read().files_url))  # a bucket's takes longer than a small company
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    keep_frozen()


def _wait_for_a_run(**_: Any) -> None:
    """Holds back an interrupt of the child until its run has begun and can be canceled by it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


@control_command(name=INTERRUPT_RUN, args=[("task_id", str), ("grace_seconds", float)])  # type: ignore[untyped-decorator]
def _interrupt_run(state: Any, task_id: str, grace_seconds: float) -> dict[str, str]:
    """In the worker: interrupts the child that works on the task, and kills it after the grace period."""
    for request in tuple(worker_state.active_requests):
        if request.id == task_id and request.worker_pid:
            _send(request.worker_pid, signal.SIGTERM)
            state.consumer.timer.call_after(grace_seconds, _kill_task, (task_id, request.worker_pid))
            return {"ok": "interrupted"}
    return {"ok": "not here"}


def _kill_task(task_id: str, pid: int) -> None:
    if any(request.id == task_id and request.worker_pid == pid for request in tuple(worker_state.active_requests)):
        _send(pid, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
