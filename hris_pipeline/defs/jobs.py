"""The jobs: three that import, and those by which a person steers from the UI. Each runs for one integration."""

import dagster as dg
from pydantic import Field

from hris_pipeline.defs.deciding import deciding_in_run
from hris_pipeline.defs.failures import redacted_errors, require_integration
from hris_pipeline.defs.partitions import integration_partitions
from hris_pipeline.defs.pruning import prune
from hris_pipeline.defs.runs import IMPORT_USERS
from hris_pipeline.errors import UnknownName
from hris_pipeline.operations.automation import pause, resume
from hris_pipeline.operations.connection import refresh_connection as refresh
from hris_pipeline.operations.decisions import approve_import as approve
from hris_pipeline.operations.decisions import open_import
from hris_pipeline.operations.imports import read_import
from hris_pipeline.operations.services import Services
from hris_pipeline.store.imports import Import

__all__ = [
    "JOBS",
    "PREVIEWED",
    "approve_import",
    "import_users",
    "pause_imports",
    "preview_import",
    "refresh_connection",
    "resume_imports",
    "save_import",
]

PREVIEWED = ("justworks_members", "employees", "mapped_users", "change_set", "user_file")
"""What a preview materializes."""

preview_import = dg.define_asset_job(
    "preview_import",
    selection=list(PREVIEWED),
    executor_def=dg.in_process_executor,
    description="The first half of a manual import: reads, validates, maps and plans. Changes no user.",
)

save_import = dg.define_asset_job(
    "save_import",
    selection=["applied_changes"],
    executor_def=dg.in_process_executor,
    description="The second half of a manual import: applies the very change set that was previewed.",
)

import_users = dg.define_asset_job(
    IMPORT_USERS,
    selection=[*PREVIEWED, "applied_changes", "upcoming_milestones", "reporting_lines"],
    executor_def=dg.in_process_executor,
    description="A whole import: plans, and applies unless a guard holds it. What schedules and `hris import` run.",
)


class ReasonConfig(dg.Config):
    """Who switches automatic imports, and why."""

    reason: str = Field(description="Why; whoever looks later wants to know.")
    by: str = Field(default="", description="Who; empty: whoever started the run.")


class ApprovalConfig(dg.Config):
    """Who lets the integration's held change set through, and why."""

    by: str = Field(description="Who approves.")
    reason: str = Field(description="Why.")
    import_id: str = Field(default="", description="The held import; empty: the integration's open one.")
    digest: str = Field(
        default="", description="Its digest, as the preview shows it; empty: that of the import as it is now."
    )


@dg.op(name="pause")
def _pause(context: dg.OpExecutionContext, config: ReasonConfig, services: dg.ResourceParam[Services]) -> None:
    with redacted_errors("pause_imports"):
        run = require_integration(context.run)
        with deciding_in_run(context.run, services, "pause", config.by, config.reason):
            pause(services, run.integration_id, config.by or run.actor, config.reason)


@dg.op(name="resume")
def _resume(context: dg.OpExecutionContext, config: ReasonConfig, services: dg.ResourceParam[Services]) -> None:
    with redacted_errors("resume_imports"):
        run = require_integration(context.run)
        with deciding_in_run(context.run, services, "resume", config.by, config.reason):
            resume(services, run.integration_id, config.by or run.actor, config.reason)


@dg.op(name="approve")
def _approve(context: dg.OpExecutionContext, config: ApprovalConfig, services: dg.ResourceParam[Services]) -> None:
    with redacted_errors("approve_import"):
        held = _held_import(context.run, config.import_id, services)
        with deciding_in_run(context.run, services, "approve", config.by, config.reason, held):
            approve(services, held.import_id, config.digest or held.digest or "", config.by, config.reason)


def _held_import(run: dg.DagsterRun, import_id: str, services: Services) -> Import:
    """The one named, or the open one of the run's integration."""
    if import_id:
        return read_import(services, import_id)
    name = require_integration(run).integration_id
    present = open_import(services, name)
    if present is None:
        raise UnknownName(f"{name} has no open import to approve: `hris history {name}` lists what there was.")
    return present


@dg.op(name="refresh")
def _refresh(context: dg.OpExecutionContext, services: dg.ResourceParam[Services]) -> None:
    with redacted_errors("refresh_connection"):
        refresh(services, require_integration(context.run).integration_id)


@dg.job(
    partitions_def=integration_partitions,
    executor_def=dg.in_process_executor,
    description="Stops automatic imports of the integration at once, with a reason; manual ones stay possible.",
)
def pause_imports() -> None:
    """One op."""
    _pause()


@dg.job(
    partitions_def=integration_partitions,
    executor_def=dg.in_process_executor,
    description="Starts automatic imports of the integration, with a reason; what was missed is caught up once.",
)
def resume_imports() -> None:
    """One op."""
    _resume()


@dg.job(
    partitions_def=integration_partitions,
    executor_def=dg.in_process_executor,
    description=(
        "Lets exactly one held change set through, with a name and a reason; applied by `save_import` or the next "
        "import."
    ),
)
def approve_import() -> None:
    """One op."""
    _approve()


@dg.job(
    partitions_def=integration_partitions,
    executor_def=dg.in_process_executor,
    description="Renews the integration's tokens, so that the connection lives however rare the imports are.",
)
def refresh_connection() -> None:
    """One op."""
    _refresh()


JOBS = (
    preview_import,
    save_import,
    import_users,
    approve_import,
    pause_imports,
    resume_imports,
    refresh_connection,
    prune,
)
