"""Taking an import back, field by field: what it changed gets the value before, unless somebody changed that since."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pandas as pd

from hris_pipeline.change_set.diff import row_types
from hris_pipeline.contract import ROW_COLUMNS
from hris_pipeline.settings.fields import METADATA_PREFIX, USER_STATE

__all__ = ["AppliedRow", "CurrentUser", "Undo", "undo_rows", "unique_values"]

State = Mapping[str, Any]
UniqueValue = tuple[str, ...]

_TOGETHER: Mapping[str, tuple[str, ...]] = {
    "email": ("email", "email_key", "email_edited_by_user"),
    "status": ("status", "archived_by"),
    "hris_id": ("integration_id", "hris_id"),
}
"""Columns that only make sense together, under the one that people know."""

_FIELDS: Mapping[str, tuple[str, ...]] = {
    **_TOGETHER,
    **{
        name: (name,)
        for name in USER_STATE
        if name != "metadata" and not any(name in columns for columns in _TOGETHER.values())
    },
}
_UNIQUE: Mapping[str, tuple[str, ...]] = {
    "employee_id": ("employee_id",),
    "hris_id": ("integration_id", "hris_id"),
    "email": ("email_key",),
}
"""What two users of a directory may not share, by field."""

_encode = msgspec.json.Encoder(order="sorted").encode
_ACTIONS = {("active", "archived"): "archive", ("archived", "active"): "restore"}


@dataclass(frozen=True)
class AppliedRow:
    """One change as it was applied: states before (None: created) and after."""

    user_id: str
    before: State | None = field(repr=False)
    after: State = field(repr=False)


@dataclass(frozen=True)
class CurrentUser:
    """A user as they are now. ``kept`` is never archived by an import; a ``protected`` one also keeps email and
    EmployeeId."""

    state: State = field(repr=False)
    version: int
    protected: bool = False
    kept: bool = False


@dataclass(frozen=True)
class Undo:
    """``rows`` as in any change set. Left as they are, as EmployeeIds: by field who changed it since, who is gone or
    was erased, whose earlier value another user has now (``taken``), and who is ``protected`` from it."""

    rows: pd.DataFrame = field(repr=False)
    changed_since: Mapping[str, tuple[str, ...]]
    gone: tuple[str, ...]
    taken: tuple[str, ...]
    protected: tuple[str, ...]


def undo_rows(
    applied: Collection[AppliedRow],
    users: Mapping[str, CurrentUser],
    owners: Mapping[UniqueValue, str],
    renamed: Mapping[str, str] | None = None,
) -> Undo:
    """The change set that takes an import back.

    Somebody the import created is archived, and gives up an EmployeeId, link or email that somebody else gets back.

    Args:
        applied: What the import did.
        users: Of those it changed, whoever is still there, by user_id.
        owners: Which user has each of ``unique_values`` now.
        renamed: Metadata names that changed since: old to new.
    """
    rows = {row.user_id: _with_names(row, renamed or {}) for row in applied if row.user_id in users}
    reverts: dict[str, dict[str, Any]] = {}
    left: list[tuple[str, str]] = []
    protected: set[str] = set()
    for key, row in rows.items():
        user = users[key]
        reverted = dict(_list_reverted_fields(row))
        changed = [name for name in reverted if _read_field(user.state, name) != _read_field(row.after, name)]
        left += [(name, key) for name in changed]
        blocked_by_protection = [
            name for name in reverted if name not in changed and _is_forbidden(name, reverted[name], user)
        ]
        protected |= {key} if blocked_by_protection else set()
        reverts[key] = {
            name: value for name, value in reverted.items() if name not in (*changed, *blocked_by_protection)
        }
    taken = _drop_taken(reverts, rows, users, owners)
    targets = _build_target_states(reverts, rows, users)
    lines = [_build_undo_row(key, users[key], target) for key, target in targets.items() if target != users[key].state]
    columns = {name: [line[name] for line in lines] for name in ROW_COLUMNS}
    names = {row.user_id: _employee_id(row, users.get(row.user_id)) for row in applied}
    return Undo(
        rows=pd.DataFrame(columns).astype(row_types()),
        changed_since={
            name: tuple(sorted(names[key] for other, key in left if other == name))
            for name in sorted({name for name, _ in left})
        },
        gone=tuple(sorted(names[row.user_id] for row in applied if row.user_id not in users)),
        taken=tuple(sorted(names[key] for key in taken)),
        protected=tuple(sorted(names[key] for key in protected)),
    )


def unique_values(state: State) -> Iterator[tuple[str, UniqueValue]]:
    """What nobody else in the directory may have, by field; a link only counts with its integration."""
    for name, columns in _UNIQUE.items():
        value = tuple(state.get(column) for column in columns)
        if all(value):
            yield name, (name, *(str(part) for part in value))


def _with_names(row: AppliedRow, renamed: Mapping[str, str]) -> AppliedRow:
    def follow(state: State) -> State:
        metadata = state.get("metadata") or {}
        return {**state, "metadata": {renamed.get(name, name): value for name, value in metadata.items()}}

    return AppliedRow(row.user_id, None if row.before is None else follow(row.before), follow(row.after))


def _list_reverted_fields(row: AppliedRow) -> Iterator[tuple[str, Any]]:
    """Each field that the import changed, with its value before; a created person only goes."""
    if row.before is None:
        yield "status", ("archived", "import")
        return
    metadata = sorted({*row.before["metadata"], *row.after["metadata"]})
    for name in (*_FIELDS, *(f"{METADATA_PREFIX}{key}" for key in metadata)):
        if _read_field(row.before, name) != _read_field(row.after, name):
            yield name, _read_field(row.before, name)


def _read_field(state: State, name: str) -> Any:
    if name.startswith(METADATA_PREFIX):
        return (state.get("metadata") or {}).get(name.removeprefix(METADATA_PREFIX))
    return tuple(state.get(column) for column in _FIELDS[name])


def _is_forbidden(name: str, value: Any, user: CurrentUser) -> bool:
    if name == "status":
        return (user.protected or user.kept) and value[0] == "archived"
    return user.protected and name in ("email", "employee_id")


def _drop_taken(
    reverts: dict[str, dict[str, Any]],
    rows: Mapping[str, AppliedRow],
    users: Mapping[str, CurrentUser],
    owners: Mapping[UniqueValue, str],
) -> set[str]:
    """Leaves out what somebody would get back that another user has now and keeps; gives whose."""
    taken: set[str] = set()
    while True:
        targets = _build_target_states(reverts, rows, users)
        kept = {value: key for key, target in targets.items() for _, value in unique_values(target)}
        blocked = [
            (key, name)
            for key, target in targets.items()
            for name, value in unique_values(target)
            if name in reverts[key]
            and (owner := owners.get(value, key)) != key
            and (owner not in targets or kept.get(value) == owner or _still_has(targets[owner], value))
        ]
        if not blocked:
            return taken
        for key, name in blocked:
            del reverts[key][name]
            taken.add(key)


def _still_has(target: State, value: UniqueValue) -> bool:
    return any(other == value for _, other in unique_values(target))


def _build_target_states(
    reverts: Mapping[str, Mapping[str, Any]], rows: Mapping[str, AppliedRow], users: Mapping[str, CurrentUser]
) -> dict[str, State]:
    targets = {key: _with_values(users[key].state, values) for key, values in reverts.items()}
    returned = {
        value for key, target in targets.items() for name, value in unique_values(target) if name in reverts[key]
    }
    for key, target in targets.items():
        if rows[key].before is None and "status" in reverts[key]:
            given_up = [name for name, value in unique_values(target) if value in returned]
            targets[key] = {**target, **{column: None for name in given_up for column in _FIELDS[name]}}
            if "email" in given_up:
                targets[key] = {**targets[key], "email_edited_by_user": False}
    return targets


def _with_values(state: State, values: Mapping[str, Any]) -> State:
    target = {**state, "metadata": dict(state.get("metadata") or {})}
    for name, value in values.items():
        if not name.startswith(METADATA_PREFIX):
            target |= dict(zip(_FIELDS[name], value, strict=True))
        elif value is None:
            target["metadata"].pop(name.removeprefix(METADATA_PREFIX), None)
        else:
            target["metadata"][name.removeprefix(METADATA_PREFIX)] = value
    return target


def _build_undo_row(user_id: str, user: CurrentUser, target: State) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "action": _ACTIONS.get((user.state["status"], target["status"]), "update"),
        "changed": msgspec.json.encode(_list_changed_fields(user.state, target)).decode(),
        "before": _encode(user.state).decode(),
        "after": _encode(target).decode(),
        "base_version": user.version,
        "source_hash": None,
    }


def _list_changed_fields(old: State, new: State) -> list[str]:
    fields = ("integration_id", *(name for name in USER_STATE if name in _FIELDS))
    names = [name for name in fields if old.get(name) != new.get(name)]
    old_metadata, new_metadata = old.get("metadata") or {}, new.get("metadata") or {}
    keys = sorted({*old_metadata, *new_metadata})
    return names + [f"{METADATA_PREFIX}{key}" for key in keys if old_metadata.get(key) != new_metadata.get(key)]


def _employee_id(row: AppliedRow, user: CurrentUser | None) -> str:
    state = row.after if user is None else user.state
    return str(state.get("employee_id") or row.after.get("employee_id") or row.after.get("hris_id") or row.user_id)
