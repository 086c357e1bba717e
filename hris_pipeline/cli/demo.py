"""A made-up company on a local Justworks: the demo, and the sandbox for one's own trials."""

import os
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated

import typer
from rich.console import RenderableType

from hris_pipeline.cli.breakdown import breakdown
from hris_pipeline.cli.common import actor, opened
from hris_pipeline.cli.consent import CALLBACK
from hris_pipeline.cli.jobs import run_import, run_preview, run_save
from hris_pipeline.cli.printing import Answer, table, tell, text
from hris_pipeline.errors import UsageError
from hris_pipeline.operations.connection import connect, consent_url
from hris_pipeline.operations.imports import ImportSummary, read_rows
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.sandbox.company import Company
from hris_pipeline.sandbox.faults import Fault
from hris_pipeline.sandbox.run import Sandbox, running, serve
from hris_pipeline.sandbox.world import FINCH_TOKEN, PASSWORD, USERNAME, World
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.integrations import Integration, list_integrations

__all__ = [
    "DISPLAY_NAME",
    "EMPLOYEES",
    "add_company",
    "connect_company",
    "demo",
    "integrations_of",
    "sandbox",
    "sandbox_running",
]


def demo() -> Answer:
    """A sandbox serves a company of 500 over HTTP; the pipeline connects to it, previews and saves a first import, a
    week passes in the company, and a second import follows. Everything is kept in the store and in Dagster, to
    be looked at afterwards. Run again, it sets up another company beside the first.
    """
    with sandbox_running() as sandbox, opened(create=True) as services:
        name = add_company(services)
        tell(text(f"1. {name} is set up; a sandbox with {EMPLOYEES} employees answers at {sandbox.url}."))
        company = connect_company(services, sandbox, name)
        tell(text(f"2. Connected to {company} through its log-in form."))
        planned = run_preview(services, name)
        tell(text(f"3. Previewed: {planned.counts['created']} would be created, nobody is yet."))
        first = run_save(services, name, planned.import_id)
        tell(text(f"4. Saved: exactly that change set is applied ({first.counts['created']} users)."))
        events = sandbox.week_passes()
        tell(text(f"5. A week passes in the company: {len(events)} things happen."))
        later = run_import(services, name)
        rows = read_rows(services, later.import_id)
        tell(text(f"6. Imported again: {later.changes} users change."), "")
    told = {"integration": name, "first": first.document(), "later": later.document()}
    shown = [
        text("The first import", "bold underline"),
        *breakdown(first),
        "",
        text("A week later", "bold underline"),
        *breakdown(later, rows),
        "",
        *_next(name, first, later),
    ]
    return Answer(told, shown)


def _next(name: str, first: ImportSummary, later: ImportSummary) -> list[RenderableType]:
    lines = (
        (f"hris history {name}", "what was done, by whom, when"),
        (f"hris show {first.import_id} --rows", "every single change"),
        (f"hris conflicts {name}", "people who need a decision"),
        (f"hris undo {later.import_id}", f"plan to take the week back; then hris save {name}"),
        (f"hris user-file {name} -o users.csv", "the users as a spreadsheet"),
        ("hris ui", "the same in Dagster: assets, lineage, checks, runs"),
        ("hris setup NAME", "your own company"),
    )
    return [text("What to try now (hris is .venv/bin/hris)", "bold"), table(("", ""), lines)]


EMPLOYEES = 500
DISPLAY_NAME = "Acme (made up)"


@contextmanager
def sandbox_running() -> Iterator[Sandbox]:
    """A sandbox with the company; the environment of this process, and of those it starts, points at it."""
    with running(EMPLOYEES) as sandbox:
        os.environ.update(sandbox.environment())
        yield sandbox


def integrations_of(services: Services) -> tuple[Integration, ...]:
    """Every integration of the store."""
    with services.store.read() as connection:
        return list_integrations(connection)


def add_company(services: Services) -> str:
    """Sets up a new integration for it, `acme` or the next free name: nothing that is there is touched."""
    taken = {one.integration_id for one in integrations_of(services)}
    names = ("acme", *(f"acme-{number}" for number in range(2, len(taken) + 3)))
    name = next(name for name in names if name not in taken)
    set_up(services, name, settings=Settings(display_name=DISPLAY_NAME), actor=actor(), accept=True)
    return name


def connect_company(services: Services, sandbox: Sandbox, name: str) -> str:
    """Connects as a person does, through the log-in form; gives the company's name."""
    address = consent_url(services, name, redirect_uri=CALLBACK, state="demo")
    _, code = sandbox.consent(address)
    return connect(services, name, code, redirect_uri=CALLBACK).display_name


def sandbox(
    port: Annotated[int, typer.Option(min=1, max=65535, help="On this machine.")] = 8085,
    employees: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many people.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed makes the same company.")] = 0,
    fault: Annotated[
        list[str] | None, typer.Option(help="What goes wrong, as kind or kind:key=value,…; repeatable.")
    ] = None,
) -> Answer:
    """Speaks the Partner API, and the aggregator's, until it is stopped with Ctrl-C. Export the variables it prints,
    then `hris setup acme`. A POST to `/sandbox/week` lets a week pass.
    """
    faults = tuple(fault or ())
    for given in faults:
        Fault.parse(given)
    _refuse_taken(port)
    here = Sandbox(f"http://127.0.0.1:{port}", World(Company(1)))
    variables = here.environment() | {"FINCH_API_URL": here.finch_url}
    told = {"environment": variables, "username": USERNAME, "password": PASSWORD, "finch_token": FINCH_TOKEN}
    lines = [text(f"export {name}={shlex.quote(value)}") for name, value in variables.items()]
    log_in = text(f"# log in as {USERNAME} with password {PASSWORD}; Ctrl-C stops it", "dim")
    return Answer(told, [*lines, log_in], then=partial(serve, port, employees, seed, faults))


def _refuse_taken(port: int) -> None:
    """Before anything is printed that would not be true."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise UsageError(f"The sandbox cannot listen on port {port} ({error.strerror}): give another --port.") from None
