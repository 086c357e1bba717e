"""Manual imports: preview, save, both at once; approving, discarding, looking back, taking back."""

from dataclasses import asdict, replace
from typing import Annotated, Any, get_args

import typer
from rich.text import Text

from hris_pipeline.cli.breakdown import breakdown, document
from hris_pipeline.cli.common import (
    ImportId,
    IntegrationArgument,
    Reason,
    Selection,
    actor,
    deciding,
    deciding_on_import,
    open_services,
    require_environment,
    takes_selection,
    write_private,
)
from hris_pipeline.cli.printing import CommandResult, cell, moment, status, table
from hris_pipeline.contract import APPLIED_COUNTS, ImportStatus
from hris_pipeline.errors import ImportHeld, UsageError
from hris_pipeline.operations.overview import history as past_imports
from hris_pipeline.operations.review import all_rows, check_filters, review
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.text import plural
from hris_pipeline.store.imports import APPROVAL_LASTS, Import
from hris_pipeline.store.integrations import current_settings, get_integration

__all__ = ["approve", "discard", "history", "import_", "preview", "save", "show", "undo"]


@takes_selection()
def preview(
    name: IntegrationArgument,
    selection: Selection,
    csv: Annotated[str | None, typer.Option("--csv", help="Write the users as they would be to a CSV file.")] = None,
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="Only look: under another setting, as key=value; repeatable.")
    ] = None,
    extract: Annotated[str | None, typer.Option(help="Only look: from that kept extract.")] = None,
) -> CommandResult:
    """Reads every member from the source, validates, maps and compares them with the store, and keeps the resulting
    change set as the integration's one open import. Nothing is applied. Exit 3 when a guard holds it.

    With `--with` or `--extract` nothing is read from the source and nothing is kept: the plan under other settings, or
    from an earlier extract, is shown beside today's.
    """
    check_filters(selection.filters, selection.sort)
    _require_guard(selection.guard)
    with open_services() as services:
        if with_ or extract:
            if csv:
                raise UsageError("--csv shows the users after the open import: leave out --with and --extract.")
            return _what_if(services, name, with_ or [], extract)
        from hris_pipeline.cli.jobs import run_preview  # noqa: PLC0415 - looking only needs no Dagster

        _require_environment(services, name)
        result = _import_result(services, run_preview(services, name), selection, previewed=True)
        _show_matching_ids(services, name)
        if csv:
            _write_user_file(services, name, csv)
        return result


@takes_selection("rows", "reveal")
def save(
    name: IntegrationArgument,
    selection: Selection,
    import_id: Annotated[str | None, typer.Argument(help="Which import; the open one by default.")] = None,
) -> CommandResult:
    """Applies exactly the change set that was previewed, in one transaction, or nothing: exit 3 when a guard holds it,
    4 when it no longer fits the store or the settings. Saved again, it does nothing and says so.
    """
    from hris_pipeline.cli.jobs import run_save  # noqa: PLC0415 - Dagster is only loaded to run
    from hris_pipeline.operations.decisions import import_to_save  # noqa: PLC0415 - looking needs no frames

    with open_services() as services:
        record = import_to_save(services, name, import_id)
        if record.status == "applied":
            if selection.wants_rows:
                return _import_result(services, record, selection)
            line = f"Import {record.import_id} is applied already; nothing was done: hris show {record.import_id}"
            return CommandResult(document(record), [cell(line)])
        with deciding(services, name, "save", record.import_id):
            saved = run_save(services, name, record.import_id)
        return _import_result(services, saved, selection)


@takes_selection("rows", "reveal")
def import_(
    name: IntegrationArgument,
    selection: Selection,
    yes: Annotated[bool, typer.Option("--yes", help="Apply without a review in between.")] = False,
) -> CommandResult:
    """Counts as reviewed. A change set that a guard holds is not applied: exit 3."""
    if not yes:
        raise UsageError(f"An import applies without a review: add --yes, or look first with `hris preview {name}`.")
    from hris_pipeline.cli.jobs import run_import  # noqa: PLC0415 - Dagster is only loaded to run
    from hris_pipeline.operations.decisions import open_import  # noqa: PLC0415 - looking needs no frames

    with open_services() as services:
        _require_environment(services, name)
        try:
            with deciding(services, name, "import"):
                record = run_import(services, name)
        except ImportHeld:
            held = open_import(services, name)
            if held is None:
                raise
            record = held
        return _import_result(services, record, selection)


