"""Masks over people's values, for whoever has not asked to see them. Stands alone: every face uses it, and it needs
nothing."""

import re
from typing import Any

__all__ = ["SHOWN_UNMASKED", "mask", "mask_value"]

SHOWN_UNMASKED = frozenset(
    {
        "employee_id",
        "hris_id",
        "supervisor_id",
        "integration_id",
        "user_id",
        "status",
        "archived_by",
        "email_edited_by_user",
        "protected",
    }
)
"""Fields that hold ids and states, and no person's data."""


_LETTERS = re.compile(r"[A-Za-z0-9]|[^\x00-\x7f]")


def mask(value: str | None) -> str | None:
    """A value of which only the shape can be read: its first letter and its punctuation."""
    if value is None:
        return None
    hidden = _LETTERS.sub("•", value)
    return value[0] + hidden[1:] if len(value) > 2 else hidden


def mask_value(field: str, value: Any) -> Any:
    """A field's value, masked unless it is an id, a state, a flag or nothing."""
    if field in SHOWN_UNMASKED or value is None or isinstance(value, bool):
        return value
    return mask(str(value))
