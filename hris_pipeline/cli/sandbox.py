"""Serving a local Justworks with made-up people. Stands alone: it needs neither store nor Dagster."""

import shlex
import socket
from functools import partial
from typing import Annotated

import typer

from hris_pipeline.cli.printing import CommandResult, cell
from hris_pipeline.errors import UsageError
from hris_pipeline.sandbox.company import Company
from hris_pipeline.sandbox.server import Sandbox, serve
from hris_pipeline.sandbox.world import FINCH_TOKEN, PASSWORD, USERNAME, Fault, SandboxState

__all__ = ["sandbox"]


def sandbox(
    port: Annotated[int, typer.Option(min=1, max=65535, help="On this machine.")] = 8085,
    employees: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many people.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed makes the same company.")] = 0,
    fault: Annotated[
        list[str] | None, typer.Option(help="What goes wrong, as kind or kind:key=value,…; repeatable.")
    ] = None,
) -> CommandResult:
    """Speaks the Partner API, and the aggregator's, until it is stopped with Ctrl-C. Export the variables it prints,
    then `hris setup acme`. A POST to `/sandbox/week` lets a week pass.
    """
    faults = tuple(fault or ())
    for text in faults:
        Fault.parse(text)
    _refuse_taken(port)
    sandbox_server = Sandbox(f"http://127.0.0.1:{port}", SandboxState(Company(1)))
    variables = sandbox_server.environment() | {"FINCH_API_URL": sandbox_server.finch_url}
    payload = {"environment": variables, "username": USERNAME, "password": PASSWORD, "finch_token": FINCH_TOKEN}
    lines = [cell(f"export {name}={shlex.quote(value)}") for name, value in variables.items()]
    log_in = cell(f"# log in as {USERNAME} with password {PASSWORD}; Ctrl-C stops it", "dim")
    return CommandResult(payload, [*lines, log_in], after=partial(serve, port, employees, seed, faults))


def _refuse_taken(port: int) -> None:
    """Before anything is printed that would not be true."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise UsageError(f"The sandbox cannot listen on port {port} ({error.strerror}): give another --port.") from None
