"""What an import is, told in ids and counts: for the command line's JSON, run metadata and notifications alike."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hris_pipeline.change_set.guards import Guard
from hris_pipeline.contract import COUNTS
from hris_pipeline.operations.services import Services
from hris_pipeline.store.history import Import, get_import, imports_of
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.tables import import_rows

__all__ = [
    "APPLIED_WORDS",
    "ImportSummary",
    "RowSummary",
    "history",
    "read_rows",
    "read_summary",
    "summary_of",
]


APPLIED_WORDS = {"created": "new", "updated": "updated", "archived": "archived", "restored": "restored"}
"""The counts of what an import changes, in an administrator's words."""


@dataclass(frozen=True)
class RowSummary:
    """One change: its action, whom it concerns, and the names of the changed fields."""

    action: str
    employee_id: str
    changed: tuple[str, ...]


@dataclass(frozen=True)
class ImportSummary:
    """One import; ``diagnostics`` gives EmployeeIds by reason for whoever is not applied or warned about."""

    integration: str
    import_id: str
    digest: str
    status: str
    trigger: str
    counts: Mapping[str, int]
    guards: tuple[Guard, ...]
    complete: bool
    extract_id: str | None
    settings_version: int | None
    diagnostics: Mapping[str, tuple[str, ...]]
    actor: str
    message: str | None
    dagster_run_id: str | None
    undoes: str | None
    planned_at: datetime
    finished_at: datetime | None

    @property
    def changes(self) -> int:
        """How many users it changes."""
        return sum(self.counts[name] for name in APPLIED_WORDS)

    @property
    def tripped(self) -> tuple[Guard, ...]:
        """The guards that hold it."""
        return tuple(guard for guard in self.guards if guard.tripped)

    def document(self) -> dict[str, Any]:
        """As JSON values, with text for times."""
        document = asdict(self)
        for name in ("planned_at", "finished_at"):
            document[name] = document[name].isoformat() if document[name] else None
        return document

    def markdown(self) -> str:
        """The breakdown as a Markdown table, the guards that tripped, and who is not applied and why."""
        lines = ["| | people |", "|---|---|", *(f"| {name} | {self.counts[name]} |" for name in COUNTS)]
        if self.tripped:
            lines += ["", "Held:", ""]
            lines += [f"- **{guard.name}**: {guard.observed}, limit {guard.limit}" for guard in self.tripped]
        if self.diagnostics:
            lines += ["", "| not applied, or warned about | people | EmployeeIds |", "|---|---|---|"]
            lines += [f"| {reason} | {len(ids)} | {_some(ids)} |" for reason, ids in self.diagnostics.items()]
        return "\n".join(lines)


def _some(ids: tuple[str, ...], most: int = 10) -> str:
    return ", ".join(f"`{name}`" for name in ids[:most]) + (" …" if len(ids) > most else "")


def summary_of(found: Import) -> ImportSummary:
    """An import of the store as a summary."""
    return ImportSummary(
        integration=found.integration_id,
        import_id=found.import_id,
        digest=found.digest or "",
        status=found.status,
        trigger=found.trigger,
        counts=found.counts,
        guards=tuple(Guard(**{**guard, "employee_ids": tuple(guard["employee_ids"])}) for guard in found.guards),
        complete=found.complete,
        extract_id=found.extract_id,
        settings_version=found.settings_version,
        diagnostics={reason: tuple(ids) for reason, ids in found.diagnostics.items()},
        actor=found.actor,
        message=found.message,
        dagster_run_id=found.dagster_run_id,
        undoes=found.undoes,
        planned_at=found.planned_at,
        finished_at=found.finished_at,
    )


def read_summary(services: Services, import_id: str) -> ImportSummary:
    """The import as it stands.

    Raises:
        UnknownName: no import of that id.
    """
    with services.store.read() as connection:
        return summary_of(get_import(connection, import_id))


def history(
    services: Services, integration_id: str, statuses: Collection[str] | None = None, limit: int | None = 50
) -> tuple[ImportSummary, ...]:
    """The integration's imports, the newest first; all, or those in one of ``statuses``."""
    with services.store.read() as connection:
        get_integration(connection, integration_id)
        return tuple(summary_of(found) for found in imports_of(connection, integration_id, statuses, limit))


def read_rows(services: Services, import_id: str) -> tuple[RowSummary, ...]:
    """The changes of an import, in order of action and EmployeeId."""
    chosen = sa.select(import_rows.c.action, import_rows.c.changed, import_rows.c.before, import_rows.c.after)
    with services.store.read() as connection:
        found = connection.execute(chosen.where(import_rows.c.import_id == import_id)).all()
    rows = [RowSummary(row.action, _name(row.after, row.before), tuple(row.changed)) for row in found]
    return tuple(sorted(rows, key=lambda row: (row.action, row.employee_id)))


def _name(*states: Mapping[str, Any] | None) -> str:
    named = (state.get(key) for state in states if state for key in ("employee_id", "hris_id"))
    return next((str(name) for name in named if name), "")
