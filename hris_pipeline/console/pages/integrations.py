"""The first page: every integration, how it is doing, and what waits for a decision."""

from starlette.responses import Response

from hris_pipeline.console.visit import Page, Visit
from hris_pipeline.store.automation import automations

__all__ = ["PAGES"]


def index(visit: Visit) -> Response:
    """All integrations."""
    with visit.services.store.read() as connection:
        return visit.page("integrations.html", integrations=automations(connection))


PAGES = (Page("/", "see", index),)
