"""A made-up company on a local Justworks: the demo, and the sandbox for one's own trials."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import RenderableType

from hris_pipeline.cli.breakdown import breakdown
from hris_pipeline.cli.common import actor, open_services
from hris_pipeline.cli.consent import CALLBACK
from hris_pipeline.cli.jobs import run_import, run_preview, run_save
from hris_pipeline.cli.printing import CommandResult, cell, status, table
from hris_pipeline.operations.connection import connect, consent_url
from hris_pipeline.operations.imports import read_rows
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.sandbox.run import Sandbox, running
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.imports import Import
from hris_pipeline.store.integrations import Integration, list_integrations

__all__ = [
    "DISPLAY_NAME",
    "EMPLOYEES",
    "add_company",
    "connect_company",
    "demo",
    "integrations_of",
    "sandbox_running",
]


def demo() -> CommandResult:
    """A sandbox serves a company of 500 over HTTP; the pipeline connects to it, previews and saves a first import, a
    week passes in the company, and a second import follows. Everything is kept in the store and in Dagster, to
    be looked at afterwards. Run again, it sets up another company beside the first.
    """
    with sandbox_running() as sandbox, open_services(create=True) as services:
        name = add_company(services)
        status(cell(f"1. {name} is set up; a sandbox with {EMPLOYEES} employees answers at {sandbox.url}."))
        company = connect_company(services, sandbox, name)
        status(cell(f"2. Connected to {company} through its log-in form."))
        planned = run_preview(services, name)
        status(cell(f"3. Previewed: {planned.counts['created']} would be created, nobody is yet."))
        first = run_save(services, name, planned.import_id)
        status(cell(f"4. Saved: exactly that change set is applied ({first.counts['created']} users)."))
        events = sandbox.week_passes()
        status(cell(f"5. A week passes in the company: {len(events)} things happen."))
        later = run_import(services, name)
        rows = read_rows(services, later.import_id)
        status(cell(f"6. Imported again: {later.changes} users change."), "")
    told = {"integration": name, "first": first.document(), "later": later.document()}
    shown = [
        cell("The first import", "bold underline"),
        *breakdown(first),
        "",
        cell("A week later", "bold underline"),
        *breakdown(later, rows),
        "",
        *_next(name, first, later),
    ]
    return CommandResult(told, shown)


def _next(name: str, first: Import, later: Import) -> list[RenderableType]:
    lines = (
        (f"hris history {name}", "what was done, by whom, when"),
        (f"hris show {first.import_id} --rows", "every single change"),
        (f"hris conflicts {name}", "people who need a decision"),
        (f"hris undo {later.import_id}", f"plan to take the week back; then hris save {name}"),
        (f"hris user-file {name} -o users.csv", "the users as a spreadsheet"),
        ("hris ui", "the same in Dagster: assets, lineage, checks, runs"),
        ("hris setup NAME", "your own company"),
    )
    return [cell("What to try now (hris is .venv/bin/hris)", "bold"), table(("", ""), lines)]


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
