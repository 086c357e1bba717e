"""Who is who: which user each employee is, in SEMANTICS' order, and which rows a person must decide.

1. the user linked to the same ``hris_id`` in this integration;
2. a local user of the directory with the same EmployeeId;
3. a user linked to another ``hris_id`` with the same EmployeeId: re-linked when that id is gone and the person agrees;
4. otherwise new, unless somebody has the same email or the same name and birth date.

Only a member who is employed, has started and is not excluded is matched beyond 1: nobody else links to or takes over
a user. What a person decided of a conflict comes before 2.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec
import pandas as pd

from hris_pipeline.change_set.directory import Directory
from hris_pipeline.transform.columns import (
    as_text,
    casefold_key,
    column_or_nulls,
    is_in,
    lookup,
    null_as_false,
    text_series,
    to_arrow,
)

__all__ = [
    "CONFLICT_COLUMNS",
    "MASS_RELINK_THRESHOLD",
    "Identities",
    "Resolution",
    "conflict_lines",
    "match",
    "match_rates",
]

MASS_RELINK_THRESHOLD = (5, 0.05)
"""From this many people, and above this share of the managed users, ids did not change one by one: the source's ids
all changed, and a person re-links them in bulk instead of the plan doing it unasked."""

CONFLICT_COLUMNS: tuple[str, ...] = ("hris_id", "kind", "user_id", "employee_id", "incoming")

_PERSON = ("first_name", "last_name", "birth_date")


@dataclass(frozen=True)
class Resolution:
    """What a person decided of a conflict, remembered: ``link``, ``create`` or ``ignore``."""

    hris_id: str
    user_id: str
    decision: str


@dataclass(frozen=True)
class Identities:
    """Per row: ``user_id`` (null: a new person, or none of our business), ``recognised`` (the user known by link,
    email, or name and birth date, matched or not), ``ignored`` and ``in_conflict``; ``conflicts`` has one line a
    collision (``CONFLICT_COLUMNS``; ``incoming`` is the mapped row as JSON text)."""

    user_id: pd.Series
    recognised: pd.Series
    ignored: pd.Series
    in_conflict: pd.Series
    conflicts: pd.DataFrame


def match(
    rows: pd.DataFrame,
    directory: Directory,
    snapshot: pd.DataFrame,
    *,
    integration_id: str,
    candidate: pd.Series,
    gone: Collection[str],
    resolutions: Collection[Resolution],
) -> Identities:
    """Matches mapped rows with the users of the directory.

    Args:
        rows: The mapped frame.
        directory: The users.
        snapshot: What ``directory.snapshot()`` gave.
        integration_id: Whose links count as links.
        candidate: Which unlinked rows may become or take over a user (employed, started, not excluded).
        gone: hris_ids that are confirmed gone from the source.
        resolutions: What people decided of earlier conflicts.
    """
    managed = snapshot[null_as_false(snapshot["integration_id"] == integration_id)]
    linked = lookup(rows["hris_id"], managed["hris_id"], managed["user_id"])
    decided = _Decisions(rows[candidate & linked.isna()], snapshot, resolutions)
    linked = linked.mask(is_in(linked, decided.linked)).fillna(decided.link.reindex(rows.index))
    ignored = is_in(rows["hris_id"], decided.ignored)

    strangers = rows[candidate & linked.isna() & ~ignored]
    seen = _Candidates(strangers, directory, snapshot)
    free = seen.holder.notna() & ~is_in(seen.holder, decided.linked)
    holder_link = lookup(seen.holder, snapshot["user_id"], snapshot["integration_id"])
    local = free & holder_link.isna()
    holder_gone = is_in(lookup(seen.holder, managed["user_id"], managed["hris_id"]), gone)
    relinked = _unless_mass_relink(free & seen.agrees & holder_gone, len(managed))

    taken_over = seen.holder[local | relinked]
    superseded = is_in(linked, taken_over)  # the row of the id that a re-linked person had before
    conflicts = conflict_lines(strangers, seen.collisions(~(local | relinked), decided.created))
    return Identities(
        user_id=linked.mask(superseded).fillna(taken_over.reindex(rows.index)),
        recognised=linked.fillna(seen.user_id.reindex(rows.index)),
        ignored=ignored,
        in_conflict=is_in(rows["hris_id"], conflicts["hris_id"]),
        conflicts=conflicts,
    )


def conflict_lines(rows: pd.DataFrame, collisions: pd.DataFrame) -> pd.DataFrame:
    """One line of ``CONFLICT_COLUMNS`` a collision (``kind``, ``user_id``; on the index of ``rows``)."""
    if collisions.empty:
        return pd.DataFrame({name: text_series([]) for name in CONFLICT_COLUMNS})
    hit = rows.loc[collisions.index]
    columns = {name: to_arrow(as_text(hit[name])).to_pylist() for name in hit.columns}
    records = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    incoming = [{name: value for name, value in record.items() if value is not None} for record in records]
    lines = {
        "hris_id": hit["hris_id"],
        "kind": collisions["kind"],
        "user_id": collisions["user_id"],
        "employee_id": column_or_nulls(hit, "employee_id"),
        "incoming": text_series((msgspec.json.encode(record).decode() for record in incoming), hit.index),
    }
    return pd.DataFrame({name: series.to_numpy() for name, series in lines.items()}, dtype=hit["hris_id"].dtype)


def match_rates(fields: Mapping[str, pd.Series], employee_ids: pd.Series) -> dict[str, int]:
    """For each id-like source field that matches any: how many of the directory's EmployeeIds."""
    known = employee_ids.dropna().tolist()
    distinct = {name: as_text(values).dropna().drop_duplicates() for name, values in fields.items()}
    rates = {name: int(is_in(values, known).sum()) for name, values in distinct.items()}
    return {name: rate for name, rate in rates.items() if rate}


