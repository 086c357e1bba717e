"""The plan: from mapped users and the directory to a change set with its counts, guards and digest.

One line of stages, each from frames to frames: identity and classification, desired state, leavers, difference, guards,
diagnostics. Pure: the clock, the verdict on the extract and the directory come in. How a stage decides is its module's.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from hris_pipeline.change_set import diff
from hris_pipeline.change_set.classification import ClassifiedRows, classify_rows
from hris_pipeline.change_set.context import PlanContext
from hris_pipeline.change_set.desired_state import DesiredState, resolve_desired_state, user_fields
from hris_pipeline.change_set.diagnostics import Outcome, count_people, diagnose, guard_inputs
from hris_pipeline.change_set.digest import digest_of_hashes, row_hashes, source_hash
from hris_pipeline.change_set.directory import Directory
from hris_pipeline.change_set.guards import Guard, evaluate_guards
from hris_pipeline.change_set.identity import conflict_lines
from hris_pipeline.change_set.leavers import Leavers, find_leavers
from hris_pipeline.change_set.schemas import require_columns
from hris_pipeline.settings.document import Settings
from hris_pipeline.transform.columns import (
    column_or_nulls,
    is_distinct,
    is_in,
    lookup,
    null_as_false,
    text_series,
    to_arrow,
)

__all__ = ["Plan", "PlanContext", "make_plan"]

_STORE_DEPENDENT = ("email", "hire_date")


@dataclass(frozen=True)
class Plan:
    """A change set: ``rows`` (``ROW_COLUMNS``) and their ``row_hashes``, the nine counts, the guards, the digest;
    ``diagnostics`` gives, by reason, the EmployeeIds (hris_ids where there is none) of whoever is not applied or warned
    about, and under ``warning:field_missing_for_all`` and ``warning:field_unread`` names of fields; ``conflicts`` has
    ``identity.CONFLICT_COLUMNS``."""

    rows: pd.DataFrame = field(repr=False)
    hashes: pd.Series = field(repr=False)
    counts: Mapping[str, int]
    guards: tuple[Guard, ...]
    digest: str
    complete: bool
    diagnostics: Mapping[str, tuple[str, ...]]
    conflicts: pd.DataFrame = field(repr=False)

    @property
    def held(self) -> bool:
        """Whether a guard holds it."""
        return any(guard.tripped for guard in self.guards)


def make_plan(
    mapped: pd.DataFrame,
    directory: Directory,
    context: PlanContext,
    settings: Settings,
    warnings: Mapping[str, Collection[str]] | None = None,
) -> Plan:
    """Plans the import of mapped users into the directory.

    Args:
        mapped: The mapped frame; its order does not matter.
        directory: The users as they are.
        context: The integration, the day and the extract's verdict.
        settings: The settings in force.
        warnings: hris_ids by code from earlier steps, told in the diagnostics.

    Raises:
        FrameInvalid: the mapped frame lacks a column.
    """
    require_columns(mapped, settings)
    snapshot = directory.snapshot()
    people = classify_rows(mapped.reset_index(drop=True), directory, snapshot, context, settings)
    released = people.identities.released
    snapshot = snapshot.assign(employee_id=snapshot["employee_id"].mask(is_in(snapshot["user_id"], released)))
    desired = resolve_desired_state(people, directory, snapshot, context, settings)
    conflicts = _all_conflicts(people, desired, snapshot)
    taken = people.rows.loc[desired.taken, "user_id"].dropna()
    in_conflict = frozenset({*conflicts["user_id"], *taken, *context.waiting_elsewhere})
    leavers = find_leavers(people, directory, snapshot, context, settings, in_conflict=in_conflict)
    outcome = _final_outcome(people, desired, leavers)
    written, difference, outcome = _difference(outcome, desired, directory, snapshot, context, in_conflict)
    rows = pd.concat([written, *_left(leavers, directory, released)], ignore_index=True)
    hashes = row_hashes(rows)
    result = Outcome(people, outcome, desired, leavers, difference, conflicts, in_conflict)
    guards = evaluate_guards(guard_inputs(result, directory, snapshot, context, settings), settings.guards)
    return Plan(
        rows=rows,
        hashes=hashes,
        counts=count_people(result, rows, context),
        guards=guards,
        digest=digest_of_hashes(
            to_arrow(hashes).to_pylist(),
            settings_digest=settings.plan_digest(),
            complete=context.complete,
            tripped=[guard.name for guard in guards if guard.tripped],
        ),
        complete=context.complete,
        diagnostics=diagnose(result, snapshot, context, settings, {**(warnings or {}), **desired.warnings}),
        conflicts=conflicts,
    )


def _left(leavers: Leavers, directory: Directory, released: frozenset[str]) -> Iterator[pd.DataFrame]:
    """The rows of those who leave, and of those who have left already and give their EmployeeId up."""
    if len(leavers.archived):
        yield diff.archives(leavers.archived, released)
    before = released.difference(leavers.archived["user_id"])
    if before:
        yield diff.releases(directory.users(text_series(sorted(before))))


def _all_conflicts(people: ClassifiedRows, desired: DesiredState, snapshot: pd.DataFrame) -> pd.DataFrame:
    """The conflicts about who somebody is, and those of linked people whose new EmployeeId another user keeps, but for
    ignored ones."""
    taken = people.mapped.loc[desired.taken][~people.identities.ignored.loc[desired.taken]]
    holder = lookup(column_or_nulls(taken, "employee_id"), snapshot["employee_id"], snapshot["user_id"])
    kind = holder.mask(holder.notna(), "employee_id")
    lines = conflict_lines(taken, pd.DataFrame({"kind": kind, "user_id": holder}).dropna())
    return pd.concat([people.identities.conflicts, lines], ignore_index=True)


def _final_outcome(people: ClassifiedRows, desired: DesiredState, leavers: Leavers) -> pd.Series:
    """The outcome per row after what only whole plans decide: whose EmployeeId is taken, and who is spared."""
    outcome = people.outcome.copy()
    ignored = people.identities.ignored.loc[desired.taken]
    outcome.loc[desired.taken] = ignored.map({True: "excluded:ignored", False: "conflict"}).astype(outcome.dtype)
    archived = is_in(people.rows["user_id"], leavers.archived["user_id"])
    return outcome.mask((outcome == "archive") & ~archived, "spared")


def _difference(
    outcome: pd.Series,
    desired: DesiredState,
    directory: Directory,
    snapshot: pd.DataFrame,
    context: PlanContext,
    in_conflict: frozenset[str],
) -> tuple[pd.DataFrame, diff.Difference, pd.Series]:
    """The rows to write for people who come, change or come back; how existing users change; and the final outcome."""
    rows, integration_id = desired.rows, context.integration_id
    hashed = [name for name in user_fields(rows) if name not in _STORE_DEPENDENT]
    rows = rows.assign(hash=source_hash(rows, hashed))
    if "email_edited_by_user" not in rows:
        rows["email_edited_by_user"] = rows["stored_email_edited_by_user"]
    new = rows["user_id"].isna()
    created = diff.creates(rows[new], integration_id) if new.any() else diff.NO_CHANGES.rows
    compared = rows[~new & ~_as_synced(rows, integration_id)]
    difference = diff.NO_CHANGES
    if len(compared):
        named = snapshot.loc[is_in(snapshot["user_id"], in_conflict), "employee_id"].dropna()
        retention = diff.Retention(desired.retained, desired.references, tuple(named))
        difference = diff.updates(compared, directory.users(compared["user_id"]), integration_id, retention)
    settled = ~new & ~rows.index.isin(difference.rows.index)
    outcome = outcome.copy()
    outcome.loc[rows.index[settled]] = "unchanged"
    outcome.loc[rows.index[settled & desired.forbidden]] = "protected"
    return pd.concat([created, difference.rows]), difference, outcome


def _as_synced(rows: pd.DataFrame, integration_id: str) -> pd.Series:
    """Whose user is, for sure, just what it should be: nobody wrote it since an import that wrote the same."""
    same = (
        null_as_false(rows["hash"] == rows["stored_source_hash"])
        & null_as_false(rows["stored_version"] == rows["stored_synced_version"])
        & null_as_false(rows["stored_integration_id"] == integration_id)
        & null_as_false(rows["stored_hris_id"] == rows["hris_id"])
        & null_as_false(rows["stored_status"] == "active")
    )
    for name in _STORE_DEPENDENT:
        if name in rows:
            same &= ~is_distinct(rows[name], rows[f"stored_{name}"])
    return same
