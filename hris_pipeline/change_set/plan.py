"""The plan: from mapped users and the directory to a change set with its counts, guards and digest, and what it tells
beside its rows: who is not applied or warned about and why, and what the guards are asked.

One line of stages, each from frames to frames: identity and classification, desired state, leavers, difference,
guards, diagnostics. Pure: the clock, the verdict on the extract and the directory come in. How a stage decides is
its module's.
"""

import functools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from hris_pipeline.change_set import diff
from hris_pipeline.change_set.classification import (
    WRITTEN,
    ClassifiedRows,
    Leavers,
    classify_rows,
    find_leavers,
    find_relisted_elsewhere,
    find_suspects,
)
from hris_pipeline.change_set.desired_state import DesiredState, resolve_desired_state, user_fields
from hris_pipeline.change_set.diff import Difference, require_columns
from hris_pipeline.change_set.directory import Directory, PlanContext, digest_of_hashes, row_hashes, source_hash
from hris_pipeline.change_set.guards import Guard, GuardInputs, evaluate_guards
from hris_pipeline.change_set.identity import conflict_lines, names_of, without_others_ids
from hris_pipeline.contract import COUNT_OF_ACTION, COUNTS
from hris_pipeline.settings.document import Settings
from hris_pipeline.transform.columns import (
    column_or_nulls,
    is_distinct,
    is_in,
    lookup,
    null_as_false,
    rows_where,
    text_series,
    to_arrow,
)
from hris_pipeline.transform.map_users import unread_rows

__all__ = ["Outcome", "Plan", "PlanContext", "count_people", "diagnose", "guard_inputs", "make_plan"]

_COUNT_OF_OUTCOME = {"unchanged": "unchanged", "protected": "protected", "conflict": "conflicts"}


@dataclass(frozen=True)
class Outcome:
    """What the stages of a plan made of everybody: ``outcome`` is final; ``in_conflict`` are the user_ids on either
    side of an open conflict."""

    people: ClassifiedRows
    outcome: pd.Series
    desired: DesiredState
    leavers: Leavers
    difference: Difference
    conflicts: pd.DataFrame
    in_conflict: frozenset[str]


def count_people(result: Outcome, rows: pd.DataFrame, context: PlanContext) -> dict[str, int]:
    """The nine counts of a plan with these rows."""
    counts = dict.fromkeys(COUNTS, 0)
    for action, number in rows["action"].value_counts().items():
        counts[COUNT_OF_ACTION[str(action)]] = int(number)
    for outcome, count in _COUNT_OF_OUTCOME.items():
        counts[count] = int((result.outcome == outcome).sum())
    counts["protected"] += len(result.leavers.kept)
    counts["excluded"] = int(_exclusion_reasons(result).notna().sum())
    counts["quarantined"] = len(context.quarantined)
    return counts


def diagnose(
    result: Outcome,
    snapshot: pd.DataFrame,
    context: PlanContext,
    settings: Settings,
    warnings: Mapping[str, Collection[str]],
) -> dict[str, tuple[str, ...]]:
    """EmployeeIds (hris_ids where there is none), or names of fields, by reason; warnings as ``warning:<code>``."""
    rows = result.people.rows
    names, outcome = names_of(rows), result.outcome
    lines: dict[str, Collection[str]] = {"protected": _name_users(result.leavers.kept)}
    for reason in ("conflict", "protected"):
        lines[reason] = (*lines.get(reason, ()), *names[outcome == reason])
    exclusions = _exclusion_reasons(result)
    excluded = without_others_ids(names, rows["hris_id"].where(rows["user_id"].isna()), snapshot)
    lines |= {reason: tuple(excluded[exclusions == reason]) for reason in set(exclusions.dropna())}
    bad = pd.DataFrame(
        {name: text_series(getattr(member, name) for member in context.quarantined) for name in ("name", "hris_id")}
    )
    lines |= {
        "quarantined": without_others_ids(bad["name"], bad["hris_id"], snapshot),
        "hole": context.holes,
        "awaiting_decision": _name_users(rows_where(snapshot, is_in(snapshot["user_id"], result.leavers.awaiting))),
        "listed_under_other_id": _name_users(rows_where(snapshot, is_in(snapshot["user_id"], result.leavers.relisted))),
        "inactive_local": tuple(names[rows["inactive_local"]]),
        "warning:do_not_archive_unknown": _unknown_ids(snapshot, settings),
        "warning:field_missing_for_all": result.desired.vanished,
        **_unread_lines(rows, names, context, settings),
    }
    for code, hris_ids in warnings.items():
        lines[f"warning:{code}"] = names[is_in(rows["hris_id"], hris_ids)].tolist()
    return {reason: tuple(sorted(ids)) for reason, ids in sorted(lines.items()) if len(ids)}


