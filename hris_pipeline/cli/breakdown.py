"""How an import is shown to a person: what changes, what does not and why, the guards, and what to type next."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from hris_pipeline.cli.printing import cell, moment, table
from hris_pipeline.contract import APPLIED_WORDS
from hris_pipeline.operations.imports import RowSummary
from hris_pipeline.store.imports import Import

__all__ = ["breakdown", "counts_table", "document", "guards_table", "next_step", "reason_words", "rows_table"]

REASONS: Mapping[str, str] = {
    "conflict": "conflict: somebody must decide who this is",
    "protected": "protected from imports",
    "quarantined": "quarantined: the record fails validation",
    "hole": "hole: nothing was learnt of them this time",
    "excluded:inactive": "excluded: inactive, and no user yet",
    "excluded:not_started": "excluded: not started yet",
    "excluded:service_account": "excluded: service account",
    "warning:phone_not_international": "warning: phone number is not international (no SMS)",
    "warning:gone_since": "left alone: gone since",
    "warning:value_taken": "left alone: another user has that value now",
    "warning:field_missing_for_all": "warning: field missing for everybody, kept as stored",
}
"""Why somebody is not applied, or warned about, in an administrator's words."""

ACTION_STYLES = {"created": "green", "updated": "cyan", "archived": "yellow", "restored": "magenta"}
MOST_IDS = 12


def document(summary: Import, rows: Iterable[RowSummary] | None = None) -> dict[str, Any]:
    """The import's JSON document, with its rows if they are wanted."""
    told = summary.document()
    if rows is not None:
        told["rows"] = [{"action": row.action, "employee_id": row.employee_id, "changed": row.changed} for row in rows]
    return told


def breakdown(summary: Import, rows: Sequence[RowSummary] | None = None) -> Iterator[RenderableType]:
    """The whole story of one import, the four applied counts first."""
    yield _headline(summary)
    yield ""
    yield counts_table(summary)
    if summary.diagnostics:
        yield ""
        yield _beside_table(summary)
    if summary.guards:
        yield ""
        yield guards_table(summary)
    if rows is not None:
        yield ""
        yield rows_table(rows)
    yield ""
    yield next_step(summary)


def counts_table(summary: Import) -> RenderableType:
    """The nine counts: first what is applied, then what is not."""
    applied = [
        (cell(word, ACTION_STYLES[count]), cell(summary.counts[count], "bold")) for count, word in APPLIED_WORDS.items()
    ]
    others = [
        (cell(count, "dim"), cell(number, "dim"))
        for count, number in summary.counts.items()
        if count not in APPLIED_WORDS
    ]
    return table(("people", ">"), [*applied, *others])


def guards_table(summary: Import) -> RenderableType:
    """Every guard: its limit, what was observed, whether it holds the change set."""
    lines = [
        (guard.name, guard.observed, guard.limit, cell("HOLDS", "bold red") if guard.tripped else cell("ok", "green"))
        for guard in summary.guards
    ]
    shown = table(("guard", "observed", "limit", ""), lines)
    for guard in summary.tripped:
        if guard.employee_ids:
            shown.add_row(cell(""), cell(_some(guard.employee_ids), "dim"), cell(""), cell(""))
    return shown


def rows_table(rows: Sequence[RowSummary]) -> RenderableType:
    """Every change."""
    return table(
        ("action", "EmployeeId", "changed"), [(row.action, row.employee_id, ", ".join(row.changed)) for row in rows]
    )


def reason_words(reason: str) -> str:
    """A reason of ``diagnostics`` in words."""
    if reason.startswith("excluded:rule:"):
        return f"excluded: rule {reason.removeprefix('excluded:rule:')}"
    if ": " in reason:
        return reason
    return REASONS.get(reason, reason.replace(":", ": ").replace("_", " "))


def next_step(summary: Import) -> Text:
    """What to type next."""
    name, import_id = summary.integration_id, summary.import_id
    match summary.status:
        case "planned" if not summary.changes:
            words = f"Nothing would change. To record that: hris save {name} {import_id}"
        case "planned":
            words = f"Nothing is applied yet. To apply exactly this: hris save {name} {import_id}"
        case "held":
            words = (
                "Held: nothing of it is applied until somebody approves it:\n"
                f"hris approve {import_id} --digest {summary.digest} --by WHO --reason WHY"
            )
        case "applied" if summary.changes:
            words = f"Applied. To take it back: hris undo {import_id}"
        case "applied":
            words = "Applied: nothing had to change."
        case "failed":
            words = f"Failed: {summary.message}"
        case _:
            words = f"This import is {summary.status}. A new one: hris preview {name}"
    return Text("\n".join("".join(filter(str.isprintable, line)) for line in words.splitlines()), style="bold")


def _headline(summary: Import) -> Text:
    status = {"planned": "cyan", "held": "red", "applied": "green"}.get(summary.status, "yellow")
    when = moment(summary.finished_at or summary.planned_at)
    complete = "" if summary.complete else ", from an incomplete extract"
    return Text.assemble(
        (f"{summary.integration_id} ", "bold"),
        (summary.status, f"bold {status}"),
        f"  import {summary.import_id}, {summary.trigger} by {summary.actor}, {when}{complete}",
        f"\ndigest {summary.digest}" if summary.digest else "",
    )


def _beside_table(summary: Import) -> RenderableType:
    lines = [(reason_words(reason), len(ids), _some(ids)) for reason, ids in summary.diagnostics.items() if ids]
    return table(("not applied, or warned about", ">people", "EmployeeIds"), lines)


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:MOST_IDS]) + (f" and {len(ids) - MOST_IDS} more" if len(ids) > MOST_IDS else "")
