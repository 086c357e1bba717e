"""Names that several rooms share, each said once: columns, counts, statuses. Imports nothing heavy."""

from typing import Literal

__all__ = [
    "ACTIONS",
    "APPLIED_COUNTS",
    "COUNTS",
    "COUNT_OF_ACTION",
    "MADE_UP",
    "OPEN",
    "PAGE_SIZE",
    "QUARANTINE_COLUMNS",
    "ROW_COLUMNS",
    "SLUG",
    "ImportStatus",
    "Trigger",
    "is_made_up",
]


SLUG = r"[a-z0-9][a-z0-9-]{0,62}"
"""What an integration and a directory are named by."""

PAGE_SIZE = 50
"""How many lines a page of a list shows."""

ACTIONS: tuple[str, ...] = ("create", "update", "archive", "restore")
"""What an import does to a user, in the order in which it is shown."""

COUNTS: tuple[str, ...] = (
    "created",
    "updated",
    "archived",
    "restored",
    "unchanged",
    "excluded",
    "protected",
    "conflicts",
    "quarantined",
)
"""The nine counts of an import."""

APPLIED_COUNTS = COUNTS[:4]
"""The counts of what an import changes."""

COUNT_OF_ACTION = {"create": "created", "update": "updated", "archive": "archived", "restore": "restored"}
"""Which of the counts each action of a row is counted in."""

ROW_COLUMNS: tuple[str, ...] = ("user_id", "action", "changed", "before", "after", "base_version", "source_hash")
"""One row a change: ``changed`` a JSON list of field names (metadata as ``#Name``; a create lists none), ``before`` and
``after`` whole states as JSON (``before`` null for a create), ``base_version`` null for a create."""

QUARANTINE_COLUMNS: tuple[str, ...] = ("hris_id", "employee_id", "field", "check", "value", "reason")
"""One line a failed check; ``value`` is the raw value, a person's data."""

OPEN: tuple[str, ...] = ("planned", "held")
"""The statuses of an open import, of which an integration has one at most."""

ImportStatus = Literal["planned", "held", "applied", "stale", "discarded", "failed"]
"""What becomes of an import."""

Trigger = Literal["manual", "schedule", "catch_up", "backfill", "undo"]
"""What starts an import."""

MADE_UP = "Demo (made up)"
"""What the company of `hris demo` is called, so that nobody mistakes it for their own; a further one has its number
between."""


def is_made_up(title: str) -> bool:
    """Whether that is a company of `hris demo`."""
    return title.startswith("Demo ") and title.endswith(" (made up)")