def guard_inputs(
    result: Outcome, directory: Directory, snapshot: pd.DataFrame, context: PlanContext, settings: Settings
) -> GuardInputs:
    """What the guards are asked; rows in conflict affect nothing but the questions of identity before the integration's
    first applied import."""
    rows = result.people.rows
    managed = null_as_false(snapshot["integration_id"] == context.integration_id)
    active = snapshot.loc[
        managed & null_as_false(snapshot["status"] == "active"), ["user_id", "hris_id", "employee_id"]
    ]
    stored_columns = ["user_id", "stored_integration_id", "stored_status"]
    touched = rows.loc[result.outcome.isin(WRITTEN) & rows["user_id"].notna(), stored_columns]
    linked = touched[touched["stored_integration_id"].isna()]
    active_linked = int(null_as_false(linked["stored_status"] == "active").sum())
    names = names_of(rows)
    wiped = {name: tuple(names[index]) for name, index in result.difference.wiped.items()}
    stored, mismatched = _stored_ids(result, snapshot, context)
    reidentified = _find_reidentified_users(result, snapshot, context)
    grown, checks = _newly_quarantined(active, context)
    bled = is_in(snapshot["user_id"], context.recently_archived) & null_as_false(snapshot["status"] == "archived")
    return GuardInputs(
        integration_id=context.integration_id,
        complete=context.complete,
        first_import=context.first_import,
        managed=int(managed.sum()) + len(linked),
        managed_active=len(active) + active_linked,
        archived=_name_users(result.leavers.archived),
        recently_archived=int(bled.sum()),
        created=tuple(to_arrow(names[result.outcome == "create"]).to_pylist()),
        mismatched=tuple(stored[mismatched]),
        comparable=len(stored),
        email_changed=tuple(names[result.difference.email_changed]),
        changeable=_count_distinct(active["user_id"], touched["user_id"]),
        reidentified=_name_users(reidentified),
        identifiable=_count_distinct(active["user_id"], reidentified["user_id"]),
        newly_quarantined=grown,
        quarantine_checks=checks,
        unread={column: context.unread[column] for column in context.unread_in_use(settings)},
        wiped=wiped,
        filled=directory.filled(list(wiped), touched["user_id"]) if wiped else {},
    )


def _count_distinct(*ids: pd.Series) -> int:
    return int(pd.concat(ids).nunique())


def _exclusion_reasons(result: Outcome) -> pd.Series:
    """Why each row is left out, null for all others; whom a rule leaves out is so also when they are archived."""
    by_rule = "excluded:" + result.people.rows["exclusion"].mask(result.people.rows["leaver_only"].astype(bool))
    return result.outcome.where(result.outcome.str.startswith("excluded:")).fillna(by_rule)


def _unread_lines(
    rows: pd.DataFrame, names: pd.Series, context: PlanContext, settings: Settings
) -> dict[str, list[str]]:
    """Of each unread column in use the people; the column itself where none of those who are planned sends it."""
    masks, lines = unread_rows(rows), dict[str, list[str]]()
    for column, targets in context.unread_in_use(settings).items():
        hit = [masks[target] for target in targets if target in masks]
        people = names[pd.concat(hit, axis="columns").any(axis="columns")].tolist() if hit else [column]
        lines.setdefault("warning:field_unread" + (f":{column}" if hit else ""), []).extend(people)
    return lines


