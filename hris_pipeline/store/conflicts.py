"""Conflicts as the store keeps them: which rows wait for a person, and what was decided."""

from datetime import datetime
from hashlib import blake2b

import pandas as pd
import sqlalchemy as sa

from hris_pipeline.change_set.context import Resolution
from hris_pipeline.store.bulk import INSTANT, TEXT, write_frame
from hris_pipeline.store.in_values import in_values
from hris_pipeline.store.tables import conflicts, integrations

__all__ = ["record_conflicts", "resolutions", "users_waiting_elsewhere", "waiting_elsewhere"]


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
        in_values(connection, conflicts.c.conflict_id, keys)
    )
    first_seen = {row.conflict_id: row.first_seen_at for row in connection.execute(again)}
    connection.execute(sa.delete(conflicts).where(in_values(connection, conflicts.c.conflict_id, list(first_seen))))
    lines["conflict_id"] = pd.Series(keys, index=lines.index, dtype=TEXT)
    for name, value in {"integration_id": integration_id, "status": "open"}.items():
        lines[name] = pd.Series(value, index=lines.index, dtype=TEXT)
    seen = [first_seen.get(key, now) for key in keys]
    lines["first_seen_at"] = pd.Series(seen, index=lines.index, dtype=INSTANT)
    lines["last_seen_at"] = pd.Series(now, index=lines.index, dtype=INSTANT)
    write_frame(connection, conflicts, lines)


def resolutions(connection: sa.Connection, integration_id: str) -> tuple[Resolution, ...]:
    """What people decided and the next plans follow."""
    decided = sa.select(
        conflicts.c.hris_id, conflicts.c.user_id, conflicts.c.resolution, conflicts.c.may_restore
    ).where(conflicts.c.integration_id == integration_id, conflicts.c.status == "resolved")
    return tuple(
        Resolution(row.hris_id, row.user_id, row.resolution, row.may_restore) for row in connection.execute(decided)
    )


def waiting_elsewhere(integration_id: str) -> sa.ColumnElement[bool]:
    """Which conflicts are open in another integration of the same directory."""
    other = integrations.alias()
    mine = sa.select(integrations.c.directory_id).where(integrations.c.integration_id == integration_id)
    others = sa.select(other.c.integration_id).where(
        other.c.integration_id != integration_id,
        other.c.directory_id == mine.scalar_subquery(),
        other.c.deleted_at.is_(None),
    )
    return sa.and_(conflicts.c.status == "open", conflicts.c.integration_id.in_(others))


def users_waiting_elsewhere(connection: sa.Connection, integration_id: str) -> frozenset[str]:
    """user_ids of the directory who are in an open conflict of another of its integrations."""
    return frozenset(
        connection.execute(sa.select(conflicts.c.user_id).where(waiting_elsewhere(integration_id))).scalars()
    )


def _conflict_id(integration_id: str, hris_id: str, user_id: str) -> str:
    """The same for the same two people, however often they collide."""
    return blake2b("\x1f".join((integration_id, hris_id, user_id)).encode(), digest_size=8).hexdigest()