def approve(
    import_id: ImportId,
    digest: Annotated[str, typer.Option(help="The digest that was reviewed, or its first 12.", show_default=False)],
    by: Annotated[str, typer.Option(help="Who approves.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why.", show_default=False)],
) -> CommandResult:
    """It covers nothing else and lapses after 7 days. `hris save` applies the change set."""
    from hris_pipeline.operations.decisions import approve_import  # noqa: PLC0415 - looking needs no frames

    with open_services() as services, deciding_on_import(services, import_id, "approve", by=by, reason=reason):
        record = approve_import(services, import_id, digest, by, reason)
    line = f"Approved for {APPROVAL_LASTS.days} days. To apply it: hris save {record.integration_id} {import_id}"
    return CommandResult(document(record), [cell(line, "bold")])


def discard(
    import_id: ImportId,
    reason: Reason = "discarded on the command line",
    by: Annotated[str | None, typer.Option(help="Who discards it; the account on this machine by default.")] = None,
) -> CommandResult:
    """Nothing of it is applied, now or later; the next preview plans anew."""
    from hris_pipeline.operations.decisions import discard_import  # noqa: PLC0415 - looking needs no frames

    with open_services() as services, deciding_on_import(services, import_id, "discard", by=by, reason=reason):
        record = discard_import(services, import_id, by or actor(), reason)
        notes = _pause_notes(services, record)
    line = f"Import {import_id} is discarded. A new one: hris preview {record.integration_id}"
    return CommandResult(document(record), [cell(line, "bold"), *notes])


