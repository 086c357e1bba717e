"""Reasons in an administrator's words: why somebody is not applied, or stands out. One place for every face."""

from collections.abc import Mapping

from hris_pipeline.operations.review import NotApplied
from hris_pipeline.settings.fields import USER_FIELDS

__all__ = ["field_title", "group_words", "reason_words"]

REASONS: Mapping[str, str] = {
    "conflict": "conflict: somebody must decide who this is",
    "awaiting_decision": "awaiting a decision: on the other side of a conflict",
    "inactive_local": "inactive in the source, and an active local user",
    "protected": "protected from imports",
    "quarantined": "quarantined: the record fails validation",
    "hole": "hole: nothing was learnt of them this time",
    "excluded:inactive": "excluded: inactive, and no user yet",
    "excluded:not_started": "excluded: not started yet",
    "excluded:service_account": "excluded: service account",
    "excluded:ignored": "excluded: ignored, as somebody decided",
    "warning:phone_not_international": "warning: phone number is not international (no SMS)",
    "warning:gone_since": "left alone: gone since",
    "warning:value_taken": "left alone: another user has that value now",
    "warning:field_missing_for_all": "warning: field missing for everybody, kept as stored",
}
"""Why somebody is not applied, or warned about, in an administrator's words."""


def reason_words(reason: str) -> str:
    """A reason of ``Import.diagnostics``, or why a row stands out, in words."""
    if reason.startswith("guard:"):
        return f"guard {reason.removeprefix('guard:')}"
    if reason.startswith("warning:changed_since:"):
        return f"left alone: {field_title(reason.rpartition(':')[2])} changed since"
    if reason.startswith("excluded:rule:"):
        return f"excluded: rule {reason.removeprefix('excluded:rule:')}"
    if ": " in reason:
        return reason
    return REASONS.get(reason, reason.replace(":", ": ").replace("_", " "))


def group_words(group: NotApplied) -> str:
    """The reason of a group of people; of quarantined ones with the field and what is wrong with it."""
    if group.field is None:
        return reason_words(group.reason)
    return f"quarantined: {group.field} {group.detail or group.check}"


def field_title(name: str) -> str:
    """A user field in the words of whoever reads, metadata under its own name."""
    return _TITLES.get(name) or name.removeprefix("#").replace("_", " ")


_TITLES = {field.name: field.title for field in USER_FIELDS} | {"status": "Status", "hris_id": "HRIS id"}
