"""The console as one ASGI application: its pages in one table, behind the door."""

from collections.abc import Callable
from datetime import timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from hris_pipeline.console import login
from hris_pipeline.console.access import Access
from hris_pipeline.console.dagster_guard import DagsterGuard
from hris_pipeline.console.gateway import App, Gateway
from hris_pipeline.console.graphql_rules import Launch
from hris_pipeline.console.jobs import Jobs
from hris_pipeline.console.pages import PAGES
from hris_pipeline.console.responses import plain_page
from hris_pipeline.console.sessions import Sessions
from hris_pipeline.console.templating import STATIC
from hris_pipeline.console.visit import Console, route_of
from hris_pipeline.errors import HrisError
from hris_pipeline.files import machine_words
from hris_pipeline.operations.decision_log import DecidedBy, deciding
from hris_pipeline.operations.services import Services

__all__ = ["build_app", "build_console"]


def build_console(
    services: Services,
    access: Access,
    *,
    dagster_url: str = "",
    daemon_seen: Callable[[], bool | None] = lambda: None,
) -> Console:
    """What the pages work with, of one server.

    Args:
        services: The operations' surroundings.
        access: The door.
        dagster_url: Where Dagster's own pages are; empty when nobody knows.
        daemon_seen: Whether the daemon is alive; None when nobody knows.
    """
    sessions = Sessions(timedelta(minutes=access.environment.session_minutes), services.now)
    return Console(services, access, sessions, Jobs(services.environment), dagster_url, daemon_seen)


def build_app(console: Console, *, link: login.OneTimeLink | None = None, dagster: App | None = None) -> App:
    """Everything that is served, behind the door.

    Args:
        console: What the pages work with.
        link: The one-time link, where people log in by it.
        dagster: Dagster's own webserver, made for the path ``/dagster``.
    """
    routes = [
        *login.ROUTES,
        *(route_of(page) for page in PAGES),
        Mount("/static", StaticFiles(directory=STATIC)),
        Route("/favicon.ico", _favicon),
    ]
    app = Starlette(routes=routes, exception_handlers={404: _nothing, 405: _nothing, 413: _too_much, 500: _unexpected})
    app.state.console = console
    app.state.link = link

    def log(launch: Launch, by: DecidedBy) -> None:
        with deciding(console.services, launch.integration_id, launch.action, by, launch.import_id):
            pass

    return Gateway(app, console.access, console.sessions, DagsterGuard(dagster, log) if dagster else None)


async def _favicon(_: Request) -> Response:
    return Response(status_code=204)


async def _nothing(_: Request, __: Exception) -> Response:
    return plain_page(404, "There is no such page", "Go back, or start at the beginning of the console.")


async def _too_much(_: Request, __: Exception) -> Response:
    return plain_page(413, "That is too much", "No page sends as much as that.")


async def _unexpected(_: Request, error: Exception) -> Response:
    """The message of an unexpected error may quote a person: only its kind is told."""
    if isinstance(error, HrisError):
        return plain_page(503, "That did not work", str(error))
    if (words := machine_words(error)) is not None:
        return plain_page(503, "This machine is in the way", f"{words}.")
    return plain_page(500, "Something unexpected happened", f"({type(error).__name__}) Please report it.")
