"""What a person, not an import, does to users: loading local ones, protecting, and erasing one for good, whether they
ever became a user or not: from users, history, staged rows, quarantine, conflicts, and the ids that imports name.

What is kept in files (extracts, frames) is the caller's to remove; what imports write is ``applying``'s.
"""

import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from hris_pipeline.contract import OPEN
from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.settings.fields import USER_FIELD_NAMES, USER_STATE
from hris_pipeline.store.conditions import in_values
from hris_pipeline.store.frames import prove_staged_rows
from hris_pipeline.store.imports import Import, end_import, tampered_parts, update_statement
from hris_pipeline.store.keyring import keyring_of, seal_user
from hris_pipeline.store.stored_json import read_json, read_object
from hris_pipeline.store.tables import (
    conflicts,
    import_rows,
    imports,
    integrations,
    notifications,
    quarantine,
    relisted_users,
    users,
)

__all__ = [
    "PERSON",
    "Loaded",
    "Person",
    "erase_person",
    "find_person",
    "find_user",
    "integrations_of_directory",
    "load_local_users",
    "protect_user",
]


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
        record = {name: _decode_value(name, value, metadata) for name, value in zip(names, values, strict=True)}
        if old is None:
            created.append(record)
        elif old.integration_id is not None:
            managed.append(key)
        elif all(old._mapping[name] == value for name, value in record.items()):
            unchanged.append(key)
        else:
            updated.append({"key": old.user_id, **{f"new_{name}": value for name, value in record.items()}})
    try:
        with connection.begin_nested():
            _write(connection, directory_id, names, created=created, updated=updated, now=now)
    except sa.exc.IntegrityError:
        raise _email_taken(connection, directory_id, frame) from None
    return Loaded(
        tuple(str(record["employee_id"]) for record in created),
        tuple(str(record["new_employee_id"]) for record in updated),
        tuple(unchanged),
        tuple(managed),
        _find_lookalikes(connection, directory_id, keys),
    )


def _email_taken(connection: sa.Connection, directory_id: str, frame: pd.DataFrame) -> UsageError:
    """EmployeeIds of the people in the file whose email another user keeps."""
    keys = dict(zip(frame["email_key"], frame["employee_id"], strict=True))
    emails = in_values(connection, users.c.email_key, [key for key in keys if isinstance(key, str)])
    owners = connection.execute(
        sa.select(users.c.email_key, users.c.employee_id).where(users.c.directory_id == directory_id, emails)
    )
    pairs = [
        f"{keys[key]} (it is that of {owner or 'a user without one'})" for key, owner in owners if owner != keys[key]
    ]
    remedy = f"EmployeeId {', '.join(sorted(pairs)[:MOST_NAMED])}" if pairs else "those who share one in the file"
    return UsageError(
        f"An email in the file belongs to another user of directory {directory_id}; nothing was loaded. Mend the email "
        f"of {remedy}."
    )


def _find_lookalikes(connection: sa.Connection, directory_id: str, keys: list[str]) -> tuple[str, ...]:
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
            {"metadata": {}} | record | defaults | {"user_id": key, "seal": seal_user(keyring, key, protected=False)}
            for key, record in zip(ids, created, strict=True)
        ]
        connection.execute(sa.insert(users), rows)


def _decode_value(name: str, value: Any, metadata: dict[str, Any]) -> Any:
    if name == "metadata":
        named = value if isinstance(value, dict) else {}
        kept = {key: entry for key, entry in metadata.items() if key not in named or named[key] is not None}
        return kept | {key: entry for key, entry in named.items() if entry is not None}
    return None if pd.isna(value) else value


MOST_NAMED = 10

PERSON = "person:"
"""How ``archived_by`` begins when a person did it, so that no account's name is taken for an import."""

KEPT_WHEN_ERASED = ("integration_id", "hris_id", "employee_id", "status", "archived_by", "email_edited_by_user")
"""Ids and marks of a user: without them the next import would make the person anew, and history would have a hole."""

ERASED = "a person it touches was erased"


@dataclass(frozen=True)
class Person:
    """Somebody to be erased: their user, if they ever became one, and every id they are known by."""

    user_id: str | None
    ids: frozenset[str]


