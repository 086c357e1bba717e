"""The plan: from mapped users and the directory to a change set with its counts, guards and digest. Pure: the clock,
the verdict on the extract and the directory come in."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pandas as pd

from hris_pipeline.change_set import diff
from hris_pipeline.change_set.classification import ClassifiedRows, PlanContext, classify_rows, find_departures
from hris_pipeline.change_set.desired_state import DesiredState, resolve_desired_state
from hris_pipeline.change_set.digest import plan_digest, source_hash
from hris_pipeline.change_set.directory import Directory
from hris_pipeline.change_set.guards import Guard, GuardInputs, evaluate_guards
from hris_pipeline.change_set.identity import conflict_lines
from hris_pipeline.contract import COUNTS
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import USER_FIELD_NAMES
from hris_pipeline.transform.columns import column_or_nulls, is_distinct, is_in, lookup, null_as_false

__all__ = ["COUNT_OF_ACTION", "Plan", "PlanContext", "make_plan"]
COUNT_OF_ACTION = {"create": "created", "update": "updated", "archive": "archived", "restore": "restored"}
_COUNT_OF_OUTCOME = {"unchanged": "unchanged", "protected": "protected", "conflict": "conflicts"}
_STORE_DEPENDENT = ("email", "hire_date")


@dataclass(frozen=True)
class Plan:
    """A change set: ``rows`` (``diff.ROW_COLUMNS``), the nine counts, the guards, the digest; ``diagnostics`` gives, by
    reason, the EmployeeIds (hris_ids where there is none) of whoever is not applied or warned about, and under
    ``warning:field_missing_for_all`` names of fields; ``conflicts`` has ``identity.CONFLICT_COLUMNS``."""

    rows: pd.DataFrame = field(repr=False)
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


@dataclass(frozen=True)
class _Changes:
    """What a plan does: the rows to write and how they came about. ``outcome`` is final; ``leaving`` are the users
    archived, as stored; ``kept`` those who are gone and stay."""

    rows: pd.DataFrame
    outcome: pd.Series
    difference: diff.Difference
    leaving: pd.DataFrame
    kept: pd.DataFrame
    conflicts: pd.DataFrame
    warnings: Mapping[str, tuple[str, ...]]


def make_plan(
    mapped: pd.DataFrame,
    directory: Directory,
    facts: PlanContext,
    settings: Settings,
    warnings: Mapping[str, Collection[str]] | None = None,
) -> Plan:
    """Plans the import of mapped users into the directory.

    Args:
        mapped: The mapped frame; its order does not matter.
        directory: The users as they are.
        facts: The integration, the day and the extract's verdict.
        settings: The settings in force.
        warnings: hris_ids by code from earlier steps, shown beside the plan.
    """
    snapshot = directory.snapshot()
    rows, vanished = _without_vanished_fields(mapped.reset_index(drop=True), directory)
    people = classify_rows(rows, directory, snapshot, facts, settings)
    changes = _changes(people, directory, snapshot, facts, settings)
    diagnostics = _diagnostics(people, changes, facts, {**(warnings or {}), **changes.warnings})
    if vanished:
        diagnostics["warning:field_missing_for_all"] = vanished
    guards = evaluate_guards(_guard_facts(people, changes, directory, snapshot, facts), settings.guards)
    digest = plan_digest(
        changes.rows,
        settings_digest=settings.plan_digest(),
        complete=facts.complete,
        tripped=[guard.name for guard in guards if guard.tripped],
    )
    counts = _counts(changes, facts)
    return Plan(changes.rows, counts, guards, digest, facts.complete, diagnostics, changes.conflicts)


def _without_vanished_fields(rows: pd.DataFrame, directory: Directory) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Without the fields that nobody has any more though users have them: consent or scope is missing, not the data."""
    empty = [name for name in _user_fields(rows) if name != "employee_id" and rows[name].isna().all()]
    filled = directory.filled(empty) if empty and len(rows) else {}
    vanished = tuple(name for name in empty if filled.get(name))
    return rows.drop(columns=list(vanished)), vanished


def _user_fields(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows.columns if name in USER_FIELD_NAMES or name.startswith("#")]


def _changes(
    people: ClassifiedRows,
    directory: Directory,
    snapshot: pd.DataFrame,
    facts: PlanContext,
    settings: Settings,
) -> _Changes:
    rows, outcome = people.rows, people.outcome
    going = rows[outcome.isin(["create", "compare", "restore"])]
    targets = resolve_desired_state(going, rows, snapshot, settings, facts.integration_id)
    conflicts = _taken_ids(people.mapped.loc[targets.taken], snapshot)
    ignored = people.identities.ignored.loc[targets.taken]
    outcome = outcome.copy()
    outcome.loc[targets.taken] = ignored.map({True: "excluded:ignored", False: "conflict"}).astype(outcome.dtype)

    written, difference, settled = _differences(targets, directory, facts.integration_id)
    outcome.loc[settled.index] = settled
    gone = find_departures(rows, snapshot, facts, settings)
    leaving_ids = pd.concat([rows.loc[outcome == "archive", "user_id"], gone.archive["user_id"]], ignore_index=True)
    leaving = directory.users(leaving_ids) if len(leaving_ids) else snapshot.iloc[:0]
    archived = diff.archives(leaving) if len(leaving) else diff.NO_CHANGES.rows
    return _Changes(
        rows=pd.concat([written, archived], ignore_index=True),
        outcome=outcome,
        difference=difference,
        leaving=leaving,
        kept=gone.kept,
        conflicts=pd.concat([people.identities.conflicts, conflicts[~ignored.to_numpy()]], ignore_index=True),
        warnings=targets.warnings,
    )


