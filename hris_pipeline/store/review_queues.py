"""What waits for a person after an extract: quarantined rows with their raw values, conflicts with what was decided of
them, and users of other integrations who seem to be members whose row could not be used. Also their end: by retention,
and when an integration is deleted.

How they are looked at is ``review``'s; erasing one person is ``users``'.
"""

from collections.abc import Collection
from datetime import datetime
from hashlib import blake2b
from typing import Literal, NamedTuple

import pandas as pd
import sqlalchemy as sa

from hris_pipeline.change_set.directory import Resolution
from hris_pipeline.contract import OPEN, QUARANTINE_COLUMNS
from hris_pipeline.store.conditions import in_values, pending_link
from hris_pipeline.store.frames import INSTANT, TEXT, read_frame, write_frame
from hris_pipeline.store.imports import OPEN_LASTS, OUTDATED, end_import
from hris_pipeline.store.seals import RESOLUTION, prove
from hris_pipeline.store.tables import conflicts, import_rows, imports, integrations, quarantine, relisted_users

__all__ = [
    "Unsettled",
    "end_outdated",
    "forget_people",
    "purge",
    "quarantined",
    "read_unsettled",
    "record_conflicts",
    "record_relisted",
    "replace_quarantine",
    "resolutions",
    "users_waiting_elsewhere",
]


def replace_quarantine(
    connection: sa.Connection,
    integration_id: str,
    extract_id: str,
    stage: Literal["employees", "mapped_users"],
    frame: pd.DataFrame,
    now: datetime,
) -> None:
    """Keeps what one stage quarantined of one extract (``QUARANTINE_COLUMNS``), in place of what it did before."""
    of_stage = sa.and_(
        quarantine.c.integration_id == integration_id,
        quarantine.c.extract_id == extract_id,
        quarantine.c.stage == stage,
    )
    connection.execute(sa.delete(quarantine).where(of_stage))
    if frame.empty:
        return
    lines = frame[list(QUARANTINE_COLUMNS)].assign(
        integration_id=integration_id, extract_id=extract_id, stage=stage, created_at=now
    )
    write_frame(connection, quarantine, lines)


def quarantined(connection: sa.Connection, integration_id: str, extract_id: str) -> pd.DataFrame:
    """What was quarantined of an extract: ``stage`` and ``QUARANTINE_COLUMNS``, in the order it was found."""
    columns = (quarantine.c[name] for name in ("stage", *QUARANTINE_COLUMNS))
    of_stage = sa.select(*columns).where(
        quarantine.c.integration_id == integration_id, quarantine.c.extract_id == extract_id
    )
    return read_frame(connection, of_stage.order_by(quarantine.c.quarantine_id))


def record_conflicts(
    connection: sa.Connection,
    integration_id: str,
    frame: pd.DataFrame,
    now: datetime,
    *,
    complete: bool = True,
    unknown: Collection[str] = (),
) -> None:
    """Takes over a plan's conflicts (``hris_id``, ``kind``, ``user_id``, ``employee_id``, ``incoming`` as JSON text).

    Known ones stay themselves, with when they were first seen; one that was gone, or whose resolution could not be
    followed, is open again; open ones that are not among them are gone. Of members who are ``unknown`` this time, or of
    anybody when the extract was not ``complete``, a plan says nothing: what was open, or decided by a link, waits on.
    """
    of_integration = conflicts.c.integration_id == integration_id
    waiting = sa.or_(conflicts.c.status == "open", pending_link())
    certain = ~in_values(connection, conflicts.c.hris_id, sorted(unknown)) if complete else sa.false()
    connection.execute(
        sa.update(conflicts).where(of_integration, conflicts.c.status == "open", certain).values(status="gone")
    )
    if unknown or not complete:
        connection.execute(sa.update(conflicts).where(of_integration, waiting, ~certain).values(last_seen_at=now))
    if frame.empty:
        return
    lines = frame.astype(TEXT)
    keys = [_conflict_id(integration_id, *pair) for pair in zip(lines["hris_id"], lines["user_id"], strict=True)]
    select = sa.select(conflicts.c.conflict_id, conflicts.c.first_seen_at).where(
        in_values(connection, conflicts.c.conflict_id, keys)
    )
    first_seen = {row.conflict_id: row.first_seen_at for row in connection.execute(select)}
    connection.execute(sa.delete(conflicts).where(in_values(connection, conflicts.c.conflict_id, list(first_seen))))
    lines["conflict_id"] = pd.Series(keys, index=lines.index, dtype=TEXT)
    for name, value in {"integration_id": integration_id, "status": "open"}.items():
        lines[name] = pd.Series(value, index=lines.index, dtype=TEXT)
    seen = [first_seen.get(key, now) for key in keys]
    lines["first_seen_at"] = pd.Series(seen, index=lines.index, dtype=INSTANT)
    lines["last_seen_at"] = pd.Series(now, index=lines.index, dtype=INSTANT)
    write_frame(connection, conflicts, lines)


