"""The guards: rules that hold a whole change set until a person approves it. One table; a guard is one entry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hris_pipeline.settings.document import GuardLimits

__all__ = [
    "GUARDS",
    "Guard",
    "GuardInputs",
    "evaluate_guards",
]


@dataclass(frozen=True)
class GuardInputs:
    """What a change set would do, counted; each affected group as EmployeeIds.

    ``first``: nobody is managed yet. ``managed_active`` and ``managed`` count users of the integration before the
    import; ``recently_archived`` are archives of the last days by imports nobody approved; ``comparable`` are people
    recognised by link, email, or name and birth date, and ``mismatched`` those of them who would carry another
    EmployeeId than stored; ``wiped`` are people a field would become empty for, and ``filled`` how many have it now.
    """

    complete: bool
    first: bool
    managed: int
    managed_active: int
    archived: tuple[str, ...] = ()
    recently_archived: int = 0
    created: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    comparable: int = 0
    email_changed: tuple[str, ...] = ()
    wiped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    filled: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Guard:
    """How one guard judged: its limit and what was observed in words, and the EmployeeIds affected when it tripped."""

    name: str
    limit: str
    observed: str
    tripped: bool
    employee_ids: tuple[str, ...] = ()


def evaluate_guards(facts: GuardInputs, limits: GuardLimits) -> tuple[Guard, ...]:
    """Every guard's judgement, in the table's order."""
    return tuple(judge(name, facts, limits) for name, judge in GUARDS.items())


class _Limit(Protocol):
    """A percentage that counts from so many people on."""

    @property
    def percent(self) -> float: ...

    @property
    def min_people(self) -> int: ...


def _incomplete_extract(name: str, facts: GuardInputs, _: GuardLimits) -> Guard:
    return Guard(name, "a complete extract", "complete" if facts.complete else "incomplete", not facts.complete)


def _archive_limit(name: str, facts: GuardInputs, limits: GuardLimits) -> Guard:
    limit, n, whole = limits.archive_limit, len(facts.archived), facts.managed_active
    tripped = (
        _exceeds(limit, n, whole)
        or n > max(limit.people, limit.people_percent * whole / 100)
        or (n >= limit.small_people and 100 * n >= limit.small_percent * whole)
    )
    words = (
        f"{_words(limit)}, {limit.people} people or {limit.people_percent:g} %, "
        f"or {limit.small_percent:g} % from {limit.small_people} people"
    )
    return _judged(name, words, _of(n, whole), tripped, facts.archived)


def _slow_bleed(name: str, facts: GuardInputs, limits: GuardLimits) -> Guard:
    limit = limits.slow_bleed
    n = facts.recently_archived + len(facts.archived)
    whole = facts.managed_active + facts.recently_archived
    tripped = bool(facts.archived) and _exceeds(limit, n, whole)
    return _judged(name, f"{_words(limit)} in {limit.days} days", _of(n, whole), tripped, facts.archived)


def _create_limit(name: str, facts: GuardInputs, limits: GuardLimits) -> Guard:
    limit, n = limits.create_limit, len(facts.created)
    tripped = not facts.first and _exceeds(limit, n, facts.managed)
    return _judged(name, _words(limit), _of(n, facts.managed), tripped, facts.created)


def _employee_id_mismatch(name: str, facts: GuardInputs, limits: GuardLimits) -> Guard:
    return _share(name, facts.mismatched, facts.comparable, limits.employee_id_mismatch)


def _email_change_limit(name: str, facts: GuardInputs, limits: GuardLimits) -> Guard:
    return _share(name, facts.email_changed, facts.managed, limits.email_change_limit)


def _share(name: str, affected: tuple[str, ...], whole: int, limit: _Limit) -> Guard:
    tripped = _exceeds(limit, len(affected), whole)
    return _judged(name, _words(limit), _of(len(affected), whole), tripped, affected)


def _field_wipe(name: str, facts: GuardInputs, limits: GuardLimits) -> Guard:
    limit, filled = limits.field_wipe, facts.filled
    tripped = [wiped for wiped, ids in facts.wiped.items() if _exceeds(limit, len(ids), filled.get(wiped, 0))]
    worst = max(
        facts.wiped, key=lambda wiped: (len(facts.wiped[wiped]) / max(filled.get(wiped, 0), 1), wiped), default=""
    )
    observed = f"{worst}: {_of(len(facts.wiped[worst]), filled.get(worst, 0))}" if worst else "none"
    affected = dict.fromkeys(employee_id for wiped in tripped for employee_id in facts.wiped[wiped])
    return _judged(name, f"{_words(limit)} of a field", observed, bool(tripped), tuple(affected))


def _exceeds(limit: _Limit, n: int, whole: int) -> bool:
    return n >= limit.min_people and 100 * n > limit.percent * whole


def _words(limit: _Limit) -> str:
    return f"{limit.percent:g} % from {limit.min_people} people"


def _of(n: int, whole: int) -> str:
    return f"{n} of {whole} ({100 * n / whole:.1f} %)" if whole else f"{n} of 0"


def _judged(name: str, limit: str, observed: str, tripped: bool, affected: tuple[str, ...]) -> Guard:
    return Guard(name, limit, observed, tripped, tuple(sorted(affected)) if tripped else ())


GUARDS: Mapping[str, Callable[[str, GuardInputs, GuardLimits], Guard]] = {
    "incomplete_extract": _incomplete_extract,
    "archive_limit": _archive_limit,
    "slow_bleed": _slow_bleed,
    "create_limit": _create_limit,
    "employee_id_mismatch": _employee_id_mismatch,
    "email_change_limit": _email_change_limit,
    "field_wipe": _field_wipe,
}
