"""What does not pass, as Dagster shows it: asset checks of validation and guards, and what a failing step leaves
behind, the failure recorded and an error without anybody's data.

Counts and EmployeeIds, never values. A check has one status an asset, that of the integration it last ran for; the
store tells for each.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pandas as pd

from hris_pipeline.change_set.guards import GUARDS
from hris_pipeline.defs.metadata import console_link, failed_rows_table, join_ids
from hris_pipeline.defs.runs import FAILURE_TAG, SKIPPED_TAG, RunInfo, run_info, tag_run
from hris_pipeline.environment import Environment
from hris_pipeline.errors import (
    FrameInvalid,
    HrisError,
    ImportHeld,
    ImportRunning,
    ImportStale,
    MachineError,
    RunReplaced,
    UsageError,
)
from hris_pipeline.files import machine_words
from hris_pipeline.operations.automation import complete_due_import
from hris_pipeline.operations.planning import record_failure
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.text import plural
from hris_pipeline.store.imports import Import
from hris_pipeline.transform.validate import TooManyBadRows, check_summary

__all__ = [
    "EMPLOYEES_CHECKS",
    "GUARD_CHECKS",
    "MAPPED_USERS_CHECKS",
    "HeldImport",
    "extract_unusable",
    "extract_usable",
    "finish_due",
    "guard_results",
    "held_import",
    "recording_failures",
    "redacted_errors",
    "require_current",
    "require_integration",
    "rows_valid",
    "show_no_stack",
    "skip_run",
]

_Context = dg.AssetExecutionContext | dg.OpExecutionContext

_KNOWN_ENDS = (ImportHeld, ImportStale)
"""Ends of an import that the store knows by their own names."""


@contextmanager
def recording_failures(context: _Context, services: Services, extract_id: str | None = None) -> Iterator[RunInfo]:
    """Wraps a step of an import: gives who started the run, and records a failure as a failed import with the extract
    that the step worked on.

    An automatic import that meets another one half-way ends red too, for it cannot go on, but as skipped: it is no
    failure, and its due moment is asked for again.
    """
    run = require_integration(context.run)
    try:
        with redacted_errors(_op_name(context)):
            require_current(context.instance, run.run_id)
            yield run
    except HrisError as error:
        services.hold.release(run.integration_id)
        _record(context, services, run, error, extract_id)
        raise


def require_integration(run: dg.DagsterRun) -> RunInfo:
    """The run's integration and what is known of the run.

    Raises:
        UsageError: it was launched for no integration.
    """
    info = run_info(run)
    if not info.integration_id:
        raise UsageError(
            f"{info.job} was launched for no integration: choose one as the partition, or give the tag "
            "dagster/partition its name."
        )
    return info


def require_current(instance: dg.DagsterInstance, run_id: str) -> None:
    """Stops a run that was believed dead while it was cut off, because another one does its work by now.

    Raises:
        RunReplaced: it has ended as far as Dagster knows.
    """
    run = instance.get_run_by_id(run_id)
    if run is not None and run.is_finished:
        raise RunReplaced(f"Run {run_id[:8]} was taken for dead meanwhile, and goes no further.")


def _record(context: _Context, services: Services, run: RunInfo, error: HrisError, extract_id: str | None) -> None:
    """Records the failure in the store and on the run; if recording fails too, the first failure is still the one
    raised."""
    if isinstance(error, RunReplaced):
        return
    if run.automatic and isinstance(error, ImportRunning):
        tag_run(context.instance, run.run_id, SKIPPED_TAG, str(error))
        return
    tag_run(context.instance, run.run_id, FAILURE_TAG, str(error))
    if isinstance(error, _KNOWN_ENDS):
        return
    try:
        record_failure(
            services,
            run.integration_id,
            str(error),
            trigger=run.trigger,
            actor=run.actor,
            run_id=run.run_id,
            extract_id=extract_id,
        )
    except Exception as unrecorded:
        context.log.warning("The failure could not be recorded in the store (%s).", type(unrecorded).__name__)


def _op_name(context: _Context) -> str:
    op_context = context.op_execution_context if isinstance(context, dg.AssetExecutionContext) else context
    return op_context.op.name


def finish_due(services: Services, run: RunInfo) -> None:
    """Marks the due moment of an automatic import as handled, at the import's end."""
    if run.due_at is not None:
        complete_due_import(services, run.integration_id, run.due_at)


def skip_run(context: dg.AssetExecutionContext, reason: str) -> None:
    """Says on the run why it ends without doing anything; the step returns without a value, which skips all others."""
    context.log.info("Skipped: %s.", reason)
    tag_run(context.instance, context.run.run_id, SKIPPED_TAG, reason)


class HeldImport(dg.Failure, ImportHeld):
    """The end of a run whose change set is held: not broken, never retried. One error, so that Dagster shows one."""


