"""The settings as Dagster sees them: observed with their digest as data version, so that it shows what is out of date.

Settings change in the store, without Dagster. A sensor observes them, and so does every run that uses them.
"""

from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContext

from hris_pipeline.store.settings_versions import SettingsVersion

__all__ = [
    "SETTINGS_POINTER_TAG",
    "observation",
    "observe_settings",
    "out_of_date",
]

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
