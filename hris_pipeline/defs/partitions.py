"""What all assets share: a company is a partition, named by its integration, and the groups they are shown in."""

import dagster as dg

__all__ = [
    "IMPORT_GROUP",
    "OWNERS",
    "REPORTS_GROUP",
    "add_partition",
    "integration_partitions",
    "known_partitions",
    "remove_partition",
]


_NAME = "integration"

integration_partitions = dg.DynamicPartitionsDefinition(name=_NAME)


def known_partitions(instance: dg.DagsterInstance) -> tuple[str, ...]:
    """The integrations that this Dagster instance knows, in order of name."""
    return tuple(sorted(instance.get_dynamic_partitions(_NAME)))


def add_partition(instance: dg.DagsterInstance, integration_id: str) -> None:
    """Makes the integration a partition; one that is there already stays."""
    instance.add_dynamic_partitions(_NAME, [integration_id])


def remove_partition(instance: dg.DagsterInstance, integration_id: str) -> None:
    """Takes a deleted integration out of the partitions; what was recorded for it stays."""
    instance.delete_dynamic_partition(_NAME, integration_id)


OWNERS = ("team:people-operations",)
"""Whom Dagster names beside every asset: those who decide about a company's people, not those who run the machines."""

IMPORT_GROUP = "import"
"""The line from the source to the store."""

REPORTS_GROUP = "reports"
"""What is made of it beside."""