def _name_users(users: pd.DataFrame) -> tuple[str, ...]:
    return tuple(users["employee_id"].fillna(users["hris_id"]).fillna(users["user_id"]))


def _unknown_ids(snapshot: pd.DataFrame, settings: Settings) -> tuple[str, ...]:
    named = text_series(settings.do_not_archive)
    return tuple(named[~is_in(named, snapshot["employee_id"])])


def _stored_ids(result: Outcome, snapshot: pd.DataFrame, context: PlanContext) -> tuple[pd.Series, pd.Series]:
    """The stored EmployeeIds of the people this plan would bring or keep up to date, as far as the directory recognises
    them, and who of them would carry another: not a protected user, nor whom a person decided to create anew."""
    people = result.people
    conflict = people.outcome.eq("conflict") | result.outcome.eq("conflict")
    meant = people.outcome.isin(WRITTEN) & ~conflict & ~result.outcome.isin(("excluded:ignored", "create"))
    if context.first_import:
        meant |= conflict
    recognised = people.identities.recognised.where(meant)
    stored = lookup(recognised, snapshot["user_id"], snapshot["employee_id"])
    protected = null_as_false(lookup(recognised, snapshot["user_id"], snapshot["protected"]))
    mismatched = null_as_false(stored != column_or_nulls(people.rows, "employee_id")) & ~protected
    return stored.dropna(), mismatched[stored.notna()]


def _find_reidentified_users(result: Outcome, snapshot: pd.DataFrame, context: PlanContext) -> pd.DataFrame:
    """The active users who come back under another member id, re-linked or, because they are many, in conflict; before
    the first applied import also managed users whose EmployeeId somebody in conflict comes with."""
    people, conflicts = result.people, result.conflicts
    rows = people.rows.loc[people.identities.reidentified, ["hris_id", "user_id"]]
    by_employee_id = conflicts[conflicts["kind"] == "employee_id"]
    hit = is_in(snapshot["user_id"], by_employee_id.loc[is_in(by_employee_id["hris_id"], rows["hris_id"]), "user_id"])
    hit |= is_in(snapshot["user_id"], rows["user_id"])
    if context.first_import:
        hit |= snapshot["integration_id"].notna() & is_in(snapshot["user_id"], by_employee_id["user_id"])
    return rows_where(snapshot, hit & null_as_false(snapshot["status"] == "active"))


def _newly_quarantined(active: pd.DataFrame, context: PlanContext) -> tuple[tuple[str, ...], dict[str, int]]:
    """The managed active users who are quarantined now and were not at the last applied import, and how many of them
    fail each check."""
    grown = context.quarantined_hris_ids - context.previously_quarantined
    users = active[is_in(active["hris_id"], grown)]
    affected = set(users["hris_id"])
    failed = Counter(
        check for member in context.quarantined if member.hris_id in affected for check in dict.fromkeys(member.checks)
    )
    return _name_users(users), dict(failed)


_STORE_DEPENDENT = ("email", "hire_date")


