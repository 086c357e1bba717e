"""What waits for a person: conflicts, decided one at a time, or all at once when all ids of a source changed; and the
quarantine of an extract: which check of which field failed, and what the source sent.

The review of an import's changes is ``review``'s.
"""

import functools
from dataclasses import dataclass, field
from dataclasses import field as attribute
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.operations.review_rows import mask_value
from hris_pipeline.operations.services import Services
from hris_pipeline.store.conditions import in_values, pending_link
from hris_pipeline.store.imports import get_import
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.review import count_quarantined as count_lines
from hris_pipeline.store.review import quarantine_lines
from hris_pipeline.store.seals import RESOLUTION, seal_rows
from hris_pipeline.store.stored_json import read_object
from hris_pipeline.store.tables import conflicts, imports, users

__all__ = [
    "Conflict",
    "Decision",
    "QuarantinedPerson",
    "count_quarantined",
    "open_conflicts",
    "quarantined_people",
    "read_conflict",
    "relink_by_employee_id",
    "resolve",
]

Decision = Literal["link", "create", "ignore"]


@dataclass(frozen=True)
class Conflict:
    """One row that is held back: the person as the source has them (``incoming``) beside the user they collide with
    (``user``); both are people's data."""

    conflict_id: str
    integration: str
    kind: str
    hris_id: str
    employee_id: str | None
    user_id: str
    user_employee_id: str | None
    status: str
    resolution: str | None
    first_seen_at: datetime
    incoming: dict[str, Any] = field(repr=False)
    user: dict[str, Any] = field(repr=False)


_COMPARED_FIELDS = ("employee_id", "first_name", "last_name", "email", "birth_date", "hire_date", "status", "hris_id")


def open_conflicts(
    services: Services, integration_id: str, statuses: tuple[str, ...] = ("open",)
) -> tuple[Conflict, ...]:
    """The integration's conflicts that wait for a decision (or those of ``statuses``), the oldest first."""
    with services.store.read() as connection:
        get_integration(connection, integration_id)
        return _read(
            connection, sa.and_(conflicts.c.integration_id == integration_id, conflicts.c.status.in_(statuses))
        )


def _read(connection: sa.Connection, where: sa.ColumnElement[bool]) -> tuple[Conflict, ...]:
    select = (
        sa.select(conflicts, *(users.c[name].label(f"user_{name}") for name in _COMPARED_FIELDS))
        .outerjoin(users, users.c.user_id == conflicts.c.user_id)
        .where(where)
        .order_by(conflicts.c.first_seen_at, conflicts.c.conflict_id)
    )
    return tuple(
        Conflict(
            conflict_id=row.conflict_id,
            integration=row.integration_id,
            kind=row.kind,
            hris_id=row.hris_id,
            employee_id=row.employee_id,
            user_id=row.user_id,
            user_employee_id=row.user_employee_id,
            status=row.status,
            resolution=row.resolution,
            first_seen_at=row.first_seen_at,
            incoming={name: value for name, value in read_object(row.incoming).items() if name in _COMPARED_FIELDS},
            user={
                name: None if (value := row._mapping[f"user_{name}"]) is None else str(value)
                for name in _COMPARED_FIELDS
            },
        )
        for row in connection.execute(select)
    )


def read_conflict(services: Services, conflict_id: str) -> Conflict:
    """One conflict, whatever became of it.

    Raises:
        UnknownName: there is none of that id.
    """
    with services.store.read() as connection:
        return _read_conflict(connection, conflict_id)


def _read_conflict(connection: sa.Connection, conflict_id: str) -> Conflict:
    listed = _read(connection, conflicts.c.conflict_id == conflict_id)
    if not listed:
        raise UnknownName(f"There is no conflict {conflict_id[:80]!r}: `hris conflicts NAME` lists them.")
    return listed[0]


