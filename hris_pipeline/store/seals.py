"""Seals: keyed MACs by which a change behind the pipeline's back is seen, and named. What is sealed, and when, is said
where it is written; here stands what a seal is made of.

A seal over a record has one MAC for each of its parts, so that it can be said what was changed, and one over all, so
that parts of different moments cannot be put together. Whoever can write to the store but has no key can at most put
back what stood there before.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from hris_pipeline.contract import COUNTS
from hris_pipeline.errors import Tampered
from hris_pipeline.store.keyring import LOAD_KEYRING, Keyring

__all__ = [
    "APPROVAL_PARTS",
    "IMPORT_PARTS",
    "broken_parts",
    "is_user_seal",
    "keyring_of",
    "seal_record",
    "seal_user",
    "tampered",
]

Parts = Mapping[str, Collection[str]]

IMPORT_PARTS: Parts = {
    "its status": ("status", "message", "finished_at", "confirmed_at"),
    "its counts": COUNTS,
    "its guards": ("guards",),
    "who is not applied and why": ("diagnostics",),
    "who started or applied it": ("actor", "trigger", "dagster_run_id", "applied_by", "applied_run_id"),
    "what was planned": (
        "integration_id",
        "directory_id",
        "life",
        "planned_at",
        "digest",
        "rows_hash",
        "settings_version",
        "settings_digest",
        "extract_id",
        "complete",
        "undoes",
        "replaces",
    ),
}
"""Of an import: columns by what they tell."""

APPROVAL_PARTS: Parts = {"its approval": ("digest", "approved_by", "reason", "approved_at", "lapses_at")}


def keyring_of(connection: sa.Connection) -> Keyring:
    """The keys of the store that the connection belongs to.

    Raises:
        EnvironmentInvalid: there are none.
    """
    keyring: Keyring = connection.get_execution_options()[LOAD_KEYRING]()
    return keyring


def seal_record(keyring: Keyring, key: str, record: Mapping[str, Any], parts: Parts) -> str:
    """The seal over a record: ``key`` says which one it is (``import/<id>``)."""
    return ".".join(keyring.seal(message) for message in _messages(key, record, parts).values())


def broken_parts(
    keyring: Keyring, key: str, record: Mapping[str, Any], parts: Parts, seal: str | None
) -> tuple[str, ...]:
    """The parts of a record that are not what was sealed; none when it is intact."""
    messages = _messages(key, record, parts)
    macs = (seal or "").split(".")
    if len(macs) != len(messages):
        return ("its seal",)
    broken = tuple(
        name for (name, message), mac in zip(messages.items(), macs, strict=True) if not keyring.is_seal(mac, message)
    )
    return tuple(name for name in broken if name) or (("parts of it, back to an earlier state",) if broken else ())


def seal_user(keyring: Keyring, user_id: str, *, protected: bool) -> str:
    """The seal of a user whom a person made or protected: no import does either."""
    return keyring.seal(_encode(["user", user_id, protected]))


def is_user_seal(keyring: Keyring, seal: str, user_id: str, *, protected: bool) -> bool:
    """Whether a person, by this pipeline, made or protected the user as they are."""
    return keyring.is_seal(seal, _encode(["user", user_id, protected]))


def tampered(integration_id: str, import_id: str, parts: Collection[str]) -> Tampered:
    """The error about an import that is not what was reviewed."""
    return Tampered(
        f"Import {import_id} is not what was reviewed: {' and '.join(parts)} changed behind the pipeline's "
        f"back, and nothing was applied. Find out who writes to the store (`hris verify {integration_id}` shows "
        f"more), then preview again with `hris preview {integration_id}`."
    )


def _messages(key: str, record: Mapping[str, Any], parts: Parts) -> dict[str, bytes]:
    """What each MAC is over, by part, and under ``""`` all of them."""
    values = {name: {column: _plain(record[column]) for column in columns} for name, columns in parts.items()}
    messages = {name: _encode([key, name, value]) for name, value in values.items()}
    return messages | {"": _encode([key, values])}


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _plain(value: Any) -> Any:
    """As it is the same whatever database it comes from."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value
