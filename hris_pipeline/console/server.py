"""Serving the console, alone or together with Dagster, until it is told to stop."""

import logging
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from hris_pipeline.console.app import build_app
from hris_pipeline.console.gateway import App
from hris_pipeline.console.login import OneTimeLink
from hris_pipeline.console.visit import Console
from hris_pipeline.errors import UsageError

__all__ = ["listen", "serve"]

STOPS_WITHIN_SECONDS = 1


def listen(host: str, port: int) -> socket.socket:
    """The socket that the console will answer at; taken before anything else is started.

    Raises:
        UsageError: the port is taken, or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
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
