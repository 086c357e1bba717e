"""Decisions that are made by launching a run: written down as such, once. What they mean is the operations'."""

from contextlib import AbstractContextManager, nullcontext

import dagster as dg

from hris_pipeline.defs.runs import METHOD_TAG, run_info
from hris_pipeline.operations.decision_log import DecidedBy, deciding
from hris_pipeline.operations.services import Services
from hris_pipeline.store.imports import Import

__all__ = ["deciding_in_run"]


def deciding_in_run(
    run: dg.DagsterRun, services: Services, action: str, by: str, reason: str, summary: Import | None = None
) -> AbstractContextManager[None]:
    """Writes down a decision that somebody made by launching a run past the door of `hris ui`, whoever that was; one
    that came through the door, or from the command line, was written down there, and a schedule decides nothing.

    Args:
        run: The run.
        services: The store and the clock.
        action: As ``roles`` names it.
        by: The name given in the launchpad; empty: whoever started the run.
        reason: Why, as it was given.
        summary: The import it is about.
    """
    info = run_info(run)
    if METHOD_TAG in run.tags or info.automatic:
        return nullcontext()
    integration_id = summary.integration_id if summary else info.integration_id
    decided_by = DecidedBy(by or info.actor, info.actor, "dagster")
    return deciding(services, integration_id, action, decided_by, summary.import_id if summary else None, reason)
