"""What a person, not an import, does to users: loading local ones and protecting. Erasing stands in ``erasing``."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.settings.fields import USER_FIELD_NAMES
from hris_pipeline.store.in_values import in_values
from hris_pipeline.store.seals import keyring_of, seal_user
from hris_pipeline.store.tables import users

__all__ = ["Loaded", "find_user", "load_local_users", "protect_user"]


@dataclass(frozen=True)
class Loaded:
    """EmployeeIds by what became of them; ``managed`` ones belong to an integration and were left alone. ``lookalikes``
    are ids of the directory that differ from one of these by leading zeros alone, as when a spreadsheet dropped them.
    """

    created: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]
    managed: tuple[str, ...]
    lookalikes: tuple[str, ...] = ()


def find_user(connection: sa.Connection, directory_id: str, employee_id: str) -> str:
    """The ``user_id`` of the user with that EmployeeId.

    Raises:
        UnknownName: the directory has no such user.
    """
    of_directory = users.c.directory_id == directory_id
    user_id = connection.execute(
        sa.select(users.c.user_id).where(of_directory, users.c.employee_id == employee_id)
    ).scalar()
    if user_id is None:
        raise UnknownName(
            f"Directory {directory_id} has no user with EmployeeId {employee_id[:80]!r}: give it exactly, with "
            "upper and lower case and leading zeros."
        )
    return str(user_id)


def load_local_users(connection: sa.Connection, directory_id: str, frame: pd.DataFrame, now: datetime) -> Loaded:
    """Makes or updates the directory's local users by EmployeeId.

    Args:
        connection: A writing transaction; all of the frame or nothing.
        directory_id: Whose users.
        frame: ``employee_id`` and any other user fields as text or date32 (null clears), ``email_key`` beside
            ``email``, ``metadata`` as dictionaries (a null removes); columns and metadata that are not there are left
            as they are.
        now: When.

    Raises:
        UsageError: an EmployeeId is blank or twice, or an email belongs to another user; nothing was changed.
    """
    keys = frame["employee_id"].dropna().astype(str).tolist()
    if len(keys) < len(frame) or len(set(keys)) < len(keys):
        raise UsageError("Every local user needs an EmployeeId of its own: some rows have none, or share one.")
    names = [name for name in (*USER_FIELD_NAMES, "email_key", "metadata") if name in frame.columns]
    of_directory = sa.and_(users.c.directory_id == directory_id, in_values(connection, users.c.employee_id, keys))
    present = {row.employee_id: row for row in connection.execute(sa.select(users).where(of_directory))}
    created, updated, unchanged, managed = [], [], [], []
    for key, values in zip(keys, frame[names].astype(object).itertuples(index=False), strict=True):
        old = present.get(key)
        metadata = old.metadata if old is not None and isinstance(old.metadata, dict) else {}
        record = {name: _value(name, value, metadata) for name, value in zip(names, values, strict=True)}
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
        _lookalikes(connection, directory_id, keys),
    )


def _lookalikes(connection: sa.Connection, directory_id: str, keys: list[str]) -> tuple[str, ...]:
    """The directory's EmployeeIds that are one of ``keys`` but for leading zeros."""
    bare = {key.lstrip("0") for key in keys} - {""}
    alike = in_values(connection, sa.func.ltrim(users.c.employee_id, "0"), sorted(bare))
    present = connection.execute(sa.select(users.c.employee_id).where(users.c.directory_id == directory_id, alike))
    spellings: dict[str, set[str]] = {}
    for employee_id in (*present.scalars(), *keys):
        spellings.setdefault(employee_id.lstrip("0"), set()).add(employee_id)
    return tuple(sorted(key for group in spellings.values() if len(group) > 1 for key in group))


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


def _write(
    connection: sa.Connection,
    directory_id: str,
    names: list[str],
    *,
    created: list[dict[str, Any]],
    updated: list[dict[str, Any]],
    now: datetime,
) -> None:
    defaults = {"directory_id": directory_id, "status": "active", "created_at": now, "updated_at": now}
    try:
        if updated:
            # As with an import: set aside first, or two users who swap an email would collide.
            keys = [record["key"] for record in updated]
            if "email_key" in names:
                aside = sa.update(users).where(in_values(connection, users.c.user_id, keys))
                connection.execute(aside.values(email_key=None))
            values = {name: sa.bindparam(f"new_{name}", type_=users.c[name].type) for name in names}
            by_key = sa.update(users).where(users.c.user_id == sa.bindparam("key"))
            connection.execute(by_key.values(values | {"version": users.c.version + 1, "updated_at": now}), updated)
        if created:
            keyring = keyring_of(connection)
            ids = [str(uuid.uuid4()) for _ in created]
            rows = [
                {"metadata": {}}
                | record
                | defaults
                | {"user_id": key, "seal": seal_user(keyring, key, protected=False)}
                for key, record in zip(ids, created, strict=True)
            ]
            connection.execute(sa.insert(users), rows)
    except sa.exc.IntegrityError:
        raise UsageError(
            f"An email in the file belongs to another user of directory {directory_id}; nothing was loaded."
        ) from None


def _value(name: str, value: Any, metadata: dict[str, Any]) -> Any:
    if name == "metadata":
        named = value if isinstance(value, dict) else {}
        kept = {key: entry for key, entry in metadata.items() if key not in named or named[key] is not None}
        return kept | {key: entry for key, entry in named.items() if entry is not None}
    return None if pd.isna(value) else value
