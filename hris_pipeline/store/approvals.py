"""Approvals: a person lets one held import through, by its digest."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from hris_pipeline.store.tables import approvals

__all__ = ["APPROVAL_LASTS", "approve"]

APPROVAL_LASTS = timedelta(days=7)


def approve(connection: sa.Connection, import_id: str, digest: str, by: str, reason: str, now: datetime) -> None:
    """Records that a person lets one held import through, in place of an earlier approval; it lapses after 7 days."""
    connection.execute(sa.delete(approvals).where(approvals.c.import_id == import_id))
    values = {"import_id": import_id, "digest": digest, "approved_by": by, "reason": reason}
    moments = {"approved_at": now, "lapses_at": now + APPROVAL_LASTS}
    connection.execute(sa.insert(approvals), values | moments)
