"""The console as one ASGI application, its pages in one table, behind the door; and serving it, alone or together with
Dagster, until it is told to stop."""

import logging
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from hris_pipeline.console import login
from hris_pipeline.console.dagster_guard import DagsterGuard, Launch
from hris_pipeline.console.gateway import Access, App, Gateway, plain_page
from hris_pipeline.console.jobs import Jobs
from hris_pipeline.console.login import OneTimeLink
from hris_pipeline.console.pages import PAGES
from hris_pipeline.console.sessions import Sessions
from hris_pipeline.console.visit import STATIC, Console, route_of
from hris_pipeline.console.words import browser_words
from hris_pipeline.errors import HrisError, UsageError
from hris_pipeline.files import machine_words
from hris_pipeline.operations.roles import DecidedBy, deciding
from hris_pipeline.operations.services import Services

__all__ = ["build_app", "build_console", "listen", "serve"]


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
        Route("/favicon.ico", _no_favicon),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={404: _not_found_page, 405: _not_found_page, 413: _too_much, 500: _unexpected_error_page},
    )
    app.state.console = console
    app.state.link = link

    def log(launch: Launch, by: DecidedBy) -> None:
        with deciding(console.services, launch.integration_id, launch.action, by, launch.import_id):
            pass

    return Gateway(app, console.access, console.sessions, DagsterGuard(dagster, log) if dagster else None)


async def _no_favicon(_: Request) -> Response:
    return Response(status_code=204)


async def _not_found_page(_: Request, __: Exception) -> Response:
    return plain_page(404, "There is no such page", "Its address is wrong, or it is no more.", home_link=True)


async def _too_much(_: Request, __: Exception) -> Response:
    return plain_page(413, "That is too much", "No page sends as much as that.")


async def _unexpected_error_page(_: Request, error: Exception) -> Response:
    """The message of an unexpected error may quote a person: only its kind is told."""
    if isinstance(error, HrisError):
        return plain_page(503, "That did not work", browser_words(str(error)), home_link=True)
    if (words := machine_words(error)) is not None:
        return plain_page(503, "This machine is in the way", f"{words}.")
    return plain_page(
        500, "Something unexpected happened", f"({type(error).__name__}) Please report it.", home_link=True
    )


STOPS_WITHIN_SECONDS = 1


def listen(host: str, port: int) -> socket.socket:
    """The socket that the console will answer at; taken before anything else is started. Whoever comes before the
    console is ready waits for it, instead of being refused: the link is printed by then.

    Raises:
        UsageError: the port is taken, or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise UsageError(
            f"Cannot listen at {host}:{port} ({error.strerror}): end what uses it, or give --port."
        ) from None
    return listener


def serve(
    console: Console,
    listener: socket.socket,
    *,
    account: str,
    show_link: Callable[[str], None],
    dagster: App | None = None,
) -> None:
    """Serves until interrupted or terminated. Requests are not logged: their addresses are nobody's business."""
    link = OneTimeLink(console.access, account, show_link) if console.access.mode == "link" else None
    app = build_app(console, link=link, dagster=dagster)
    config = uvicorn.Config(
        app,
        log_level=logging.CRITICAL,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        lifespan="off",
        timeout_graceful_shutdown=STOPS_WITHIN_SECONDS,
        h11_max_incomplete_event_size=64 << 10,
    )
    server = uvicorn.Server(config)
    if link is not None:
        link.renew()
    # The server passes on what ended it: what runs behind it must be ended too, not left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