def show_no_stack() -> None:
    """Leaves out of every error from here on where it was raised, with Python's own switch for that: under the text of
    a held run Dagster would show the frames of its own insides, and the run is at its end. Whoever runs a job within a
    process of theirs sets ``sys.tracebacklimit`` back (``running``)."""
    sys.tracebacklimit = 0


def held_import(summary: Import, environment: Environment) -> HeldImport:
    """The error that a held import ends with: it waits for a person, and where to decide."""
    figures = {guard.name: f"{guard.observed}, limit {guard.limit}" for guard in summary.tripped}
    link = console_link(summary, environment)
    console = f"review it in the console ({link['review'].value})" if link else "review it in `hris console`"
    message = (
        f"HELD, not broken: import {summary.import_id} waits for a person, and nothing of it was applied. To let it "
        f"through, {console} or launch the job approve_import for {summary.integration_id} with its digest; on a "
        f"command line `hris show {summary.import_id}`, then `hris approve {summary.import_id} --digest "
        f"{summary.digest} --by WHO --reason WHY`. Held by "
        + "; ".join(f"{name}: {figure}" for name, figure in figures.items())
        + "."
    )
    metadata = {**link, "import_id": summary.import_id, "digest": summary.digest, **figures}
    return HeldImport(message, metadata=metadata, allow_retries=False)


@contextmanager
def redacted_errors(work: str) -> Iterator[None]:
    """Lets errors of this project through alone, without what caused them; what this machine lacks is said in words; of
    any other only its kind and place remain.

    Dagster stores every error with its causes, and a database's or a parser's message may quote a person's data.
    """
    try:
        yield
    except dg.Failure:
        raise
    except HrisError as error:
        raise error from None
    except Exception as error:
        if (words := machine_words(error)) is not None:
            raise MachineError(f"{work} failed: {words}.") from None
        message = f"{work} failed unexpectedly ({type(error).__name__}): the stack trace of its run shows where."
        raise HrisError(message).with_traceback(error.__traceback__) from None


_USABLE, _VALID = "extract_usable", "rows_valid"

_VALID_SPEC = (
    "Every row passes its checks. Those that do not are quarantined, which blocks nobody else: "
    "the table names field, check and EmployeeIds."
)

EMPLOYEES_CHECKS = (
    dg.AssetCheckSpec(
        _USABLE,
        asset="employees",
        description="The extract as a whole can be used: there are rows, needed columns, and not too many bad rows.",
    ),
    dg.AssetCheckSpec(_VALID, asset="employees", description=_VALID_SPEC),
)

MAPPED_USERS_CHECKS = (dg.AssetCheckSpec(_VALID, asset="mapped_users", description=_VALID_SPEC),)

GUARD_CHECKS = tuple(
    dg.AssetCheckSpec(
        name,
        asset="change_set",
        description="A guard: when it trips, nothing of the change set is applied until a person approves it.",
    )
    for name in GUARDS
)


def extract_usable(integration_id: str) -> dg.AssetCheckResult:
    """The frame passed as a whole."""
    return dg.AssetCheckResult(
        asset_key="employees", check_name=_USABLE, passed=True, metadata={"integration": integration_id}
    )


def extract_unusable(integration_id: str, error: FrameInvalid) -> dg.AssetCheckResult:
    """The frame failed as a whole; when that is for too many bad rows, a table tells by field and check whose."""
    counts = check_summary(error.quarantined) if isinstance(error, TooManyBadRows) else []
    return dg.AssetCheckResult(
        asset_key="employees",
        check_name=_USABLE,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=str(error),
        metadata={"integration": integration_id, **({"failed_rows": failed_rows_table(counts)} if counts else {})},
    )


def rows_valid(asset: str, integration_id: str, quarantined: pd.DataFrame) -> dg.AssetCheckResult:
    """Passes when no row is quarantined; otherwise tells by field and check whose rows are."""
    counts = check_summary(quarantined)
    people = quarantined["hris_id"].nunique()
    described = f"{plural(people, 'person', 'people')} quarantined" if counts else "nobody quarantined"
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=_VALID,
        passed=not counts,
        severity=dg.AssetCheckSeverity.WARN,
        description=described,
        metadata={
            "integration": integration_id,
            **({"quarantined": people, "failed_rows": failed_rows_table(counts)} if counts else {}),
        },
    )


def guard_results(summary: Import) -> Iterator[dg.AssetCheckResult]:
    """One result a guard: its limit, what was observed, and the EmployeeIds affected when it tripped."""
    for guard in summary.guards:
        yield dg.AssetCheckResult(
            asset_key="change_set",
            check_name=guard.name,
            passed=not guard.tripped,
            severity=dg.AssetCheckSeverity.ERROR,
            description=guard.sentence,
            metadata={
                "integration": summary.integration_id,
                "limit": guard.limit,
                "observed": guard.observed,
                "import_id": summary.import_id,
                **({"EmployeeIds": join_ids(guard.employee_ids)} if guard.employee_ids else {}),
            },
        )
