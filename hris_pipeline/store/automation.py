"""The state of automatic imports: whether an integration has them running, and what came of its due moments."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from hris_pipeline.settings.calendar import FREQUENCIES, Calendar
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.conditions import are_in_force, in_values
from hris_pipeline.store.integrations import Automatic, current_settings
from hris_pipeline.store.keyring import decrypt_settings, keyring_of
from hris_pipeline.store.seals import AUTOMATIC, SETTINGS, is_intact, prove, seal_parts
from hris_pipeline.store.stored_json import sound_object
from hris_pipeline.store.tables import Instant, imports, integration_settings, integrations

__all__ = [
    "Automation",
    "AutomationState",
    "advance_due",
    "automation",
    "automation_states",
    "complete_due",
    "imports_ahead",
    "large_integrations",
    "last_good_imports",
    "mark_failed_attempt",
    "prove_automatic",
    "read_automations",
    "read_calendars",
    "saved_integrations",
    "set_automatic",
]

DEFAULT_CALENDAR = Calendar.of(Settings())

_OF_SETTINGS = ("integration_id", "version", "created_at", "actor", "document", "digest", "seal")


@dataclass(frozen=True, kw_only=True)
class AutomationState:
    """What tells whether an integration is due, read for all of ten thousand at once. Times are UTC."""

    integration_id: str
    connection: str
    automatic: Automatic
    automatic_by: str | None
    automatic_at: datetime | None
    automatic_reason: str | None
    last_due_at: datetime | None
    attempts: int
    retry_at: datetime | None
    calendar: Calendar


@dataclass(frozen=True, kw_only=True)
class Automation(AutomationState):
    """One integration with everything that an automatic import of it depends on. ``last_good_at`` is when an import was
    last applied in this life, ``saved`` whether a manual one was. ``settings`` are the defaults where the stored ones
    were tampered with: the import itself then fails and says so. ``decided``: whether ``automatic`` has the seal of a
    decision of a person or of this pipeline."""

    failures: int
    settings: Settings
    last_good_at: datetime | None
    saved: bool
    decided: bool


def automation(connection: sa.Connection, integration_id: str) -> Automation:
    """The integration of that name.

    Raises:
        UnknownName: there is none, it was deleted, or it has no settings yet.
    """
    states = read_automations(connection, integration_id)
    if not states:
        current_settings(connection, integration_id)  # raises, saying what is not there
    return states[0]


def prove_automatic(connection: sa.Connection, integration_id: str) -> None:
    """Refuses an integration whose state of automatic imports was decided neither by a person nor by this pipeline.

    Raises:
        Tampered: they were changed behind the pipeline's back.
    """
    select = sa.select(integrations).where(integrations.c.integration_id == integration_id)
    prove(connection, AUTOMATIC, connection.execute(select).one()._mapping)


def read_automations(connection: sa.Connection, *integration_ids: str) -> tuple[Automation, ...]:
    """The integrations of those names that are not deleted, in order of name; one statement, however many."""
    applied = (
        sa.select(
            imports.c.integration_id,
            imports.c.life,
            sa.func.max(imports.c.finished_at).label("last_good_at"),
            sa.func.max(sa.case((imports.c.trigger == "manual", 1), else_=0)).label("saved"),
        )
        .where(imports.c.status == "applied", imports.c.integration_id.in_(integration_ids))
        .group_by(imports.c.integration_id, imports.c.life)
        .subquery()
    )
    select = (
        sa.select(
            integrations,
            *(integration_settings.c[name].label(f"settings_{name}") for name in _OF_SETTINGS),
            applied.c.last_good_at,
            applied.c.saved,
        )
        .join(integration_settings)
        .outerjoin(
            applied,
            sa.and_(applied.c.integration_id == integrations.c.integration_id, applied.c.life == integrations.c.life),
        )
        .where(
            integrations.c.deleted_at.is_(None),
            integrations.c.integration_id.in_(integration_ids),
            are_in_force(),
        )
        .order_by(integrations.c.integration_id)
    )
    return tuple(_read_automation(connection, row) for row in connection.execute(select))


def _read_automation(connection: sa.Connection, row: sa.Row[Any]) -> Automation:
    keyring, columns = keyring_of(connection), row._mapping
    version = {name: columns[f"settings_{name}"] for name in _OF_SETTINGS}
    sealed = is_intact(keyring, SETTINGS, version)
    settings = decrypt_settings(connection, version["document"], version["digest"]) if sealed else None
    settings = settings or Settings()
    derived: dict[str, Any] = {"settings": settings, "calendar": Calendar.of(settings), "saved": bool(row.saved)}
    derived["decided"] = is_intact(keyring, AUTOMATIC, columns)
    names = (field.name for field in fields(Automation) if field.name not in derived)
    return Automation(**{name: row._mapping[name] for name in names}, **derived)


def automation_states(
    connection: sa.Connection, frequency: str | None = None, *, with_off: bool = False
) -> tuple[AutomationState, ...]:
    """All integrations that have automatic imports, running or paused (``with_off``: those that have none too), or
    those of one frequency, in order of name: one statement, which reads of their settings the calendar alone."""
    names = [field.name for field in fields(AutomationState) if field.name != "calendar"]
    document = sound_object(connection.dialect.name, integration_settings.c.document)
    select = (
        sa.select(
            *(integrations.c[name] for name in names),
            *(document[field.name].as_string().label(f"calendar_{field.name}") for field in fields(Calendar)),
        )
        .join(integration_settings)
        .where(
            integrations.c.deleted_at.is_(None),
            sa.true() if with_off else integrations.c.automatic != "off",
            are_in_force(),
        )
        .order_by(integrations.c.integration_id)
    )
    if frequency is not None:
        named = sa.func.coalesce(document["frequency"].as_string(), "")
        others = [name for name in FREQUENCIES if name != DEFAULT_CALENDAR.frequency]
        select = select.where(named.not_in(others) if frequency == DEFAULT_CALENDAR.frequency else named == frequency)
    width = len(names)
    return tuple(
        AutomationState(**dict(zip(names, row[:width], strict=True)), calendar=_parse_calendar(*row[width:]))
        for row in connection.execute(select)
    )


def read_calendars(connection: sa.Connection) -> dict[str, Calendar]:
    """When each integration's imports are due, whether they run or not, by name; one statement."""
    document = sound_object(connection.dialect.name, integration_settings.c.document)
    select = sa.select(
        integration_settings.c.integration_id, *(document[field.name].as_string() for field in fields(Calendar))
    ).where(are_in_force())
    return {row[0]: _parse_calendar(*row[1:]) for row in connection.execute(select)}


