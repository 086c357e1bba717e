"""Opening Dagster."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from hris_pipeline.cli.common import open_services
from hris_pipeline.cli.demo import (
    DISPLAY_NAME,
    add_company,
    connect_company,
    integrations_of,
    sandbox_running,
)
from hris_pipeline.cli.printing import CommandResult, cell, status
from hris_pipeline.defs.partitions import add_partition
from hris_pipeline.environment import Environment
from hris_pipeline.running import open_instance
from hris_pipeline.store.automation import automations

__all__ = ["ui"]

WORKSPACE = Path(__file__).parents[1] / "workspace.yaml"


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the UI is served.")] = 3000,
    host: Annotated[str, typer.Option(help="On which address.")] = "127.0.0.1",
) -> CommandResult:
    """Webserver and daemon together, until Ctrl-C. When there is no integration but made-up ones, a sandbox serves the
    made-up company meanwhile, so that its assets can be materialized.
    """
    address = f"http://{host}:{port}"
    return CommandResult(
        {"url": address},
        [cell(f"Dagster is starting at {address}; Ctrl-C stops it.")],
        then=partial(_serve, host, port),
    )


def _serve(host: str, port: int) -> None:
    with ExitStack() as stack:
        services = stack.enter_context(open_services(create=True))
        known = integrations_of(services)
        if all(one.display_name == DISPLAY_NAME for one in known):
            sandbox = stack.enter_context(sandbox_running())
            services = stack.enter_context(open_services())
            name = known[-1].integration_id if known else add_company(services)
            connect_company(services, sandbox, name)
            with services.store.read() as connection:
                if automations(connection, name)[0].saved:
                    sandbox.week_passes()
            status(cell(f"The made-up company {name} is ready: choose its partition and materialize."))
        with open_instance(services.environment) as instance:
            for one in integrations_of(services):
                add_partition(instance, one.integration_id)
        _dagster(services.environment, host, port)


def _dagster(environment: Environment, host: str, port: int) -> None:
    # A shell has it ignored in what it starts in the background, and then Dagster could not be interrupted either.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(WORKSPACE), "-h", host, "-p", str(port)]
    process = subprocess.Popen(command, env=os.environ | {"DAGSTER_HOME": str(environment.dagster_home)})  # noqa: S603
    signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
    while True:
        try:
            process.wait()
            return
        except KeyboardInterrupt:
            continue
