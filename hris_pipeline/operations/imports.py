"""Looking at imports: one, those of an integration, and the changes of one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hris_pipeline.operations.services import Services
from hris_pipeline.store.imports import Import, get_import, imports_of
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.stored_json import read_states
from hris_pipeline.store.tables import import_rows

__all__ = ["RowSummary", "history", "read_import", "read_rows"]


@dataclass(frozen=True)
class RowSummary:
    """One change: its action, whom it concerns, and the names of the changed fields."""

    action: str
    employee_id: str
    changed: tuple[str, ...]


def read_import(services: Services, import_id: str) -> Import:
    """The import as it stands.

    Raises:
        UnknownName: no import of that id.
    """
    with services.store.read() as connection:
        return get_import(connection, import_id)


def history(
    services: Services, integration_id: str, statuses: Collection[str] | None = None, limit: int | None = 50
) -> tuple[Import, ...]:
    """The integration's imports, the newest first; all, or those in one of ``statuses``. Those of a former life, and of
    an integration that was deleted, are there too."""
    with services.store.read() as connection:
        get_integration(connection, integration_id, deleted=True)
        return imports_of(connection, integration_id, statuses, limit)


def read_rows(services: Services, import_id: str) -> tuple[RowSummary, ...]:
    """The changes of an import, in order of action and EmployeeId.

    Raises:
        Tampered: one of them is not what any import writes.
    """
    with services.store.read() as connection:
        lines = connection.execute(sa.select(import_rows).where(import_rows.c.import_id == import_id)).all()
    states = [(line.action, *read_states(line)) for line in lines]
    rows = [RowSummary(action, _employee_id(after, before), changed) for action, changed, before, after in states]
    return tuple(sorted(rows, key=lambda row: (row.action, row.employee_id)))


def _employee_id(*states: Mapping[str, Any] | None) -> str:
    ids = (state.get(key) for state in states if state for key in ("employee_id", "hris_id"))
    return next((str(value) for value in ids if value), "")
