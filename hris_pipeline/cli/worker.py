"""A worker of the run queue."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated

import typer

from hris_pipeline.cli.printing import CommandResult, cell
from hris_pipeline.errors import UsageError

__all__ = ["worker"]


def worker(
    slots: Annotated[int, typer.Option(min=1, max=256, help="So many runs at a time; a run needs a core.")] = 0,
    queue: Annotated[
        list[str] | None, typer.Option(help="Only this queue: imports or large; may be given twice. Default: both.")
    ] = None,
    name: Annotated[str, typer.Option(help="Tells this worker from others on the machine.")] = "",
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Serves Prometheus metrics there, on all addresses; 0: nowhere.")
    ] = 0,
) -> CommandResult:
    """Executes runs that Dagster's queue hands out through Celery, each in a process of its own, until it is told to
    stop: then those under way are finished. The instance at DAGSTER_HOME must launch through Celery
    (deploy/celery/dagster.yaml).
    """
    try:
        from hris_pipeline.defs.celery_launcher import QUEUES  # noqa: PLC0415 - Dagster, only for this command
    except ModuleNotFoundError as missing:
        raise UsageError(f"A worker needs the extra `celery` ({missing.name} is missing): install it.") from None
    queues = tuple(queue or QUEUES)
    unknown = [name for name in queues if name not in QUEUES]
    if unknown:
        raise UsageError(f"There is no queue {unknown[0]!r}: choose from {', '.join(QUEUES)}.")
    count = slots or os.cpu_count() or 1
    return CommandResult(
        {"slots": count, "queues": list(queues)},
        [cell(f"A worker for {count} runs at a time of {', '.join(queues)} is starting; Ctrl-C stops it.")],
        after=partial(_serve, count, queues, name, metrics_port),
    )


def _serve(slots: int, queues: tuple[str, ...], name: str, metrics_port: int) -> None:
    from hris_pipeline.defs.celery_worker import serve_runs  # noqa: PLC0415
    from hris_pipeline.environment import Environment  # noqa: PLC0415
    from hris_pipeline.running import open_instance  # noqa: PLC0415

    with _metrics(metrics_port):
        serve_runs(open_instance(Environment.read()), slots=slots, queues=queues, name=name)


@contextmanager
def _metrics(port: int) -> Iterator[None]:
    """A process of its own: the worker opens no connection before it forks, and starts no thread."""
    if not port:
        yield
        return
    application = ("--factory", "hris_pipeline.operations.metrics:metrics_app")
    address = ("--host", "0.0.0.0", "--port", str(port), "--log-level", "warning")  # noqa: S104 - Prometheus is elsewhere
    server = subprocess.Popen([sys.executable, "-m", "uvicorn", *application, *address])  # noqa: S603
    try:
        yield
    finally:
        server.terminate()
        server.wait()
