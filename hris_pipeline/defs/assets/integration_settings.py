"""The settings in force, as seen from Dagster: changed elsewhere, observed here."""

import dagster as dg

from hris_pipeline.defs.partitions import IMPORT_GROUP, OWNERS, integration_partitions

__all__ = ["integration_settings"]

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
