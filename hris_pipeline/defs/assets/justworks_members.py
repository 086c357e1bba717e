"""The first asset: one reading of all members."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from hris_pipeline.defs.failures import recording_failures, skip_run
from hris_pipeline.defs.lineage import fields_read
from hris_pipeline.defs.metadata import extract_metadata, ids, member_table_schema
from hris_pipeline.defs.partitions import IMPORT_GROUP, OWNERS, integration_partitions
from hris_pipeline.defs.resources import Progress
from hris_pipeline.defs.runs import RunInfo
from hris_pipeline.errors import ImportRunning
from hris_pipeline.operations.automation import skip_reason
from hris_pipeline.operations.extraction import extract_members, kept_manifest
from hris_pipeline.operations.services import Services
from hris_pipeline.sources.protocol import Manifest

__all__ = ["MembersConfig", "justworks_members"]


LOCK_WAIT_SECONDS = 60.0
"""How long a person's import waits for another one of the integration; a schedule's does not wait."""


class MembersConfig(dg.Config):
    """Which extract an import is made from: a safe default, because a launch may come without any."""

    extract: str = Field(
        default="fresh",
        description="fresh: read the source now; latest: the newest extract that is kept; or the id of a kept extract.",
    )


@dg.asset(
    group_name=IMPORT_GROUP,
    partitions_def=integration_partitions,
    kinds={"json"},
    owners=OWNERS,
    io_manager_key="manifests",
    output_required=False,
    description=(
        "One extract: every member as the source sent it, only with the keys that a mapping can read, as "
        "compressed JSON lines in the archive. This asset's value is the extract's manifest: its id, counts, checksum, "
        "whether it is complete and, if not, why."
    ),
)
def justworks_members(
    context: dg.AssetExecutionContext,
    config: MembersConfig,
    services: dg.ResourceParam[Services],
    progress: dg.ResourceParam[Progress],
) -> Iterator[dg.Output[Manifest]]:
    """Reads all members, or takes up an extract that is kept. An automatic run that was paused meanwhile ends here."""
    with recording_failures(context, services) as run:
        obstacle = skip_reason(services, run.integration_id) if run.automatic else None
        if obstacle is None:
            obstacle = _hold(services, run)
        if obstacle:
            skip_run(context, obstacle)
            return
        manifest = _manifest(config.extract, run, services, progress)
        if not _is_planned_from(context):
            services.hold.release(run.integration_id)
        context.add_asset_metadata(
            {
                **extract_metadata(manifest, services.now()),
                "dagster/row_count": manifest.records,
                "dagster/column_schema": member_table_schema(fields_read(manifest.source)),
                "holes": len(manifest.holes),
                "missing": len(manifest.missing),
                "missing_hris_ids": ids(manifest.missing),
                "reasons": "; ".join(manifest.reasons),
                "bytes": manifest.size,
            }
        )
        yield dg.Output(manifest)


def _hold(services: Services, run: RunInfo) -> str | None:
    """Keeps every other import of the integration out until this run's is staged or applied. One that a person started
    waits for another; an automatic one gives the reason why it is skipped."""
    try:
        services.hold.take(services.store, run.integration_id, 0.0 if run.automatic else LOCK_WAIT_SECONDS)
    except ImportRunning:
        if run.automatic:
            return "an import of it is running"
        raise
    return None


def _is_planned_from(context: dg.AssetExecutionContext) -> bool:
    """Whether this run goes on to plan from what is read here."""
    selection = context.run.asset_selection
    return selection is None or dg.AssetKey("change_set") in selection


def _manifest(extract: str, run: RunInfo, services: Services, progress: Progress) -> Manifest:
    if extract == "fresh":
        return extract_members(services, run.integration_id, progress=progress.tell)
    return kept_manifest(services, run.integration_id, None if extract == "latest" else extract)
