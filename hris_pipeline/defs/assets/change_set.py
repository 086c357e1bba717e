"""The second half of the line: the reviewable change set, planned, guarded and staged in the store; the user file, what
the users look like once it is applied; applying one that was staged before; and what the store's users are good for:
milestones to celebrate, lines of approval."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pandas as pd

from hris_pipeline.defs.failures import (
    GUARD_CHECKS,
    finish_due,
    guard_results,
    held_import,
    recording_failures,
    require_current,
    show_no_stack,
)
from hris_pipeline.defs.io_manager import FrameIOManager, Traced, check_frames, check_provenance, frames_root
from hris_pipeline.defs.metadata import counted_table, extract_metadata, frame_metadata, import_metadata, lines_table
from hris_pipeline.defs.runs import (
    APPLIED_TAG,
    HELD_TAG,
    IMPORT_GROUP,
    IMPORT_USERS,
    LOCK_WAIT_SECONDS,
    METHOD_TAG,
    OWNERS,
    PLANNED_TAG,
    REPORTS_GROUP,
    RunInfo,
    current_tags,
    deciding_in_run,
    integration_partitions,
    tag_run,
)
from hris_pipeline.errors import ImportHeld
from hris_pipeline.operations.decisions import import_to_save, is_approved, save_import
from hris_pipeline.operations.notification import notify_import
from hris_pipeline.operations.overview import read_import
from hris_pipeline.operations.planning import plan_import
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.users import milestones, reporting, user_file_frame
from hris_pipeline.reports.milestones import KINDS, by_week
from hris_pipeline.reports.reporting_lines import without_small_groups
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.imports import Import
from hris_pipeline.store.keyring import load_keyring

__all__ = [
    "ApplyConfig",
    "applied_changes",
    "apply_change_set",
    "change_set",
    "make_reports",
    "milestones_frame",
    "reporting_frame",
    "reporting_lines",
    "upcoming_milestones",
    "user_file",
]


@dg.asset(
    group_name=IMPORT_GROUP,
    partitions_def=integration_partitions,
    kinds={"sql"},
    owners=OWNERS,
    check_specs=GUARD_CHECKS,
    description=(
        "What an import would do, row by row: who is created, updated, archived, restored, and who is left alone and "
        "why. It is staged in the store as the integration's one open import, planned or held: what a person reviews "
        "is what is applied. Each guard is a check; one that trips holds the whole change set until a person approves."
    ),
)
def change_set(
    context: dg.AssetExecutionContext,
    services: dg.ResourceParam[Services],
    justworks_members: Manifest,
    mapped_users: Traced,
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Plans and stages; in the job ``import_users`` a change set that is held and not approved is not applied, which is
    where that run ends red: what is planned, and the user file of it, is there to be looked at."""
    with recording_failures(context, services, justworks_members.extract_id) as run:
        check_provenance("mapped_users", mapped_users, justworks_members)
        summary = _plan_in_run(services, justworks_members, mapped_users, run)
        tag_run(context.instance, run.run_id, PLANNED_TAG, summary.import_id)
        yield dg.MaterializeResult(
            metadata={
                **import_metadata(summary, services.environment),
                **extract_metadata(justworks_members, services.now()),
            }
        )
        yield from guard_results(summary)
        notify_import(services, summary)
        is_stopped = summary.status == "held" and run.job == IMPORT_USERS and not is_approved(services, summary)
        if is_stopped or run.job != IMPORT_USERS:
            services.hold.release(run.integration_id)
        if is_stopped:
            finish_due(services, run)
            held_by = ", ".join(guard.name for guard in summary.tripped)
            tag_run(context.instance, run.run_id, HELD_TAG, held_by)


def _plan_in_run(services: Services, manifest: Manifest, users: Traced, run: RunInfo) -> Import:
    return plan_import(
        services,
        manifest,
        users.rows,
        settings_digest=users.settings_digest,
        warnings=users.warnings,
        trigger=run.trigger,
        actor=run.actor,
        run_id=run.run_id,
        lock_wait_seconds=0.0 if run.automatic else LOCK_WAIT_SECONDS,
    )


@dg.asset(
    group_name=REPORTS_GROUP,
    partitions_def=integration_partitions,
    deps=[change_set],
    kinds={"parquet"},
    owners=OWNERS,
    io_manager_key="frames",
    description=(
        "The users as the open import would leave them, under the user file's headers, without hidden metadata. "
        "As CSV: `hris user-file NAME -o FILE`."
    ),
)
def user_file(context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]) -> Iterator[dg.Output[Traced]]:
    """The user file as a frame of text."""
    with recording_failures(context, services) as run:
        rows = user_file_frame(services, run.integration_id)
        context.add_asset_metadata(frame_metadata(rows))
        yield dg.Output(Traced(rows))


Made = tuple[pd.DataFrame, dict[str, Any]]


def milestones_frame(services: Services, integration_id: str) -> Made:
    """The next 90 days, counted by week."""
    rows = milestones(services, integration_id)
    weeks = by_week(rows)
    counts = {kind: int(weeks[kind].sum()) for kind in KINDS}
    return rows, {**frame_metadata(rows), **counts, "by_week": counted_table(weeks)}


