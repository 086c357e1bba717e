"""A made-up company on a local Justworks: the demo, and the sandbox for one's own trials."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from rich.console import RenderableType

from hris_pipeline.cli.breakdown import not_applied_table, rows_tables
from hris_pipeline.cli.common import actor, open_services
from hris_pipeline.cli.connection import CALLBACK
from hris_pipeline.cli.jobs import run_import, run_preview, run_save
from hris_pipeline.cli.printing import CommandResult, cell, status, table
from hris_pipeline.contract import APPLIED_COUNTS, MADE_UP
from hris_pipeline.operations.connection import connect, consent_url
from hris_pipeline.operations.review import Filters, ReviewRow, review
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.sandbox.server import Sandbox, running
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.text import plural
from hris_pipeline.store.imports import Import
from hris_pipeline.store.integrations import Integration, list_integrations

__all__ = [
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
    be looked at afterwards. Run again, it sets up another company beside the first. Everybody in it is made up, so
    names and values are shown.
    """
    with sandbox_running() as sandbox, open_services(create=True) as services:
        name = add_company(services)
        status(cell(f"1. {name} is set up: a made-up company, whose {EMPLOYEES} people a sandbox serves."))
        company = connect_company(services, sandbox, name)
        status(cell(f"2. Connected to {company} through its log-in form. Reading takes seconds."))
        planned = run_preview(services, name)
        status(cell(f"3. Previewed: {planned.counts['created']} would be created, nobody is yet."))
        first = run_save(services, name, planned.import_id)
        status(cell(f"4. Saved: exactly that change set is applied ({plural(first.counts['created'], 'user')})."))
        events = sandbox.week_passes()
        status(cell(f"5. A week passes in the company: {len(events)} things happen."))
        later = run_import(services, name)
        status(cell(f"6. Imported again: {plural(later.changes, 'user')} to change."), "")
        renderables = [*_render_both_imports(services, first, later), "", *_next_steps(name, first, later)]
    payload = {"integration": name, "first": first.document(), "later": later.document()}
    return CommandResult(payload, renderables)


def _render_both_imports(services: Services, first: Import, later: Import) -> Iterator[RenderableType]:
    """Both imports, so that with what to try next they fit two screens of 24 lines: counts, whom the second one changed
    from what to what, and who was not applied."""
    pages = {
        action: review(services, later.import_id, filters=Filters(action=action), page_size=most, reveal=True)
        for action, most in SHOWN_ROWS.items()
    }
    yield cell(f"The first import: {_counts_words(first)}", "bold")
    yield cell(f"A week later: {_counts_words(later)}", "bold")
    yield ""
    yield from rows_tables(_few_fields(row) for page in pages.values() for row in page.rows)
    left = sum(max(0, page.total - len(page.rows)) for page in pages.values())
    if left:
        yield cell(f"… and {left} more: hris show {later.import_id} --rows --reveal", "dim")
    yield ""
    groups = next(iter(pages.values())).not_applied
    yield not_applied_table(groups[:SHOWN_REASONS], revealed=True, most=1)
    if len(groups) > SHOWN_REASONS:
        yield cell(f"… and {len(groups) - SHOWN_REASONS} more reasons: hris show {later.import_id}", "dim")


def _few_fields(row: ReviewRow) -> ReviewRow:
    """The first fields of somebody new: all of them would fill the screen."""
    if row.action != "create":
        return row
    return replace(row, changes={name: row.changes[name] for name in NEW_FIELDS if name in row.changes})


def _counts_words(record: Import) -> str:
    return ", ".join(f"{record.counts[count]} {count}" for count in APPLIED_COUNTS)


def _next_steps(name: str, first: Import, later: Import) -> list[RenderableType]:
    lines = (
        (f"hris review {name} {later.import_id} -o review.html", "all of it, as a page"),
        (f"hris show {first.import_id} --rows --reveal", "every single change"),
        (f"hris conflicts {name}", "who needs a decision"),
        (f"hris undo {later.import_id}", "plan the week back"),
        ("hris ui", "the same in a browser"),
        ("hris setup NAME", "your own company"),
    )
    return [cell("What to try now (hris is .venv/bin/hris)", "bold"), table(("", ""), lines)]


SHOWN_ROWS = {"create": 2, "update": 5, "archive": 2, "restore": 1}
"""How many rows of each action the story shows."""

SHOWN_REASONS = 6

NEW_FIELDS = ("email", "#JobTitle")

EMPLOYEES = 500


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
    """Sets up a new integration for it, `demo` or the next free name: nothing that is there is touched."""
    existing = {integration.integration_id for integration in integrations_of(services)}
    names = ("demo", *(f"demo-{number}" for number in range(2, len(existing) + 3)))
    name = next(name for name in names if name not in existing)
    title = MADE_UP.replace("Demo", f"Demo {name.removeprefix('demo-')}") if name != "demo" else MADE_UP
    set_up(services, name, settings=Settings(display_name=title), actor=actor(), accept=True)
    return name


def connect_company(services: Services, sandbox: Sandbox, name: str) -> str:
    """Connects as a person does, through the log-in form; gives the company's name."""
    address = consent_url(services, name, redirect_uri=CALLBACK, state="demo")
    _, code = sandbox.consent(address)
    return connect(services, name, code, redirect_uri=CALLBACK).display_name
