"""Automatic imports: stopping and starting them."""

from hris_pipeline.cli.common import Name, Reason, actor, opened
from hris_pipeline.cli.printing import Answer, text
from hris_pipeline.operations import automatic
from hris_pipeline.operations.services import Services
from hris_pipeline.store.registry import get_integration

__all__ = ["pause", "resume"]


def pause(name: Name, reason: Reason) -> Answer:
    """At once: one that is queued ends as skipped, one that runs finishes its transaction or none of it."""
    with opened() as services:
        automatic.pause(services, name, actor(), reason)
        return _state(services, name)


def resume(name: Name, reason: Reason) -> Answer:
    """Needs one saved manual import. A due moment that was missed meanwhile is caught up once."""
    with opened() as services:
        automatic.resume(services, name, actor(), reason)
        return _state(services, name)


def _state(services: Services, name: str) -> Answer:
    with services.store.read() as connection:
        found = get_integration(connection, name)
    told = {
        "integration": name,
        "automatic": found.automatic,
        "by": found.automatic_by,
        "reason": found.automatic_reason,
    }
    return Answer(told, [text(f"Automatic imports of {name} are {found.automatic}.")])
