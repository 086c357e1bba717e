"""What a failing step leaves behind: the failure recorded, and an error without anybody's data."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from hris_pipeline.defs.runs import FAILURE_TAG, SKIPPED_TAG, RunInfo, run_info, tag_run
from hris_pipeline.errors import HrisError, ImportHeld, ImportRunning, ImportStale
from hris_pipeline.operations.automation import complete_due_import
from hris_pipeline.operations.planning import record_failure
from hris_pipeline.operations.services import Services

__all__ = [
    "finish_due",
    "recording_failures",
    "redacted_errors",
    "skip_run",
]


_Context = dg.AssetExecutionContext | dg.OpExecutionContext

_KNOWN_ENDS = (ImportHeld, ImportStale)
"""Ends of an import that the store knows by their own names."""


@contextmanager
def recording_failures(context: _Context, services: Services) -> Iterator[RunInfo]:
    """The body of a step of an import: gives who started the run; a failure is recorded as a failed import.

    An automatic import that meets another one half-way ends red too, for it cannot go on, but as skipped: it is no
    failure, and its due moment is asked for again.
    """
    run = run_info(context.run)
    try:
        with redacted_errors(_name(context)):
            yield run
    except HrisError as error:
        _record(context, services, run, error)
        raise


def _record(context: _Context, services: Services, run: RunInfo, error: HrisError) -> None:
    """Leaves the failure in the store and on the run; that this fails too must not hide the failure itself."""
    if run.automatic and isinstance(error, ImportRunning):
        tag_run(context.instance, run.run_id, SKIPPED_TAG, str(error))
        return
    tag_run(context.instance, run.run_id, FAILURE_TAG, str(error))
    if isinstance(error, _KNOWN_ENDS):
        return
    try:
        record_failure(
            services, run.integration_id, str(error), trigger=run.trigger, actor=run.actor, run_id=run.run_id
        )
    except Exception as unrecorded:
        context.log.warning("The failure could not be recorded in the store (%s).", type(unrecorded).__name__)


def _name(context: _Context) -> str:
    op_context = context.op_execution_context if isinstance(context, dg.AssetExecutionContext) else context
    return op_context.op.name


def finish_due(services: Services, run: RunInfo) -> None:
    """An automatic import came to its end: its due moment is dealt with."""
    if run.due_at is not None:
        complete_due_import(services, run.integration_id, run.due_at)


def skip_run(context: dg.AssetExecutionContext, reason: str) -> None:
    """Says on the run why it ends without doing anything; the step returns without a value, which skips all others."""
    context.log.info("Skipped: %s.", reason)
    tag_run(context.instance, context.run.run_id, SKIPPED_TAG, reason)


@contextmanager
def redacted_errors(what: str) -> Iterator[None]:
    """Lets errors of this project through alone, without what caused them; of any other only its kind and place remain.

    Dagster stores every error with its causes, and a database's or a parser's message may quote a person's data.
    """
    try:
        yield
    except dg.Failure:
        raise
    except HrisError as error:
        raise error from None
    except Exception as error:
        message = f"{what} failed unexpectedly ({type(error).__name__}): the stack trace of its run shows where."
        raise HrisError(message).with_traceback(error.__traceback__) from None
