"""What is read of many integrations at once for a look at all of them: the same few statements for one and for ten
thousand. What a look at the clock reads stands in ``automation``."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from hris_pipeline.contract import OPEN
from hris_pipeline.store.imports import Import
from hris_pipeline.store.integrations import Integration
from hris_pipeline.store.tables import conflicts, connections, imports, integration_settings, integrations

__all__ = [
    "IntegrationCounts",
    "IntegrationFacts",
    "company_names",
    "count_integrations",
    "integration_names",
    "integrations_named",
    "newest_imports",
    "newest_readings",
    "open_conflicts",
    "open_imports",
]


@dataclass(frozen=True)
class IntegrationCounts:
    """How many integrations there are, how many of them have a name that was searched for, and how many of those wait
    for a person; and how many were deleted, whatever is searched for."""

    total: int
    matching: int
    waiting: int
    deleted: int


@dataclass(frozen=True)
class IntegrationFacts:
    """One integration, with the version of its settings in force."""

    integration: Integration
    settings_version: int


def count_integrations(connection: sa.Connection, search: str = "") -> IntegrationCounts:
    """The integrations that have settings, those whose name or display name contains ``search``, those of them that
    wait for a person, and the deleted ones; one statement."""
    other = integrations.alias()
    deleted = sa.select(sa.func.count()).select_from(other).where(other.c.deleted_at.is_not(None)).scalar_subquery()
    matches = _match_search(search)
    select = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(sa.case((matches, 1), else_=0)), 0),
        sa.func.coalesce(sa.func.sum(sa.case((sa.and_(matches, _is_waiting()), 1), else_=0)), 0),
        deleted,
    ).where(_is_live())
    total, matching, waiting, gone = connection.execute(select).one()
    return IntegrationCounts(int(total), int(matching), int(waiting), int(gone))


def integration_names(
    connection: sa.Connection, search: str = "", *, only_waiting: bool = False, offset: int = 0, limit: int
) -> tuple[str, ...]:
    """The names of at most ``limit`` of those integrations, in order; one statement."""
    select = sa.select(integrations.c.integration_id).where(_is_live(), _match_search(search))
    if only_waiting:
        select = select.where(_is_waiting())
    page = select.order_by(integrations.c.integration_id).offset(offset).limit(limit)
    return tuple(connection.execute(page).scalars())


def integrations_named(connection: sa.Connection, names: Sequence[str]) -> tuple[IntegrationFacts, ...]:
    """The integrations of those names that have settings, in order of name; one statement."""
    columns = [integrations.c[field.name] for field in fields(Integration)]
    version = sa.func.max(integration_settings.c.version).label("settings_version")
    select = (
        sa.select(*columns, version)
        .join(integration_settings)
        .where(integrations.c.integration_id.in_(names))
        .group_by(*columns)
        .order_by(integrations.c.integration_id)
    )
    rows = connection.execute(select).all()
    names_of = [column.name for column in columns]
    return tuple(
        IntegrationFacts(Integration(**dict(zip(names_of, row[:-1], strict=True))), row.settings_version)
        for row in rows
    )


def newest_imports(connection: sa.Connection, names: Sequence[str]) -> dict[str, Import]:
    """By integration the newest import of any status; one statement."""
    select = sa.select(imports).join_from(
        integrations, imports, imports.c.import_id == _select_newest_import("import_id")
    )
    rows = connection.execute(select.where(integrations.c.integration_id.in_(names)))
    return {row.integration_id: Import.from_row(row) for row in rows}


def newest_readings(connection: sa.Connection, names: Sequence[str]) -> dict[str, Import]:
    """By integration the newest import that read the source (an undo reads nothing); one statement."""
    newest = _select_newest_import("import_id", *_READ_THE_SOURCE)
    select = sa.select(imports).join_from(integrations, imports, imports.c.import_id == newest)
    readings = connection.execute(select.where(integrations.c.integration_id.in_(names)))
    return {row.integration_id: Import.from_row(row) for row in readings}


def open_imports(connection: sa.Connection, names: Sequence[str]) -> dict[str, Import]:
    """By integration the import that waits to be saved or approved; one statement."""
    select = sa.select(imports).where(imports.c.integration_id.in_(names), imports.c.status.in_(OPEN))
    return {row.integration_id: Import.from_row(row) for row in connection.execute(select)}


def open_conflicts(connection: sa.Connection, names: Sequence[str]) -> dict[str, int]:
    """By integration how many conflicts nobody has decided; one statement."""
    select = (
        sa.select(conflicts.c.integration_id, sa.func.count())
        .where(conflicts.c.integration_id.in_(names), conflicts.c.status == "open")
        .group_by(conflicts.c.integration_id)
    )
    return {row[0]: int(row[1]) for row in connection.execute(select)}


def company_names(connection: sa.Connection, names: Sequence[str]) -> dict[str, str | None]:
    """By connected integration what the source called the company; one statement."""
    select = sa.select(connections.c.integration_id, connections.c.company_name)
    return {row[0]: row[1] for row in connection.execute(select.where(connections.c.integration_id.in_(names)))}


_RECENT = imports.alias()
_READ_THE_SOURCE = (
    _RECENT.c.life == integrations.c.life,
    _RECENT.c.extract_id.is_not(None),
    _RECENT.c.trigger != "undo",
)


def _select_newest_import(column: str, *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    """A column of the newest import, for which the conditions hold, of the integration that the statement is about."""
    newest = sa.select(_RECENT.c[column]).where(_RECENT.c.integration_id == integrations.c.integration_id, *conditions)
    return newest.order_by(_RECENT.c.planned_at.desc(), _RECENT.c.import_id.desc()).limit(1).scalar_subquery()


def _is_live() -> sa.ColumnElement[bool]:
    has_settings = sa.exists().where(integration_settings.c.integration_id == integrations.c.integration_id)
    return sa.and_(integrations.c.deleted_at.is_(None), has_settings)


def _match_search(search: str) -> sa.ColumnElement[bool]:
    if not search:
        return sa.true()
    columns = (integrations.c.integration_id, integrations.c.display_name)
    return sa.or_(*(column.icontains(search, autoescape=True) for column in columns))


def _is_waiting() -> sa.ColumnElement[bool]:
    """Whether something of the integration waits for a person: what ``operations.overview`` lists."""
    of_it = imports.c.integration_id == integrations.c.integration_id
    undecided = sa.and_(conflicts.c.integration_id == integrations.c.integration_id, conflicts.c.status == "open")
    return sa.or_(
        integrations.c.connection != "connected",
        integrations.c.automatic == "paused",
        sa.exists().where(of_it, imports.c.status.in_(OPEN)),
        sa.exists().where(undecided),
        sa.func.coalesce(_select_newest_import("quarantined", *_READ_THE_SOURCE), 0) > 0,
    )
