"""What Dagster knows of the integrations' assets."""

from collections.abc import Iterable

from hris_pipeline.cli.running import open_instance
from hris_pipeline.definitions import defs
from hris_pipeline.defs.observing import observe_settings, out_of_date
from hris_pipeline.operations.services import Services
from hris_pipeline.store.registry import current_settings

__all__ = ["out_of_date_assets"]


def out_of_date_assets(services: Services, names: Iterable[str]) -> dict[str, list[str]]:
    """By integration: the assets made from something that changed since; Dagster is told the settings first."""
    found = {}
    with open_instance(services.environment) as instance:
        for name in names:
            with services.store.read() as connection:
                in_force = current_settings(connection, name)
            observe_settings(instance, in_force)
            found[name] = out_of_date(defs, instance, name)
    return found
