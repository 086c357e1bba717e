"""Taking an import back: every user it changed gets the state before, unless somebody changed them since."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pandas as pd

from hris_pipeline.change_set.schemas import row_types
from hris_pipeline.contract import ROW_COLUMNS
from hris_pipeline.settings.fields import USER_STATE

__all__ = ["UNIQUE", "AppliedRow", "Undo", "undo_rows"]

UNIQUE: tuple[str, ...] = ("employee_id", "hris_id", "email_key")
"""What two users of a directory may not share."""

State = Mapping[str, Any]
_encode = msgspec.json.Encoder(order="sorted").encode
_ACTIONS = {("active", "archived"): "archive", ("archived", "active"): "restore"}
_UNNAMED = frozenset({"metadata", "email_key", "archived_by", "email_edited_by_user"})
_SHARED_BY = {"employee_id": ("employee_id",), "hris_id": ("hris_id",), "email_key": ("email", "email_key")}


@dataclass(frozen=True)
class AppliedRow:
    """One change as it was applied: states before (None: created) and after, and the version it wrote."""

    user_id: str
    before: State | None = field(repr=False)
    after: State = field(repr=False)
    written_version: int


@dataclass(frozen=True)
class Undo:
    """``rows`` as in any change set; the EmployeeIds of users who ``changed_since``, and of those whose earlier
    EmployeeId, link or email somebody else has now (``taken``): both are left as they are."""

    rows: pd.DataFrame = field(repr=False)
    changed_since: tuple[str, ...]
    taken: tuple[str, ...]


def undo_rows(
    applied: Collection[AppliedRow], versions: Mapping[str, int], held_by: Mapping[tuple[str, str], str]
) -> Undo:
    """The change set that takes an import back.

    Somebody the import created is archived, and gives up an EmployeeId, link or email that somebody else gets back.

    Args:
        applied: What the import did.
        versions: The version of each user now.
        held_by: Which user has each unique value now, by (column, value).
    """
    mine = {row.user_id: row for row in applied if versions.get(row.user_id) == row.written_version}
    changed_since = [row for row in applied if row.user_id not in mine]
    taken: list[AppliedRow] = []
    while blocked := [row for row in mine.values() if _blocked(row, mine, held_by)]:
        taken += blocked
        for row in blocked:
            del mine[row.user_id]
    targets = _targets(mine)
    lines = [_line(row, targets[row.user_id]) for row in mine.values() if targets[row.user_id] != row.after]
    columns = {name: [line[name] for line in lines] for name in ROW_COLUMNS}
    return Undo(
        rows=pd.DataFrame(columns).astype(row_types()),
        changed_since=tuple(sorted(_shown(row) for row in changed_since)),
        taken=tuple(sorted(_shown(row) for row in taken)),
    )


def _blocked(row: AppliedRow, mine: Collection[str], held_by: Mapping[tuple[str, str], str]) -> bool:
    """Whether somebody who is not taken back has what this person would get back."""
    wanted = ((name, row.before[name]) for name in UNIQUE if row.before and row.before.get(name))
    return any(held_by.get(value, row.user_id) not in mine for value in wanted)


def _targets(mine: Mapping[str, AppliedRow]) -> dict[str, State]:
    """The state before; of somebody the import created, the same person archived, without what others get back."""
    returned = {
        (name, row.before[name]) for row in mine.values() if row.before for name in UNIQUE if row.before.get(name)
    }
    targets: dict[str, State] = {}
    for row in mine.values():
        given_up = [name for name in UNIQUE if (name, row.after.get(name)) in returned]
        blank = {column: None for name in given_up for column in _SHARED_BY[name]}
        archived = {**row.after, **blank, "status": "archived", "archived_by": "import"}
        targets[row.user_id] = archived if row.before is None else row.before
    return targets


def _line(row: AppliedRow, target: State) -> dict[str, Any]:
    return {
        "user_id": row.user_id,
        "action": _ACTIONS.get((row.after["status"], target["status"]), "update"),
        "changed": msgspec.json.encode(_changed(row.after, target)).decode(),
        "before": _encode(row.after).decode(),
        "after": _encode(target).decode(),
        "base_version": row.written_version,
        "source_hash": None,
    }


def _changed(old: State, new: State) -> list[str]:
    names = [name for name in USER_STATE if name not in _UNNAMED and old.get(name) != new.get(name)]
    old_metadata, new_metadata = old.get("metadata") or {}, new.get("metadata") or {}
    keys = sorted({*old_metadata, *new_metadata})
    return names + [f"#{key}" for key in keys if old_metadata.get(key) != new_metadata.get(key)]


def _shown(row: AppliedRow) -> str:
    return str(row.after.get("employee_id") or row.after.get("hris_id") or row.user_id)