def resolve(
    services: Services,
    conflict_id: str,
    decision: Decision,
    by: str,
    *,
    user_id: str | None = None,
    restore: bool = False,
) -> Conflict:
    """Records what a person decided; the next plan follows it, and remembers.

    Args:
        services: The store.
        conflict_id: Which conflict.
        decision: ``link`` the row to the user, ``create`` a new user anyway, or ``ignore`` the row.
        by: Who decided.
        user_id: For a link, to whom; the user in the conflict by default.
        restore: For a link, whether a user whom a person archived is switched on again by it.

    Raises:
        UnknownName: no such conflict.
        UsageError: the decision cannot be carried out.
    """
    with services.store.begin() as connection:
        conflict = _read_conflict(connection, conflict_id)
        _refuse_impossible(connection, conflict, decision, user_id)
        if decision == "link":
            _refuse_linked_twice(connection, conflict)
        if decision == "link" and not restore:
            _refuse_archived(connection, conflict)
        where = conflicts.c.conflict_id == conflict_id
        _decide(connection, where, decision, by, services.now(), restore=restore)
        return _read_conflict(connection, conflict_id)


def _refuse_impossible(connection: sa.Connection, conflict: Conflict, decision: Decision, user_id: str | None) -> None:
    if conflict.status == "gone":
        raise UsageError(
            f"Conflict {conflict.conflict_id} is gone: the latest preview did not find it. "
            f"`hris conflicts {conflict.integration}` lists those that wait."
        )
    if decision == "create" and conflict.kind == "employee_id" and not _may_give_up_id(connection, conflict):
        raise UsageError(
            f"Conflict {conflict.conflict_id} is about an EmployeeId, which only one user can have, and that user has "
            "not left: link, ignore, or give the person another id in Justworks."
        )
    if decision == "link" and connection.execute(_select_linked_user(conflict)).first() is not None:
        raise UsageError(
            f"Conflict {conflict.conflict_id} is about somebody who is a user already and would carry the EmployeeId "
            "of another: ignore, or give one of them another id in Justworks."
        )
    if user_id is not None and user_id != conflict.user_id:
        raise UsageError(f"Conflict {conflict.conflict_id} is with user {conflict.user_id}: link to that one.")


def _may_give_up_id(connection: sa.Connection, conflict: Conflict) -> bool:
    """Whether the user of the conflict has left: archived by an import, or waiting to be by the latest plan of the
    integration whose user they are."""
    columns = (users.c.integration_id, users.c.archived_by, users.c.protected)
    user = connection.execute(sa.select(*columns).where(users.c.user_id == conflict.user_id)).one_or_none()
    if user is None or user.protected:
        return False
    if user.archived_by == "import":
        return True
    newest = sa.select(imports.c.diagnostics).where(imports.c.integration_id == user.integration_id)
    diagnostics = connection.scalar(newest.order_by(imports.c.planned_at.desc()).limit(1)) or {}
    return conflict.user_employee_id in diagnostics.get("awaiting_decision", ())


def _refuse_linked_twice(connection: sa.Connection, conflict: Conflict) -> None:
    """One user is one person: of two members, in whatever integration, only one can be linked to them."""
    other = connection.execute(
        sa.select(conflicts.c.conflict_id, conflicts.c.integration_id).where(
            conflicts.c.user_id == conflict.user_id, conflicts.c.conflict_id != conflict.conflict_id, pending_link()
        )
    ).first()
    if other is not None:
        raise UsageError(
            f"User {conflict.user_id} is to be linked to another member: so conflict {other.conflict_id} of "
            f"{other.integration_id} was decided. Decide that one otherwise first, or say here that this is somebody "
            "else."
        )


def _refuse_archived(connection: sa.Connection, conflict: Conflict) -> None:
    """A person switched that user off; only a person's word switches them on again."""
    if connection.execute(_archived_by_persons().where(users.c.user_id == conflict.user_id)).first() is not None:
        raise UsageError(
            f"User {conflict.user_id} was archived by a person, and linking would switch them on again: add --restore "
            "to say so, or ignore the conflict."
        )


