"""A worker of the run queue."""

import os
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
        then=partial(_serve, count, queues, name),
    )


def _serve(slots: int, queues: tuple[str, ...], name: str) -> None:
    from hris_pipeline.defs.celery_worker import serve_runs  # noqa: PLC0415
    from hris_pipeline.environment import Environment  # noqa: PLC0415
    from hris_pipeline.running import open_instance  # noqa: PLC0415

    serve_runs(open_instance(Environment.read()), slots=slots, queues=queues, name=name)