def record_relisted(
    connection: sa.Connection, integration_id: str, pairs: Collection[tuple[str, str]], *, complete: bool
) -> None:
    """Remembers which users of other integrations seem to be members of this one whose row could not be used (hris_id
    and user_id), in place of those of the plan before; when the extract was not ``complete``, beside them."""
    before = read_unsettled(connection, integration_id).relisted
    if complete and not before <= set(pairs):
        connection.execute(sa.delete(relisted_users).where(relisted_users.c.integration_id == integration_id))
        before = frozenset()
    lines = [
        {"integration_id": integration_id, "hris_id": hris_id, "user_id": user_id}
        for hris_id, user_id in sorted(set(pairs) - before)
    ]
    if lines:
        connection.execute(sa.insert(relisted_users), lines)


def resolutions(connection: sa.Connection, integration_id: str) -> tuple[Resolution, ...]:
    """What people decided and the next plans follow.

    Raises:
        Tampered: one of them is not what a person decided.
    """
    columns = (conflicts.c[name] for name in ("conflict_id", *RESOLUTION.columns, RESOLUTION.column))
    of_integration = conflicts.c.integration_id == integration_id
    decided = connection.execute(sa.select(*columns).where(of_integration, RESOLUTION.where)).all()
    for row in decided:
        prove(connection, RESOLUTION, row._mapping)
    return tuple(Resolution(row.hris_id, row.user_id, row.resolution, row.may_restore) for row in decided)


def users_waiting_elsewhere(connection: sa.Connection, integration_id: str) -> frozenset[str]:
    """user_ids of users of the directory who, for another of its integrations, are in an open conflict, are to be
    linked by a decision that no import has followed yet, or seem to be a member whose row could not be used."""
    other = integrations.alias()
    directory_id = sa.select(integrations.c.directory_id).where(integrations.c.integration_id == integration_id)
    others = sa.select(other.c.integration_id).where(
        other.c.integration_id != integration_id,
        other.c.directory_id == directory_id.scalar_subquery(),
        other.c.deleted_at.is_(None),
    )
    waiting = sa.select(conflicts.c.user_id).where(
        conflicts.c.integration_id.in_(others), sa.or_(conflicts.c.status == "open", pending_link())
    )
    listed = sa.select(relisted_users.c.user_id).where(relisted_users.c.integration_id.in_(others))
    return frozenset(connection.execute(waiting.union(listed)).scalars())


class Unsettled(NamedTuple):
    """Members (hris_ids) and users (user_ids) of whom it is not settled whether they are the same person: ``undecided``
    in open conflicts, or decided by a link that no import followed yet; ``relisted`` as ``record_relisted`` remembers
    them."""

    undecided: frozenset[tuple[str, str]]
    relisted: frozenset[tuple[str, str]]


def read_unsettled(connection: sa.Connection, integration_id: str) -> Unsettled:
    """Both, by one statement."""
    waiting = sa.select(conflicts.c.hris_id, conflicts.c.user_id, sa.literal(1).label("in_conflict")).where(
        conflicts.c.integration_id == integration_id, sa.or_(conflicts.c.status == "open", pending_link())
    )
    listed = sa.select(relisted_users.c.hris_id, relisted_users.c.user_id, sa.literal(0)).where(
        relisted_users.c.integration_id == integration_id
    )
    pairs = connection.execute(waiting.union_all(listed)).all()
    return Unsettled(
        frozenset((row.hris_id, row.user_id) for row in pairs if row.in_conflict),
        frozenset((row.hris_id, row.user_id) for row in pairs if not row.in_conflict),
    )


def _conflict_id(integration_id: str, hris_id: str, user_id: str) -> str:
    """The same for the same two people, however often they collide."""
    return blake2b("\x1f".join((integration_id, hris_id, user_id)).encode(), digest_size=8).hexdigest()


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
    who seems to be listed, and the rows of imports that were never applied."""
    never_applied = sa.select(imports.c.import_id).where(
        imports.c.integration_id == integration_id, imports.c.status.in_(("discarded", "stale", "failed"))
    )
    for table in (quarantine, conflicts, relisted_users):
        connection.execute(sa.delete(table).where(table.c.integration_id == integration_id))
    connection.execute(sa.delete(import_rows).where(import_rows.c.import_id.in_(never_applied)))
