"""The last step of the line: applying a change set that was staged before."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import dagster as dg
from pydantic import Field

from hris_pipeline.defs.deciding import deciding_in_run
from hris_pipeline.defs.failures import finish_due, held_import, recording_failures, require_current, show_no_stack
from hris_pipeline.defs.io_manager import FrameIOManager, check_frames, frames_root
from hris_pipeline.defs.metadata import import_metadata
from hris_pipeline.defs.partitions import IMPORT_GROUP, OWNERS, integration_partitions
from hris_pipeline.defs.report_frames import make_reports
from hris_pipeline.defs.runs import (
    APPLIED_TAG,
    HELD_TAG,
    IMPORT_USERS,
    METHOD_TAG,
    PLANNED_TAG,
    RunInfo,
    current_tags,
    tag_run,
)
from hris_pipeline.errors import ImportHeld
from hris_pipeline.operations.decisions import import_to_save, save_import
from hris_pipeline.operations.imports import read_import
from hris_pipeline.operations.notification import notify_import
from hris_pipeline.operations.services import Services
from hris_pipeline.store.imports import Import
from hris_pipeline.store.keyring import load_keyring

__all__ = ["ApplyConfig", "applied_changes", "apply_change_set"]

LOCK_WAIT_SECONDS = 60.0


class ApplyConfig(dg.Config):
    """Which change set is applied."""

    by: str = Field(default="", description="Who saves it; empty: whoever started the run.")
    reason: str = Field(default="", description="Why, if somebody may ask later; written down with the decision.")
    import_id: str = Field(
        default="",
        description="The import to apply; empty: the integration's one open import, planned before this run.",
    )


@dg.op(
    ins={"change_set": dg.In(dg.Nothing)},
    out=dg.Out(dg.Nothing, is_required=False),
    description=(
        "Applies the open import in one transaction, under the integration's lock, once everything has been verified "
        "again: the guards or their approval, the users it touches, the settings."
    ),
)
def apply_change_set(
    context: dg.OpExecutionContext,
    config: ApplyConfig,
    services: dg.ResourceParam[Services],
    frames: dg.ResourceParam[FrameIOManager],
) -> Iterator[dg.Output[None]]:
    """Applies; outside the job ``import_users`` a run that planned a change set itself applies nothing."""
    with recording_failures(context, services) as run:
        planned_here = current_tags(context.instance, run.run_id).get(PLANNED_TAG, "")
        if planned_here and run.job != IMPORT_USERS:
            context.log.info("Nothing applied: nobody has reviewed import %s, which this run planned.", planned_here)
            return
        environment = services.environment
        check_frames(frames_root(environment.files_url), load_keyring(environment), run.integration_id)
        if planned_here and HELD_TAG in current_tags(context.instance, run.run_id):
            make_reports(context, services, frames, run.integration_id)
            show_no_stack()
            raise held_import(read_import(services, planned_here), services.environment)
        require_current(context.instance, run.run_id)
        summary = _saved(context, config, services, run, planned_here)
        services.hold.release(run.integration_id)
        tag_run(context.instance, run.run_id, APPLIED_TAG, summary.import_id)
        finish_due(services, run)
        notify_import(services, summary)
        yield dg.Output(None, metadata=import_metadata(summary, services.environment))


def _saved(
    context: dg.OpExecutionContext, config: ApplyConfig, services: Services, run: RunInfo, planned_here: str
) -> Import:
    """Applies what this run planned; else what somebody decided to save, which is written down."""
    import_id = config.import_id or planned_here or None
    present = import_to_save(services, run.integration_id, import_id)
    decided = deciding_in_run(context.run, services, "save", config.by, config.reason, present)
    try:
        with nullcontext() if planned_here else decided:
            return save_import(
                services,
                run.integration_id,
                import_id,
                actor=config.by or run.actor,
                run_id=run.run_id,
                lock_wait_seconds=LOCK_WAIT_SECONDS,
            )
    except ImportHeld:
        if context.run.tags.get(METHOD_TAG) == "os":
            raise  # the command line says it in its own words
        show_no_stack()
        raise held_import(present, services.environment) from None


@dg.graph_asset(
    group_name=IMPORT_GROUP,
    partitions_def=integration_partitions,
    ins={"change_set": dg.AssetIn(dagster_type=dg.Nothing)},
    kinds={"sql"},
    owners=list(OWNERS),
    description=(
        "The users as the change set leaves them, with each user's state before and after kept in the store. Applied "
        "in the job `import_users`, or by materializing this asset alone (job `save_import`) after a review: "
        "materializing everything at once plans, and applies nothing."
    ),
)
def applied_changes(change_set: Any) -> Any:
    """Applies the integration's open import."""
    return apply_change_set(change_set)
