"""The jobs: three that import, and three by which a person steers from the UI. Each runs for one integration."""

import dagster as dg
from pydantic import Field

from hris_pipeline.defs.failures import redacted_errors
from hris_pipeline.defs.partitions import integration_partitions
from hris_pipeline.defs.runs import IMPORT_USERS, run_info
from hris_pipeline.operations.automation import pause, resume
from hris_pipeline.operations.connection import refresh_connection as refresh
from hris_pipeline.operations.decisions import approve_import as approve
from hris_pipeline.operations.services import Services

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
    """Which held change set a person lets through."""

    import_id: str = Field(description="The held import.")
    digest: str = Field(description="Its digest, as the preview shows it.")
    by: str = Field(description="Who approves.")
    reason: str = Field(description="Why.")


@dg.op(name="pause")
def _pause(context: dg.OpExecutionContext, config: ReasonConfig, services: dg.ResourceParam[Services]) -> None:
    with redacted_errors("pause_imports"):
        run = run_info(context.run)
        pause(services, run.integration_id, config.by or run.actor, config.reason)


@dg.op(name="resume")
def _resume(context: dg.OpExecutionContext, config: ReasonConfig, services: dg.ResourceParam[Services]) -> None:
    with redacted_errors("resume_imports"):
        run = run_info(context.run)
        resume(services, run.integration_id, config.by or run.actor, config.reason)


@dg.op(name="approve")
def _approve(config: ApprovalConfig, services: dg.ResourceParam[Services]) -> None:
    with redacted_errors("approve_import"):
        approve(services, config.import_id, config.digest, config.by, config.reason)


@dg.op(name="refresh")
def _refresh(context: dg.OpExecutionContext, services: dg.ResourceParam[Services]) -> None:
    with redacted_errors("refresh_connection"):
        refresh(services, run_info(context.run).integration_id)


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
    executor_def=dg.in_process_executor,
    description="Lets exactly one held change set through, by its digest; applied by `save_import` or the next import.",
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


JOBS = (preview_import, save_import, import_users, approve_import, pause_imports, resume_imports, refresh_connection)
