"""Letting go of what retention no longer allows to keep, and of what a deleted integration kept of people."""

from datetime import datetime

import sqlalchemy as sa

from hris_pipeline.contract import OPEN
from hris_pipeline.store.imports import OPEN_LASTS, OUTDATED, end_import
from hris_pipeline.store.tables import conflicts, import_rows, imports, quarantine

__all__ = ["end_outdated", "forget_people", "purge"]


def end_outdated(connection: sa.Connection, now: datetime) -> int:
    """Marks open imports that are too old to be saved as stale; gives how many."""
    last = sa.func.coalesce(imports.c.confirmed_at, imports.c.planned_at)
    old = sa.select(imports.c.import_id).where(imports.c.status.in_(OPEN), last < now - OPEN_LASTS)
    outdated = connection.execute(old).scalars().all()
    return sum(end_import(connection, import_id, "stale", OUTDATED, now) is not None for import_id in outdated)


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
