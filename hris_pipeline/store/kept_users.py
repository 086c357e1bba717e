"""What settings do to users: whom ``do_not_archive`` follows, which is the users who had a named EmployeeId when it was
set, whatever id they have later, and metadata that is renamed.

``kept_users`` is a table of its own, because the settings name ids and a user's id can change; an id that nobody had
when it was set follows the first user who gets it. Light: whoever changes settings loads no frames.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hris_pipeline.store.conditions import in_values
from hris_pipeline.store.keyring import keyring_of
from hris_pipeline.store.seals import KEPT, is_intact, prove, read_kept, seal_parts
from hris_pipeline.store.tables import integrations, kept_users, users

__all__ = ["followed_users", "record_kept_users", "rename_metadata"]


def record_kept_users(
    connection: sa.Connection, integration_id: str, directory_id: str, employee_ids: Collection[str]
) -> None:
    """Remembers who has each of the EmployeeIds that ``do_not_archive`` names now, unless it follows somebody already;
    forgets ids that it names no more.

    Raises:
        Tampered: whom it follows was changed behind the pipeline's back, and it still names somebody.
    """
    intact, followed = _followed(connection, integration_id, proven=bool(employee_ids))
    dropped = sorted(followed.keys() - set(employee_ids))
    added = _holders(connection, directory_id, sorted(set(employee_ids) - followed.keys()))
    if intact and not (dropped or added):
        return
    this = integrations.c.integration_id == integration_id
    connection.execute(sa.select(integrations.c.integration_id).where(this).with_for_update())
    where = kept_users.c.integration_id == integration_id
    if dropped:
        connection.execute(sa.delete(kept_users).where(where, in_values(connection, kept_users.c.employee_id, dropped)))
    if added:
        lines = [{"integration_id": integration_id, "employee_id": key, "user_id": added[key]} for key in added]
        connection.execute(sa.insert(kept_users), lines)
    seal_parts(connection, integration_id, KEPT)


def followed_users(
    connection: sa.Connection, integration_id: str, employee_ids: Collection[str] | None = None
) -> frozenset[str]:
    """The user_ids that the named EmployeeIds follow; all of them when none are given.

    Raises:
        Tampered: whom it follows was changed behind the pipeline's back.
    """
    _, followed = _followed(connection, integration_id, proven=employee_ids is None or bool(employee_ids))
    return frozenset(followed[key] for key in followed if employee_ids is None or key in set(employee_ids))


def _followed(connection: sa.Connection, integration_id: str, *, proven: bool) -> tuple[bool, dict[str, str]]:
    """Whether that is what was sealed, and whom each EmployeeId follows."""
    for row in read_kept(connection, integration_id):
        if proven:
            prove(connection, KEPT, row)
        return is_intact(keyring_of(connection), KEPT, row), dict(row["followed"])
    return True, {}


def _holders(connection: sa.Connection, directory_id: str, employee_ids: Collection[str]) -> dict[str, str]:
    """Who has each of the EmployeeIds now."""
    if not employee_ids:
        return {}
    holders = sa.select(users.c.employee_id, users.c.user_id).where(
        users.c.directory_id == directory_id, in_values(connection, users.c.employee_id, list(employee_ids))
    )
    return {row.employee_id: row.user_id for row in connection.execute(holders)}


def rename_metadata(connection: sa.Connection, integration_id: str, old: str, new: str, now: datetime) -> int:
    """Moves the stored value of one metadata name to another in every user the integration manages; gives how many had
    it. Their versions grow, so an open plan made before is stale; history keeps the name it was written with."""
    managed = sa.select(users.c.user_id, users.c.metadata).where(users.c.integration_id == integration_id)
    renamed = [
        {"key": row.user_id, "values": _renamed(row.metadata, old, new)}
        for row in connection.execute(managed)
        if isinstance(row.metadata, dict) and old in row.metadata
    ]
    if renamed:
        connection.execute(
            sa.update(users)
            .where(users.c.user_id == sa.bindparam("key"))
            .values(metadata=sa.bindparam("values"), version=users.c.version + 1, updated_at=now),
            renamed,
        )
    return len(renamed)


def _renamed(metadata: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """In its place; what an earlier field of the new name left over goes."""
    return {new if name == old else name: value for name, value in metadata.items() if name != new}
