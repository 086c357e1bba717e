"""The difference between what employees should be and what users are: the rows of a change set; and the frames that
cross this room's borders, as pandera schemas: mapped users coming in, change rows going out.

Schemas are held in tests and wherever a frame is made anew; a plan itself only asks whether the columns are there.
What should be is decided in ``desired_state``.
"""

import functools
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa

from hris_pipeline.change_set.directory import (
    decode_metadata,
    encode_metadata,
    merge_metadata,
    metadata_column,
    state_json,
)
from hris_pipeline.contract import ROW_COLUMNS
from hris_pipeline.errors import FrameInvalid
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import USER_FIELD_NAMES, USER_STATE
from hris_pipeline.transform.columns import (
    INTEGER,
    TEXT,
    casefold_key,
    column_or_nulls,
    is_distinct,
    is_in,
    lookup_columns,
    text_series,
)
from hris_pipeline.transform.map_users import mapped_columns

__all__ = [
    "NO_CHANGES",
    "Difference",
    "Retention",
    "archive_rows",
    "change_rows_schema",
    "create_rows",
    "release_rows",
    "require_columns",
    "row_types",
    "update_rows",
]

_ACTIONS = ("create", "update", "archive", "restore")


def row_types() -> dict[str, pd.ArrowDtype]:
    """The type of each of ``ROW_COLUMNS``."""
    return {name: pd.ArrowDtype(pa.int64() if name == "base_version" else pa.string()) for name in ROW_COLUMNS}


def require_columns(mapped: pd.DataFrame, settings: Settings) -> None:
    """Refuses a mapped frame that lacks a column: an absent column must never read as an empty one.

    Raises:
        FrameInvalid: names the columns.
    """
    absent = [name for name in mapped_columns(settings) if name not in mapped.columns]
    if absent:
        raise FrameInvalid(
            f"The mapped users lack {', '.join(absent)}: materialize mapped_users again with the settings in force."
        )


@functools.cache
def change_rows_schema() -> pandera.DataFrameSchema:
    """The rows of a change set (``ROW_COLUMNS``): one a user; a create has no state before and no base version."""

    def as_created(rows: pd.DataFrame) -> pd.Series:
        create = (rows["action"] == "create").astype(bool)
        return (create == rows["before"].isna()) & (create == rows["base_version"].isna())

    nullable = ("before", "base_version", "source_hash")
    columns = {name: pandera.Column(kind, nullable=name in nullable) for name, kind in row_types().items()}
    columns["user_id"] = pandera.Column(TEXT, unique=True)
    columns["action"] = pandera.Column(TEXT, pandera.Check.isin(_ACTIONS))
    columns["base_version"] = pandera.Column(INTEGER, pandera.Check.ge(1), nullable=True)
    return pandera.DataFrameSchema(
        columns,
        checks=pandera.Check(as_created, name="only creates have nothing before"),
        name="change_rows",
        strict=True,
        ordered=True,
    )


@dataclass(frozen=True)
class Retention:
    """Which stored values stay although the row says otherwise: ``by_field``, for which rows; and ``references``,
    fields that name a person, where clearing them would part somebody from one of the EmployeeIds ``in_conflict``."""

    by_field: Mapping[str, pd.Series]
    references: Collection[str] = ()
    in_conflict: Collection[str] = ()

    def of(self, name: str, stored: pd.Series, desired: pd.Series) -> pd.Series:
        """Where the stored value of the field stays."""
        stays = pd.Series(False, index=desired.index)
        if name in self.by_field:
            stays |= self.by_field[name].reindex(desired.index)
        if name in self.references and self.in_conflict:
            stays |= desired.isna() & is_in(stored, self.in_conflict)
        return stays


@dataclass(frozen=True)
class Difference:
    """Rows of a change set, on the index of the rows they came from, and what the guards ask of active users: which
    fields become empty for whom (``wiped``: field → index), and whose email is replaced or cleared (index; filling a
    blank changes nobody's email)."""

    rows: pd.DataFrame
    wiped: Mapping[str, pd.Index]
    email_changed: pd.Index


NO_CHANGES = Difference(pd.DataFrame(columns=list(ROW_COLUMNS)).astype(row_types()), {}, pd.Index([]))


def create_rows(target: pd.DataFrame, integration_id: str) -> pd.DataFrame:
    """New users, from target rows (user fields, ``#Name`` columns, ``hris_id``, ``hash``)."""
    index = target.index
    state = _build_desired_state(target, integration_id)
    state["metadata"] = encode_metadata(_select_metadata(target), index)
    state["email_edited_by_user"] = pd.Series(False, index=index, dtype="bool[pyarrow]")
    blank = pd.DataFrame(index=index)
    return _build_change_rows(
        {
            "user_id": text_series((str(uuid.uuid4()) for _ in index), index),
            "action": text_series(["create"] * len(index), index),
            "changed": text_series(["[]"] * len(index), index),
            "after": state_json(
                pd.DataFrame({name: state.get(name, column_or_nulls(blank, name)) for name in USER_STATE})
            ),
            "source_hash": target["hash"],
        },
        index,
    )


