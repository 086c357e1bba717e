"""What applied imports did to users: past states as a fold over their rows.

Rows hold whole states, so a fold is: of each user the newest row. A user's rows come in order of base version.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pandas as pd
import sqlalchemy as sa

from hris_pipeline.errors import Tampered, UnknownName
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.store.frames import read_frame
from hris_pipeline.store.imports import get_import, in_this_life
from hris_pipeline.store.keyring import is_user_seal, keyring_of
from hris_pipeline.store.stored_json import read_json, read_state, read_states
from hris_pipeline.store.tables import approvals, import_rows, imports, users

__all__ = [
    "Divergence",
    "HistoryRow",
    "directory_as_of",
    "diverging_users",
    "recent_archives",
    "user_as_of",
    "user_history",
]


@dataclass(frozen=True)
class HistoryRow:
    """What one applied import did to one user; states are as in ``USER_STATE``, dates as ISO text."""

    import_id: str
    finished_at: datetime
    user_id: str
    action: str
    changed: tuple[str, ...]
    before: dict[str, Any] | None
    after: dict[str, Any]


@dataclass(frozen=True)
class Divergence:
    """A user who is not what history says, though nobody says they wrote it: what is wrong (``changed``, ``gone``,
    ``set back``: its versions, ``inserted``: nobody made it, ``protected``: nobody decided that), since which import
    (None: none knows the user), and which fields changed."""

    user_id: str
    what: Literal["changed", "gone", "set back", "inserted", "protected"]
    import_id: str | None = None
    fields: tuple[str, ...] = ()


def recent_archives(connection: sa.Connection, integration_id: str, since: datetime) -> set[str]:
    """The user_ids of those archived since then by applied imports of this life that no person had to approve; undos,
    and users who were restored since, do not count. Whoever was erased since counts on."""
    approved = sa.select(approvals.c.import_id).where(approvals.c.import_id == imports.c.import_id).exists()
    later, restoring = import_rows.alias(), imports.alias()
    restored = (
        sa.select(later.c.user_id)
        .join(restoring, restoring.c.import_id == later.c.import_id)
        .where(later.c.user_id == import_rows.c.user_id, later.c.base_version > import_rows.c.base_version)
        .where(later.c.action == "restore", restoring.c.status == "applied")
        .exists()
    )
    archived = (
        sa.select(import_rows.c.user_id)
        .join(imports, imports.c.import_id == import_rows.c.import_id)
        .join(users, sa.and_(users.c.user_id == import_rows.c.user_id, users.c.status == "archived"))
        .where(in_this_life(integration_id), imports.c.status == "applied", imports.c.trigger != "undo", ~approved)
        .where(imports.c.finished_at >= since, import_rows.c.action == "archive", ~restored)
    )
    return set(connection.execute(archived).scalars())


def user_history(connection: sa.Connection, user_id: str) -> tuple[HistoryRow, ...]:
    """What applied imports did to the user, the oldest first."""
    select = (
        sa.select(imports.c.finished_at, import_rows)
        .join(imports, imports.c.import_id == import_rows.c.import_id)
        .where(import_rows.c.user_id == user_id, imports.c.status == "applied")
        .order_by(sa.func.coalesce(import_rows.c.base_version, 0))
    )
    return tuple(
        HistoryRow(row.import_id, row.finished_at, row.user_id, row.action, *read_states(row))
        for row in connection.execute(select)
    )


def user_as_of(connection: sa.Connection, user_id: str, at: datetime | str) -> dict[str, Any] | None:
    """The user's state as imports left it at that moment, or right after the import of an id; before the first that
    touched it, as that one found it. None when no import had made the user yet, or none knows it.

    Raises:
        UnknownName: no applied import of that id.
    """
    moment = _applied_moment(connection, at) if isinstance(at, str) else at
    history = user_history(connection, user_id)
    past = [row for row in history if row.finished_at <= moment]
    if past:
        return past[-1].after
    return history[0].before if history else None


def directory_as_of(connection: sa.Connection, directory_id: str, at: datetime | str | None = None) -> pd.DataFrame:
    """The directory as imports left it: at a moment, right after the import of an id, or (None) by now.

    One row a user that any import touched and that was there then: ``user_id``, ``import_id`` (which left it so; null:
    before its first), ``version`` and the columns of ``USER_STATE``, dates as ISO text and ``metadata`` as JSON text.

    Raises:
        UnknownName: no applied import of that id.
        Tampered: a row of the history cannot be read.
    """
    moment = _applied_moment(connection, at) if isinstance(at, str) else at
    folded, unreadable = _fold(connection, directory_id, moment)
    if unreadable:
        raise Tampered(
            f"The history of directory {directory_id} cannot be read: {len(unreadable)} rows were changed behind the "
            "pipeline's back. Next: `hris verify NAME` lists what was changed; restore the store from a backup."
        )
    return folded


def _fold(connection: sa.Connection, directory_id: str, moment: datetime | None) -> tuple[pd.DataFrame, list[str]]:
    """``directory_as_of``, and the user_ids of those whose row cannot be read, who are not in it."""
    past = read_frame(connection, _first_or_last_row(directory_id, moment, newest=True))
    if moment is not None:
        later = read_frame(connection, _first_or_last_row(directory_id, moment, newest=False))
        later = later[later["state"].notna() & ~later["user_id"].isin(past["user_id"])]
        later["import_id"] = None
        past = pd.concat([past, later.astype(past.dtypes)], ignore_index=True)
    read = [read_state(read_json(state)) for state in past["state"]]
    readable = [state is not None for state in read]
    unreadable = [user_id for user_id, sound in zip(past["user_id"], readable, strict=True) if not sound]
    past = past.loc[pd.Series(readable, index=past.index, dtype=bool)].reset_index(drop=True)
    states = [state for state in read if state is not None]
    columns = {name: [_encode_value(state[name]) for state in states] for name in USER_STATE}
    frame = pd.DataFrame(columns, index=past.index, columns=list(USER_STATE)).astype(past["state"].dtype)
    return past.drop(columns="state").join(frame), unreadable


def diverging_users(connection: sa.Connection, directory_id: str) -> tuple[Divergence, ...]:
    """The users who were changed, made or removed behind the pipeline's back, by import: whose version says that nobody
    wrote them since an import, but whose fields differ from it; who is gone; whose versions were set back; whom neither
    an import nor a person made; who is protected, or not any more, without a decision."""
    folded, _ = _fold(connection, directory_id, None)
    folded = folded.set_index("user_id")
    columns = (users.c[name] for name in ("user_id", "version", "synced_version", "protected", "seal", *USER_STATE))
    everybody = read_frame(connection, sa.select(*columns).where(users.c.directory_id == directory_id))
    everybody = everybody.set_index("user_id")
    present = everybody.reindex(folded.index)
    gone = present["version"].isna()
    untouched = (present["version"] == present["synced_version"]).fillna(False)
    unequal = pd.DataFrame(
        {name: _compare_column(name, folded[name], present[name]) & untouched for name in USER_STATE}
    )
    since = folded["import_id"]
    set_back = ~gone & (
        (present["synced_version"] != folded["version"]) | (present["version"] < present["synced_version"])
    ).fillna(True)
    divergences = [Divergence(key, "gone", since[key]) for key in folded.index[gone]]
    divergences += [Divergence(key, "set back", since[key]) for key in folded.index[set_back]]
    divergences += [
        Divergence(key, "changed", since[key], tuple(name for name in USER_STATE if unequal.at[key, name]))
        for key in folded.index[unequal.any(axis=1)]
    ]
    divergences += _find_undecided_users(connection, directory_id, everybody)
    return tuple(sorted(divergences, key=lambda divergence: (divergence.import_id or "", divergence.user_id)))


def _find_undecided_users(connection: sa.Connection, directory_id: str, everybody: pd.DataFrame) -> list[Divergence]:
    """Users whom nobody made, and those protected, or not any more, though nobody decided so."""
    keyring = keyring_of(connection)
    made = (
        sa.select(import_rows.c.user_id)
        .join(imports, imports.c.import_id == import_rows.c.import_id)
        .where(imports.c.directory_id == directory_id, imports.c.status == "applied", import_rows.c.action == "create")
    )
    imported = set(connection.execute(made).scalars())
    divergences = []
    for user_id, protected, seal in everybody[["protected", "seal"]].astype(object).itertuples():
        if not pd.isna(seal):
            if not is_user_seal(keyring, str(seal), str(user_id), protected=bool(protected)):
                divergences.append(Divergence(str(user_id), "protected"))
        elif user_id not in imported:
            divergences.append(Divergence(str(user_id), "inserted"))
        elif protected:
            divergences.append(Divergence(str(user_id), "protected"))
    return divergences


def _applied_moment(connection: sa.Connection, import_id: str) -> datetime:
    record = get_import(connection, import_id)
    if record.status != "applied" or record.finished_at is None:
        raise UnknownName(f"Import {import_id} was never applied (it is {record.status}): nothing is as of it.")
    return record.finished_at


def _first_or_last_row(directory_id: str, moment: datetime | None, *, newest: bool) -> sa.Select[Any]:
    """Of each user the newest row up to the moment and its state after, or the oldest later one and that before."""
    order = sa.func.coalesce(import_rows.c.base_version, 0)
    place = sa.func.row_number().over(
        partition_by=import_rows.c.user_id, order_by=order.desc() if newest else order.asc()
    )
    state = import_rows.c.after if newest else import_rows.c.before
    within: sa.ColumnElement[bool] = sa.true()
    if moment is not None:
        within = imports.c.finished_at <= moment if newest else imports.c.finished_at > moment
    ranked = (
        sa.select(
            import_rows.c.user_id,
            import_rows.c.import_id,
            (order + 1).label("version"),
            state.label("state"),
            place.label("place"),
        )
        .join(imports, imports.c.import_id == import_rows.c.import_id)
        .where(imports.c.directory_id == directory_id, imports.c.status == "applied", within)
        .subquery()
    )
    return sa.select(*(column for column in ranked.c if column.name != "place")).where(ranked.c.place == 1)


def _encode_value(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _compare_column(name: str, folded: pd.Series, present: pd.Series) -> pd.Series:
    if isinstance(users.c[name].type, sa.JSON):
        present = present.map(lambda text: _encode_value(read_json(text)), na_action="ignore")
    elif isinstance(users.c[name].type, sa.Boolean):
        present = present.map({True: "true", False: "false"}, na_action="ignore")
    present = present.astype(folded.dtype)
    return ((folded != present) | (folded.isna() != present.isna())).fillna(folded.isna() != present.isna())