def _taken_ids(rows: pd.DataFrame, snapshot: pd.DataFrame) -> pd.DataFrame:
    """Conflicts of people whose new EmployeeId another user keeps."""
    holder = lookup(column_or_nulls(rows, "employee_id"), snapshot["employee_id"], snapshot["user_id"])
    kind = holder.mask(holder.notna(), "employee_id")
    return conflict_lines(rows, pd.DataFrame({"kind": kind, "user_id": holder}))


def _differences(
    targets: DesiredState, directory: Directory, integration_id: str
) -> tuple[pd.DataFrame, diff.Difference, pd.Series]:
    """The rows to write for people who come, change or come back; and the outcome of everybody else."""
    rows = targets.rows
    hashed = [name for name in _user_fields(rows) if name not in _STORE_DEPENDENT]
    rows = rows.assign(hash=source_hash(rows, hashed))
    if "email_edited_by_user" not in rows:
        rows["email_edited_by_user"] = rows["stored_email_edited_by_user"]
    new = rows["user_id"].isna()
    created = diff.creates(rows[new], integration_id) if new.any() else diff.NO_CHANGES.rows
    compared = rows[~new & ~_as_synced(rows, integration_id)]
    difference = diff.NO_CHANGES
    if len(compared):
        difference = diff.updates(compared, directory.users(compared["user_id"]), integration_id)
    settled = ~new & ~rows.index.isin(difference.rows.index)
    outcome = rows["user_id"].mask(settled, "unchanged").mask(settled & targets.forbidden, "protected")[settled]
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


def _shown(rows: pd.DataFrame) -> pd.Series:
    """How each row is named to people: its stored EmployeeId, else the one it comes with, else its hris_id."""
    return rows["stored_employee_id"].fillna(column_or_nulls(rows, "employee_id")).fillna(rows["hris_id"])


def _named(users: pd.DataFrame) -> tuple[str, ...]:
    return tuple(users["employee_id"].fillna(users["hris_id"]))


def _diagnostics(
    people: ClassifiedRows, changes: _Changes, facts: PlanContext, warnings: Mapping[str, Collection[str]]
) -> dict[str, tuple[str, ...]]:
    shown, outcome = _shown(people.rows), changes.outcome
    lines: dict[str, Collection[str]] = {"protected": _named(changes.kept)}
    for reason in sorted(set(outcome)):
        if reason.startswith("excluded:") or reason in ("conflict", "protected"):
            lines[reason] = (*lines.get(reason, ()), *shown[outcome == reason])
    lines |= {"quarantined": facts.quarantined, "hole": facts.holes}
    for code, hris_ids in sorted(warnings.items()):
        lines[f"warning:{code}"] = shown[is_in(people.rows["hris_id"], hris_ids)].tolist()
    return {reason: tuple(sorted(ids)) for reason, ids in lines.items() if len(ids)}


def _guard_facts(
    people: ClassifiedRows, changes: _Changes, directory: Directory, snapshot: pd.DataFrame, facts: PlanContext
) -> GuardInputs:
    managed = snapshot[null_as_false(snapshot["integration_id"] == facts.integration_id)]
    shown = _shown(people.rows)
    wiped = {name: tuple(shown[index]) for name, index in changes.difference.wiped.items()}
    stored, mismatched = _stored_ids(people, changes, snapshot)
    return GuardInputs(
        complete=facts.complete,
        first=managed.empty,
        managed=len(managed),
        managed_active=int(null_as_false(managed["status"] == "active").sum()),
        archived=_named(changes.leaving),
        recently_archived=facts.recently_archived,
        created=tuple(shown[changes.outcome == "create"]),
        mismatched=tuple(stored[mismatched]),
        comparable=len(stored),
        email_changed=tuple(shown[changes.difference.email_changed]),
        wiped=wiped,
        filled=directory.filled(list(wiped)) if wiped else {},
    )


def _stored_ids(people: ClassifiedRows, changes: _Changes, snapshot: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The stored EmployeeIds of the people this plan would bring or keep up to date, as far as the directory recognises
    them, and who of them would carry another; a protected user would not."""
    meant = people.outcome.isin(["create", "compare", "restore", "conflict"]) & (changes.outcome != "excluded:ignored")
    known = people.identities.recognised.where(meant)
    stored = lookup(known, snapshot["user_id"], snapshot["employee_id"])
    protected = null_as_false(lookup(known, snapshot["user_id"], snapshot["protected"]))
    mismatched = null_as_false(stored != column_or_nulls(people.rows, "employee_id")) & ~protected
    return stored.dropna(), mismatched[stored.notna()]


def _counts(changes: _Changes, facts: PlanContext) -> dict[str, int]:
    counts = dict.fromkeys(COUNTS, 0)
    for action, number in changes.rows["action"].value_counts().items():
        counts[COUNT_OF_ACTION[str(action)]] = int(number)
    for outcome, count in _COUNT_OF_OUTCOME.items():
        counts[count] = int((changes.outcome == outcome).sum())
    counts["protected"] += len(changes.kept)
    counts["excluded"] = int(changes.outcome.str.startswith("excluded:").sum())
    counts["quarantined"] = len(facts.quarantined)
    return counts
