"""The changes of an import as they are stored, for tests that look at what was planned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hris_pipeline.operations.services import Services
from hris_pipeline.store.stored_json import read_states
from hris_pipeline.store.tables import import_rows

__all__ = ["RowSummary", "read_rows"]


@dataclass(frozen=True)
class RowSummary:
    """One change: its action, whom it concerns, and the names of the changed fields."""

    action: str
    employee_id: str
    changed: tuple[str, ...]


def read_rows(services: Services, import_id: str) -> tuple[RowSummary, ...]:
    """The changes of an import, in order of action and EmployeeId."""
    with services.store.read() as connection:
        lines = connection.execute(sa.select(import_rows).where(import_rows.c.import_id == import_id)).all()
    states = [(line.action, *read_states(line)) for line in lines]
    rows = [RowSummary(action, _employee_id(after, before), changed) for action, changed, before, after in states]
    return tuple(sorted(rows, key=lambda row: (row.action, row.employee_id)))


def _employee_id(*states: Mapping[str, Any] | None) -> str:
    ids = (state.get(key) for state in states if state for key in ("employee_id", "hris_id"))
    return next((str(value) for value in ids if value), "")
