"""The first half of the line: one reading of all members; members as employees, checked row by row; employees as users,
under the settings and the mapping in force, which Dagster observes.

Settings change in the store, without Dagster: a sensor observes them, and so does every run that uses them, with
their digest as data version, so that it shows what is out of date.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContext
from pydantic import Field

from hris_pipeline.defs.failures import (
    EMPLOYEES_CHECKS,
    MAPPED_USERS_CHECKS,
    extract_unusable,
    extract_usable,
    recording_failures,
    rows_valid,
    skip_run,
)
from hris_pipeline.defs.io_manager import Traced, check_provenance
from hris_pipeline.defs.metadata import (
    employees_lineage,
    employees_table_schema,
    extract_metadata,
    fields_read,
    join_ids,
    mapped_users_lineage,
    mapped_users_table_schema,
    member_table_schema,
    settings_metadata,
)
from hris_pipeline.defs.runs import IMPORT_GROUP, LOCK_WAIT_SECONDS, OWNERS, Progress, RunInfo, integration_partitions
from hris_pipeline.errors import FrameInvalid, ImportRunning
from hris_pipeline.operations.automation import skip_reason
from hris_pipeline.operations.extraction import extract_members, kept_manifest
from hris_pipeline.operations.members import build_employees, build_mapped_users
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import read_settings
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.integrations import SettingsVersion
from hris_pipeline.transform.validate import Employees, TooManyBadRows

__all__ = [
    "SETTINGS_POINTER_TAG",
    "MembersConfig",
    "employees",
    "integration_settings",
    "justworks_members",
    "mapped_users",
    "observation",
    "observe_settings",
    "out_of_date",
]


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
            obstacle = _hold_integration(services, run)
        if obstacle:
            skip_run(context, obstacle)
            return
        manifest = _obtain_manifest(config.extract, run, services, progress)
        if not _is_planned_from(context):
            services.hold.release(run.integration_id)
        context.add_asset_metadata(
            {
                **extract_metadata(manifest, services.now()),
                "dagster/row_count": manifest.records,
                "dagster/column_schema": member_table_schema(fields_read(manifest.source)),
                "holes": len(manifest.holes),
                "missing": len(manifest.missing),
                "missing_hris_ids": join_ids(manifest.missing),
                "reasons": "; ".join(manifest.reasons),
                "bytes": manifest.size,
            }
        )
        yield dg.Output(manifest)


def _hold_integration(services: Services, run: RunInfo) -> str | None:
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
    """Whether this run goes on to plan from what is read here; a run of a whole job in this process selects nothing."""
    selection = context.run.asset_selection
    return not selection or dg.AssetKey("change_set") in selection


def _obtain_manifest(extract: str, run: RunInfo, services: Services, progress: Progress) -> Manifest:
    if extract == "fresh":
        return extract_members(services, run.integration_id, progress=progress.update)
    return kept_manifest(services, run.integration_id, None if extract == "latest" else extract)


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
            settings = read_settings(services, run.integration_id).settings
            validated = build_employees(services, justworks_members, settings)
        except FrameInvalid as error:
            yield extract_unusable(run.integration_id, error)
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
        yield extract_usable(run.integration_id)
        yield rows_valid("employees", run.integration_id, validated.quarantined)


integration_settings = dg.AssetSpec(
    "integration_settings",
    group_name=IMPORT_GROUP,
    partitions_def=integration_partitions,
    kinds={"yaml"},
    owners=OWNERS,
    description=(
        "The settings document of the integration: mapping, metadata, rules, guards. It lives in the store and is "
        "changed with `hris settings` and `hris mapping`. Each change is observed here, which marks `mapped_users` "
        "as out of date until it is materialized again."
    ),
)

SETTINGS_POINTER_TAG = "dagster/input_event_pointer/integration_settings"
"""The tag by which a materialization tells which observation of the settings it was made from."""

_SETTINGS = dg.AssetKey("integration_settings")

_DATA_VERSION_TAG = "dagster/data_version"


def observation(in_force: SettingsVersion) -> dg.AssetObservation:
    """What Dagster is told of the settings in force."""
    return dg.AssetObservation(
        _SETTINGS,
        partition=in_force.integration_id,
        tags={_DATA_VERSION_TAG: in_force.digest},
        metadata={
            "settings_version": in_force.version,
            "settings_digest": in_force.digest,
            "changed_by": in_force.actor,
            "changed_at": dg.MetadataValue.timestamp(in_force.created_at),
        },
    )


def observe_settings(instance: dg.DagsterInstance, in_force: SettingsVersion) -> int:
    """Tells Dagster the settings in force, unless it knows; gives the number of the event that does."""
    seen = _last_observation(instance, in_force.integration_id)
    if seen is None or (seen.asset_observation and seen.asset_observation.tags[_DATA_VERSION_TAG]) != in_force.digest:
        instance.report_runless_asset_event(observation(in_force))
        seen = _last_observation(instance, in_force.integration_id)
    return seen.storage_id if seen else 0


def out_of_date(defs: dg.Definitions, instance: dg.DagsterInstance, integration_id: str) -> list[str]:
    """The integration's assets that were made from something that has changed since, by name, as the UI shows them;
    those never made are not among them, nor what is made from one that is out of date."""
    graph = defs.resolve_asset_graph()
    statuses = CachingStaleStatusResolver(instance, graph, _Loading(instance))
    return sorted(
        key.to_user_string()
        for key in graph.materializable_asset_keys
        if statuses.get_status(key, integration_id) is StaleStatus.STALE
    )


def _last_observation(instance: dg.DagsterInstance, integration_id: str) -> dg.EventLogRecord | None:
    filters = dg.AssetRecordsFilter(asset_key=_SETTINGS, asset_partitions=[integration_id])
    records = instance.fetch_observations(filters, limit=1).records
    return records[0] if records else None


class _Loading(LoadingContext):
    """What the resolver reads through: one look, nothing kept longer."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._loaders: dict[Any, Any] = {}

    @property
    def instance(self) -> dg.DagsterInstance:
        return self._instance

    @property
    def loaders(self) -> dict[Any, Any]:
        return self._loaders


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
        in_force = read_settings(services, run.integration_id)
        pointer = observe_settings(context.instance, in_force)
        people = Employees(employees.rows, **employees.also)
        try:
            mapped = build_mapped_users(services, justworks_members, people, in_force.settings)
        except TooManyBadRows as error:
            yield rows_valid("mapped_users", run.integration_id, error.quarantined)
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
        yield rows_valid("mapped_users", run.integration_id, mapped.quarantined)
