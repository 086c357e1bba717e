"""Who is who: which user each employee is, in SEMANTICS' order, which rows a person must decide, and whom a
supervisor's reference names.

1. the user linked to the same ``hris_id`` in this integration; or the local user whom a deleted integration of the
directory, with the same kind of source, had linked to it;

2. a local user of the directory with the same EmployeeId; one who was managed before, or is archived, only when name
with birth date, or email, agree, and who was not archived by a person;

3. a user linked to another ``hris_id`` with the same EmployeeId: re-linked when that id is gone and the person
agrees, unless many are at once;

4. otherwise new, unless somebody has the same email or the same name and birth date (the same name, where the birth
date that the source sent could not be read).

Only a member who is employed, has started and is not excluded is matched beyond the link: nobody else takes over a
user. What a person decided of a conflict comes before 2. A supervisor's reference is looked up in the store's links
first, then in the extract. What becomes of whoever is matched, and what is stored of a supervisor, is not decided
here.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import pandas as pd

from hris_pipeline.change_set.directory import Directory, PlanContext, Resolution
from hris_pipeline.change_set.guards import exceeds
from hris_pipeline.settings.document import IdentityChange
from hris_pipeline.transform.columns import (
    as_text,
    casefold_key,
    column_or_nulls,
    is_in,
    lookup,
    null_as_false,
    rows_where,
    text_series,
    to_arrow,
)
from hris_pipeline.transform.map_users import unread_rows

__all__ = [
    "CONFLICT_COLUMNS",
    "NAME_AND_BIRTH_DATE",
    "Identities",
    "PersonLookup",
    "Resolved",
    "conflict_lines",
    "in_cycle",
    "match",
    "match_rates",
    "names_of",
    "without_others_ids",
]

CONFLICT_COLUMNS: tuple[str, ...] = ("hris_id", "kind", "user_id", "employee_id", "incoming")

_NAME: tuple[str, ...] = ("first_name", "last_name")

NAME_AND_BIRTH_DATE: tuple[str, ...] = (*_NAME, "birth_date")
"""By these three together, in any case, a person is recognised whose email is another."""


@dataclass(frozen=True)
class Identities:
    """Per row: ``user_id`` (null: a new person, or none of our business), ``recognised`` (the user known by link,
    email, or name and birth date, matched or not), ``restorable`` (linked by a person who said that the user may come
    back), ``ignored``, ``in_conflict`` and ``reidentified`` (an active user under another member id: re-linked, or in
    conflict when there are many); ``conflicts`` has one line a collision (``CONFLICT_COLUMNS``; ``incoming`` is the
    mapped row as JSON text); ``released`` are users who left and whose EmployeeId a person gave to somebody new."""

    user_id: pd.Series
    recognised: pd.Series
    restorable: pd.Series
    ignored: pd.Series
    in_conflict: pd.Series
    reidentified: pd.Series
    conflicts: pd.DataFrame
    released: frozenset[str] = frozenset()


def match(
    rows: pd.DataFrame,
    directory: Directory,
    snapshot: pd.DataFrame,
    context: PlanContext,
    limit: IdentityChange,
    *,
    candidate: pd.Series,
    gone: Collection[str],
    releasable: Collection[str] = (),
) -> Identities:
    """Matches mapped rows with the users of the directory.

    Args:
        rows: The mapped frame.
        directory: The users.
        snapshot: What ``directory.snapshot()`` gave.
        context: Whose links count as links, and what people decided of earlier conflicts.
        limit: From how many on nobody is re-linked unasked.
        candidate: Which unlinked rows may become or take over a user (employed, started, not excluded).
        gone: hris_ids that are confirmed gone from the source.
        releasable: user_ids of leavers whose EmployeeId may go to somebody new, when a person says so.
    """
    managed = rows_where(snapshot, null_as_false(snapshot["integration_id"] == context.integration_id))
    linked = lookup(rows["hris_id"], managed["hris_id"], managed["user_id"])
    linked = linked.fillna(_former_links(rows["hris_id"][candidate & linked.isna()], snapshot, context.source))
    decisions = _Decisions(rows["hris_id"][candidate & linked.isna()], snapshot, context.resolutions)
    linked = linked.mask(is_in(linked, decisions.linked)).fillna(decisions.link)
    ignored = is_in(rows["hris_id"], decisions.ignored)

    unlinked = rows_where(rows, candidate & linked.isna() & ~ignored)
    candidates = _Candidates(unlinked, directory, snapshot)
    claimed = linked[is_in(linked, snapshot.loc[snapshot["integration_id"].isna(), "user_id"])]
    free = candidates.holder.notna() & ~is_in(candidates.holder, [*decisions.linked, *claimed])
    holders = _Holders(candidates.holder, snapshot, managed)
    free &= ~holders.archived_by_person
    local = free & holders.local & (~holders.needs_agreement | candidates.agrees)
    relinkable = free & candidates.agrees & is_in(holders.hris_id, gone)
    active = managed["status"] == "active"
    reidentified = relinkable & holders.active
    mass = exceeds(limit, int(reidentified.sum()), int(null_as_false(active).sum()))
    relinked = relinkable & (not mass)

    taken_over = candidates.holder[local | relinked]
    superseded = is_in(linked, taken_over)  # the row of the id that a re-linked person had before
    unmatched = ~(local | relinked)
    released = candidates.released(unmatched, decisions.created, releasable)
    conflicts = conflict_lines(unlinked, candidates.collisions(unmatched, decisions.created, released))
    if not released.isdisjoint(conflicts["user_id"]):  # a side of another open conflict changes nothing
        released -= frozenset(conflicts["user_id"])
        conflicts = conflict_lines(unlinked, candidates.collisions(unmatched, decisions.created, released))
    return Identities(
        user_id=linked.mask(superseded).fillna(taken_over.reindex(rows.index)),
        recognised=linked.fillna(candidates.user_id.reindex(rows.index)),
        restorable=is_in(rows["hris_id"], decisions.restorable),
        ignored=ignored,
        in_conflict=is_in(rows["hris_id"], conflicts["hris_id"]),
        reidentified=null_as_false(reidentified.reindex(rows.index)),
        conflicts=conflicts,
        released=released,
    )


def conflict_lines(rows: pd.DataFrame, collisions: pd.DataFrame) -> pd.DataFrame:
    """One line of ``CONFLICT_COLUMNS`` a collision (``kind``, ``user_id``; on the index of ``rows``)."""
    if collisions.empty:
        return pd.DataFrame({name: text_series([]) for name in CONFLICT_COLUMNS})
    hit = rows.drop(columns="unread").loc[collisions.index]
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
    stored = employee_ids.dropna().tolist()
    distinct = {name: as_text(values).dropna().drop_duplicates() for name, values in fields.items()}
    rates = {name: int(is_in(values, stored).sum()) for name, values in distinct.items()}
    return {name: rate for name, rate in rates.items() if rate}


def _former_links(hris_ids: pd.Series, snapshot: pd.DataFrame, source: str) -> pd.Series:
    """The local user whom a deleted integration of that kind of source had linked to each hris_id; nobody where two of
    them had."""
    is_former = snapshot["integration_id"].isna() & null_as_false(snapshot["former_source"] == source)
    former = rows_where(snapshot, is_former)
    former = former[~former["former_hris_id"].duplicated(keep=False)]
    return lookup(hris_ids, former["former_hris_id"], former["user_id"])


class _Holders:
    """What is stored of the users who hold the EmployeeIds that unlinked rows come with: whether they are ``local``,
    were managed before or are archived (``needs_agreement``), were ``archived_by_person``, are active and managed by
    this integration, and the ``hris_id`` that they are linked to there."""

    def __init__(self, holder: pd.Series, snapshot: pd.DataFrame, managed: pd.DataFrame) -> None:
        def stored(name: str) -> pd.Series:
            return lookup(holder, snapshot["user_id"], snapshot[name])

        self.local = holder.notna() & stored("integration_id").isna()
        archived = null_as_false(stored("status") == "archived")
        self.archived_by_person = archived & ~null_as_false(stored("archived_by") == "import")
        self.needs_agreement = stored("former_hris_id").notna() | archived
        self.hris_id = lookup(holder, managed["user_id"], managed["hris_id"])
        self.active = self.hris_id.notna() & ~archived


class _Decisions:
    """The remembered resolutions that still apply: ``link`` per row and the users ``linked`` by them (each to one row
    only, the smallest hris_id), hris_ids whose user may be restored, hris_ids to be ``ignored``, and (hris_id, user_id)
    pairs to be ``created`` apart. Nobody is linked to a user whom a person archived unless that was said."""

    def __init__(self, hris_ids: pd.Series, snapshot: pd.DataFrame, resolutions: Collection[Resolution]) -> None:
        by_person = null_as_false(snapshot["status"] == "archived") & ~null_as_false(
            snapshot["archived_by"] == "import"
        )
        users = set(to_arrow(snapshot.loc[~by_person, "user_id"]).to_pylist())
        archived = set(to_arrow(snapshot.loc[by_person, "user_id"]).to_pylist())
        waiting = set(to_arrow(hris_ids).to_pylist())
        links: dict[str, str] = {}
        self.restorable: set[str] = set()
        decided_links = [item for item in resolutions if item.decision == "link" and item.hris_id in waiting]
        for item in sorted(decided_links, key=lambda item: (item.hris_id, item.user_id)):
            restoring = item.restore and item.user_id in archived
            if item.hris_id not in links and (item.user_id in users or restoring):
                links[item.hris_id] = item.user_id
                users.discard(item.user_id)
                archived.discard(item.user_id)
                self.restorable |= {item.hris_id} if restoring else set()
        self.link = lookup(hris_ids, text_series(links), text_series(links.values()))
        self.linked = tuple(links.values())
        self.ignored = {item.hris_id for item in resolutions if item.decision == "ignore"}
        self.created = {(item.hris_id, item.user_id) for item in resolutions if item.decision == "create"}


class _Candidates:
    """Whom the directory knows by what the unlinked rows bring: the ``holder`` of their EmployeeId, the user with their
    ``email``, and ``namesakes`` (pairs of row and user); ``agrees`` where the holder is the same person by email, or by
    name and birth date; ``may_be`` are pairs with the same name where the row's birth date could not be read."""

    def __init__(self, rows: pd.DataFrame, directory: Directory, snapshot: pd.DataFrame) -> None:
        self._rows = rows
        self.holder = lookup(column_or_nulls(rows, "employee_id"), snapshot["employee_id"], snapshot["user_id"])
        self.email = lookup(casefold_key(column_or_nulls(rows, "email")), snapshot["email_key"], snapshot["user_id"])
        self.namesakes = _find_namesakes(rows, directory, NAME_AND_BIRTH_DATE)
        unread = unread_rows(rows).get("birth_date")
        self.may_be = _find_namesakes(rows.iloc[:0] if unread is None else rows[unread], directory, _NAME)
        agreeing = self.namesakes["user_id"] == self.holder.reindex(self.namesakes.index)
        by_name = self.holder.index.isin(self.namesakes.index[null_as_false(agreeing)])
        self.agrees = null_as_false(self.email == self.holder) | by_name

    @property
    def user_id(self) -> pd.Series:
        """The user known by email, or else by name and birth date."""
        first = self.namesakes.loc[~self.namesakes.index.duplicated(), "user_id"]
        return self.email.fillna(first.reindex(self.email.index))

    def released(
        self, unmatched: pd.Series, created: Collection[tuple[str, str]], releasable: Collection[str]
    ) -> frozenset[str]:
        """Of the users who may give their EmployeeId up, those of whom a person said that the new one is another."""
        holders = self.holder[unmatched].dropna()
        pairs = zip(self._rows.loc[holders.index, "hris_id"], holders, strict=True)
        return frozenset(user_id for hris_id, user_id in pairs if (hris_id, user_id) in created).intersection(
            releasable
        )

    def collisions(
        self, unmatched: pd.Series, created: Collection[tuple[str, str]], released: Collection[str]
    ) -> pd.DataFrame:
        """``kind`` and ``user_id`` of each user that an unmatched row collides with, one line a user; a collision of
        EmployeeIds comes first, and creating somebody anyway decides it only where the holder's is ``released``."""
        holders = self.holder[unmatched].dropna()
        by_id = _build_collisions("employee_id", holders[~is_in(holders, released)])
        rows = unmatched.index[unmatched]
        alike = pd.concat([self.namesakes, self.may_be])
        by_name = alike.loc[alike.index.isin(rows), "user_id"]
        others = pd.concat(
            [
                _build_collisions("email", self.email[unmatched].dropna()),
                _build_collisions("name_and_birth_date", by_name),
            ]
        )
        hris_ids = self._rows.loc[others.index, "hris_id"]
        is_decided = [pair in created for pair in zip(hris_ids, others["user_id"], strict=True)]
        lines = pd.concat([by_id, others[[not decided for decided in is_decided]]])
        return lines[~lines.assign(row=lines.index).duplicated(["row", "user_id"])]


