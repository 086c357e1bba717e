"""How an import is shown to a person: what changes and for whom, what does not and why, the guards, and what to type
next."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from hris_pipeline.cli.printing import cell, moment, printable, table
from hris_pipeline.contract import APPLIED_COUNTS
from hris_pipeline.operations.review import NotApplied, Person, Review, ReviewRow
from hris_pipeline.operations.review_files import group_words, reason_words
from hris_pipeline.operations.review_rows import FIELD_REASONS
from hris_pipeline.settings.text import plural
from hris_pipeline.store.imports import Import

__all__ = [
    "breakdown",
    "counts_table",
    "document",
    "guards_table",
    "next_step",
    "not_applied_table",
    "rows_tables",
]

ACTION_STYLES = {"created": "green", "updated": "cyan", "archived": "yellow", "restored": "magenta"}
ROW_STYLES = {"create": "green", "update": "cyan", "archive": "yellow", "restore": "magenta"}
MOST_IDS = 12
ROWS_AT_ONCE = 500
"""So many rows are laid out as one table: all at once would have to be held in memory twice."""


def document(record: Import, rows: Iterable[ReviewRow] | None = None, *, reveal: bool = False) -> dict[str, Any]:
    """The import's JSON document, with its rows if they are wanted; names and values only when revealed."""
    payload = record.document()
    if rows is not None:
        payload["rows"] = [_row_document(row, reveal=reveal) for row in rows]
    return payload


def _row_document(row: ReviewRow, *, reveal: bool) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "action": row.action,
        "employee_id": row.employee_id,
        "employee_id_before": row.employee_id_before,
        "employee_id_after": row.employee_id_after,
        "changed": list(row.changed),
        "why": list(row.why),
    }
    if reveal:
        payload["name"] = row.name
        payload["changes"] = {name: vars(change) for name, change in row.changes.items()}
    return payload


def breakdown(
    review: Review, time_zone: str, rows: Iterable[ReviewRow] | None = None, *, previewed: bool = False
) -> Iterator[RenderableType]:
    """Everything about one import, the four applied counts first; ``previewed`` when the command only previewed, so
    that nothing sounds applied."""
    yield _import_headline(review.summary, time_zone, previewed=previewed)
    yield ""
    yield counts_table(review.summary)
    if review.not_applied:
        yield ""
        yield not_applied_table(review.not_applied, revealed=review.revealed)
    if review.summary.guards:
        yield ""
        yield (
            guards_table(review.summary)
            if review.summary.changes or review.summary.status == "held"
            else _guards_line(review)
        )
    if rows is not None:
        yield ""
        yield from rows_tables(rows)
        if review.filters.any:
            yield cell(f"{review.total} of {sum(review.by_action.values())} rows that the filters leave.", "dim")
    yield ""
    yield next_step(review.summary, previewed=previewed)


def counts_table(record: Import) -> RenderableType:
    """The nine counts: first what is applied, then what is not."""
    applied = [(cell(count, ACTION_STYLES[count]), cell(record.counts[count], "bold")) for count in APPLIED_COUNTS]
    others = [
        (cell(count, "dim"), cell(number, "dim"))
        for count, number in record.counts.items()
        if count not in APPLIED_COUNTS
    ]
    return table(("people", ">"), [*applied, *others])


def _guards_line(review: Review) -> Text:
    return cell(f"{plural(len(review.summary.guards), 'guard')}: all ok", "dim")


def guards_table(record: Import) -> RenderableType:
    """Every guard: its limit, what was observed, whether it holds the change set; whom, under one that does."""
    grid = table(("guard", "observed", "limit", ""), [])
    for guard in record.guards:
        verdict = cell("HOLDS", "bold red") if guard.tripped else cell("ok", "green")
        grid.add_row(cell(guard.name), cell(guard.observed), cell(guard.limit), verdict)
        if guard.tripped and guard.employee_ids:
            grid.add_row(
                cell(""), cell(_abbreviate_list(guard.employee_ids, len(guard.employee_ids)), "dim"), cell(""), cell("")
            )
        if guard.remedy:
            grid.add_row(cell(""), cell(guard.remedy, "bold"), cell(""), cell(""))
    return grid