def integrations_of_directory(connection: sa.Connection, directory_id: str) -> tuple[str, ...]:
    """Every integration that feeds or ever fed the directory, by name."""
    named = sa.select(integrations.c.integration_id).where(integrations.c.directory_id == directory_id)
    return tuple(connection.execute(named.order_by(integrations.c.integration_id)).scalars())


def find_person(connection: sa.Connection, directory_id: str, integration_id: str, known_as: str) -> Person:
    """Whoever has, or had, that EmployeeId or hris_id in the directory: a user before anybody else, and of several,
    whose ids two sources gave alike, the one of the integration that was named."""
    of_directory = users.c.directory_id == directory_id
    ids = (users.c.employee_id, users.c.hris_id, users.c.former_hris_id)
    order = sa.case(*((column == known_as, place) for place, column in enumerate(ids)), else_=len(ids))
    by_id = sa.select(users).where(of_directory, sa.or_(*(column == known_as for column in ids)))
    elsewhere = sa.case((users.c.integration_id == integration_id, 0), else_=1)
    row = connection.execute(by_id.order_by(order, elsewhere, users.c.user_id).limit(1)).one_or_none()
    if row is None:
        return Person(None, frozenset({known_as}))
    named = {known_as, row.employee_id, row.hris_id, row.former_hris_id}
    states = sa.select(import_rows.c.before, import_rows.c.after).where(import_rows.c.user_id == row.user_id)
    for line in connection.execute(states):
        named |= {read_object(state).get(name) for state in line for name in ("employee_id", "hris_id")}
    holders = sa.select(users.c.employee_id, users.c.hris_id).where(of_directory, users.c.user_id != row.user_id)
    for other in connection.execute(holders.where(_match_ids(connection, ids, named))):
        named -= {other.employee_id, other.hris_id}  # given to somebody else since
    return Person(row.user_id, frozenset(name for name in named if name) | {known_as})


def erase_person(connection: sa.Connection, directory_id: str, person: Person, actor: str, now: datetime) -> int:
    """Erases a person from everything the directory's integrations keep; gives in how many places they were.

    Of a user stays: ``user_id``, ``KEPT_WHEN_ERASED``, versions, and in history which fields changed when; the user is
    archived by ``actor``, so that no import brings the person back. Rows are marked ``erased``: the digests of those
    imports can no longer be computed. Of whoever never was a user nothing stays. Open imports that touch the person
    become stale.
    """
    names = integrations_of_directory(connection, directory_id)
    places = _erase_user(connection, person.user_id, actor, now) if person.user_id else 0
    places += _erase_rows(connection, directory_id, person, now)
    places += _erase_from_queues(connection, names, person)
    places += _erase_ids(connection, directory_id, person)
    _erase_from_notifications(connection, names, person.ids)
    return places


def _erase_user(connection: sa.Connection, user_id: str, actor: str, now: datetime) -> int:
    marks = {"status": "archived", "archived_by": f"{PERSON}{actor}", "email_edited_by_user": False}
    written = {"source_hash": None, "version": users.c.version + 1, "updated_at": now}
    statement = (
        sa.update(users).where(users.c.user_id == user_id).values(_blank_state(KEPT_WHEN_ERASED) | marks | written)
    )
    return connection.execute(statement).rowcount


def _erase_rows(connection: sa.Connection, directory_id: str, person: Person, now: datetime) -> int:
    """Erases the rows of imports about the user, and those that never made anybody a user."""
    ids = [import_rows.c.after[name].as_string() for name in ("hris_id", "employee_id")]
    never_applied = sa.and_(import_rows.c.action == "create", imports.c.status != "applied")
    never_made = sa.and_(never_applied, _match_ids(connection, ids, person.ids))
    rows = connection.execute(
        sa.select(import_rows, imports.c.status)
        .join(imports, imports.c.import_id == import_rows.c.import_id)
        .where(imports.c.directory_id == directory_id)
        .where(
            sa.or_(import_rows.c.user_id == (person.user_id or ""), sa.and_(never_made, imports.c.status != "applied"))
        )
    ).all()
    for import_id in sorted({row.import_id for row in rows}):
        record = Import.from_row(connection.execute(sa.select(imports).where(imports.c.import_id == import_id)).one())
        intact = not tampered_parts(connection, record, rows=record.status in ("applied", *OPEN))
        for row in rows:
            if row.import_id == import_id:
                _erase_row(connection, row, () if row.user_id != person.user_id else KEPT_WHEN_ERASED)
        if record.status in OPEN:
            record = end_import(connection, import_id, "stale", ERASED, now) or record
        if intact:  # or what somebody did to it would be blessed
            proof = prove_staged_rows(connection, import_id)
            connection.execute(update_statement(connection, replace(record, rows_hash=proof.rows_hash)))
    return len(rows)


