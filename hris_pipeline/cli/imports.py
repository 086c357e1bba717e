"""Manual imports: preview, save, both at once; approving, looking back, taking back."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from hris_pipeline.cli.breakdown import breakdown, document
from hris_pipeline.cli.common import ImportId, IntegrationArgument, Rows, actor, open_services, write_private
from hris_pipeline.cli.printing import CommandResult, cell, moment, status, table
from hris_pipeline.errors import ImportHeld, UsageError
from hris_pipeline.operations.decisions import approve_import, import_to_save, open_import
from hris_pipeline.operations.imports import history as past_imports
from hris_pipeline.operations.imports import read_import, read_rows
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.undo import plan_undo
from hris_pipeline.store.imports import Import

__all__ = ["approve", "history", "import_", "preview", "save", "show", "undo"]


def preview(
    name: IntegrationArgument,
    rows: Rows = False,
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
    with open_services() as services:
        if with_ or extract:
            if csv:
                raise UsageError("--csv shows the users after the open import: leave out --with and --extract.")
            return _what_if(services, name, with_ or [], extract)
        from hris_pipeline.cli.jobs import run_preview  # noqa: PLC0415 - looking only needs no Dagster

        answer = _answer(services, run_preview(services, name), rows=rows)
        _tell_matching_ids(services, name)
        if csv:
            _write_user_file(services, name, csv)
        return answer


def save(
    name: IntegrationArgument,
    import_id: Annotated[str | None, typer.Argument(help="Which import; the open one by default.")] = None,
    rows: Rows = False,
) -> CommandResult:
    """Applies exactly the change set that was previewed, in one transaction, or nothing: exit 3 when a guard holds it,
    4 when it no longer fits the store or the settings. Saved again, it does nothing and says so.
    """
    from hris_pipeline.cli.jobs import run_save  # noqa: PLC0415 - Dagster is only loaded to run

    with open_services() as services:
        chosen = import_to_save(services, name, import_id)
        if chosen.status == "applied":
            status(cell(f"Import {chosen.import_id} is applied already; nothing was done."))
            return _answer(services, chosen, rows=rows)
        return _answer(services, run_save(services, name, chosen.import_id), rows=rows)


def import_(
    name: IntegrationArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Apply without a review in between.")] = False,
    rows: Rows = False,
) -> CommandResult:
    """Counts as reviewed. A change set that a guard holds is not applied: exit 3."""
    if not yes:
        raise UsageError(f"An import applies without a review: add --yes, or look first with `hris preview {name}`.")
    from hris_pipeline.cli.jobs import run_import  # noqa: PLC0415 - Dagster is only loaded to run

    with open_services() as services:
        try:
            summary = run_import(services, name)
        except ImportHeld:
            held = open_import(services, name)
            if held is None:
                raise
            summary = held
        return _answer(services, summary, rows=rows)


def approve(
    import_id: ImportId,
    digest: Annotated[str, typer.Option(help="The digest that was reviewed.", show_default=False)],
    by: Annotated[str, typer.Option(help="Who approves.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why.", show_default=False)],
) -> CommandResult:
    """It covers nothing else and lapses after 7 days. `hris save` applies the change set."""
    with open_services() as services:
        summary = approve_import(services, import_id, digest, by, reason)
    line = f"Approved for 7 days. To apply it: hris save {summary.integration_id} {import_id}"
    return CommandResult(document(summary), [cell(line, "bold")])


def history(
    name: IntegrationArgument,
    status: Annotated[list[str] | None, typer.Option(help="Only imports with that status; repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> CommandResult:
    """Planned, held, applied, stale, discarded and failed imports, with who or what started them."""
    with open_services() as services:
        found = past_imports(services, name, status, limit)
    columns = ("when", "import", "status", "by", ">new", ">updated", ">archived", ">restored", "message")
    lines = [
        (
            moment(one.finished_at or one.planned_at),
            one.import_id,
            one.status,
            f"{one.trigger} ({one.actor})",
            *(one.counts[count] for count in ("created", "updated", "archived", "restored")),
            one.message or "",
        )
        for one in found
    ]
    told = {"integration": name, "imports": [one.document() for one in found]}
    return CommandResult(told, [table(columns, lines) if lines else cell(f"No imports yet: hris preview {name}")])


def show(import_id: ImportId, rows: Rows = False) -> CommandResult:
    """The breakdown of any import, past or open, and with `--rows` each of its changes."""
    with open_services() as services:
        summary = read_import(services, import_id)
        found = read_rows(services, import_id) if rows else None
    return CommandResult(document(summary, found), list(breakdown(summary, found)))


def undo(import_id: ImportId, rows: Rows = False) -> CommandResult:
    """Every user the import changed gets the state before; users changed since are listed and left alone. Nothing is
    applied before `hris save`. Automatic imports are paused until `hris resume`.
    """
    with open_services() as services:
        return _answer(services, plan_undo(services, import_id, actor=actor()), rows=rows)


def _answer(services: Services, summary: Import, *, rows: bool) -> CommandResult:
    found = read_rows(services, summary.import_id) if rows else None
    held = summary.status == "held"
    return CommandResult(document(summary, found), list(breakdown(summary, found)), ImportHeld.exit_code if held else 0)


def _tell_matching_ids(services: Services, name: str) -> None:
    """Before a first import into a directory with users: which source field their EmployeeIds came from."""
    from hris_pipeline.operations.mapping import matching_ids  # noqa: PLC0415 - only after a preview

    rates = matching_ids(services, name)
    if rates:
        told = ", ".join(f"{source} {count}" for source, count in rates.items())
        status(cell(f"EmployeeIds of the directory's users that each field would match: {told}."))


def _write_user_file(services: Services, name: str, path: str) -> None:
    from hris_pipeline.operations.users import user_file_frame  # noqa: PLC0415
    from hris_pipeline.transform.user_file import user_file_csv  # noqa: PLC0415 - only for --csv

    frame = user_file_frame(services, name)
    target = write_private(path, user_file_csv(frame))
    status(cell(f"{len(frame)} users, as they would be, are in {target}."))


def _what_if(services: Services, name: str, changes: list[str], extract: str | None) -> CommandResult:
    from hris_pipeline.operations.what_if import what_if  # noqa: PLC0415 - only for --with and --extract

    found = what_if(services, name, changes=changes, extract_id=extract)
    plans = {"today": found.today, "then": found.then}
    told: dict[str, Any] = {"integration": name, "extract_id": found.extract_id, "complete": found.complete}
    for word, plan in plans.items():
        told[word] = {
            "status": "held" if plan.held else "planned",
            "counts": dict(plan.counts),
            "guards": [asdict(guard) for guard in plan.guards],
            "diagnostics": {reason: list(ids) for reason, ids in plan.diagnostics.items()},
        }
    counts = [(count, number, found.then.counts[count]) for count, number in found.today.counts.items()]
    verdict = [("", *("held" if plan.held else "" for plan in plans.values()))]
    then = f"with {', '.join(changes)}" if changes else "from that extract"
    shown = table(("people", ">as set today", f">{then}"), [*counts, *verdict])
    return CommandResult(told, [cell(f"Extract {found.extract_id}; nothing is kept or applied.", "bold"), "", shown])
