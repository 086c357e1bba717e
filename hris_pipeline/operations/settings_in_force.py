"""The settings in force, with their version and digest."""

from hris_pipeline.operations.services import Services
from hris_pipeline.store.registry import SettingsVersion, current_settings, list_integrations

__all__ = ["all_settings_in_force", "settings_in_force"]


def settings_in_force(services: Services, integration_id: str) -> SettingsVersion:
    """The integration's current settings.

    Raises:
        UnknownName: no such integration, or one that was never set up.
    """
    with services.store.read() as connection:
        return current_settings(connection, integration_id)


def all_settings_in_force(services: Services) -> tuple[SettingsVersion, ...]:
    """The current settings of every integration."""
    with services.store.read() as connection:
        names = [one.integration_id for one in list_integrations(connection)]
        return tuple(current_settings(connection, name) for name in names)
