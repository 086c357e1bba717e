"""The review of an import as a file for whoever decides, who is in quarantine, and conflicts: people held back until
somebody decides who they are."""

from dataclasses import replace
from pathlib import PurePath
from typing import Annotated, Any

import typer

from hris_pipeline.cli.common import (
    IntegrationArgument,
    Reveal,
    Selection,
    actor,
    deciding,
    open_services,
    private_file,
    takes_selection,
)
from hris_pipeline.cli.printing import CommandResult, cell, moment, table
from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.operations.overview import history
from hris_pipeline.operations.review_files import REVIEW_FILES, write_review
from hris_pipeline.operations.review_queues import (
    Conflict,
    Decision,
    open_conflicts,
    quarantined_people,
    read_conflict,
    relink_by_employee_id,
)
from hris_pipeline.operations.review_queues import resolve as decide
from hris_pipeline.operations.review_rows import mask_value
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS, USER_FIELD_NAMES
from hris_pipeline.settings.text import nearest_or_all, plural
from hris_pipeline.store.imports import Import, get_import, latest_reading
from hris_pipeline.store.integrations import get_integration

__all__ = ["conflicts", "quarantine", "resolve", "review"]


@takes_selection("only", "field", "guard", "search", "sort")
def review(
    name: IntegrationArgument,
    output: Annotated[
        str, typer.Option("--output", "-o", help="A file that ends in .html, .csv or .xlsx.", show_default=False)
    ],
    selection: Selection,
    import_id: Annotated[
        str | None, typer.Argument(help="Which import; the open one, else the newest, by default.")
    ] = None,
) -> CommandResult:
    """HTML is one page that works offline, to filter and search in, ending with the line that saves or approves exactly
    that import; CSV and XLSX have a column for the old and for the new value of each field. All of them hold people's
    data unmasked, and are readable by you alone: hand them only to whoever decides.
    """
    ending = PurePath(output).suffix.lower()
    if ending not in REVIEW_FILES:
        raise UsageError(f"A review is written to a file that ends in {', '.join(REVIEW_FILES)}: give -o FILE so.")
    with open_services() as services:
        record = _import_to_review(services, name, import_id)
        with private_file(output) as (file, target):
            rows = write_review(
                services, record.import_id, file, ending, filters=selection.filters, sort=selection.sort
            )
    payload = {"integration": name, "import_id": record.import_id, "rows": rows, "file": str(target)}
    return CommandResult(
        payload, [cell(f"{plural(rows, 'row')} of import {record.import_id}, with people's data: {target}")]
    )


def _import_to_review(services: Services, name: str, import_id: str | None) -> Import:
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
        record = _import_to_review(services, name, import_id) if import_id else _latest_reading(services, name)
        people = quarantined_people(services, record.import_id, field=field, reveal=reveal)
    lines: list[tuple[Any, ...]] = [
        (person.field, person.check, person.employee_id, person.hris_id, person.value, person.reason)
        for person in people
    ]
    payload = {"integration": name, "import_id": record.import_id, "quarantined": [vars(person) for person in people]}
    if not lines:
        _refuse_unknown_field(field)
        return CommandResult(payload, [cell(f"Nobody is in quarantine in import {record.import_id}.")])
    heading = cell(f"{name}, import {record.import_id}: {plural(len(lines), 'failed check')}", "bold")
    return CommandResult(
        payload, [heading, "", table(("field", "check", "EmployeeId", "hris_id", "sent", "why"), lines)]
    )


def _refuse_unknown_field(field: str | None) -> None:
    fields = dict.fromkeys((*(employee_field.name for employee_field in EMPLOYEE_FIELDS), *USER_FIELD_NAMES))
    if field and not field.startswith(("#", "custom:")) and field not in fields:
        raise UsageError(
            f"There is no field {field[:40]!r} that a record could fail in.{nearest_or_all(field, fields)}"
        )