@dataclass(frozen=True)
class Plan:
    """A change set: ``rows`` (``ROW_COLUMNS``) and their ``row_hashes``, the nine counts, the guards, the digest;
    ``diagnostics`` gives, by reason, the EmployeeIds (hris_ids where there is none) of whoever is not applied or warned
    about, and under ``warning:field_missing_for_all`` and ``warning:field_unread`` names of fields; ``conflicts`` has
    ``identity.CONFLICT_COLUMNS``; ``waiting`` are hris_ids of members about whom an earlier conflict stays as it was,
    because their row says nothing this time; ``relisted`` as in ``PlanContext``, from now on."""

    rows: pd.DataFrame = field(repr=False)
    hashes: pd.Series = field(repr=False)
    counts: Mapping[str, int]
    guards: tuple[Guard, ...]
    digest: str
    complete: bool
    diagnostics: Mapping[str, tuple[str, ...]]
    conflicts: pd.DataFrame = field(repr=False)
    waiting: frozenset[str]
    relisted: frozenset[tuple[str, str]]

    @property
    def tripped(self) -> tuple[Guard, ...]:
        """The guards that hold it."""
        return tuple(guard for guard in self.guards if guard.tripped)

    @property
    def held(self) -> bool:
        """Whether a guard holds it."""
        return bool(self.tripped)


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
    unusable = people.unusable(context)
    waiting = {(hris_id, user_id) for hris_id, user_id in context.undecided if hris_id in unusable}
    in_conflict = frozenset(
        {*conflicts["user_id"], *taken, *context.waiting_elsewhere, *(user_id for _, user_id in waiting)}
    )
    suspects = functools.cache(functools.partial(find_suspects, people, snapshot, context))
    leavers = find_leavers(people, directory, snapshot, context, settings, in_conflict=in_conflict, suspects=suspects)
    if spared := _active_ids(snapshot, released).difference(leavers.archived["user_id"]):  # of whom no id is given away
        context = replace(context, waiting_elsewhere=context.waiting_elsewhere | spared)
        return make_plan(mapped, directory, context, settings, warnings)
    outcome = _final_outcome(people, desired)
    written, difference, outcome = _diff_users(outcome, desired, directory, snapshot, context, in_conflict)
    rows = pd.concat([written, *_collect_leaver_rows(leavers, directory, released)], ignore_index=True)
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
        waiting=frozenset(hris_id for hris_id, _ in waiting),
        relisted=find_relisted_elsewhere(directory, snapshot, context, suspects=suspects),
    )


def _active_ids(snapshot: pd.DataFrame, user_ids: Collection[str]) -> frozenset[str]:
    """Those of the users who are active."""
    return frozenset(
        snapshot.loc[is_in(snapshot["user_id"], user_ids) & null_as_false(snapshot["status"] == "active"), "user_id"]
    )


def _collect_leaver_rows(leavers: Leavers, directory: Directory, released: frozenset[str]) -> Iterator[pd.DataFrame]:
    """The rows of those who leave, and of those who have left already and give their EmployeeId up."""
    if len(leavers.archived):
        yield diff.archive_rows(leavers.archived, released)
    before = released.difference(leavers.archived["user_id"])
    if before:
        yield diff.release_rows(directory.users(text_series(sorted(before))))


def _all_conflicts(people: ClassifiedRows, desired: DesiredState, snapshot: pd.DataFrame) -> pd.DataFrame:
    """The conflicts about who somebody is, and those of linked people whose new EmployeeId another user keeps, but for
    ignored ones."""
    if desired.taken.empty:
        return people.identities.conflicts
    taken = people.mapped.loc[desired.taken][~people.identities.ignored.loc[desired.taken]]
    holder = lookup(column_or_nulls(taken, "employee_id"), snapshot["employee_id"], snapshot["user_id"])
    kind = holder.mask(holder.notna(), "employee_id")
    lines = conflict_lines(taken, pd.DataFrame({"kind": kind, "user_id": holder}).dropna())
    return pd.concat([people.identities.conflicts, lines], ignore_index=True)


def _final_outcome(people: ClassifiedRows, desired: DesiredState) -> pd.Series:
    """The outcome per row after what only whole plans decide: whose EmployeeId is taken."""
    outcome = people.outcome.copy()
    ignored = people.identities.ignored.loc[desired.taken]
    outcome.loc[desired.taken] = ignored.map({True: "excluded:ignored", False: "conflict"}).astype(outcome.dtype)
    return outcome


def _diff_users(
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
    created = diff.create_rows(rows_where(rows, new), integration_id) if new.any() else diff.NO_CHANGES.rows
    compared = rows_where(rows, ~new & ~_as_synced(rows, integration_id))
    difference = diff.NO_CHANGES
    if len(compared):
        named = snapshot.loc[is_in(snapshot["user_id"], in_conflict), "employee_id"].dropna()
        retention = diff.Retention(desired.retained, desired.references, tuple(named))
        difference = diff.update_rows(compared, directory.users(compared["user_id"]), integration_id, retention)
    no_change = ~new & ~rows.index.isin(difference.rows.index)
    outcome = outcome.copy()
    outcome.loc[rows.index[no_change]] = "unchanged"
    outcome.loc[rows.index[no_change & desired.blocked_by_protection]] = "protected"
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