class _Decisions:
    """The remembered resolutions that still apply: ``link`` per row and the users ``linked`` by them (each to one row
    only, the smallest hris_id), hris_ids to be ``ignored``, and (hris_id, user_id) pairs to be ``created`` apart."""

    def __init__(self, rows: pd.DataFrame, snapshot: pd.DataFrame, resolutions: Collection[Resolution]) -> None:
        users, waiting = set(to_arrow(snapshot["user_id"]).to_pylist()), set(to_arrow(rows["hris_id"]).to_pylist())
        wanted = {item.hris_id: item.user_id for item in resolutions if item.decision == "link"}
        links: dict[str, str] = {}
        for hris_id, user_id in sorted(wanted.items()):
            if hris_id in waiting and user_id in users:
                links[hris_id] = user_id
                users.remove(user_id)
        self.link = lookup(rows["hris_id"], text_series(links), text_series(links.values()))
        self.linked = tuple(links.values())
        self.ignored = {item.hris_id for item in resolutions if item.decision == "ignore"}
        self.created = {(item.hris_id, item.user_id) for item in resolutions if item.decision == "create"}


class _Candidates:
    """Whom the directory knows by what the strangers bring: the ``holder`` of their EmployeeId, the user with their
    ``email``, and ``namesakes`` (pairs of row and user); ``agrees`` where the holder is the same person by email, or by
    name and birth date."""

    def __init__(self, rows: pd.DataFrame, directory: Directory, snapshot: pd.DataFrame) -> None:
        self._rows = rows
        self.holder = lookup(column_or_nulls(rows, "employee_id"), snapshot["employee_id"], snapshot["user_id"])
        self.email = lookup(casefold_key(column_or_nulls(rows, "email")), snapshot["email_key"], snapshot["user_id"])
        self.namesakes = _namesakes(rows, directory)
        agreeing = self.namesakes["user_id"] == self.holder.reindex(self.namesakes.index)
        by_name = self.holder.index.isin(self.namesakes.index[null_as_false(agreeing)])
        self.agrees = null_as_false(self.email == self.holder) | by_name

    @property
    def user_id(self) -> pd.Series:
        """The user known by email, or else by name and birth date."""
        first = self.namesakes.loc[~self.namesakes.index.duplicated(), "user_id"]
        return self.email.fillna(first.reindex(self.email.index))

    def collisions(self, unmatched: pd.Series, created: Collection[tuple[str, str]]) -> pd.DataFrame:
        """``kind`` and ``user_id`` of each user that an unmatched row collides with; beside a collision of EmployeeIds
        no other counts, and it alone cannot be decided by creating somebody anyway."""
        by_id = self.holder[unmatched].dropna()
        rest = unmatched & self.holder.isna()
        by_name = self.namesakes.loc[self.namesakes.index.isin(rest.index[rest]), "user_id"]
        others = pd.concat(
            [_collisions("email", self.email[rest].dropna()), _collisions("name_and_birth_date", by_name)]
        )
        others = others[~others.assign(row=others.index).duplicated(["row", "user_id"])]
        hris_ids = self._rows.loc[others.index, "hris_id"]
        apart = [pair in created for pair in zip(hris_ids, others["user_id"], strict=True)]
        return pd.concat([_collisions("employee_id", by_id), others[[not decided for decided in apart]]])


def _collisions(kind: str, users: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"kind": text_series([kind] * len(users), users.index), "user_id": users})


def _namesakes(rows: pd.DataFrame, directory: Directory) -> pd.DataFrame:
    """``user_id`` of every user with a row's name and birth date, on the index of the rows."""
    if rows.empty or not set(_PERSON) <= set(rows.columns):
        return pd.DataFrame({"user_id": text_series([], rows.index[:0])})
    names = directory.names()
    known = pd.DataFrame({"key": casefold_key(*(names[part] for part in _PERSON)), "user_id": names["user_id"]})
    wanted = pd.DataFrame({"key": casefold_key(*(rows[part] for part in _PERSON)), "row": rows.index}).dropna()
    pairs = wanted.merge(known.dropna(), on="key").sort_values(["row", "user_id"])
    return pairs.set_index("row")[["user_id"]]


def _unless_mass_relink(relinked: pd.Series, managed: int) -> pd.Series:
    people, share = MASS_RELINK_THRESHOLD
    many = relinked.sum() >= people and relinked.sum() > share * managed
    return relinked & (not many)
