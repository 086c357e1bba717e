"""Who is archived: managed users who are not employed any more or confirmed gone, but for those who are protected,
who are in an open conflict, or who seem to be in the extract under another member id."""

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from hris_pipeline.change_set.classification import ClassifiedRows, kept_by_settings
from hris_pipeline.change_set.context import PlanContext
from hris_pipeline.change_set.directory import Directory
from hris_pipeline.settings.document import Settings
from hris_pipeline.transform.columns import casefold_key, column_or_nulls, is_in, null_as_false

__all__ = ["Leavers", "find_leavers"]


@dataclass(frozen=True)
class Leavers:
    """``archived``: every column of the users to archive, as stored. ``kept``: who is confirmed gone, in no row, and
    stays because nobody may archive them. ``awaiting``: who would be archived, were they not in an open conflict;
    ``relisted``: were they not in the extract under another member id, as it seems (user_ids)."""

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
) -> Leavers:
    """Everybody whom this plan archives, and who is spared; nobody when the extract is incomplete.

    Args:
        people: The classified rows; those to ``archive`` are leavers.
        directory: The users.
        snapshot: What ``directory.snapshot()`` gave.
        context: Who is confirmed missing.
        settings: The settings in force.
        in_conflict: user_ids on either side of an open conflict.
    """
    gone = _confirmed_gone(people.rows, snapshot, context, settings)
    kept = kept_by_settings(gone, context, settings)
    leaving = pd.concat(
        [people.rows.loc[people.outcome == "archive", "user_id"], gone.loc[~kept, "user_id"]], ignore_index=True
    )
    awaiting = leaving[is_in(leaving, in_conflict)]
    leaving = leaving[~is_in(leaving, in_conflict)] if context.complete else leaving.iloc[:0]
    users = directory.users(leaving) if len(leaving) else snapshot.iloc[:0]
    relisted = _relisted(users, people.rows, snapshot, context) if len(users) else leaving.iloc[:0]
    archived = users[~is_in(users["user_id"], relisted)]
    return Leavers(archived, gone[kept], frozenset(awaiting), frozenset(relisted))


def _confirmed_gone(
    rows: pd.DataFrame, snapshot: pd.DataFrame, context: PlanContext, settings: Settings
) -> pd.DataFrame:
    """The managed active users in no row whom the source confirmed to be gone."""
    if not (context.complete and settings.archive_employees):
        return snapshot.iloc[:0]
    listed = {*rows["hris_id"], *context.quarantined_hris_ids}
    return snapshot[
        null_as_false(snapshot["integration_id"] == context.integration_id)
        & null_as_false(snapshot["status"] == "active")
        & is_in(snapshot["hris_id"], context.missing - listed - context.holes)
        & ~is_in(snapshot["user_id"], rows["user_id"])
    ]


def _relisted(users: pd.DataFrame, rows: pd.DataFrame, snapshot: pd.DataFrame, context: PlanContext) -> pd.Series:
    """user_ids of users who seem to work on under another member id, whose row cannot take them over because it is
    quarantined or left out by a rule: the same email, or name and birth date; of a row whose name or birth date could
    not be read, what is left of it."""
    bad = rows["leaver_only"].astype(bool)
    sent_away = null_as_false(rows["archive_existing"]) & ~bad
    unmatched = rows["user_id"].isna() & rows["employed"] & rows["started"] & (bad | rows["exclusion"].notna())
    suspects = rows[unmatched & ~sent_away]
    names = [column_or_nulls(suspects, part) for part in ("first_name", "last_name")]
    birth_dates = column_or_nulls(suspects, "birth_date")
    user_names = casefold_key(users["first_name"], users["last_name"])
    nameless = suspects["leaver_only"].astype(bool) & (names[0].isna() | names[1].isna())
    unborn = suspects["leaver_only"].astype(bool) & birth_dates.isna()
    apart = {*rows["hris_id"], *snapshot["hris_id"].dropna()}
    strangers = [member for member in context.quarantined if member.hris_id not in apart]
    unlisted = [member.employee_id for member in strangers if member.employee_id]
    alike = (
        is_in(users["email_key"], casefold_key(column_or_nulls(suspects, "email")).dropna())
        | is_in(
            casefold_key(users["first_name"], users["last_name"], users["birth_date"]),
            casefold_key(*names, birth_dates).dropna(),
        )
        | is_in(user_names, casefold_key(*names)[unborn].dropna())
        | is_in(users["employee_id"], column_or_nulls(suspects, "employee_id")[nameless].dropna())
        | is_in(users["employee_id"], unlisted)
    )
    return users.loc[alike, "user_id"]