@cache
def _parse_calendar(*values: str | None) -> Calendar:
    """The default where the stored one cannot be read: the import, once due, fails and says that the settings
    changed."""
    names = [field.name for field in fields(Calendar)]
    try:
        settings = Settings.model_validate(
            {
                name: int(value or "") if name == "day_of_month" else value
                for name, value in zip(names, values, strict=True)
            }
        )
    except ValueError:
        return DEFAULT_CALENDAR
    return Calendar.of(settings)


def saved_integrations(connection: sa.Connection, integration_ids: Sequence[str]) -> frozenset[str]:
    """Those of the integrations of which a manual import was saved in this life; one statement."""
    select = sa.select(imports.c.integration_id).join(integrations, _of_this_life()).distinct()
    saved = select.where(imports.c.status == "applied", imports.c.trigger == "manual")
    return frozenset(
        connection.execute(saved.where(in_values(connection, imports.c.integration_id, integration_ids))).scalars()
    )


def large_integrations(connection: sa.Connection, integration_ids: Sequence[str], people: int) -> frozenset[str]:
    """Those of the integrations of which an applied import concerned so many people or more; one statement."""
    concerned = imports.c.created + imports.c.updated + imports.c.archived + imports.c.restored + imports.c.unchanged
    select = sa.select(imports.c.integration_id).where(imports.c.status == "applied", concerned >= people).distinct()
    return frozenset(
        connection.execute(select.where(in_values(connection, imports.c.integration_id, integration_ids))).scalars()
    )


def last_good_imports(
    connection: sa.Connection, integration_ids: Sequence[str], now: datetime | None = None
) -> dict[str, datetime]:
    """By integration when an import of this life was last applied; with ``now`` one made later than that counts as not
    there. One statement."""
    select = (
        sa.select(imports.c.integration_id, sa.func.max(imports.c.finished_at))
        .join(integrations, _of_this_life())
        .where(
            imports.c.status == "applied",
            sa.true() if now is None else imports.c.finished_at <= now,
            in_values(connection, imports.c.integration_id, integration_ids),
        )
        .group_by(imports.c.integration_id)
    )
    return {row[0]: row[1] for row in connection.execute(select)}


def imports_ahead(connection: sa.Connection, integration_ids: Sequence[str], now: datetime) -> dict[str, datetime]:
    """By integration the latest moment at which an import of this life claims to have been made, later than now. One
    statement."""
    made = sa.func.coalesce(imports.c.finished_at, imports.c.planned_at)
    select = (
        sa.select(imports.c.integration_id, sa.func.max(made, type_=Instant))
        .join(integrations, _of_this_life())
        .where(made > now, in_values(connection, imports.c.integration_id, integration_ids))
        .group_by(imports.c.integration_id)
    )
    return {row[0]: row[1] for row in connection.execute(select)}


def _of_this_life() -> sa.ColumnElement[bool]:
    return sa.and_(imports.c.integration_id == integrations.c.integration_id, imports.c.life == integrations.c.life)


def set_automatic(
    connection: sa.Connection, integration_id: str, automatic: Automatic, *, by: str, reason: str, now: datetime
) -> None:
    """Starts, pauses or ends automatic imports; starting forgets earlier failures."""
    forgotten = {"attempts": 0, "retry_at": None, "failures": 0} if automatic == "running" else {}
    _update(
        connection,
        integration_id,
        {"automatic": automatic, "automatic_by": by, "automatic_at": now, "automatic_reason": reason} | forgotten,
    )
    seal_parts(connection, integration_id, AUTOMATIC)


def complete_due(connection: sa.Connection, integration_id: str, due_at: datetime, *, failed: bool = False) -> int:
    """The due moment is dealt with, well or (``failed``) finally not; gives how many in a row failed."""
    failures_of = sa.select(integrations.c.failures).where(integrations.c.integration_id == integration_id)
    failures = (connection.execute(failures_of.with_for_update()).scalar_one() + 1) if failed else 0
    _update(
        connection,
        integration_id,
        {"last_due_at": due_at, "attempts": 0, "retry_at": None, "failures": failures},
    )
    return failures


def advance_due(connection: sa.Connection, integration_id: str, due_at: datetime) -> None:
    """The calendar changed and nothing was due: what it would call due now counts as handled."""
    _update(connection, integration_id, {"last_due_at": due_at})


def mark_failed_attempt(connection: sa.Connection, integration_id: str, attempts: int, retry_at: datetime) -> None:
    """So many attempts at the pending due moment failed; it is tried again at ``retry_at``."""
    _update(connection, integration_id, {"attempts": attempts, "retry_at": retry_at})


def _update(connection: sa.Connection, integration_id: str, values: dict[str, object]) -> None:
    connection.execute(sa.update(integrations).where(integrations.c.integration_id == integration_id).values(values))
