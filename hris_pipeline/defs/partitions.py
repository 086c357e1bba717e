"""A company is a partition: every asset and every job that runs for one integration is partitioned by its name."""

import dagster as dg

__all__ = ["add_partition", "integration_partitions", "known_partitions", "remove_partition"]

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
