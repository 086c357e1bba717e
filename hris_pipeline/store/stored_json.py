"""Reads the store's JSON columns in the shapes that this pipeline writes. Anything else was written behind its back.

Guards and diagnostics that cannot be read become ``UNREADABLE``, which no seal covers: the import is refused as
tampered with, but can still be listed, shown and replaced. Rows of imports that cannot be read are an error.
``has_ended`` notices an older row of an import that was put back, seal and all.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from hris_pipeline.change_set.guards import Guard
from hris_pipeline.errors import Tampered
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.store.tables import decisions, imports, users

__all__ = [
    "UNREADABLE",
    "has_ended",
    "read_count",
    "read_diagnostics",
    "read_guards",
    "read_json",
    "read_object",
    "read_state",
    "read_states",
    "rename_metadata",
    "sound_object",
]

UNREADABLE = "unreadable"
"""The name of the guard and of the reason that stand for what cannot be read."""

_UNREADABLE_GUARDS = (Guard(UNREADABLE, "–", "the guards were changed behind the pipeline's back", tripped=True),)


_ALWAYS = {"status", "hris_id", "employee_id", "metadata"}
"""What every state has, whatever fields there were when it was written."""


def read_json(text: str | bytes) -> Any:
    """What the text says; None where it is no JSON, as only SQLite lets it be."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def read_object(value: Any) -> dict[str, Any]:
    """A JSON object; an empty one where something else stands."""
    return value if isinstance(value, dict) else {}


def read_count(value: Any) -> int:
    """A count; -1, which is never one, where no number stands."""
    return value if isinstance(value, int) and value >= 0 else -1


def read_guards(value: Any) -> tuple[Guard, ...]:
    """An import's guards."""
    try:
        return msgspec.convert(value, tuple[Guard, ...])
    except msgspec.ValidationError:
        return _UNREADABLE_GUARDS


def read_diagnostics(value: Any) -> dict[str, tuple[str, ...]]:
    """An import's diagnostics: ids by reason."""
    try:
        return msgspec.convert(value, dict[str, tuple[str, ...]])
    except msgspec.ValidationError:
        return {UNREADABLE: ()}


def read_state(value: Any) -> dict[str, Any] | None:
    """A user's state as a row of an import keeps it; None where it is none. Fields that are younger than the row are
    empty."""
    if not isinstance(value, dict) or not value.keys() >= _ALWAYS or not isinstance(value["metadata"], dict | None):
        return None
    return dict.fromkeys(USER_STATE) | value


def read_states(row: sa.Row[Any]) -> tuple[tuple[str, ...], dict[str, Any] | None, dict[str, Any]]:
    """The changed fields, the state before (None for a create) and the state after of a row of ``import_rows``.

    Raises:
        Tampered: one of them is not what any import writes.
    """
    columns = row._mapping
    before, after, changed = read_state(columns["before"]), read_state(columns["after"]), columns["changed"]
    named = isinstance(changed, list) and all(isinstance(name, str) for name in changed)
    if after is None or not named or (before is None) != (columns["action"] == "create"):
        raise Tampered(
            f"A row of import {columns['import_id']} (user {columns['user_id']}) cannot be read: it was changed behind "
            "the pipeline's back. Next: `hris verify NAME` lists what was changed; restore the store from a backup."
        )
    return tuple(changed), before, after


def sound_object(dialect: str, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The column, for what a statement takes out of its JSON: an empty object where none stands."""
    if dialect != "sqlite":
        kind: Callable[..., Any] = sa.func.jsonb_typeof
        return sa.case((kind(column) == "object", column), else_=sa.literal_column("'{}'::jsonb"))
    is_object = sa.and_(sa.func.json_valid(column) == 1, sa.func.json_type(column) == "object")
    return sa.case((is_object, column), else_=sa.literal_column("'{}'", column.type))


def has_ended(connection: sa.Connection, integration_id: str, import_id: str) -> bool:
    """Whether another import took its place, or a person discarded it, as those rows tell."""
    replaced = sa.select(imports.c.import_id).where(imports.c.replaces == import_id)
    discarded = sa.select(decisions.c.decision_id).where(
        decisions.c.integration_id == integration_id,
        decisions.c.subject == import_id,
        decisions.c.action == "discard",
        decisions.c.outcome == "done",
    )
    return any(connection.execute(select.limit(1)).first() is not None for select in (replaced, discarded))


def rename_metadata(connection: sa.Connection, integration_id: str, old: str, new: str, now: datetime) -> int:
    """Moves the stored value of one metadata name to another in every user the integration manages; gives how many had
    it. Their versions grow, so an open plan made before is stale; history keeps the name it was written with."""
    managed = sa.select(users.c.user_id, users.c.metadata).where(users.c.integration_id == integration_id)
    renamed = [
        {"key": row.user_id, "values": _rename_key(row.metadata, old, new)}
        for row in connection.execute(managed)
        if isinstance(row.metadata, dict) and old in row.metadata
    ]
    if renamed:
        connection.execute(
            sa.update(users)
            .where(users.c.user_id == sa.bindparam("key"))
            .values(metadata=sa.bindparam("values"), version=users.c.version + 1, updated_at=now),
            renamed,
        )
    return len(renamed)


def _rename_key(metadata: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """The metadata with ``new`` in the place of ``old``; a value that an earlier field left under ``new`` is
    dropped."""
    return {new if name == old else name: value for name, value in metadata.items() if name != new}
