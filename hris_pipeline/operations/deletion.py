"""Ending an integration, and letting go of what retention no longer allows to keep."""

from collections.abc import Callable
from datetime import timedelta

from hris_pipeline.errors import UsageError
from hris_pipeline.operations.connection import disconnect
from hris_pipeline.operations.services import Services
from hris_pipeline.store.integrations import delete_integration as remove_integration
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.locks import integration_lock

__all__ = ["RETENTION", "delete_integration", "purge_old"]

RETENTION = timedelta(days=90)
"""How long extracts, frames, quarantined values and discarded plans are kept."""


def delete_integration(
    services: Services, integration_id: str, confirm: str, *, remove_frames: Callable[[str], None] = lambda _: None
) -> int:
    """Revokes the token at the source and removes settings, credentials, stored extracts, frames and open plans. Users
    and their import history stay, unlinked and local; gives how many.

    Args:
        services: The store and the archive.
        integration_id: The integration.
        confirm: Its name, typed again.
        remove_frames: Removes its frames, wherever they are kept.

    Raises:
        UsageError: the name was not typed again.
        ImportRunning: an import of it is under way.
    """
    from hris_pipeline.store.retention import forget_people  # noqa: PLC0415 - its frames take long to load

    with services.store.read() as connection:
        get_integration(connection, integration_id)
    if confirm != integration_id:
        raise UsageError(f"To delete {integration_id}, type its name again: --confirm {integration_id}.")
    with integration_lock(services.store, integration_id, 0.0):
        disconnect(services, integration_id)
        with services.store.begin() as connection:
            kept = remove_integration(connection, integration_id, services.now())
            forget_people(connection, integration_id)
        services.archive.delete(integration_id)
        remove_frames(integration_id)
    return kept


def purge_old(services: Services) -> int:
    """Removes extracts, quarantined values and discarded plans older than the retention, and ends open imports that
    nobody saved; gives the number of extracts that went."""
    from hris_pipeline.store.retention import end_outdated, purge  # noqa: PLC0415

    before = services.now() - RETENTION
    with services.store.begin() as connection:
        end_outdated(connection, services.now())
        purge(connection, before)
    return services.archive.purge(before)