def rows_tables(rows: Iterable[ReviewRow]) -> Iterator[RenderableType]:
    """Every change: who, and each field from what to what; in tables of some hundred rows."""
    batch: list[ReviewRow] = []
    listed = False
    for row in rows:
        batch.append(row)
        if len(batch) == ROWS_AT_ONCE:
            yield _rows_table(batch)
            batch, listed = [], True
    if batch:
        yield _rows_table(batch)
    elif not listed:
        yield cell("No rows.", "dim")


def _rows_table(rows: Sequence[ReviewRow]) -> RenderableType:
    lines = [
        (cell(row.action, ROW_STYLES[row.action]), _employee_id_change(row), row.name or "", _render_changes(row))
        for row in rows
    ]
    return table(("action", "EmployeeId", "name", "changes"), lines)


def _employee_id_change(row: ReviewRow) -> str:
    ids = (row.employee_id_before, row.employee_id_after)
    return f"{ids[0]} → {ids[1] or 'none'}" if ids[0] and ids[0] != ids[1] else row.employee_id


def _render_changes(row: ReviewRow) -> Text:
    """One line a changed field, the old value and the new one; for somebody new only the new values."""
    text = Text()
    if row.erased:
        text.append("erased", "dim")
    for name, change in row.changes.items():
        if len(text):
            text.append("; " if row.action == "create" else "\n")
        text.append(f"{printable(name)} ", "dim")
        if row.action != "create":
            text.append_text(_render_value(change.before)).append(" → ", "dim")
        text.append_text(_render_value(change.after))
    for why in row.why:
        if why.startswith("archived:"):
            text.append(f" ({reason_words(why).removeprefix('archived: ')})", "dim")
    if row.hidden_changes:
        text.append(f"{'; ' if len(text) else ''}{row.hidden_changes} hidden", "dim")
    return text


def _render_value(value: object) -> Text:
    return cell("–", "dim") if value in (None, "") else cell(value)


def next_step(record: Import, *, previewed: bool = False) -> Text:
    """What to type next."""
    name, import_id = record.integration_id, record.import_id
    match record.status:
        case "planned" if not record.changes:
            words = f"Nothing would change. To record that: hris save {name} {import_id}"
        case "planned":
            words = f"Nothing is applied yet. To apply exactly this: hris save {name} {import_id}"
        case "held":
            words = (
                "Held: nothing of it is applied until somebody approves it:\n"
                f"hris approve {import_id} --digest {record.digest[:12]} --by WHO --reason WHY"
            )
        case "applied" if previewed:
            words = "Nothing would change, so there is nothing to save."
        case "applied" if record.changes:
            words = f"Applied. To take it back: hris undo {import_id}"
        case "applied":
            words = "Applied: nothing had to change."
        case "failed":
            words = f"Failed: {record.message}"
        case _:
            words = f"This import is {record.status}. A new one: hris preview {name}"
    return Text("\n".join(printable(line) for line in words.splitlines()), style="bold")


def _import_headline(record: Import, time_zone: str, *, previewed: bool) -> Text:
    status = "nothing to change" if previewed and record.status == "applied" else record.status
    style = {"planned": "cyan", "held": "red", "applied": "green"}.get(status, "yellow")
    finished = moment(record.finished_at or record.planned_at, time_zone)
    complete = "" if record.complete else ", from an incomplete extract"
    return Text.assemble(
        (f"{record.integration_id} ", "bold"),
        (status, f"bold {style}"),
        printable(f"  import {record.import_id}, {record.trigger} by {record.actor}, {finished}{complete}"),
        f"\ndigest {record.digest}" if record.digest else "",
    )


def not_applied_table(groups: Iterable[NotApplied], *, revealed: bool, most: int = MOST_IDS) -> RenderableType:
    """Whoever is not applied, or warned about, by reason."""
    lines = [
        (group_words(group), "", "–")
        if group.reason in FIELD_REASONS
        else (group_words(group), group.count, _list_people(group, revealed, most))
        for group in groups
    ]
    return table(("not applied, or warned about", ">people", "who"), lines)


def _list_people(group: NotApplied, revealed: bool, most: int) -> str:
    if not revealed:
        return _abbreviate_list(group.ids, group.count, most)
    return _abbreviate_list([_id_and_name(person) for person in group.people], group.count, most)


def _id_and_name(person: Person) -> str:
    return f"{person.id} {person.name}" if person.name else person.id


def _abbreviate_list(ids: Sequence[str], count: int, most: int = MOST_IDS) -> str:
    return ", ".join(ids[:most]) + (f" and {count - most} more" if count > most else "")
