"""The reports as Dagster keeps them: a frame, and what its materialization says in ids and counts. Made by the assets
of their names, and by a run that is held, which leaves the users as they are. What a report says is ``reports``'s."""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg
import pandas as pd

from hris_pipeline.defs.io_manager import FrameIOManager
from hris_pipeline.defs.metadata import counted_table, frame_metadata, lines_table
from hris_pipeline.defs.provenance import Traced
from hris_pipeline.operations.reports import milestones, reporting
from hris_pipeline.operations.services import Services
from hris_pipeline.reports.milestones import KINDS, by_week
from hris_pipeline.reports.reporting_lines import without_small_groups

__all__ = ["make_reports", "milestones_frame", "reporting_frame"]

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


_FRAMES: Mapping[str, Callable[[Services, str], Made]] = {
    "upcoming_milestones": milestones_frame,
    "reporting_lines": reporting_frame,
}


def make_reports(
    context: dg.OpExecutionContext, services: Services, frames: FrameIOManager, integration_id: str
) -> None:
    """Makes every report within the step of another asset: after one that ends red Dagster runs nothing, and would show
    the reports as failed, which they are not."""
    for asset, make in _FRAMES.items():
        rows, metadata = make(services, integration_id)
        frames.keep(asset, integration_id, Traced(rows))
        context.log_event(dg.AssetMaterialization(asset, partition=integration_id, metadata=metadata))
