"""Whom ``do_not_archive`` follows: the users who had a named EmployeeId when it was set, whatever id they have later.

A table and a file of its own, because the settings name ids and a user's id can change; an id that nobody had when it
was set follows the first user who gets it. Light: whoever changes settings loads no frames.
"""

from collections.abc import Collection

import sqlalchemy as sa

from hris_pipeline.store.conditions import in_values
from hris_pipeline.store.tables import kept_users, users

__all__ = ["followed_users", "record_kept_users"]


def record_kept_users(
    connection: sa.Connection, integration_id: str, directory_id: str, employee_ids: Collection[str]
) -> None:
    """Remembers who has each of the EmployeeIds that ``do_not_archive`` names now, unless it follows somebody already;
    forgets ids that it names no more."""
    where = kept_users.c.integration_id == integration_id
    followed = set(connection.execute(sa.select(kept_users.c.employee_id).where(where)).scalars())
    dropped = sorted(followed - set(employee_ids))
    if dropped:
        connection.execute(sa.delete(kept_users).where(where, in_values(connection, kept_users.c.employee_id, dropped)))
    added = sorted(set(employee_ids) - followed)
    if added:
        holders = sa.select(users.c.employee_id, users.c.user_id).where(
            users.c.directory_id == directory_id, in_values(connection, users.c.employee_id, added)
        )
        lines = [
            {"integration_id": integration_id, "employee_id": row.employee_id, "user_id": row.user_id}
            for row in connection.execute(holders)
        ]
        if lines:
            connection.execute(sa.insert(kept_users), lines)


def followed_users(connection: sa.Connection, integration_id: str, employee_ids: Collection[str]) -> frozenset[str]:
    """The user_ids that the named EmployeeIds follow."""
    followed = sa.select(kept_users.c.employee_id, kept_users.c.user_id).where(
        kept_users.c.integration_id == integration_id
    )
    return frozenset(row.user_id for row in connection.execute(followed) if row.employee_id in set(employee_ids))
