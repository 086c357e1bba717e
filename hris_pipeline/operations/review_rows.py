"""One change of an import as it is reviewed: who it is, every changed field with both values, and why it stands out;
the masks over people's values, for whoever has not asked to see them; and what text somebody can be looked for by.

Pure: from a stored row to what is shown. How rows are found is ``review``'s.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from hris_pipeline.errors import UsageError
from hris_pipeline.settings.fields import USER_FIELD_NAMES
from hris_pipeline.store.imports import Import
from hris_pipeline.store.review import StoredRow, is_hidden

__all__ = [
    "FIELD_REASONS",
    "SHOWN_UNMASKED",
    "SYSTEM_FIELDS",
    "Change",
    "ReviewRow",
    "archive_reason",
    "check_text",
    "known_as",
    "mask",
    "mask_value",
    "reasons_by_id",
    "review_row",
]

LONGEST_TEXT = 200
MOST_WORDS = 12
"""What somebody is looked for by."""

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


FIELD_REASONS = frozenset({"warning:field_missing_for_all", "warning:field_unread"})
"""The reasons under which fields stand, not people."""

SYSTEM_FIELDS = frozenset({"integration_id", "email_key"})
"""Parts of a state that say nothing to a person who reviews."""


@dataclass(frozen=True)
class Change:
    """One field of one user: what it is and what it would be (or was, and became)."""

    before: Any = attribute(repr=False)
    after: Any = attribute(repr=False)


@dataclass(frozen=True)
class ReviewRow:
    """One changed user. ``employee_id`` is the one after (before, where there is none after); ``changes`` are by field,
    of a create everything it comes with; ``hidden_changes`` counts changes of hidden metadata, which are not shown;
    ``why`` names the tripped guards and warnings that the person stands in, and of somebody who is archived how the
    source has them (``archived:…``). Of an ``erased`` person nothing is left."""

    user_id: str
    action: str
    employee_id: str
    employee_id_before: str | None
    employee_id_after: str | None
    hris_id: str | None
    name: str | None = attribute(repr=False)
    changes: Mapping[str, Change] = attribute(repr=False)
    hidden_changes: int
    why: tuple[str, ...]
    erased: bool

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of the changed fields."""
        return tuple(self.changes)


def reasons_by_id(summary: Import, ids: frozenset[str]) -> dict[str, list[str]]:
    """The guards and warnings that each of the people stands in."""
    groups = [(f"guard:{guard.name}", guard.employee_ids) for guard in summary.tripped]
    groups += [
        (reason, people)
        for reason, people in summary.diagnostics.items()
        if reason not in FIELD_REASONS and (reason.startswith("warning:") or reason == "protected")
    ]
    reasons: dict[str, list[str]] = {}
    for reason, people in groups:
        for name in ids.intersection(people):
            reasons.setdefault(name, []).append(reason)
    return reasons


def archive_reason(row: StoredRow, summary: Import, missing: Collection[str], rules: Collection[str]) -> str:
    """Why an import that read the source archives somebody: one of the ``rules`` that archive says so, the source does
    not list them any more (``missing``, hris_ids), or lists them as somebody who does not work there."""
    name, hris_id = known_as(row), (row.before or {}).get("hris_id")
    for rule in rules:
        if name in summary.diagnostics.get(f"excluded:rule:{rule}", ()):
            return f"archived:rule:{rule}"
    return "archived:missing" if hris_id in missing else "archived:not_employed"


def known_as(row: StoredRow) -> str:
    """How guards and warnings name the person."""
    names = ((row.before or {}).get("employee_id"), row.after.get("employee_id"), row.after.get("hris_id"))
    return next((str(name) for name in names if name), "")


def review_row(row: StoredRow, why: tuple[str, ...], visible: frozenset[str], *, reveal: bool) -> ReviewRow:
    before, after = row.before or {}, row.after
    every = _field_changes(row)
    visible_changes = {name: change for name, change in every.items() if not is_hidden(name, visible)}
    changes = {
        name: change if reveal else Change(mask_value(name, change.before), mask_value(name, change.after))
        for name, change in visible_changes.items()
    }
    name = _person_name(after) or _person_name(before)
    ids = (after.get("employee_id"), before.get("employee_id"), after.get("hris_id"), before.get("hris_id"))
    return ReviewRow(
        user_id=row.user_id,
        action=row.action,
        employee_id=next((str(value) for value in ids if value), ""),
        employee_id_before=before.get("employee_id"),
        employee_id_after=after.get("employee_id"),
        hris_id=after.get("hris_id") or before.get("hris_id"),
        name=name if reveal else mask(name),
        changes=changes,
        hidden_changes=len(every) - len(visible_changes),
        why=why,
        erased=row.erased,
    )


def _field_changes(row: StoredRow) -> dict[str, Change]:
    """Each changed field with both values; of a create each field that it comes with, in the order of the catalogue."""
    before, after = row.before or {}, row.after
    if row.action == "create" and row.before is None:
        names = [name for name in USER_FIELD_NAMES if after.get(name) is not None]
        names += [f"#{name}" for name in sorted(after.get("metadata") or {})]
    else:
        names = [name for name in row.changed if name not in SYSTEM_FIELDS]
    return {name: Change(_state_value(before, name), _state_value(after, name)) for name in names}


def _state_value(state: Mapping[str, Any], name: str) -> Any:
    return (state.get("metadata") or {}).get(name[1:]) if name.startswith("#") else state.get(name)


def _person_name(state: Mapping[str, Any]) -> str | None:
    return " ".join(part for part in (state.get("first_name"), state.get("last_name")) if part) or None


def check_text(text: str) -> None:
    """Refuses to look for a text that is too long for anybody's ids, names and addresses: each word costs.

    Raises:
        UsageError: it is.
    """
    if len(text) > LONGEST_TEXT or len(text.split()) > MOST_WORDS or not text.isprintable():
        raise UsageError(
            f"What is looked for has {MOST_WORDS} words and {LONGEST_TEXT} characters at most, on one line: parts of "
            "ids, names or addresses."
        )
