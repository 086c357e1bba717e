"""Employees as users: the settings and the mapping in force."""

from collections.abc import Iterator

import dagster as dg

from hris_pipeline.defs.assets.integration_settings import integration_settings
from hris_pipeline.defs.checks import MAPPED_USERS_CHECKS, rows_valid
from hris_pipeline.defs.failures import recording_failures
from hris_pipeline.defs.lineage import mapped_users_lineage
from hris_pipeline.defs.metadata import extract_metadata, mapped_users_table_schema, settings_metadata
from hris_pipeline.defs.observation import SETTINGS_POINTER_TAG, observe_settings
from hris_pipeline.defs.partitions import IMPORT_GROUP, OWNERS, integration_partitions
from hris_pipeline.defs.provenance import Traced, check_provenance
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import settings_in_force
from hris_pipeline.operations.transformation import build_mapped_users
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.transform.validate import Employees, TooManyBadRows

__all__ = ["mapped_users"]


@dg.asset(
    group_name=IMPORT_GROUP,
    partitions_def=integration_partitions,
    deps=[integration_settings],
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    io_manager_key="frames",
    check_specs=MAPPED_USERS_CHECKS,
    description=(
        "One row a person, as the settings and mapping in force make users of employees. People left out by a rule "
        "stay in the frame with the reason, and whose row is quarantined with what tells whether they have left. A "
        "blank or shared EmployeeId quarantines its rows."
    ),
)
def mapped_users(
    context: dg.AssetExecutionContext,
    services: dg.ResourceParam[Services],
    justworks_members: Manifest,
    employees: Traced,
) -> Iterator[dg.Output[Traced] | dg.AssetCheckResult]:
    """Maps the employees of the extract."""
    with recording_failures(context, services, justworks_members.extract_id) as run:
        check_provenance("employees", employees, justworks_members)
        in_force = settings_in_force(services, run.integration_id)
        pointer = observe_settings(context.instance, in_force)
        people = Employees(employees.rows, **employees.also)
        try:
            mapped = build_mapped_users(services, justworks_members, people, in_force.settings)
        except TooManyBadRows as error:
            yield rows_valid("mapped_users", error.quarantined)
            raise
        believed = mapped.users[~mapped.users["leaver_only"].astype(bool)]
        warnings = {**employees.warnings, **mapped.warnings}
        context.add_asset_metadata(
            {
                **extract_metadata(justworks_members, services.now()),
                **settings_metadata(in_force.version, in_force.digest),
                "dagster/row_count": len(believed),
                "dagster/column_schema": mapped_users_table_schema(mapped.users, in_force.settings),
                "dagster/column_lineage": mapped_users_lineage(in_force.settings),
                "headcount": int(believed["active"].sum()),
                "left_out": int(believed["exclusion"].notna().sum()),
                "quarantined": int(mapped.quarantined["hris_id"].nunique()),
                "warnings": {code: len(people) for code, people in warnings.items()},
            }
        )
        yield dg.Output(
            Traced(mapped.users, justworks_members.extract_id, in_force.digest, warnings),
            tags={SETTINGS_POINTER_TAG: str(pointer)},
        )
        yield rows_valid("mapped_users", mapped.quarantined)