def _archived_by_persons() -> sa.Select[tuple[str]]:
    by_import = sa.func.coalesce(users.c.archived_by, "") == "import"
    return sa.select(users.c.user_id).where(users.c.status == "archived", ~by_import)


@functools.cache
def _to_be_linked() -> sa.Select[tuple[str]]:
    """Users to whom another member will be linked, as a person decided."""
    decided = conflicts.alias()
    return sa.select(decided.c.user_id).where(pending_link(decided))


def _select_linked_user(conflict: Conflict) -> sa.Select[tuple[str]]:
    return sa.select(users.c.user_id).where(
        users.c.integration_id == conflict.integration, users.c.hris_id == conflict.hris_id
    )


def relink_by_employee_id(services: Services, integration_id: str, by: str) -> int:
    """Links every open conflict about an EmployeeId to the user who has it: for a source whose ids all changed. A user
    whom a person archived is left to be decided singly. The next preview shows what that means before anything is
    applied; gives how many."""
    with services.store.begin() as connection:
        get_integration(connection, integration_id)
        linked = sa.select(users.c.hris_id).where(
            users.c.integration_id == integration_id, users.c.hris_id.is_not(None)
        )
        where = sa.and_(
            conflicts.c.integration_id == integration_id,
            conflicts.c.kind == "employee_id",
            conflicts.c.status == "open",
            conflicts.c.hris_id.not_in(linked),
            conflicts.c.user_id.not_in(_archived_by_persons()),
            conflicts.c.user_id.not_in(_to_be_linked()),
        )
        return _decide(connection, where, "link", by, services.now())


def _decide(
    connection: sa.Connection,
    where: sa.ColumnElement[bool],
    decision: Decision,
    by: str,
    now: datetime,
    *,
    restore: bool = False,
) -> int:
    values: dict[str, Any] = {"status": "resolved", "resolution": decision, "resolved_by": by, "resolved_at": now}
    values |= {"may_restore": restore}
    keys = list(connection.execute(sa.select(conflicts.c.conflict_id).where(where)).scalars())
    these = in_values(connection, conflicts.c.conflict_id, keys)
    connection.execute(sa.update(conflicts).where(these).values(values))
    return seal_rows(connection, RESOLUTION, these)


@dataclass(frozen=True)
class QuarantinedPerson:
    """Somebody whose record failed one check; ``value`` is what the source sent."""

    hris_id: str | None
    employee_id: str | None
    field: str
    check: str
    reason: str
    value: str | None = attribute(repr=False)


def count_quarantined(services: Services, import_id: str) -> int:
    """How many failed checks ``quarantined_people`` lists in all; somebody who fails two is listed twice.

    Raises:
        UnknownName: no import of that id.
    """
    with services.store.read() as connection:
        record = get_import(connection, import_id)
        return count_lines(connection, record.integration_id, record.extract_id) if record.extract_id else 0


def quarantined_people(
    services: Services,
    import_id: str,
    *,
    field: str | None = None,
    page: int = 1,
    page_size: int | None = None,
    reveal: bool = False,
) -> tuple[QuarantinedPerson, ...]:
    """Whoever an import's extract left in quarantine, by field and check, with what the source sent.

    Raises:
        UnknownName: no import of that id.
    """
    with services.store.read() as connection:
        record = get_import(connection, import_id)
        if record.extract_id is None:
            return ()
        lines = quarantine_lines(
            connection,
            record.integration_id,
            record.extract_id,
            field=field,
            offset=(page - 1) * (page_size or 0),
            limit=page_size,
        )
    return tuple(
        QuarantinedPerson(
            line.hris_id,
            line.employee_id,
            line.field,
            line.check,
            line.reason,
            line.value if reveal else mask_value(line.field, line.value),
        )
        for line in lines
    )