def conflicts(
    name: IntegrationArgument,
    reveal: Reveal = False,
    all_: Annotated[bool, typer.Option("--all", help="Also those that are decided or gone.")] = False,
) -> CommandResult:
    """Both records of every conflict side by side: the person as the source has them, and the user they collide with.
    Values are masked unless `--reveal` is given.
    """
    with open_services() as services:
        statuses = ("open", "resolved", "gone") if all_ else ("open",)
        listed = [
            conflict if reveal else _mask_conflict(conflict) for conflict in open_conflicts(services, name, statuses)
        ]
        zone = services.time_zone(name)
    payload = {"integration": name, "conflicts": [vars(conflict) for conflict in listed]}
    renderables: list[Any] = []
    for conflict in listed:
        renderables += [
            cell(
                f"{conflict.conflict_id}  {conflict.kind}, {conflict.status}, "
                f"since {moment(conflict.first_seen_at, zone)}",
                "bold",
            ),
            cell(f"in the source hris_id {conflict.hris_id}", "dim"),
            cell(f"user {conflict.user_id}, hris_id {conflict.user.get('hris_id') or 'none'}", "dim"),
        ]
        keys = [
            key for key in conflict.user if key != "hris_id" and (conflict.user.get(key) or conflict.incoming.get(key))
        ]
        rows = [(key, conflict.incoming.get(key), conflict.user.get(key)) for key in keys]
        renderables += [table(("", "in the source", "as a user"), rows)]
        if conflict.status == "open":
            choices = [
                f"--link {conflict.user_id}",
                "--create",
                "--ignore",
            ]
            renderables += [cell(f"hris resolve {conflict.conflict_id} {' | '.join(choices)}", "bold")]
        renderables += [""]
    return CommandResult(payload, renderables or [cell("No conflicts.")])


def _mask_conflict(conflict: Conflict) -> Conflict:
    def mask_record(record: dict[str, Any]) -> dict[str, Any]:
        return {key: mask_value(key, value) for key, value in record.items()}

    return replace(conflict, incoming=mask_record(conflict.incoming), user=mask_record(conflict.user))


def resolve(
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFLICT_ID|NAME", help="A conflict; with --relink an integration.", show_default=False
        ),
    ] = None,
    link: Annotated[str | None, typer.Option(metavar="USER_ID", help="It is that user, as listed.")] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="With --link: also switch on again a user whom a person archived.")
    ] = False,
    create: Annotated[
        bool, typer.Option("--create", help="It is somebody new; about an EmployeeId only once the other has left.")
    ] = False,
    ignore: Annotated[bool, typer.Option("--ignore", help="Leave them out from now on.")] = False,
    relink: Annotated[
        bool,
        typer.Option("--relink", help="Link all EmployeeId conflicts of the integration: the source's ids changed."),
    ] = False,
) -> CommandResult:
    """The decision is remembered; the next preview follows it. `hris resolve NAME --relink` decides all conflicts about
    EmployeeIds of one integration at once.
    """
    options: dict[Decision, bool] = {"link": link is not None, "create": create, "ignore": ignore}
    decisions = [decision for decision, is_set in options.items() if is_set]
    if relink:
        return _relink_all(subject, nothing_else=not decisions and not restore)
    if subject is None or len(decisions) != 1:
        raise UsageError("Give one conflict and one decision: CONFLICT_ID and --link USER_ID, --create or --ignore.")
    if restore and link is None:
        raise UsageError("--restore goes with --link USER_ID: it switches the linked user on again.")
    with open_services() as services:
        name = read_conflict(services, subject).integration
        with deciding(services, name, "resolve", subject):
            decided = _mask_conflict(decide(services, subject, decisions[0], actor(), user_id=link, restore=restore))
    line = f"Decided: {decided.resolution}. The next preview follows it: hris preview {decided.integration}"
    return CommandResult(vars(decided), [cell(line, "bold")])


def _relink_all(name: str | None, *, nothing_else: bool) -> CommandResult:
    if name is None or not nothing_else:
        raise UsageError("--relink decides all EmployeeId conflicts at once: hris resolve NAME --relink, nothing else.")
    with open_services() as services, deciding(services, name, "relink"):
        number = relink_by_employee_id(services, name, actor())
    linked = f"{number} conflict{'' if number == 1 else 's'} linked by EmployeeId"
    line = f"{linked}. See what that means before saving: hris preview {name}"
    return CommandResult({"integration": name, "linked": number}, [cell(line, "bold")])
