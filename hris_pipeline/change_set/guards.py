"""The guards: rules that hold a whole change set until a person approves it. One table; a guard is one entry.

Here people are only counted and named by EmployeeId; who is counted where is ``guard_inputs``' business. A percentage
is always of the users the plan could affect in that way: of nobody there is none, and it never trips.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hris_pipeline.settings.document import GuardLimits

__all__ = [
    "GUARDS",
    "Guard",
    "GuardInputs",
    "evaluate_guards",
    "exceeds",
]


@dataclass(frozen=True)
class GuardInputs:
    """What a change set would do, counted; each affected group as EmployeeIds.

    ``first_import``: none was applied yet in this life of the integration ``integration_id``. ``managed`` counts the
    users it manages and the local ones the plan links, ``managed_active`` the active ones of them, ``changeable`` those
    whose fields the plan can change (active, restored or linked), all as before the import;
    ``recently_archived`` the archives that ``slow_bleed`` counts. ``comparable`` are people recognised by link, email,
    or name and birth date, and ``mismatched`` those of them who would carry another EmployeeId than stored;
    ``reidentified`` are those, out of ``identifiable``, who come back under other member ids. ``newly_quarantined`` are
    managed active users who were not at the last applied import, ``quarantine_checks`` how many of them fail each
    check. ``unread`` is as in ``PlanContext``; ``wiped`` are people a field would become empty for, and ``filled`` how
    many have it now.
    """

    integration_id: str
    complete: bool
    first_import: bool
    managed: int
    managed_active: int
    archived: tuple[str, ...] = ()
    recently_archived: int = 0
    created: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    comparable: int = 0
    email_changed: tuple[str, ...] = ()
    changeable: int = 0
    reidentified: tuple[str, ...] = ()
    identifiable: int = 0
    newly_quarantined: tuple[str, ...] = ()
    quarantine_checks: Mapping[str, int] = field(default_factory=dict)
    unread: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    wiped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    filled: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Guard:
    """How one guard judged: its limit and what was observed in words, and, when it tripped, the EmployeeIds affected
    and what else than approving can be done about it."""

    name: str
    limit: str
    observed: str
    tripped: bool
    employee_ids: tuple[str, ...] = ()
    remedy: str = ""

    @property
    def sentence(self) -> str:
        """What was observed, the limit, and the remedy if there is one."""
        return f"{self.observed}, limit {self.limit}" + (f": {self.remedy}" if self.remedy else "")


def evaluate_guards(inputs: GuardInputs, limits: GuardLimits) -> tuple[Guard, ...]:
    """Every guard's judgement, in the table's order."""
    return tuple(judge(name, inputs, limits) for name, judge in GUARDS.items())


class Limit(Protocol):
    """A percentage that counts from so many people on."""

    @property
    def percent(self) -> float: ...

    @property
    def min_people(self) -> int: ...


def exceeds(limit: Limit, n: int, base: int) -> bool:
    """Whether n of the base are as many as the limit asks for, and more than its percentage."""
    return base > 0 and n >= limit.min_people and 100 * n > limit.percent * base


def _incomplete_extract(name: str, inputs: GuardInputs, _: GuardLimits) -> Guard:
    return Guard(name, "a complete extract", "complete" if inputs.complete else "incomplete", not inputs.complete)


def _archive_limit(name: str, inputs: GuardInputs, limits: GuardLimits) -> Guard:
    limit, n, base = limits.archive_limit, len(inputs.archived), inputs.managed_active
    tripped = (
        exceeds(limit, n, base)
        or n > max(limit.people, limit.people_percent * base / 100)
        or (n >= limit.small_people and 100 * n >= limit.small_percent * base)
    )
    words = (
        f"{_describe_limit(limit)}, less than {limit.small_percent:g} % from {limit.small_people} people on, "
        f"and never over {limit.people} people ({limit.people_percent:g} % where that is more)"
    )
    return _build_guard(name, words, _format_share(n, base), tripped, inputs.archived)


def _slow_bleed(name: str, inputs: GuardInputs, limits: GuardLimits) -> Guard:
    limit = limits.slow_bleed
    n = inputs.recently_archived + len(inputs.archived)
    base = inputs.managed_active + inputs.recently_archived
    tripped = bool(inputs.archived) and exceeds(limit, n, base)
    return _build_guard(
        name, _describe_limit(limit, f" within {limit.days} days"), _format_share(n, base), tripped, inputs.archived
    )


def _create_limit(name: str, inputs: GuardInputs, limits: GuardLimits) -> Guard:
    limit, n = limits.create_limit, len(inputs.created)
    tripped = not inputs.first_import and exceeds(limit, n, inputs.managed)
    words = "not on a first import" if inputs.first_import else _describe_limit(limit)
    return _build_guard(name, words, _format_share(n, inputs.managed), tripped, inputs.created)


def _employee_id_mismatch(name: str, inputs: GuardInputs, limits: GuardLimits) -> Guard:
    return _judge_share(name, inputs.mismatched, inputs.comparable, limits.employee_id_mismatch)


def _email_change_limit(name: str, inputs: GuardInputs, limits: GuardLimits) -> Guard:
    return _judge_share(name, inputs.email_changed, inputs.changeable, limits.email_change_limit)


def _identity_change(name: str, inputs: GuardInputs, limits: GuardLimits) -> Guard:
    remedy = (
        f"`hris resolve {inputs.integration_id} --relink` links them to their users by EmployeeId; approving leaves "
        "them as they are"
    )
    return _judge_share(name, inputs.reidentified, inputs.identifiable, limits.identity_change, remedy)


def _quarantine_growth(name: str, inputs: GuardInputs, limits: GuardLimits) -> Guard:
    limit, people, base = limits.quarantine_growth, inputs.newly_quarantined, inputs.managed_active
    checks = ", ".join(f"{check} {n}" for check, n in sorted(inputs.quarantine_checks.items()))
    observed = _format_share(len(people), base) + (f": {checks}" if checks else "")
    remedy = f"`hris quarantine {inputs.integration_id}` shows their rows: mend the mapping or the source"
    return _build_guard(name, _describe_limit(limit), observed, exceeds(limit, len(people), base), people, remedy)


def _unread_field(name: str, inputs: GuardInputs, limits: GuardLimits) -> Guard:
    limit = limits.unread_field
    counted = {column: (int(seen["count"]), int(seen["of"])) for column, seen in inputs.unread.items()}
    tripped = [column for column, (n, base) in counted.items() if exceeds(limit, n, base)]
    named = tripped or sorted(counted, key=lambda column: (-_compute_ratio(*counted[column]), column))[:1]
    observed = "; ".join(f"{column}: {_format_share(*counted[column])}" for column in sorted(named)) or "none"
    remedy = f"`hris mapping show {inputs.integration_id}` tells what the source sends instead"
    return _build_guard(name, _describe_limit(limit, " of those who send a field"), observed, bool(tripped), (), remedy)


def _field_wipe(name: str, inputs: GuardInputs, limits: GuardLimits) -> Guard:
    limit = limits.field_wipe
    counted = {wiped: (len(ids), inputs.filled[wiped]) for wiped, ids in inputs.wiped.items()}
    tripped = [wiped for wiped, (n, base) in counted.items() if exceeds(limit, n, base)]
    worst = max(tripped or counted, key=lambda wiped: (_compute_ratio(*counted[wiped]), wiped), default="")
    observed = f"{worst}: {_format_share(*counted[worst])}" if worst else "none"
    affected = dict.fromkeys(employee_id for wiped in tripped for employee_id in inputs.wiped[wiped])
    return _build_guard(
        name, _describe_limit(limit, " of those who have a field"), observed, bool(tripped), tuple(affected)
    )


def _judge_share(name: str, affected: tuple[str, ...], base: int, limit: Limit, remedy: str = "") -> Guard:
    tripped = exceeds(limit, len(affected), base)
    return _build_guard(name, _describe_limit(limit), _format_share(len(affected), base), tripped, affected, remedy)


def _compute_ratio(n: int, base: int) -> float:
    return n / max(base, 1)


def _describe_limit(limit: Limit, of_whom: str = "") -> str:
    return f"at most {limit.percent:g} %{of_whom} from {limit.min_people} people on"


def _format_share(n: int, base: int) -> str:
    return f"{n} of {base} ({100 * n / base:.1f} %)" if base else str(n)


def _build_guard(
    name: str, limit: str, observed: str, tripped: bool, affected: Sequence[str], remedy: str = ""
) -> Guard:
    if not tripped:
        return Guard(name, limit, observed, tripped)
    return Guard(name, limit, observed, tripped, tuple(sorted(affected)), remedy)


GUARDS: Mapping[str, Callable[[str, GuardInputs, GuardLimits], Guard]] = {
    "incomplete_extract": _incomplete_extract,
    "archive_limit": _archive_limit,
    "slow_bleed": _slow_bleed,
    "create_limit": _create_limit,
    "employee_id_mismatch": _employee_id_mismatch,
    "email_change_limit": _email_change_limit,
    "identity_change": _identity_change,
    "quarantine_growth": _quarantine_growth,
    "unread_field": _unread_field,
    "field_wipe": _field_wipe,
}