def _erase_row(connection: sa.Connection, row: sa.Row[Any], kept: Collection[str]) -> None:
    states = {
        name: {**read_object(state), **_blank_state(kept)}
        for name, state in (("before", row.before), ("after", row.after))
        if name == "after" or state
    }
    this_row = sa.and_(import_rows.c.user_id == row.user_id, import_rows.c.import_id == row.import_id)
    connection.execute(sa.update(import_rows).where(this_row).values(**states, source_hash=None, erased=True))


def _blank_state(kept: Collection[str]) -> dict[str, Any]:
    blank: dict[str, Any] = {name: None for name in USER_STATE if name not in kept}
    return blank | {"metadata": {}}


def _erase_from_queues(connection: sa.Connection, names: Collection[str], person: Person) -> int:
    """Erases quarantined rows, conflicts on either side, and the notes that the user seemed to be listed elsewhere."""
    places = 0
    connection.execute(sa.delete(relisted_users).where(relisted_users.c.user_id == (person.user_id or "")))
    for table in (quarantine, conflicts):
        about = _match_ids(connection, (table.c.hris_id, table.c.employee_id), person.ids)
        if table is conflicts and person.user_id:
            about = sa.or_(about, conflicts.c.user_id == person.user_id)
        places += connection.execute(sa.delete(table).where(table.c.integration_id.in_(names), about)).rowcount
    return places


def _erase_ids(connection: sa.Connection, directory_id: str, person: Person) -> int:
    """Takes the ids out of the guards and diagnostics of imports; those of a user stay, because the user keeps them
    too."""
    places = 0
    for row in connection.execute(sa.select(imports).where(imports.c.directory_id == directory_id)).all():
        record = Import.from_row(row)
        guards = tuple(
            replace(guard, employee_ids=_drop_person_ids(guard.employee_ids, person)) for guard in record.guards
        )
        diagnostics = {reason: _drop_person_ids(ids, person) for reason, ids in record.diagnostics.items()}
        erased = replace(record, guards=guards, diagnostics={key: ids for key, ids in diagnostics.items() if ids})
        if erased == record or (guards == record.guards and diagnostics == dict(record.diagnostics)):
            continue
        places += 1
        if tampered_parts(connection, record, rows=False):
            continue
        connection.execute(update_statement(connection, erased))
    return places


def _drop_person_ids(ids: Collection[str], person: Person) -> tuple[str, ...]:
    return tuple(name for name in ids if name not in person.ids)


def _erase_from_notifications(connection: sa.Connection, names: Collection[str], ids: Collection[str]) -> None:
    """Takes the person's ids out of what was last sent about conflicts and quarantine."""
    select = sa.select(notifications).where(
        notifications.c.integration_id.in_(names), notifications.c.event == "conflict"
    )
    for row in connection.execute(select).all():
        state = {
            reason: [name for name in whom if name not in ids]
            for reason, whom in read_object(read_json(row.state)).items()
        }
        this_event = sa.and_(notifications.c.integration_id == row.integration_id, notifications.c.event == row.event)
        connection.execute(sa.update(notifications).where(this_event).values(state=json.dumps(state)))


def _match_ids(
    connection: sa.Connection, columns: Collection[sa.ColumnElement[Any]], ids: Collection[str | None]
) -> sa.ColumnElement[bool]:
    return sa.or_(*(in_values(connection, column, sorted(name for name in ids if name)) for column in columns))
