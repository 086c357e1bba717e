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
from hris_pipeline.sandbox.world import FAULT_KEYS, FINCH_TOKEN, KINDS, PASSWORD, USERNAME, Fault, SandboxState

__all__ = ["sandbox"]


def sandbox(
    port: Annotated[int, typer.Option(min=1, max=65535, help="On this machine.")] = 8085,
    employees: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many people.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed makes the same company.")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What goes wrong, as kind or kind:key=value,…; repeatable. Kinds: {', '.join(KINDS)}. "
            f"Keys: {', '.join(FAULT_KEYS)} (members joined by +)."
        ),
    ] = None,
) -> CommandResult:
    """Speaks the Partner API, and the aggregator's, until it is stopped with Ctrl-C. Export the variables it prints,
    then `hris setup acme`.

    What happens in the company is asked for with JSON. By POST: `/sandbox/week` lets a week pass; `/sandbox/add` hires
    (`changes`: fields of a person), `/sandbox/edit` changes somebody (`member_id`, `changes`), `/sandbox/remove` takes
    them off the list, `/sandbox/terminate` ends their employment (`last_day`, which still counts as worked; by default
    the sandbox's own today, which weeks move on); `/sandbox/faults` adds a fault (`kind` and the keys of `--fault`), by
    DELETE it ends all. By GET: `/sandbox/state` tells its today and what has happened, `/sandbox/members` everybody.
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
