"""`hris ui`: the console and Dagster together, behind one door."""

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from hris_pipeline.cli.common import actor, open_services
from hris_pipeline.cli.console import Host, Port, log_file, name_console, show_link
from hris_pipeline.cli.printing import CommandResult, cell, status
from hris_pipeline.store.automation import automations

if TYPE_CHECKING:
    import socket

    from hris_pipeline.console.access import Access

__all__ = ["ui"]


def ui(port: Port = 3000, host: Host = "127.0.0.1") -> CommandResult:
    """The console for whoever decides, and Dagster below `/dagster` for engineers, with the daemon that starts
    automatic imports; until Ctrl-C. A link for the person at this machine is printed, which works once. When there
    is no integration but made-up ones, a sandbox serves the made-up company meanwhile."""
    from hris_pipeline.console.access import access_of  # noqa: PLC0415 - only a server needs a web framework
    from hris_pipeline.console.server import listen  # noqa: PLC0415

    with open_services(create=True) as services:
        access = access_of(services.environment.access, host, port)
    listener = listen(host, port)
    return CommandResult(
        {"url": access.origin},
        [cell(f"The console is starting at {access.origin}, Dagster at {access.origin}/dagster; Ctrl-C stops both.")],
        after=partial(_serve, access, listener),
    )


def _serve(access: "Access", listener: "socket.socket") -> None:
    from hris_pipeline.cli.demo import integrations_of  # noqa: PLC0415 - Dagster takes seconds; the page is told before
    from hris_pipeline.console.app import build_console  # noqa: PLC0415
    from hris_pipeline.console.gateway import DAGSTER_PATH  # noqa: PLC0415
    from hris_pipeline.console.server import serve  # noqa: PLC0415
    from hris_pipeline.defs.partitions import add_partition  # noqa: PLC0415
    from hris_pipeline.running import daemon_seen, dagster_ui, open_instance  # noqa: PLC0415

    name_console(access)
    with ExitStack() as stack:
        _made_up_company(stack)
        services = stack.enter_context(open_services())
        instance = stack.enter_context(open_instance(services.environment))
        for integration in integrations_of(services):
            add_partition(instance, integration.integration_id)
        log = log_file(services.environment.home)
        dagster = stack.enter_context(dagster_ui(instance, DAGSTER_PATH, log))
        console = build_console(services, access, dagster_url=DAGSTER_PATH, daemon_seen=partial(daemon_seen, instance))
        serve(console, listener, account=actor(), show_link=show_link, dagster=dagster)


def _made_up_company(stack: ExitStack) -> None:
    """Serves the made-up company, when there is none but made-up ones."""
    from hris_pipeline.cli.demo import (  # noqa: PLC0415 - so does the demo
        DISPLAY_NAME,
        add_company,
        connect_company,
        integrations_of,
        sandbox_running,
    )

    with open_services() as services:
        integrations = integrations_of(services)
    if not all(integration.display_name == DISPLAY_NAME for integration in integrations):
        return
    sandbox = stack.enter_context(sandbox_running())
    with open_services() as services:
        name = integrations[-1].integration_id if integrations else add_company(services)
        connect_company(services, sandbox, name)
        with services.store.read() as connection:
            if automations(connection, name)[0].saved:
                sandbox.week_passes()
    status(cell(f"The made-up company {name} is ready."))