def _build_collisions(kind: str, users: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"kind": text_series([kind] * len(users), users.index), "user_id": users})


def _find_namesakes(rows: pd.DataFrame, directory: Directory, parts: Sequence[str]) -> pd.DataFrame:
    """``user_id`` of every user who has those parts of name and birth date like a row, on the index of the rows."""
    if rows.empty or not set(NAME_AND_BIRTH_DATE).issubset(rows.columns):
        return pd.DataFrame({"user_id": text_series([], rows.index[:0])})
    names = directory.names()
    keys = pd.DataFrame({"key": casefold_key(*(names[part] for part in parts)), "user_id": names["user_id"]})
    persons = pd.DataFrame({"key": casefold_key(*(rows[part] for part in parts)), "row": rows.index}).dropna()
    pairs = persons.merge(keys.dropna(), on="key").sort_values(["row", "user_id"])
    return pairs.set_index("row")[["user_id"]]


@dataclass(frozen=True)
class Resolved:
    """Per reference: the person's EmployeeId, null where the person is no user; and whether that is ``uncertain``, so
    that what is stored should stay."""

    employee_ids: pd.Series
    uncertain: pd.Series


@dataclass(frozen=True)
class PersonLookup:
    """Everybody who is, or by this plan becomes, a user.

    ``links``: ``hris_id`` and ``employee_id``, as they will be, of every linked user, the surest link of an id first.
    ``employee_ids``: the EmployeeId of every user, as it will be. ``members``: ``hris_id``, ``justworks_id`` and
    mapped ``employee_id`` of everybody in the extract, of two with one justworks_id the one who is employed first.
    ``undecided``: hris_ids of members of whom nobody can say yet which user they are. ``reused``: hris_ids of members
    whose EmployeeId another listed member has as a user, so that it says nothing of them. ``formerly_linked`` gives
    the EmployeeIds, as they will be, of users whom this integration, or another of the directory, had linked to those
    hris_ids.
    """

    links: pd.DataFrame
    employee_ids: pd.Series
    members: pd.DataFrame
    undecided: pd.Series
    reused: pd.Series
    formerly_linked: Callable[[pd.Series], pd.Series]

    def resolve(self, references: pd.Series, *, by_hris_id: bool) -> Resolved:
        """EmployeeIds for references.

        A reference ``by_hris_id`` names a person of the source. Anything else, as in a custom field, is an EmployeeId
        or, where nobody has it, a justworks_id.
        """
        if by_hris_id:
            return self._by_hris_id(references)
        hris_ids = lookup(references, self.members["justworks_id"], self.members["hris_id"])
        by_justworks_id = self._by_hris_id(hris_ids)
        employee_ids = self._keep_known_ids(references).fillna(by_justworks_id.employee_ids)
        return Resolved(employee_ids, by_justworks_id.uncertain & employee_ids.isna())

    def _by_hris_id(self, hris_ids: pd.Series) -> Resolved:
        linked = lookup(hris_ids, self.links["hris_id"], self.links["employee_id"])
        is_linked = is_in(hris_ids, self.links["hris_id"])
        uncertain = ~is_linked & is_in(hris_ids, self.undecided)
        listed = self._keep_known_ids(lookup(hris_ids, self.members["hris_id"], self.members["employee_id"]))
        listed = listed.mask(uncertain | is_in(hris_ids, self.reused))
        resolved = linked.fillna(listed)
        unknown = hris_ids.notna() & resolved.isna() & ~is_linked & ~uncertain
        if unknown.any():  # who was linked to that id once is that person, under whatever id by now
            resolved = resolved.fillna(self.formerly_linked(hris_ids[unknown]).reindex(hris_ids.index))
        return Resolved(resolved, uncertain & listed.isna())

    def _keep_known_ids(self, employee_ids: pd.Series) -> pd.Series:
        return employee_ids.where(is_in(employee_ids, self.employee_ids))


