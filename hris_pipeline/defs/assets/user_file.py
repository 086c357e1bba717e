"""The user file of an import: what the users look like once it is applied."""

from collections.abc import Iterator

import dagster as dg

from hris_pipeline.defs.assets.change_set import change_set
from hris_pipeline.defs.failures import recording_failures
from hris_pipeline.defs.metadata import frame_metadata
from hris_pipeline.defs.partitions import OWNERS, REPORTS_GROUP, integration_partitions
from hris_pipeline.defs.provenance import Traced
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.users import user_file_frame

__all__ = ["user_file"]


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