def update_rows(target: pd.DataFrame, stored: pd.DataFrame, integration_id: str, retention: Retention) -> Difference:
    """Users compared field by field with their target rows (which have ``user_id`` and ``email_edited_by_user`` too).

    An archived user is restored, even when no other field differs. A row where a stored value stays has no
    ``source_hash``: the user is not what the source says, and must be compared again next time.
    """
    before = _align_stored_users(target, stored)
    metadata = decode_metadata(before["metadata"])
    held = {name: metadata_column(metadata, name, target.index) for name in _select_metadata(target)}
    target, has_retained = _apply_retention(target, before, held, retention)
    desired, values = _build_desired_state(target, integration_id), _select_metadata(target)
    after = before.assign(
        **desired,
        email_edited_by_user=target["email_edited_by_user"],
        metadata=merge_metadata(metadata, values, target.index),
    )
    compared = {name: (before[name], after[name]) for name in (*_LINK, *_list_user_fields(target))}
    compared |= {f"#{name}": (held[name], value) for name, value in values.items()}
    restored = (before["status"] == "archived").astype(bool)
    unequal = {name: is_distinct(old, new) for name, (old, new) in compared.items()} | {"status": restored}
    touched = pd.DataFrame(unequal).any(axis="columns")
    cleared = {name: old.notna() & new.isna() & ~restored for name, (old, new) in compared.items()}
    email_changed = before["email"].notna() & unequal.get("email", False) & ~restored
    actions = text_series(["update"] * len(target), target.index).mask(restored, "restore")
    rows = _build_change_rows(
        {
            "user_id": target.loc[touched, "user_id"],
            "action": actions[touched],
            "changed": _encode_changed_fields(
                {name: mask[touched] for name, mask in unequal.items()}, target.index[touched]
            ),
            "before": state_json(before[touched]),
            "after": state_json(after[touched]),
            "base_version": before.loc[touched, "version"],
            "source_hash": target.loc[touched, "hash"].mask(has_retained[touched]),
        },
        target.index[touched],
    )
    wiped = {name: target.index[mask] for name, mask in cleared.items() if mask.any()}
    return Difference(rows, wiped, target.index[email_changed])


def archive_rows(stored: pd.DataFrame, released: Collection[str] = ()) -> pd.DataFrame:
    """Users switched off: status alone, and the EmployeeId of those whose it goes to somebody new (``released``); other
    fields wait for a restore. ``stored`` has every column of users."""
    freed = is_in(stored["user_id"], released)
    return _build_leaver_rows(stored, "archive", freed, status="archived", archived_by="import")


def release_rows(stored: pd.DataFrame) -> pd.DataFrame:
    """Archived users who give their EmployeeId up. ``stored`` has every column of users."""
    return _build_leaver_rows(stored, "update", stored["user_id"].notna())


def _build_leaver_rows(stored: pd.DataFrame, action: str, freed: pd.Series, **changes: str) -> pd.DataFrame:
    index = stored.index
    before = stored.assign(metadata=merge_metadata(decode_metadata(stored["metadata"]), {}, index))
    texts = {name: text_series([value] * len(index), index) for name, value in changes.items()}
    after = before.assign(**texts, employee_id=before["employee_id"].mask(freed))
    changed = ["status"] if "status" in changes else []
    lines = (msgspec.json.encode([*["employee_id"] * is_free, *changed]).decode() for is_free in freed)
    return _build_change_rows(
        {
            "user_id": stored["user_id"],
            "action": text_series([action] * len(index), index),
            "changed": text_series(lines, index),
            "before": state_json(before),
            "after": state_json(after),
            "base_version": stored["version"],
        },
        index,
    )


def _apply_retention(
    target: pd.DataFrame, before: pd.DataFrame, held: Mapping[str, pd.Series], retention: Retention
) -> tuple[pd.DataFrame, pd.Series]:
    """The target rows with the stored value wherever it stays, and in which rows one does."""
    changes: dict[str, pd.Series] = {}
    has_retained = pd.Series(False, index=target.index)
    for name in (*_list_user_fields(target), *(f"#{name}" for name in held)):
        stored = held[name[1:]] if name.startswith("#") else before[name]
        stays = retention.of(name, stored, target[name])
        if stays.any():
            changes[name] = target[name].mask(stays, stored)
            has_retained |= stays
    return target.assign(**changes), has_retained


_LINK = ("integration_id", "hris_id")


def _build_desired_state(target: pd.DataFrame, integration_id: str) -> dict[str, pd.Series]:
    """What an import wants a user to be, but for metadata and the mark on the email."""
    length, index = len(target), target.index
    desired = {name: target[name] for name in _list_user_fields(target)}
    if "email" in desired:
        desired["email_key"] = casefold_key(target["email"])
    desired["hris_id"] = target["hris_id"]
    desired["integration_id"] = text_series([integration_id] * length, index)
    desired["status"] = text_series(["active"] * length, index)
    desired["archived_by"] = text_series([None] * length, index)
    return desired


def _list_user_fields(target: pd.DataFrame) -> tuple[str, ...]:
    return tuple(name for name in USER_FIELD_NAMES if name in target.columns)


def _select_metadata(target: pd.DataFrame) -> dict[str, pd.Series]:
    return {name[1:]: target[name] for name in target.columns if name.startswith("#")}


def _align_stored_users(target: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """The stored users beside their target rows, metadata as canonical JSON."""
    users = lookup_columns(target["user_id"], stored["user_id"], stored[[*USER_STATE, "version"]])
    return users.assign(metadata=merge_metadata(decode_metadata(users["metadata"]), {}, target.index))


def _encode_changed_fields(unequal: Mapping[str, pd.Series], index: pd.Index) -> pd.Series:
    names: dict[object, list[str]] = {key: [] for key in index}
    for name, mask in unequal.items():
        for key in index[mask]:
            names[key].append(name)
    return text_series((msgspec.json.encode(line).decode() for line in names.values()), index)


def _build_change_rows(columns: Mapping[str, pd.Series], index: pd.Index) -> pd.DataFrame:
    return pd.DataFrame(columns, index=index).reindex(columns=list(ROW_COLUMNS)).astype(row_types())
