"""The review of an import as a file for whoever decides, and who is in quarantine."""

from pathlib import PurePath
from typing import Annotated, Any

import typer

from hris_pipeline.cli.common import (
    FieldFilter,
    GuardFilter,
    IntegrationArgument,
    Only,
    Reveal,
    Search,
    Selection,
    Sort,
    open_services,
    private_file,
)
from hris_pipeline.cli.printing import CommandResult, cell, table
from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.operations.imports import history
from hris_pipeline.operations.quarantine import quarantined_people
from hris_pipeline.operations.review_files import REVIEW_FILES, write_review
from hris_pipeline.operations.services import Services
from hris_pipeline.store.imports import Import, get_import, latest_reading
from hris_pipeline.store.integrations import get_integration

__all__ = ["quarantine", "review"]


def review(
    name: IntegrationArgument,
    output: Annotated[
        str, typer.Option("--output", "-o", help="A file that ends in .html, .csv or .xlsx.", show_default=False)
    ],
    import_id: Annotated[
        str | None, typer.Argument(help="Which import; the open one, else the newest, by default.")
    ] = None,
    only: Only = None,
    field: FieldFilter = None,
    guard: GuardFilter = None,
    search: Search = None,
    sort: Sort = "action",
) -> CommandResult:
    """HTML is one page that works offline, to filter and search in, ending with the line that saves or approves exactly
    that import; CSV and XLSX have a column for the old and for the new value of each field. All of them hold people's
    data unmasked, and are readable by you alone: hand them only to whoever decides.
    """
    ending = PurePath(output).suffix.lower()
    if ending not in REVIEW_FILES:
        raise UsageError(f"A review is written to a file that ends in {', '.join(REVIEW_FILES)}: give -o FILE so.")
    selection = Selection(only=only, field=field, guard=guard, search=search, sort=sort)
    with open_services() as services:
        record = _chosen(services, name, import_id)
        with private_file(output) as (file, target):
            rows = write_review(
                services, record.import_id, file, ending, filters=selection.filters, sort=selection.sort
            )
    payload = {"integration": name, "import_id": record.import_id, "rows": rows, "file": str(target)}
    return CommandResult(payload, [cell(f"{rows} rows of import {record.import_id}, with people's data: {target}")])


def _chosen(services: Services, name: str, import_id: str | None) -> Import:
    """The import of that id, else the open one, else the newest that has a plan."""
    if import_id is not None:
        with services.store.read() as connection:
            record = get_import(connection, import_id)
        if record.integration_id != name:
            raise UnknownName(f"Import {import_id[:80]} is not one of {name}: `hris history {name}` lists them.")
        return record
    for statuses in (("planned", "held"), ("applied", "stale", "discarded")):
        records = history(services, name, statuses, limit=1)
        if records:
            return records[0]
    raise UnknownName(f"{name} has no import to review: run `hris preview {name}` first.")


def _latest_reading(services: Services, name: str) -> Import:
    with services.store.read() as connection:
        get_integration(connection, name, deleted=True)
        record = latest_reading(connection, name)
    if record is None:
        raise UnknownName(f"Nothing was read from the source of {name} yet: run `hris preview {name}` first.")
    return record


def quarantine(
    name: IntegrationArgument,
    import_id: Annotated[
        str | None, typer.Argument(help="Of which import; the newest that read the source by default.")
    ] = None,
    field: Annotated[str | None, typer.Option(help="Only records that fail in that field.")] = None,
    reveal: Reveal = False,
) -> CommandResult:
    """They block no good row and never count as absent: correct them in the source, and the next import takes them.
    What the source sent is masked unless `--reveal` is given.
    """
    with open_services() as services:
        record = _chosen(services, name, import_id) if import_id else _latest_reading(services, name)
        people = quarantined_people(services, record.import_id, field=field, reveal=reveal)
    lines: list[tuple[Any, ...]] = [
        (person.field, person.check, person.employee_id, person.hris_id, person.value, person.reason)
        for person in people
    ]
    payload = {"integration": name, "import_id": record.import_id, "quarantined": [vars(person) for person in people]}
    if not lines:
        return CommandResult(payload, [cell(f"Nobody is in quarantine in import {record.import_id}.")])
    heading = cell(f"{name}, import {record.import_id}: {len(lines)} failed checks", "bold")
    return CommandResult(
        payload, [heading, "", table(("field", "check", "EmployeeId", "hris_id", "sent", "why"), lines)]
    )