def names_of(rows: pd.DataFrame) -> pd.Series:
    """How each row is named to people: its stored EmployeeId, else the one it comes with, else its hris_id."""
    return rows["stored_employee_id"].fillna(column_or_nulls(rows, "employee_id")).fillna(rows["hris_id"])


def without_others_ids(names: pd.Series, hris_ids: pd.Series, snapshot: pd.DataFrame) -> pd.Series:
    """The names, but the hris_id of whoever comes with the EmployeeId of a user who is linked to another member."""
    linked = lookup(names, snapshot["employee_id"], snapshot["hris_id"])
    return names.mask(null_as_false(linked != hris_ids), hris_ids)


def in_cycle(employee_ids: pd.Series, supervisor_ids: pd.Series) -> pd.Series:
    """Whether each person's chain of supervisors leads back to the person (self-supervision included).

    People nobody in the rest reports to, and people whose supervisor is not in the rest, are taken away until nobody
    can be: what is left goes round."""
    rest = pd.DataFrame({"person": employee_ids, "supervisor": supervisor_ids}).dropna()
    while len(rest):
        keeps = is_in(rest["supervisor"], rest["person"]) & is_in(rest["person"], rest["supervisor"])
        if keeps.all():
            break
        rest = rest[keeps]
    return null_as_false(pd.Series(employee_ids.index.isin(rest.index), index=employee_ids.index))
