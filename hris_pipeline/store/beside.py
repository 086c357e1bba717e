"""What stands beside an import: quarantined rows, conflicts, approvals, and how long the past is kept."""

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Literal

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from hris_pipeline.store.bulk import among, read_frame, write_frame
from hris_pipeline.store.tables import approvals, conflicts, import_rows, imports, quarantine

__all__ = [
    "APPROVAL_LASTS",
    "QUARANTINE_COLUMNS",
    "approve",
    "forget_people",
    "purge",
    "quarantined",
    "record_conflicts",
    "replace_quarantine",
    "resolutions",
]

APPROVAL_LASTS = timedelta(days=7)

QUARANTINE_COLUMNS: tuple[str, ...] = ("hris_id", "employee_id", "field", "check", "value", "reason")
"""One line a failed check; ``value`` is the raw value, a person's data."""

TEXT = pd.ArrowDtype(pa.string())
INSTANT = pd.ArrowDtype(pa.timestamp("us", tz="UTC"))


def replace_quarantine(
    connection: sa.Connection,
    integration_id: str,
    extract_id: str,
    stage: Literal["employees", "mapped_users"],
    frame: pd.DataFrame,
    now: datetime,
) -> None:
    """Keeps what one stage quarantined of one extract (``QUARANTINE_COLUMNS``), in place of what it did before."""
    own = sa.and_(
        quarantine.c.integration_id == integration_id,
        quarantine.c.extract_id == extract_id,
        quarantine.c.stage == stage,
    )
    connection.execute(sa.delete(quarantine).where(own))
    lines = frame[list(QUARANTINE_COLUMNS)].astype(TEXT)
    known = {"integration_id": integration_id, "extract_id": extract_id, "stage": stage}
    for name, value in known.items():
        lines[name] = pd.Series(value, index=lines.index, dtype=TEXT)
    lines["created_at"] = pd.Series(now, index=lines.index, dtype=INSTANT)
    write_frame(connection, quarantine, lines)


def quarantined(connection: sa.Connection, integration_id: str, extract_id: str) -> pd.DataFrame:
    """What was quarantined of an extract: ``stage`` and ``QUARANTINE_COLUMNS``, in the order it was found."""
    columns = (quarantine.c[name] for name in ("stage", *QUARANTINE_COLUMNS))
    own = sa.select(*columns).where(
        quarantine.c.integration_id == integration_id, quarantine.c.extract_id == extract_id
    )
    return read_frame(connection, own.order_by(quarantine.c.quarantine_id))


def record_conflicts(connection: sa.Connection, integration_id: str, frame: pd.DataFrame, now: datetime) -> None:
    """Takes over a plan's conflicts (``hris_id``, ``kind``, ``user_id``, ``employee_id``, ``incoming`` as JSON text).

    Known ones stay themselves, with when they were first seen; one that was gone, or whose resolution could not be
    followed, is open again; open ones that are not among them are gone.
    """
    own = conflicts.c.integration_id == integration_id
    connection.execute(sa.update(conflicts).where(own, conflicts.c.status == "open").values(status="gone"))
    if frame.empty:
        return
    lines = frame.astype(TEXT)
    keys = [_conflict_id(integration_id, *pair) for pair in zip(lines["hris_id"], lines["user_id"], strict=True)]
    again = sa.select(conflicts.c.conflict_id, conflicts.c.first_seen_at).where(
        among(connection, conflicts.c.conflict_id, keys)
    )
    first_seen = {row.conflict_id: row.first_seen_at for row in connection.execute(again)}
    connection.execute(sa.delete(conflicts).where(among(connection, conflicts.c.conflict_id, list(first_seen))))
    lines["conflict_id"] = pd.Series(keys, index=lines.index, dtype=TEXT)
    for name, value in {"integration_id": integration_id, "status": "open"}.items():
        lines[name] = pd.Series(value, index=lines.index, dtype=TEXT)
    seen = [first_seen.get(key, now) for key in keys]
    lines["first_seen_at"] = pd.Series(seen, index=lines.index, dtype=INSTANT)
    lines["last_seen_at"] = pd.Series(now, index=lines.index, dtype=INSTANT)
    write_frame(connection, conflicts, lines)


def resolutions(connection: sa.Connection, integration_id: str) -> tuple[tuple[str, str, str], ...]:
    """What people decided and the next plans follow: ``hris_id``, ``user_id`` and link, create or ignore."""
    decided = sa.select(conflicts.c.hris_id, conflicts.c.user_id, conflicts.c.resolution).where(
        conflicts.c.integration_id == integration_id, conflicts.c.status == "resolved"
    )
    return tuple((row.hris_id, row.user_id, row.resolution) for row in connection.execute(decided))


def approve(connection: sa.Connection, import_id: str, digest: str, by: str, reason: str, now: datetime) -> None:
    """Records that a person lets one held import through, in place of an earlier approval; it lapses after 7 days."""
    connection.execute(sa.delete(approvals).where(approvals.c.import_id == import_id))
    values = {"import_id": import_id, "digest": digest, "approved_by": by, "reason": reason}
    moments = {"approved_at": now, "lapses_at": now + APPROVAL_LASTS}
    connection.execute(sa.insert(approvals), values | moments)


def purge(connection: sa.Connection, before: datetime) -> None:
    """Lets go of what retention no longer allows: quarantined rows, conflicts that are gone, the records inside
    resolved ones, and the rows of imports that were never applied. What was decided, and the imports, stay."""
    never_applied = sa.select(imports.c.import_id).where(
        imports.c.status.in_(("discarded", "stale", "failed")), imports.c.finished_at < before
    )
    old = conflicts.c.last_seen_at < before
    connection.execute(sa.delete(quarantine).where(quarantine.c.created_at < before))
    connection.execute(sa.delete(import_rows).where(import_rows.c.import_id.in_(never_applied)))
    connection.execute(sa.delete(conflicts).where(old, conflicts.c.status == "gone"))
    connection.execute(sa.update(conflicts).where(old, conflicts.c.status == "resolved").values(incoming={}))


def forget_people(connection: sa.Connection, integration_id: str) -> None:
    """Removes what an integration keeps of people outside the users and their history: its quarantine and conflicts,
    and the rows of imports that were never applied."""
    never_applied = sa.select(imports.c.import_id).where(
        imports.c.integration_id == integration_id, imports.c.status.in_(("discarded", "stale", "failed"))
    )
    connection.execute(sa.delete(quarantine).where(quarantine.c.integration_id == integration_id))
    connection.execute(sa.delete(conflicts).where(conflicts.c.integration_id == integration_id))
    connection.execute(sa.delete(import_rows).where(import_rows.c.import_id.in_(never_applied)))


def _conflict_id(integration_id: str, hris_id: str, user_id: str) -> str:
    """The same for the same two people, however often they collide."""
    return blake2b("\x1f".join((integration_id, hris_id, user_id)).encode(), digest_size=8).hexdigest()