def history(
    name: IntegrationArgument,
    status: Annotated[list[str] | None, typer.Option(help="Only imports with that status; repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> CommandResult:
    """Planned, held, applied, stale, discarded and failed imports, with who or what started them; of a deleted
    integration too.
    """
    for word in status or ():
        if word not in get_args(ImportStatus):
            raise UsageError(f"There is no status {word[:40]!r}: use {', '.join(get_args(ImportStatus))}.")
    with open_services() as services:
        records = past_imports(services, name, status, limit)
        zone = services.time_zone(name)
    columns = ("!import", "when", "status", "by", "changes", "message")
    lines = [
        (
            record.import_id,
            moment(record.finished_at or record.planned_at, zone),
            record.status,
            f"{record.trigger} ({record.actor})",
            _changes_words(record),
            record.message or "",
        )
        for record in records
    ]
    payload = {"integration": name, "imports": [record.document() for record in records]}
    return CommandResult(
        payload,
        [
            table(columns, lines)
            if lines
            else cell("No such imports." if status else f"No imports yet: hris preview {name}")
        ],
    )


def _require_guard(guard: str | None) -> None:
    """Refuses a guard that there is not, before anything is read."""
    if guard:
        from hris_pipeline.change_set.guards import GUARDS  # noqa: PLC0415 - only with --guard

        if guard not in GUARDS:
            raise UsageError(f"There is no guard {guard[:40]!r}: use {', '.join(GUARDS)}.")


def _changes_words(record: Import) -> str:
    """What it changes, or would; nothing at all is said so: a preview that finds nothing is recorded as applied."""
    counts = [f"{record.counts[count]} {count}" for count in APPLIED_COUNTS if record.counts[count]]
    return ", ".join(counts) or ("nothing to change" if record.status == "applied" else "")


@takes_selection()
def show(import_id: ImportId, selection: Selection) -> CommandResult:
    """The breakdown of any import, past or open, and with `--rows` or any filter each of its changes."""
    with open_services() as services:
        return _review_result(services, import_id, selection)


@takes_selection()
def undo(import_id: ImportId, selection: Selection) -> CommandResult:
    """Every user the import changed gets the state before; users changed since are listed and left alone. Nothing is
    applied before `hris save`. Automatic imports are paused until `hris resume`.
    """
    from hris_pipeline.operations.decisions import plan_undo  # noqa: PLC0415 - looking needs no frames

    check_filters(selection.filters, selection.sort)
    with open_services() as services:
        with deciding_on_import(services, import_id, "undo"):
            planned = plan_undo(services, import_id, actor=actor())
        result = _import_result(services, planned, selection, previewed=True)
        return replace(result, renderables=[*result.renderables, *_pause_notes(services, planned)])


def _pause_notes(services: Services, undo: Import) -> list[Text]:
    """That an undo paused automatic imports, and how they go on."""
    name = undo.integration_id
    with services.store.read() as connection:
        integration = get_integration(connection, name)
    if undo.trigger != "undo" or integration.automatic != "paused":
        return []
    return [
        cell(f"Automatic imports of {name} are paused. To go on with them: hris resume {name} --reason WHY", "yellow")
    ]


def _import_result(
    services: Services, record: Import, selection: Selection, *, previewed: bool = False
) -> CommandResult:
    exit_code = ImportHeld.exit_code if record.status == "held" else 0
    return _review_result(services, record.import_id, selection, previewed=previewed, exit_code=exit_code)


def _review_result(
    services: Services, import_id: str, selection: Selection, *, previewed: bool = False, exit_code: int = 0
) -> CommandResult:
    """The import with the rows that are asked for."""
    filters, reveal = selection.filters, selection.reveal
    page = review(services, import_id, filters=filters, sort=selection.sort, page_size=1, reveal=reveal)
    rows = None
    if selection.wants_rows:
        rows = list(all_rows(services, import_id, filters=filters, sort=selection.sort, reveal=reveal))
    payload = document(page.summary, rows, reveal=reveal)
    zone = services.time_zone(page.summary.integration_id)
    return CommandResult(payload, breakdown(page, zone, rows, previewed=previewed), exit_code)


def _require_environment(services: Services, name: str) -> None:
    with services.store.read() as connection:
        source = current_settings(connection, name).settings.source
    require_environment(services, source, name)


def _show_matching_ids(services: Services, name: str) -> None:
    """Before a first import into a directory with users: which source field their EmployeeIds came from."""
    from hris_pipeline.operations.members import matching_ids  # noqa: PLC0415 - only after a preview

    rates = matching_ids(services, name)
    if rates:
        listed = ", ".join(f"{source} {count}" for source, count in rates.items())
        status(cell(f"EmployeeIds of the directory's users that each field would match: {listed}."))


def _write_user_file(services: Services, name: str, path: str) -> None:
    from hris_pipeline.operations.users import user_file_frame  # noqa: PLC0415
    from hris_pipeline.transform.user_file import user_file_csv  # noqa: PLC0415 - only for --csv

    frame = user_file_frame(services, name)
    target = write_private(path, user_file_csv(frame))
    status(cell(f"{plural(len(frame), 'user')}, as they would be: {target}"))


def _what_if(services: Services, name: str, changes: list[str], extract: str | None) -> CommandResult:
    from hris_pipeline.operations.planning import what_if  # noqa: PLC0415 - only for --with and --extract

    comparison = what_if(services, name, changes=changes, extract_id=extract)
    then = f"with {', '.join(changes)}" if changes else "from that extract"
    plans = {"today": comparison.today, "then": comparison.then}
    payload: dict[str, Any] = {
        "integration": name,
        "extract_id": comparison.extract_id,
        "complete": comparison.complete,
        "users_touched": comparison.touched,
        "users_renamed": comparison.renamed,
    }
    for word, plan in plans.items():
        payload[word] = {
            "status": "held" if plan.held else "planned",
            "counts": dict(plan.counts),
            "guards": [asdict(guard) for guard in plan.guards],
            "diagnostics": {reason: list(ids) for reason, ids in plan.diagnostics.items()},
        }
    counts = [(count, number, comparison.then.counts[count]) for count, number in comparison.today.counts.items()]
    tripped = {"as set today": comparison.today.tripped, then: comparison.then.tripped}
    verdict = [("held by", *(", ".join(guard.name for guard in guards) or "–" for guards in tripped.values()))]
    grid = table(("people", *(f">{column}" for column in tripped)), [*counts, *verdict])
    heading = cell(f"Extract {comparison.extract_id}; nothing is kept or applied.", "bold")
    touched = cell(f"This touches {plural(comparison.touched, 'user')}.", "bold")
    held = [
        cell(f"{column}: {guard.name}: {guard.sentence}", "red")
        for column, guards in tripped.items()
        for guard in guards
    ]
    return CommandResult(payload, [heading, "", grid, "", touched, *held])
