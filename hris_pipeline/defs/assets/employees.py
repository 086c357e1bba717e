"""Members as employees: the same columns whatever the source, checked row by row."""

from collections.abc import Iterator

import dagster as dg

from hris_pipeline.defs.checks import EMPLOYEES_CHECKS, extract_unusable, extract_usable, rows_valid
from hris_pipeline.defs.failures import recording_failures
from hris_pipeline.defs.lineage import employees_lineage
from hris_pipeline.defs.metadata import employees_table_schema, extract_metadata
from hris_pipeline.defs.partitions import IMPORT_GROUP, OWNERS, integration_partitions
from hris_pipeline.defs.provenance import Traced
from hris_pipeline.errors import FrameInvalid
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import settings_in_force
from hris_pipeline.operations.transformation import build_employees
from hris_pipeline.sources.protocol import Manifest

__all__ = ["employees"]


@dg.asset(
    group_name=IMPORT_GROUP,
    partitions_def=integration_partitions,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    io_manager_key="frames",
    check_specs=EMPLOYEES_CHECKS,
    description=(
        "One row a person, with the same columns whatever the source: cleaned, typed and validated. Rows that fail a "
        "check are quarantined in the store with field, reason and raw value; the check `rows_valid` says whose."
    ),
)
def employees(
    context: dg.AssetExecutionContext, services: dg.ResourceParam[Services], justworks_members: Manifest
) -> Iterator[dg.Output[Traced] | dg.AssetCheckResult]:
    """Normalises and validates the members of the extract."""
    with recording_failures(context, services, justworks_members.extract_id) as run:
        try:
            settings = settings_in_force(services, run.integration_id).settings
            validated = build_employees(services, justworks_members, settings)
        except FrameInvalid as error:
            yield extract_unusable(error)
            raise
        context.add_asset_metadata(
            {
                **extract_metadata(justworks_members, services.now()),
                "dagster/row_count": len(validated.employees),
                "dagster/column_schema": employees_table_schema(),
                "dagster/column_lineage": employees_lineage(justworks_members.source),
                "headcount": int(validated.employees["active"].sum()),
                "quarantined": int(validated.quarantined["hris_id"].nunique()),
            }
        )
        yield dg.Output(
            Traced(
                validated.employees,
                justworks_members.extract_id,
                warnings=validated.warnings,
                also={name: getattr(validated.people, name) for name in ("failed", "unread", "spells")},
            )
        )
        yield extract_usable()
        yield rows_valid("employees", validated.quarantined)
