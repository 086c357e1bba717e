"""`hris console`: the console alone, for whoever has Dagster running elsewhere."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hris_pipeline.cli.common import actor, open_services
from hris_pipeline.cli.printing import CommandResult, cell, status

if TYPE_CHECKING:
    import socket

    from hris_pipeline.console.access import Access

__all__ = ["Host", "Port", "console", "log_file", "name_console", "show_link"]

Port = Annotated[int, typer.Option(min=1, max=65535, help="Where it is served.")]
Host = Annotated[str, typer.Option(help="On which address; beyond this machine only with a log-in (docs/security.md).")]


def console(
    port: Port = 3000,
    host: Host = "127.0.0.1",
    dagster_url: Annotated[str, typer.Option(help="Where Dagster's own pages are, for links to runs.")] = "",
) -> CommandResult:
    """The pages for whoever decides: integrations, setup, reviews, settings, mapping, history and people. Until Ctrl-C.
    Who may do what, and how people log in, says docs/security.md; by default a link for the person at this machine is
    printed, which works once.
    """
    from hris_pipeline.console.access import access_of  # noqa: PLC0415 - only a server needs a web framework
    from hris_pipeline.console.server import listen  # noqa: PLC0415

    with open_services(create=True) as services:
        access = access_of(services.environment.access, host, port)
    listener = listen(host, port)
    line = cell(f"The console is at {access.origin}; Ctrl-C stops it.")
    return CommandResult({"url": access.origin}, [line], after=partial(_serve, access, listener, dagster_url))


def _serve(access: "Access", listener: "socket.socket", dagster_url: str) -> None:
    from hris_pipeline.console.app import build_console  # noqa: PLC0415
    from hris_pipeline.console.daemon import DaemonWatch, ask_for_daemon  # noqa: PLC0415
    from hris_pipeline.console.server import serve  # noqa: PLC0415

    name_console(access)
    with open_services() as services:
        watch = DaemonWatch(partial(ask_for_daemon, services.environment))
        served = build_console(services, access, dagster_url=dagster_url.rstrip("/"), daemon_seen=watch)
        serve(served, listener, account=actor(), show_link=show_link)


def name_console(access: "Access") -> None:
    """Tells every run that is started from here where the console is, so that it links to its import's page."""
    os.environ.setdefault("HRIS_CONSOLE_URL", access.origin)


def show_link(link: str) -> None:
    """Prints the link by which the person at this machine logs in."""
    status(cell("Open this link; it works once, and the next is printed then:"), cell(f"  {link}", "bold underline"))


def log_file(home: Path) -> Path:
    """Where the processes behind the UI print."""
    return home / "ui.log"
