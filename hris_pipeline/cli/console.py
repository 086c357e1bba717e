"""`hris console`: the console alone, for whoever has Dagster running elsewhere."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hris_pipeline.cli.common import actor, open_services
from hris_pipeline.cli.printing import CommandResult, cell, status
from hris_pipeline.environment import Environment
from hris_pipeline.errors import UsageError

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
    workspace: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Serves Dagster's pages too, below /dagster and behind the same log-in."
        ),
    ] = None,
) -> CommandResult:
    """The pages for whoever decides: integrations, setup, reviews, settings, mapping, history and people. Until Ctrl-C.
    Who may do what, and how people log in, says docs/security.md; by default a link for the person at this machine is
    printed, which works once.

    With `--workspace` (the file that names the code servers) Dagster's own pages need no other webserver, and each
    request to them is checked as those to the console are.
    """
    if workspace is not None and dagster_url:
        raise UsageError("Give --workspace or --dagster-url: Dagster's pages are served here, or linked to elsewhere.")
    from hris_pipeline.console.access import access_of  # noqa: PLC0415 - only a server needs a web framework
    from hris_pipeline.console.server import listen  # noqa: PLC0415

    with open_services(create=True) as services:
        access = access_of(services.environment.access, host, port)
    listener = listen(host, port)
    line = cell(f"The console is at {access.origin}; Ctrl-C stops it.")
    return CommandResult(
        {"url": access.origin}, [line], after=partial(_serve, access, listener, dagster_url, workspace)
    )


def _serve(access: "Access", listener: "socket.socket", dagster_url: str, workspace: Path | None) -> None:
    from hris_pipeline.console.app import build_console  # noqa: PLC0415
    from hris_pipeline.console.daemon import DaemonWatch, ask_for_daemon  # noqa: PLC0415
    from hris_pipeline.console.gateway import DAGSTER_PATH  # noqa: PLC0415
    from hris_pipeline.console.server import serve  # noqa: PLC0415

    name_console(access)
    with ExitStack() as stack:
        services = stack.enter_context(open_services())
        dagster = stack.enter_context(_dagster(services.environment, workspace)) if workspace else None
        address = DAGSTER_PATH if dagster else dagster_url.rstrip("/")
        watch = DaemonWatch(partial(ask_for_daemon, services.environment))
        served = build_console(services, access, dagster_url=address, daemon_seen=watch)
        serve(served, listener, account=actor(), show_link=show_link, dagster=dagster)


@contextmanager
def _dagster(environment: Environment, workspace: Path) -> Iterator[Any]:
    from hris_pipeline.console.gateway import DAGSTER_PATH  # noqa: PLC0415
    from hris_pipeline.running import dagster_pages, open_instance  # noqa: PLC0415 - Dagster is only loaded to serve it

    with open_instance(environment) as instance, dagster_pages(instance, DAGSTER_PATH, workspace) as dagster:
        yield dagster


def name_console(access: "Access") -> None:
    """Tells every run that is started from here where the console is, so that it links to its import's page."""
    os.environ.setdefault("HRIS_CONSOLE_URL", access.origin)


def show_link(link: str) -> None:
    """Prints the link by which the person at this machine logs in."""
    status(cell("Open this link; it works once, and the next is printed then:"), cell(f"  {link}", "bold underline"))


def log_file(home: Path) -> Path:
    """Where the processes behind the UI print."""
    return home / "ui.log"
