"""What a person, not an import, does to users: loading local ones, protecting, and erasing one for good."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from hris_pipeline.contract import OPEN
from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.settings.fields import USER_FIELD_NAMES, USER_STATE
from hris_pipeline.store.bulk import in_values
from hris_pipeline.store.imports import end_import, prove_rows_anew
from hris_pipeline.store.seals import keyring_of, seal_user
from hris_pipeline.store.tables import conflicts, import_rows, imports, quarantine, users

__all__ = ["Loaded", "erase_user", "find_user", "load_local_users", "protect_user"]

KEPT_WHEN_ERASED = ("integration_id", "hris_id", "employee_id", "status", "archived_by", "email_edited_by_user")
"""Ids and marks: without them the next import would make the person anew, and history would have a hole."""


@dataclass(frozen=True)
class Loaded:
    """EmployeeIds by what became of them; ``managed`` ones belong to an integration and were left alone."""

    created: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]
    managed: tuple[str, ...]


def find_user(connection: sa.Connection, directory_id: str, employee_id: str) -> str:
    """The ``user_id`` of the user with that EmployeeId.

    Raises:
        UnknownName: the directory has no such user.
    """
    own = users.c.directory_id == directory_id
    found = connection.execute(sa.select(users.c.user_id).where(own, users.c.employee_id == employee_id)).scalar()
    if found is None:
        raise UnknownName(
            f"Directory {directory_id} has no user with EmployeeId {employee_id[:80]!r}: give it exactly, with "
            "upper and lower case and leading zeros."
        )
    return str(found)


def load_local_users(connection: sa.Connection, directory_id: str, frame: pd.DataFrame, now: datetime) -> Loaded:
    """Makes or updates the directory's local users by EmployeeId.

    Args:
        connection: A writing transaction; all of the frame or nothing.
        directory_id: Whose users.
        frame: ``employee_id`` and any other user fields as text or date32 (null clears), ``email_key`` beside
            ``email``, ``metadata`` as dictionaries; columns that are not there are left as they are.
        now: When.

    Raises:
        UsageError: an EmployeeId is blank or twice, or an email belongs to another user; nothing was changed.
    """
    keys = frame["employee_id"].dropna().astype(str).tolist()
    if len(keys) < len(frame) or len(set(keys)) < len(keys):
        raise UsageError("Every local user needs an EmployeeId of its own: some rows have none, or share one.")
    names = [name for name in (*USER_FIELD_NAMES, "email_key", "metadata") if name in frame.columns]
    own = sa.and_(users.c.directory_id == directory_id, in_values(connection, users.c.employee_id, keys))
    present = {row.employee_id: row for row in connection.execute(sa.select(users).where(own))}
    created, updated, unchanged, managed = [], [], [], []
    for key, values in zip(keys, frame[names].astype(object).itertuples(index=False), strict=True):
        record = {name: _value(name, value) for name, value in zip(names, values, strict=True)}
        old = present.get(key)
        if old is None:
            created.append(record)
        elif old.integration_id is not None:
            managed.append(key)
        elif all(old._mapping[name] == value for name, value in record.items()):
            unchanged.append(key)
        else:
            updated.append({"key": old.user_id, **{f"new_{name}": value for name, value in record.items()}})
    _write(connection, directory_id, names, created=created, updated=updated, now=now)
    return Loaded(
        tuple(str(record["employee_id"]) for record in created),
        tuple(str(record["new_employee_id"]) for record in updated),
        tuple(unchanged),
        tuple(managed),
    )


def protect_user(connection: sa.Connection, user_id: str, protected: bool, now: datetime) -> None:
    """Marks a user that no import may archive, nor give another email or EmployeeId; or takes the mark away."""
    connection.execute(
        sa.update(users)
        .where(users.c.user_id == user_id)
        .values(
            protected=protected,
            seal=seal_user(keyring_of(connection), user_id, protected=protected),
            version=users.c.version + 1,
            updated_at=now,
        )
    )


def erase_user(connection: sa.Connection, user_id: str, actor: str, now: datetime) -> None:
    """Erases a person: everything about them but ids and marks goes, from the user and every state in history.

    Stays: ``user_id``, ``KEPT_WHEN_ERASED``, versions, and in history which fields changed when. The user is archived
    by ``actor``, so that no import brings the person back. Goes: names, emails, phone, dates, supervisor, country,
    metadata and source hash, from the user and from every ``before`` and ``after`` (marked ``erased``: the digests
    of those imports can no longer be computed); quarantined rows and conflicts about the person. An open import that
    touches them becomes stale. Stored extracts and frames are the caller's to clean.

    Raises:
        UnknownName: no such user.
    """
    found = connection.execute(sa.select(users).where(users.c.user_id == user_id).with_for_update()).one_or_none()
    if found is None:
        raise UnknownName(f"There is no user {user_id[:80]!r}.")
    gone: dict[str, Any] = {name: None for name in USER_STATE if name not in KEPT_WHEN_ERASED} | {"metadata": {}}
    connection.execute(
        sa.update(users)
        .where(users.c.user_id == user_id)
        .values(
            gone
            | {"status": "archived", "archived_by": actor, "source_hash": None, "email_edited_by_user": False}
            | {"version": users.c.version + 1, "updated_at": now}
        )
    )
    touching = sa.select(import_rows.c.import_id).where(import_rows.c.user_id == user_id)
    still_open = sa.select(imports.c.import_id).where(imports.c.status.in_(OPEN), imports.c.import_id.in_(touching))
    for import_id in connection.execute(still_open).scalars().all():
        end_import(connection, import_id, "stale", "a person it touches was erased", now)
    _scrub_history(connection, user_id, gone)
    connection.execute(sa.delete(conflicts).where(conflicts.c.user_id == user_id))
    if found.integration_id is not None:
        for table in (quarantine, conflicts):
            ids = {name: found._mapping[name] for name in ("hris_id", "employee_id")}
            same = sa.or_(*(table.c[name] == value for name, value in ids.items() if value is not None))
            connection.execute(sa.delete(table).where(table.c.integration_id == found.integration_id, same))


def _write(
    connection: sa.Connection,
    directory_id: str,
    names: list[str],
    *,
    created: list[dict[str, Any]],
    updated: list[dict[str, Any]],
    now: datetime,
) -> None:
    known = {"directory_id": directory_id, "status": "active", "created_at": now, "updated_at": now}
    try:
        if updated:
            # As with an import: set aside first, or two users who swap an email would collide.
            keys = [record["key"] for record in updated]
            if "email_key" in names:
                aside = sa.update(users).where(in_values(connection, users.c.user_id, keys))
                connection.execute(aside.values(email_key=None))
            values = {name: sa.bindparam(f"new_{name}", type_=users.c[name].type) for name in names}
            one = sa.update(users).where(users.c.user_id == sa.bindparam("key"))
            connection.execute(one.values(values | {"version": users.c.version + 1, "updated_at": now}), updated)
        if created:
            keyring = keyring_of(connection)
            ids = [str(uuid.uuid4()) for _ in created]
            rows = [
                {"metadata": {}} | record | known | {"user_id": key, "seal": seal_user(keyring, key, protected=False)}
                for key, record in zip(ids, created, strict=True)
            ]
            connection.execute(sa.insert(users), rows)
    except sa.exc.IntegrityError:
        raise UsageError(
            f"An email in the file belongs to another user of directory {directory_id}; nothing was loaded."
        ) from None


def _scrub_history(connection: sa.Connection, user_id: str, gone: dict[str, Any]) -> None:
    own = import_rows.c.user_id == user_id
    select = sa.select(import_rows.c.import_id, import_rows.c.before, import_rows.c.after).where(own)
    rows = connection.execute(select).all()
    scrubbed = [
        {"key": row.import_id, "past": row.before and row.before | gone, "then": row.after | gone} for row in rows
    ]
    if scrubbed:
        connection.execute(
            sa.update(import_rows)
            .where(own, import_rows.c.import_id == sa.bindparam("key"))
            .values(
                before=sa.bindparam("past", type_=import_rows.c.before.type),
                after=sa.bindparam("then", type_=import_rows.c.after.type),
                source_hash=None,
                erased=True,
            ),
            scrubbed,
        )
    for row in rows:
        prove_rows_anew(connection, row.import_id)


def _value(name: str, value: Any) -> Any:
    if name == "metadata":
        return value if isinstance(value, dict) else {}
    return None if pd.isna(value) else value
