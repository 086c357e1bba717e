"""An import as the laws see it, of whoever made it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .model import Expectation


@dataclass(frozen=True)
class ObservedRow:
    """A row of a change set as somebody shows it."""

    action: str
    user_id: str | None = None  # None for a create
    hris_id: str | None = None
    changes: Mapping[str, tuple[object, object]] = field(default_factory=dict)  # field -> (before, after)


@dataclass(frozen=True)
class Observed:
    """The outcome of one import as plain data."""

    rows: tuple[ObservedRow, ...]
    status: str = "planned"
    counts: Mapping[str, int] = field(default_factory=dict)
    guards: Mapping[str, bool] = field(default_factory=dict)  # name -> tripped
    figures: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)  # guard -> how many, of how many
    conflict_user_ids: frozenset[str] = frozenset()
    conflict_hris_ids: frozenset[str] = frozenset()
    quarantined: frozenset[str] = frozenset()  # hris_ids
    excluded: frozenset[str] = frozenset()  # hris_ids
    holes: frozenset[str] = frozenset()  # hris_ids
    complete: bool = True


def observed_of(expectation: Expectation) -> Observed:
    """The oracle's own plan in the shape of an observation, so that it is held to the same laws."""
    return Observed(
        rows=tuple(
            ObservedRow(
                row.action,
                row.user_id,
                row.hris_id,
                {change.field: (change.before, change.after) for change in row.changes},
            )
            for row in expectation.rows
        ),
        status=expectation.status or "failed",
        counts=expectation.counts,
        guards={name: result.tripped for name, result in expectation.guards.items()},
        figures={name: (result.observed, result.denominator) for name, result in expectation.guards.items()},
        conflict_user_ids=frozenset(user_id for conflict in expectation.conflicts for user_id in conflict.user_ids),
        conflict_hris_ids=frozenset(conflict.hris_id for conflict in expectation.conflicts)
        | {hris_id for hris_id, _ in expectation.waiting},
        quarantined=frozenset(entry.hris_id for entry in expectation.quarantined),
        excluded=frozenset(entry.hris_id for entry in expectation.excluded),
        holes=expectation.holes,
        complete=expectation.complete,
    )
