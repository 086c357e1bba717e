"""What planning knows beside the people: the integration, the day, the verdict on the extract, and what people decided.

Values only; where they are read is ``operations.planning``'s business, what follows from them is that of the stages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

__all__ = ["PlanContext", "QuarantinedMember", "Resolution"]


@dataclass(frozen=True)
class Resolution:
    """What a person decided of a conflict, remembered: ``link``, ``create`` or ``ignore``; ``restore`` when a link may
    bring back a user whom a person archived."""

    hris_id: str
    user_id: str
    decision: str
    restore: bool = False


@dataclass(frozen=True)
class QuarantinedMember:
    """A member with a bad row: the ids that are certain, and each failed check as ``field: check``."""

    hris_id: str | None
    employee_id: str | None = None
    checks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How the member is named to people."""
        return self.employee_id or self.hris_id or "?"


@dataclass(frozen=True)
class PlanContext:
    """Everything a plan depends on beside the mapped users, the directory and the settings.

    ``source`` is the kind of source; ``first_import`` says that none was applied yet in this life of the integration.
    ``missing`` are hris_ids confirmed gone; ``holes`` those nothing is known of, who are in no mapped row.
    ``quarantined`` are members with bad rows, ``previously_quarantined`` the hris_ids that were quarantined at the last
    applied import. ``recently_archived`` are user_ids archived in the days that ``slow_bleed`` looks at, outside
    approved imports and undos. ``kept_users`` are user_ids that ``do_not_archive`` follows, ``waiting_elsewhere`` those
    in an open conflict of another integration of the directory, where they may work. ``unread`` says, by
    employee column, of how many members who send it nothing could be read: ``count``, ``of`` and ``keys``.
    """

    integration_id: str
    today: date
    complete: bool
    source: str = "justworks"
    first_import: bool = False
    missing: frozenset[str] = frozenset()
    holes: frozenset[str] = frozenset()
    quarantined: tuple[QuarantinedMember, ...] = ()
    previously_quarantined: frozenset[str] = frozenset()
    resolutions: tuple[Resolution, ...] = ()
    recently_archived: frozenset[str] = frozenset()
    kept_users: frozenset[str] = frozenset()
    waiting_elsewhere: frozenset[str] = frozenset()
    unread: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def quarantined_hris_ids(self) -> frozenset[str]:
        """The hris_ids of quarantined members, as far as they have one."""
        return frozenset(member.hris_id for member in self.quarantined if member.hris_id)
