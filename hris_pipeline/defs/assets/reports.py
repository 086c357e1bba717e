"""What the store's users are good for: milestones to celebrate, lines of approval."""

from collections.abc import Iterator

import dagster as dg

from hris_pipeline.defs.assets.applied_changes import applied_changes
from hris_pipeline.defs.failures import recording_failures
from hris_pipeline.defs.partitions import OWNERS, REPORTS_GROUP, integration_partitions
from hris_pipeline.defs.provenance import Traced
from hris_pipeline.defs.report_frames import milestones_frame, reporting_frame
from hris_pipeline.operations.services import Services

__all__ = ["reporting_lines", "upcoming_milestones"]


@dg.asset(
    group_name=REPORTS_GROUP,
    partitions_def=integration_partitions,
    deps=[applied_changes],
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    io_manager_key="frames",
    description=(
        "The next 90 days of active users, by EmployeeId: service anniversaries, onboarding days 30, 60 and 90, "
        "birthdays (nobody's age). The metadata counts them by week; `hris milestones NAME` tells whose they are."
    ),
)
def upcoming_milestones(
    context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]
) -> Iterator[dg.Output[Traced]]:
    """Milestones of the users as they are in the store."""
    with recording_failures(context, services) as run:
        rows, metadata = milestones_frame(services, run.integration_id)
        context.add_asset_metadata(metadata)
        yield dg.Output(Traced(rows))


@dg.asset(
    group_name=REPORTS_GROUP,
    partitions_def=integration_partitions,
    deps=[applied_changes],
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    io_manager_key="frames",
    description=(
        "Whom each active user reports to, up to the top, with associated supervisors as further approvers; cycles are "
        "shown. The metadata shows the first lines, by EmployeeId, and counts heads by department, location and role, "
        "groups of fewer than five together; `hris reporting NAME` shows them all."
    ),
)
def reporting_lines(
    context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]
) -> Iterator[dg.Output[Traced]]:
    """Reporting lines of the users as they are in the store."""
    with recording_failures(context, services) as run:
        rows, metadata = reporting_frame(services, run.integration_id)
        context.add_asset_metadata(metadata)
        yield dg.Output(Traced(rows))
