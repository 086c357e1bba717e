"""What becomes of each mapped row, as far as single rows decide it; and who is archived: managed users who are not
employed any more or confirmed gone, but for those who are protected, who are in an open conflict, or who seem to be
in the extract under another member id.

Who is who is decided before, in ``identity``; what fields become, after, in ``desired_state``.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd
import pyarrow.compute as pc

from hris_pipeline.change_set.directory import SLIM_COLUMNS, Directory, PlanContext
from hris_pipeline.change_set.identity import NAME_AND_BIRTH_DATE, Identities, match
from hris_pipeline.settings.document import Settings
from hris_pipeline.transform.columns import (
    casefold_key,
    column_or_nulls,
    from_arrow,
    is_in,
    lookup_columns,
    null_as_false,
    rows_where,
    text_series,
    to_arrow,
)
from hris_pipeline.transform.map_users import IDENTITY_COLUMNS

__all__ = [
    "WRITTEN",
    "ClassifiedRows",
    "Leavers",
    "classify_rows",
    "find_leavers",
    "find_relisted_elsewhere",
    "find_suspects",
    "kept_by_settings",
]

WRITTEN = ("create", "compare", "restore")
"""The outcomes of rows whose people are, or become, active users that the source describes."""

_IDS = ("hris_id", "employee_id")

_IDENTIFYING: tuple[tuple[str, ...], ...] = (
    NAME_AND_BIRTH_DATE,
    ("first_name", "last_name"),
    ("first_name", "birth_date"),
    ("last_name", "birth_date"),
    ("birth_date",),
)
"""The parts of name and birth date that are compared where the other parts could not be read."""

_STORED = tuple(name for name in SLIM_COLUMNS if name not in ("user_id", "email_key"))


@dataclass(frozen=True)
class ClassifiedRows:
    """``mapped``: the rows as they came; ``rows``: with their ``user_id``, what is stored of that user (``stored_…``),
    ``employed`` and ``started``. ``outcome`` per row: ``create``, ``compare``, ``restore``, ``archive``,
    ``unchanged``, ``protected``, ``conflict``, ``quarantined`` or ``excluded:<why>``."""

    mapped: pd.DataFrame
    rows: pd.DataFrame
    outcome: pd.Series
    identities: Identities

    def unusable(self, context: PlanContext) -> frozenset[str]:
        """hris_ids of members who may work but whose row decides nothing this time: holes, quarantined, and left out
        ones, unless a rule archives them."""
        rows = self.rows
        bad = rows["leaver_only"].astype(bool)
        sent_away = null_as_false(rows["archive_existing"])
        idle = bad | rows["exclusion"].notna() | rows["may_have_left"] | ~rows["started"]
        listed = rows.loc[rows["employed"] & idle & ~sent_away, "hris_id"].dropna()
        untold = text_series({*context.working_holes, *context.quarantined_hris_ids})
        return frozenset({*listed, *untold[~is_in(untold, rows["hris_id"])]})

    @property
    def inactive_local(self) -> pd.Series:
        """Rows of members who are not employed, and whose EmployeeId or former link an active local user has that
        nobody who is employed becomes: left alone, because the user may be somebody else."""
        return self.rows["inactive_local"]


def classify_rows(
    mapped: pd.DataFrame, directory: Directory, snapshot: pd.DataFrame, context: PlanContext, settings: Settings
) -> ClassifiedRows:
    """Matches the mapped rows with users and says what becomes of each."""
    rows = mapped.assign(**_derive_employment(mapped, context, settings))
    candidate = rows["employed"] & rows["started"] & rows["exclusion"].isna() & ~rows["leaver_only"].astype(bool)
    candidate &= ~rows["may_have_left"]
    gone = _gone_ids(rows, snapshot, context)
    identities = match(
        rows,
        directory,
        snapshot,
        context,
        settings.guards.identity_change,
        candidate=candidate,
        gone=gone,
        releasable=_releasable_users(snapshot, gone, context, settings),
    )
    stored = lookup_columns(identities.user_id, snapshot["user_id"], snapshot[list(_STORED)]).add_prefix("stored_")
    rows = pd.concat([rows.assign(user_id=identities.user_id), stored], axis="columns")
    rows = rows.assign(inactive_local=_inactive_local(rows, snapshot, context))
    return ClassifiedRows(mapped, rows, _decide_outcomes(rows, identities, context, settings), identities)


def kept_by_settings(users: pd.DataFrame, context: PlanContext, settings: Settings) -> pd.Series:
    """Who of the users (``user_id``, ``employee_id``, ``protected``) no import archives: protected ones, and those
    whom ``do_not_archive`` names or follows."""
    named = is_in(users["employee_id"], settings.do_not_archive)
    return null_as_false(users["protected"]) | named | is_in(users["user_id"], context.kept_users)


def _derive_employment(rows: pd.DataFrame, context: PlanContext, settings: Settings) -> dict[str, pd.Series]:
    """``employed``: active, and not past the termination date, whose day counts as worked; one before the latest start
    belongs to an earlier spell. ``started``: the spell of some start runs. ``returning``: left, and another
    start is still to come. ``may_have_left``: nobody can say, so that they are neither archived nor brought in. A start
    counts so many days early as the settings say."""
    until = context.today + timedelta(days=settings.import_days_before_start)
    soon = null_as_false(rows["next_start"] <= until)
    latest = rows["present_start"].mask(soon, rows["next_start"])
    ended = rows["termination_date"]
    over = null_as_false(ended < context.today) & ~null_as_false(ended < latest)
    active = rows["active"].fillna(True).astype(bool)  # who is not known to be inactive has not left for certain
    return {
        "employed": active & ~over,
        "started": latest.notna() | rows["starts_on"].isna(),
        "may_have_left": null_as_false(rows["may_have_left"]) & ~soon,
        "returning": active & over & rows["next_start"].notna(),
    }


def _gone_ids(rows: pd.DataFrame, snapshot: pd.DataFrame, context: PlanContext) -> frozenset[str]:
    """hris_ids whose people are gone for sure: confirmed missing, listed but not employed today, or archived by an
    earlier import and still not in a list that is complete."""
    gone = {*_unlisted_ids(text_series(context.missing), rows, context), *rows.loc[~rows["employed"], "hris_id"]}
    if context.complete:
        archived = snapshot.loc[null_as_false(snapshot["archived_by"] == "import"), "hris_id"].dropna()
        gone.update(_unlisted_ids(archived, rows, context))
    return frozenset(gone - context.holes)


def _unlisted_ids(hris_ids: pd.Series, rows: pd.DataFrame, context: PlanContext) -> pd.Series:
    """The hris_ids that are in no row, quarantined ones included."""
    return hris_ids[~(is_in(hris_ids, rows["hris_id"]) | is_in(hris_ids, context.quarantined_hris_ids))]


def _releasable_users(
    snapshot: pd.DataFrame, gone: frozenset[str], context: PlanContext, settings: Settings
) -> frozenset[str]:
    """Users of this integration whom this plan would archive, and whoever an import has archived: they need no
    EmployeeId."""
    is_leaver = null_as_false(snapshot["integration_id"] == context.integration_id)
    is_leaver &= is_in(snapshot["hris_id"], gone) & null_as_false(snapshot["status"] == "active")
    is_leaver &= ~is_in(snapshot["user_id"], context.waiting_elsewhere)
    left = is_leaver | null_as_false(snapshot["archived_by"] == "import")
    return frozenset(snapshot.loc[left & ~kept_by_settings(snapshot, context, settings), "user_id"])


def _inactive_local(rows: pd.DataFrame, snapshot: pd.DataFrame, context: PlanContext) -> pd.Series:
    is_local = snapshot["integration_id"].isna() & null_as_false(snapshot["status"] == "active")
    local = rows_where(snapshot, is_local)
    local = local[~is_in(local["user_id"], rows["user_id"])]
    former = local[null_as_false(local["former_source"] == context.source)]
    by_id = is_in(column_or_nulls(rows, "employee_id"), local["employee_id"]) & ~rows["leaver_only"].astype(bool)
    return ~rows["employed"] & rows["user_id"].isna() & (by_id | is_in(rows["hris_id"], former["former_hris_id"]))


def _decide_outcomes(rows: pd.DataFrame, identities: Identities, context: PlanContext, settings: Settings) -> pd.Series:
    """The first line of the table that fits each row."""
    user, excluded = rows["user_id"].notna(), rows["exclusion"].notna()
    employed, started, leaver_only = rows["employed"], rows["started"], rows["leaver_only"].astype(bool)
    archived = null_as_false(rows["stored_status"] == "archived")
    by_import = null_as_false(rows["stored_archived_by"] == "import")
    stored = rows[["user_id", "stored_employee_id", "stored_protected"]]
    safe = kept_by_settings(stored.rename(columns=lambda name: name.removeprefix("stored_")), context, settings)
    sent_away = null_as_false(rows["archive_existing"])
    is_leaver = user & ~archived & (sent_away | (~employed & settings.archive_employees))
    table = (
        (leaver_only & ~is_leaver, "quarantined"),
        (is_leaver & safe, "protected"),
        (is_leaver, "archive"),
        (excluded, pc.binary_join_element_wise("excluded:", to_arrow(rows["exclusion"]), "")),
        (rows["may_have_left"] & (~user | archived), "excluded:may_have_left"),
        (rows["returning"] & (~user | archived), "excluded:not_started"),
        (user & ~employed, "unchanged"),
        (~employed, "excluded:inactive"),
        (~started, "excluded:not_started"),
        (~user & identities.ignored, "excluded:ignored"),
        (~user & identities.in_conflict, "conflict"),
        (~user, "create"),
        (archived & ~by_import & ~identities.restorable, "protected"),
        (archived, "restore"),
    )
    fits, words = zip(*table, strict=True)
    return from_arrow(pc.case_when(pc.make_struct(*map(to_arrow, fits)), *words, "compare"), rows.index)


@dataclass(frozen=True)
class Leavers:
    """``archived``: every column of the users to archive, as stored. ``kept``: who is confirmed gone, in no row, and
    stays because nobody may archive them. ``awaiting``: who would be archived, were they not in an open conflict;
    ``relisted``: were they not in the extract under another member id, as it seems or may be (user_ids)."""

    archived: pd.DataFrame
    kept: pd.DataFrame
    awaiting: frozenset[str]
    relisted: frozenset[str]


def find_leavers(
    people: ClassifiedRows,
    directory: Directory,
    snapshot: pd.DataFrame,
    context: PlanContext,
    settings: Settings,
    *,
    in_conflict: Collection[str],
    suspects: Callable[[], pd.DataFrame],
) -> Leavers:
    """Everybody whom this plan archives, and who is spared; nobody when the extract is incomplete.

    Args:
        people: The classified rows; those to ``archive`` are leavers.
        directory: The users.
        snapshot: What ``directory.snapshot()`` gave.
        context: Who is confirmed missing.
        settings: The settings in force.
        in_conflict: user_ids on either side of an open conflict.
        suspects: Gives ``find_suspects``, which most imports do not need.
    """
    gone = _confirmed_gone(people.rows, snapshot, context, settings)
    kept = kept_by_settings(gone, context, settings)
    leavers = pd.concat([people.rows.loc[people.outcome == "archive", "user_id"], gone.loc[~kept, "user_id"]])
    awaiting = leavers[is_in(leavers, in_conflict)]
    leavers = leavers[~is_in(leavers, in_conflict)] if context.complete else leavers.iloc[:0]
    users = directory.users(leavers) if len(leavers) else snapshot.iloc[:0]
    unlisted = frozenset(users["user_id"]) & frozenset(gone["user_id"])
    relisted = frozenset[str]()
    if len(users):
        relisted |= {*_match_suspects(users, suspects(), unlisted, context)["user_id"]}
    if _unknown_holes(snapshot, context):  # any of those who are not listed may be the member behind it
        relisted |= unlisted
    archived = users[~is_in(users["user_id"], relisted)]
    return Leavers(archived, gone[kept], frozenset(awaiting), relisted)


def find_relisted_elsewhere(
    directory: Directory, snapshot: pd.DataFrame, context: PlanContext, *, suspects: Callable[[], pd.DataFrame]
) -> frozenset[tuple[str, str]]:
    """Pairs (hris_id, user_id) of members who may work but whose row cannot be used, and users of other
    integrations of the directory who seem to be the same person: those integrations must not archive them. The hris_id
    is empty where it could not be read. For a row that could not be read an equal EmployeeId is enough; for a hole of
    whom the list tells nothing this time, the pairs of the last plan stay."""
    others = snapshot[
        snapshot["integration_id"].notna() & ~null_as_false(snapshot["integration_id"] == context.integration_id)
    ]
    waiting = {pair for pair in context.relisted if pair[0] in context.untold_holes}
    if others.empty or (members := suspects()).empty:
        return frozenset(waiting)
    members = members[~is_in(members["hris_id"], _managed_ids(snapshot, context))]
    names = directory.names()
    named = lookup_columns(others["user_id"], names["user_id"], names[list(NAME_AND_BIRTH_DATE)])
    users = pd.concat([others, named], axis="columns")
    pairs = _match_suspects(users, members, users["user_id"], context)
    return frozenset({*waiting, *zip(pairs["hris_id"].fillna(""), pairs["user_id"], strict=True)})


def _unknown_holes(snapshot: pd.DataFrame, context: PlanContext) -> frozenset[str]:
    """The holes who are no user under that id, and of whom neither the list nor an open conflict tells who they are."""
    waiting = frozenset(hris_id for hris_id, _ in context.undecided | context.relisted)
    untold = text_series(context.untold_holes - waiting)
    return frozenset(untold[~is_in(untold, _managed_ids(snapshot, context))])


def _confirmed_gone(
    rows: pd.DataFrame, snapshot: pd.DataFrame, context: PlanContext, settings: Settings
) -> pd.DataFrame:
    """The managed active users in no row whom the source confirmed to be gone."""
    if not (context.complete and settings.archive_employees):
        return snapshot.iloc[:0]
    missing = _unlisted_ids(text_series(context.missing - context.holes), rows, context)
    return snapshot[
        null_as_false(snapshot["integration_id"] == context.integration_id)
        & null_as_false(snapshot["status"] == "active")
        & is_in(snapshot["hris_id"], missing)
        & ~is_in(snapshot["user_id"], rows["user_id"])
    ]


def _match_suspects(
    users: pd.DataFrame, suspects: pd.DataFrame, unlisted: Collection[str], context: PlanContext
) -> pd.DataFrame:
    """``hris_id`` and ``user_id`` of suspects and users who seem to be the same person: by equal email, or name and
    birth date; where a part of these could not be read, by the other parts. An equal EmployeeId is enough for suspects
    whose name could not be read, and for incomplete ones against users who are ``unlisted`` (user_ids): the source does
    not say itself that these have left. Pairs that a person decided to be two people are left out."""
    incomplete = suspects["incomplete"]
    nameless = incomplete & (suspects["first_name"].isna() | suspects["last_name"].isna())
    keys = [
        (users["email_key"], casefold_key(suspects["email"])),
        (users["employee_id"], suspects["employee_id"].where(nameless)),
        (
            users["employee_id"].where(is_in(users["user_id"], unlisted)),
            suspects["employee_id"].where(incomplete),
        ),
    ]
    for names in _IDENTIFYING:
        unread = [name for name in NAME_AND_BIRTH_DATE if name not in names]
        comparable = incomplete & suspects[unread].isna().all(axis="columns") if unread else slice(None)
        left = [suspects[name] for name in names]
        keys.append((casefold_key(*(users[name] for name in names)), casefold_key(*left)[comparable]))
    pairs = [
        pd.DataFrame({"key": user_key, "user_id": users["user_id"]})
        .dropna(subset="key")
        .merge(pd.DataFrame({"key": suspect_key, "hris_id": suspects["hris_id"]}).dropna(subset="key"), on="key")
        for user_key, suspect_key in keys
    ]
    alike = pd.concat(pairs)[["hris_id", "user_id"]]
    decided_pairs = {(item.hris_id, item.user_id) for item in context.resolutions if item.decision != "link"}
    is_two = (
        [pair in decided_pairs for pair in zip(alike["hris_id"], alike["user_id"], strict=True)]
        if decided_pairs
        else []
    )
    return alike[~pd.Series(is_two, index=alike.index, dtype=bool)] if is_two else alike


def find_suspects(people: ClassifiedRows, snapshot: pd.DataFrame, context: PlanContext) -> pd.DataFrame:
    """``IDENTITY_COLUMNS`` of members who may work, are linked to no user and whose row cannot be matched: it is left
    out by a rule, ignored by a person, may have left, or is ``incomplete`` (quarantined, or a hole). Of quarantined
    members without a row there are the ids alone."""
    rows, ignored = people.rows, people.identities.ignored
    bad = rows["leaver_only"].astype(bool)
    sent_away = null_as_false(rows["archive_existing"])
    unusable = bad | rows["exclusion"].notna() | rows["may_have_left"] | ignored
    listed = rows[rows["user_id"].isna() & rows["employed"] & rows["started"] & unusable & ~sent_away]
    identities = {name: column_or_nulls(listed, name).astype(kind) for name, kind in IDENTITY_COLUMNS.items()}
    suspects = [pd.DataFrame(identities).assign(incomplete=listed["leaver_only"].astype(bool))]
    if context.hole_identities is not None:
        holes = context.hole_identities
        holes = holes[holes["works"] & ~is_in(holes["hris_id"], _managed_ids(snapshot, context))]
        suspects.append(holes.drop(columns=["works", "left"]).assign(incomplete=True))
    if context.quarantined:
        ids = {name: text_series(getattr(member, name) for member in context.quarantined) for name in _IDS}
        is_rowless = ~(is_in(ids["hris_id"], rows["hris_id"]) | is_in(ids["hris_id"], _managed_ids(snapshot, context)))
        members = pd.DataFrame(ids)
        columns = {name: column_or_nulls(members, name).astype(kind) for name, kind in IDENTITY_COLUMNS.items()}
        suspects.append(pd.DataFrame(columns)[is_rowless & ids["employee_id"].notna()].assign(incomplete=True))
    return pd.concat(suspects, ignore_index=True)


def _managed_ids(snapshot: pd.DataFrame, context: PlanContext) -> pd.Series:
    """The hris_ids that this integration has users for; the ids of other companies may be the same by chance."""
    managed: pd.Series = snapshot.loc[null_as_false(snapshot["integration_id"] == context.integration_id), "hris_id"]
    return managed.dropna()