def reporting_frame(services: Services, integration_id: str) -> Made:
    """Reporting lines, the first of them shown; heads counted in groups that tell of nobody alone."""
    rows, heads = reporting(services, integration_id)
    return rows, {
        **frame_metadata(rows),
        "in_cycle": int(rows["in_cycle"].sum()),
        "headcount": counted_table(without_small_groups(heads)),
        "lines": lines_table(rows),
    }


@dataclass(frozen=True)
class _Report:
    """One of the reports on users as they are in the store: how it is made, and what Dagster says of it."""

    make: Callable[[Services, str], Made]
    description: str

    def asset(self, name: str) -> dg.AssetsDefinition:
        """The report as the asset of that name."""

        @dg.asset(
            name=name,
            group_name=REPORTS_GROUP,
            partitions_def=integration_partitions,
            deps=[applied_changes],
            kinds={"pandas", "parquet"},
            owners=OWNERS,
            io_manager_key="frames",
            description=self.description,
        )
        def report(
            context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]
        ) -> Iterator[dg.Output[Traced]]:
            with recording_failures(context, services) as run:
                rows, metadata = self.make(services, run.integration_id)
                context.add_asset_metadata(metadata)
                yield dg.Output(Traced(rows))

        return report


REPORTS: Mapping[str, _Report] = {
    "upcoming_milestones": _Report(
        milestones_frame,
        "The next 90 days of active users, by EmployeeId: service anniversaries, onboarding days 30, 60 and 90, "
        "birthdays (nobody's age). The metadata counts them by week; `hris milestones NAME` tells whose they are.",
    ),
    "reporting_lines": _Report(
        reporting_frame,
        "Whom each active user reports to, up to the top, with associated supervisors as further approvers; cycles are "
        "shown. The metadata shows the first lines, by EmployeeId, and counts heads by department, location and role, "
        "groups of fewer than five together; `hris reporting NAME` shows them all.",
    ),
}


def make_reports(
    context: dg.OpExecutionContext, services: Services, frames: FrameIOManager, integration_id: str
) -> None:
    """Makes every report within the step of another asset: after one that ends red Dagster runs nothing, and would show
    the reports as failed, which they are not."""
    for asset, report in REPORTS.items():
        rows, metadata = report.make(services, integration_id)
        frames.keep(asset, integration_id, Traced(rows))
        context.log_event(dg.AssetMaterialization(asset, partition=integration_id, metadata=metadata))


@dataclass(frozen=True)
class ApplyConfig:
    """Which change set is applied, who saves it, and why."""

    by: str = ""
    reason: str = ""
    import_id: str = ""


_APPLY_FIELDS = {
    "by": dg.Field(str, default_value="", description="Who saves it; empty: whoever started the run."),
    "reason": dg.Field(str, default_value="", description="Why, if somebody may ask later; kept with the save."),
    "import_id": dg.Field(
        str,
        is_required=False,
        description="The import to apply; left out: the integration's one open import, planned before this run.",
    ),
}
"""The launchpad shows what has a default: who and why."""


@dg.op(
    config_schema=_APPLY_FIELDS,
    ins={"change_set": dg.In(dg.Nothing)},
    out=dg.Out(dg.Nothing, is_required=False),
    description=(
        "Applies the open import in one transaction, under the integration's lock, once everything has been verified "
        "again: the guards or their approval, the users it touches, the settings."
    ),
)
def apply_change_set(
    context: dg.OpExecutionContext,
    services: dg.ResourceParam[Services],
    frames: dg.ResourceParam[FrameIOManager],
) -> Iterator[dg.Output[None]]:
    """Applies; outside the job ``import_users`` a run that planned a change set itself applies nothing."""
    config = ApplyConfig(**context.op_config)
    with recording_failures(context, services) as run:
        planned_id = current_tags(context.instance, run.run_id).get(PLANNED_TAG, "")
        if planned_id and run.job != IMPORT_USERS:
            context.log.info("Nothing applied: nobody has reviewed import %s, which this run planned.", planned_id)
            return
        environment = services.environment
        check_frames(frames_root(environment.files_url), load_keyring(environment), run.integration_id)
        if planned_id and HELD_TAG in current_tags(context.instance, run.run_id):
            make_reports(context, services, frames, run.integration_id)
            show_no_stack()
            raise held_import(read_import(services, planned_id), services.environment)
        require_current(context.instance, run.run_id)
        summary = _save_in_run(context, config, services, run, planned_id)
        services.hold.release(run.integration_id)
        tag_run(context.instance, run.run_id, APPLIED_TAG, summary.import_id)
        finish_due(services, run)
        notify_import(services, summary)
        yield dg.Output(None, metadata=import_metadata(summary, services.environment))


def _save_in_run(
    context: dg.OpExecutionContext, config: ApplyConfig, services: Services, run: RunInfo, planned_id: str
) -> Import:
    """Applies what this run planned, or what somebody reviewed; that they decided so is written down."""
    import_id = config.import_id or planned_id or None
    present = import_to_save(services, run.integration_id, import_id)
    action = "import" if planned_id else "save"
    try:
        with deciding_in_run(context.run, services, action, config.by, config.reason, present):
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


upcoming_milestones, reporting_lines = (report.asset(name) for name, report in REPORTS.items())
