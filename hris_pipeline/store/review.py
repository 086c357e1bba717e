"""Reading an import for review: its rows filtered, sorted and paged by the database, and the people beside it.

Only what a page shows leaves the database, so that a change set of any size is reviewed in the same memory. Nothing is
written here, nothing is masked here, and no frame is made: a review of a page loads no pandas.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hris_pipeline.contract import ACTIONS
from hris_pipeline.settings.fields import DEFAULT_METADATA, METADATA_PREFIX, USER_FIELD_NAMES
from hris_pipeline.store.conditions import SEARCHED, contains, in_values, state_contains
from hris_pipeline.store.stored_json import read_object, read_states
from hris_pipeline.store.tables import conflicts, import_rows, integration_settings, quarantine, users

__all__ = [
    "SORTS",
    "PersonName",
    "QuarantineLine",
    "RowPage",
    "RowQuery",
    "StoredRow",
    "archiving_rules",
    "changed_fields",
    "count_actions",
    "count_quarantined",
    "is_hidden",
    "names_of_people",
    "people_matching",
    "quarantine_lines",
    "read_page",
    "read_rows",
    "sorted_user_ids",
    "visible_metadata",
]

SORTS: tuple[str, ...] = ("action", "employee_id", "name")
"""What rows can be sorted by; ties are settled by EmployeeId, then by user."""


@dataclass(frozen=True, kw_only=True)
class RowQuery:
    """Which rows of an import: of one action, with one changed field (metadata as ``#Name``), of people whose stored
    EmployeeId (the one they come with, where none is stored; else their hris_id) is among ``people``, and whose ids,
    names or addresses contain ``text``, whatever its case."""

    import_id: str
    action: str | None = None
    field: str | None = None
    people: Collection[str] | None = None
    text: str | None = None


@dataclass(frozen=True)
class RowPage:
    """The users of one page of rows, which page it is, and how many rows of each action the query has, whatever action
    it asks for."""

    user_ids: tuple[str, ...]
    by_action: Mapping[str, int]
    page: int


@dataclass(frozen=True)
class StoredRow:
    """One change as it is staged: whole states, dates as ISO text."""

    user_id: str
    action: str
    changed: tuple[str, ...]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    erased: bool


@dataclass(frozen=True)
class QuarantineLine:
    """One person who failed a check; ``value`` is the raw one."""

    hris_id: str | None
    employee_id: str | None
    field: str
    check: str
    reason: str
    value: str | None


@dataclass(frozen=True)
class PersonName:
    """What the store knows of somebody who is named by an id beside an import."""

    user_id: str | None
    employee_id: str | None
    hris_id: str | None
    name: str | None


def count_actions(connection: sa.Connection, query: RowQuery) -> dict[str, int]:
    """How many rows of each action the query has, whatever action it asks for."""
    select = sa.select(import_rows.c.action, sa.func.count()).where(*_build_conditions(connection, query, action=False))
    counts = {str(action): int(count) for action, count in connection.execute(select.group_by(import_rows.c.action))}
    return {action: counts[action] for action in ACTIONS if action in counts}


def sorted_user_ids(
    connection: sa.Connection,
    query: RowQuery,
    *,
    sort: str,
    descending: bool,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[str, ...]:
    """The users of the query's rows in the order of one of ``SORTS``: ``limit`` of them, from ``offset`` on."""
    select = (
        sa.select(import_rows.c.user_id)
        .where(*_build_conditions(connection, query))
        .order_by(*_order(connection, sort, descending=descending), import_rows.c.user_id)
        .limit(limit)
        .offset(offset)
    )
    return tuple(connection.execute(select).scalars())


def read_page(connection: sa.Connection, query: RowQuery, *, sort: str, page: int, page_size: int) -> RowPage:
    """One page of the query's rows in the order of one of ``SORTS`` (with a minus in front the other way round), or the
    last. A text, which is dear to look for in every row, is looked for once."""
    key, descending = sort.removeprefix("-"), sort.startswith("-")
    if query.text:
        offset = (page - 1) * page_size
        searched = _search_page(connection, query, key, descending=descending, offset=offset, limit=page_size)
        if searched.user_ids or (page == 1 and query.action is None):
            return replace(searched, page=page)
    by_action = count_actions(connection, query)
    total = sum(count for action, count in by_action.items() if query.action in (None, action))
    page = min(page, max(1, -(-total // page_size)))
    user_ids = sorted_user_ids(
        connection, query, sort=key, descending=descending, offset=(page - 1) * page_size, limit=page_size
    )
    return RowPage(user_ids, by_action, page)


def _search_page(
    connection: sa.Connection, query: RowQuery, sort: str, *, descending: bool, offset: int, limit: int
) -> RowPage:
    """The page and the counts of all actions by one statement; neither, where there are no rows from ``offset`` on."""
    keys = [key.label(f"key_{place}") for place, key in enumerate(_sort_keys(connection, sort))]
    counts = [
        sa.func.count(sa.case((import_rows.c.action == action, 1))).over().label(f"count_{action}")
        for action in ACTIONS
    ]
    columns = (import_rows.c.user_id, import_rows.c.action, *keys, *counts)
    fitting = sa.select(*columns).where(*_build_conditions(connection, query, action=False)).subquery()
    order = [fitting.c[key.name].desc() if descending else fitting.c[key.name] for key in keys]
    select = sa.select(fitting).order_by(*order, fitting.c.user_id).limit(limit).offset(offset)
    if query.action is not None:
        select = select.where(fitting.c.action == query.action)
    rows = connection.execute(select).all()
    by_action = {action: count for action in ACTIONS for row in rows[:1] if (count := row._mapping[f"count_{action}"])}
    return RowPage(tuple(row.user_id for row in rows), by_action, 1)


def _sort_keys(connection: sa.Connection, sort: str) -> list[sa.ColumnElement[Any]]:
    """The columns to sort rows by; the user_id breaks ties."""
    keys = [*_SORT_KEYS[sort], *(key for key in _SORT_KEYS["employee_id"] if sort != "employee_id")]
    return [_order_by_bytes(connection, key) for key in keys]


def _order(connection: sa.Connection, sort: str, *, descending: bool) -> list[sa.ColumnElement[Any]]:
    return [key.desc() if descending else key for key in _sort_keys(connection, sort)]


def read_rows(connection: sa.Connection, import_id: str, user_ids: Sequence[str]) -> tuple[StoredRow, ...]:
    """The import's rows of these users, in their order; a page's worth."""
    select = sa.select(import_rows).where(import_rows.c.import_id == import_id, import_rows.c.user_id.in_(user_ids))
    rows = {
        row.user_id: StoredRow(row.user_id, row.action, *read_states(row), bool(row.erased))
        for row in connection.execute(select)
    }
    return tuple(rows[user_id] for user_id in user_ids)


def changed_fields(connection: sa.Connection, import_id: str) -> dict[str, dict[str, int]]:
    """How many rows of each action change each field, by field; a create changes none that is stored."""
    each = _expand_json_array(connection, import_rows.c.changed)
    select = (
        sa.select(each.c.value, import_rows.c.action, sa.func.count())
        .select_from(import_rows.join(each, sa.true()))
        .where(import_rows.c.import_id == import_id, import_rows.c.action != "create")
        .group_by(each.c.value, import_rows.c.action)
        .order_by(each.c.value, import_rows.c.action)
    )
    counts: dict[str, dict[str, int]] = {}
    for field, action, count in connection.execute(select):
        counts.setdefault(str(field), {})[str(action)] = int(count)
    return dict(sorted(counts.items()))


def names_of_people(
    connection: sa.Connection, integration_id: str, directory_id: str, ids: Sequence[str]
) -> dict[str, PersonName]:
    """Who the ids are: EmployeeIds of the directory, or hris_ids of the integration; of people who are no user, what
    their open conflict or nothing says. Ids that nobody has are not in it."""
    if not ids:
        return {}
    state = (conflicts.c.incoming[name].as_string() for name in ("first_name", "last_name"))
    waiting = sa.select(conflicts.c.hris_id, conflicts.c.employee_id, *state).where(
        conflicts.c.integration_id == integration_id, sa.or_(*_match_ids(connection, conflicts, ids))
    )
    people: dict[str, PersonName] = {}
    for hris_id, employee_id, first, last in connection.execute(waiting):
        person = PersonName(None, employee_id, hris_id, _full_name(first, last))
        people |= {key: person for key in (hris_id, employee_id) if key}
    columns = ("user_id", "employee_id", "hris_id", "first_name", "last_name")
    stored = sa.select(*(users.c[name] for name in columns)).where(
        users.c.directory_id == directory_id, sa.or_(*_match_ids(connection, users, ids))
    )
    for row in connection.execute(stored):
        person = PersonName(row.user_id, row.employee_id, row.hris_id, _full_name(row.first_name, row.last_name))
        people |= {key: person for key in (row.hris_id, row.employee_id) if key}
    asked_ids = set(ids)
    return {key: person for key, person in people.items() if key in asked_ids}


def people_matching(connection: sa.Connection, directory_id: str, integration_id: str, text: str) -> frozenset[str]:
    """The EmployeeIds and hris_ids of users and of people in conflict whose ids, names or addresses contain the text,
    whatever its case."""
    columns = SEARCHED
    stored = sa.select(users.c.employee_id, users.c.hris_id).where(
        users.c.directory_id == directory_id, contains(connection, [users.c[name] for name in columns], text)
    )
    values = [conflicts.c.incoming[name].as_string() for name in columns]
    waiting = sa.select(conflicts.c.employee_id, conflicts.c.hris_id).where(
        conflicts.c.integration_id == integration_id, contains(connection, values, text)
    )
    return frozenset(
        str(key) for select in (stored, waiting) for row in connection.execute(select) for key in row if key
    )


def quarantine_lines(
    connection: sa.Connection,
    integration_id: str,
    extract_id: str,
    *,
    field: str | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[QuarantineLine, ...]:
    """The quarantined lines of an extract, of one field or of all, by EmployeeId."""
    names = ("hris_id", "employee_id", "field", "check", "reason", "value")
    select = (
        sa.select(*(quarantine.c[name] for name in names))
        .where(*_of_extract(integration_id, extract_id, field))
        .order_by(
            quarantine.c.field, quarantine.c.check, sa.func.coalesce(quarantine.c.employee_id, quarantine.c.hris_id)
        )
        .order_by(quarantine.c.quarantine_id)
        .offset(offset)
        .limit(limit)
    )
    return tuple(QuarantineLine(*row) for row in connection.execute(select))


def count_quarantined(connection: sa.Connection, integration_id: str, extract_id: str) -> int:
    """How many lines ``quarantine_lines`` has of an extract."""
    counted = sa.select(sa.func.count()).select_from(quarantine)
    return connection.scalar(counted.where(*_of_extract(integration_id, extract_id))) or 0


def visible_metadata(
    connection: sa.Connection, integration_id: str, settings_version: int | None, planned_at: datetime
) -> frozenset[str]:
    """The names of the metadata that an import may show: not hidden under the settings it was planned with, nor under
    the newest that have the name. None at all when its settings are not kept any more."""
    select = (
        sa.select(integration_settings.c.version, integration_settings.c.created_at, integration_settings.c.document)
        .where(integration_settings.c.integration_id == integration_id)
        .order_by(integration_settings.c.version)
    )
    versions = connection.execute(select).all()
    if settings_version not in {None, *(row.version for row in versions)}:
        return frozenset()
    if not versions or (settings_version is None and planned_at < versions[0].created_at):
        return frozenset()
    read = {row.version: _metadata_kinds(row.document) for row in versions}
    kinds = {version: kind for version, kind in read.items() if kind is not None}
    if kinds.keys() != read.keys():
        return frozenset()  # which of them were hidden is not known
    newest = {name: kind for version in kinds.values() for name, kind in version.items()}
    planned_with = kinds[versions[-1].version if settings_version is None else settings_version]
    return frozenset(name for name, kind in newest.items() if "hidden" not in (kind, planned_with.get(name)))


def archiving_rules(connection: sa.Connection, integration_id: str, settings_version: int | None) -> tuple[str, ...]:
    """The names of the do-not-import rules that archive, of one version of the settings; none where it is not kept."""
    of_version = sa.and_(
        integration_settings.c.integration_id == integration_id, integration_settings.c.version == settings_version
    )
    document = connection.execute(sa.select(integration_settings.c.document).where(of_version)).scalar()
    rules = read_object(document).get("do_not_import")
    listed = [read_object(rule) for rule in rules] if isinstance(rules, list) else []
    return tuple(str(rule.get("name")) for rule in listed if rule.get("archive_existing") is True)


def is_hidden(field: str, visible: Collection[str]) -> bool:
    """Whether a field is metadata (``#Name``) that is not among the visible names."""
    return field.startswith(METADATA_PREFIX) and field[len(METADATA_PREFIX) :] not in visible


def _metadata_kinds(document: Any) -> dict[str, str] | None:
    """The type of each metadata name; None where it is no settings document."""
    try:
        listed = document.get("metadata")
        if listed is None:
            return {name: "default" for name, _ in DEFAULT_METADATA}
        return {str(entry["name"]): entry.get("type", "default") for entry in listed}
    except (AttributeError, KeyError, TypeError):
        return None


def _of_extract(integration_id: str, extract_id: str, field: str | None = None) -> list[sa.ColumnElement[bool]]:
    conditions = [quarantine.c.integration_id == integration_id, quarantine.c.extract_id == extract_id]
    return conditions if field is None else [*conditions, quarantine.c.field == field]


def _build_conditions(
    connection: sa.Connection, query: RowQuery, *, action: bool = True
) -> list[sa.ColumnElement[bool]]:
    conditions = [import_rows.c.import_id == query.import_id]
    if action and query.action is not None:
        conditions.append(import_rows.c.action == query.action)
    if query.field is not None:
        conditions.append(_changes_field(connection, query.field))
    if query.people is not None:
        conditions.append(in_values(connection, _KNOWN_AS, query.people))
    if query.text:
        states = (import_rows.c.before, import_rows.c.after)
        conditions.append(state_contains(connection, states, query.text))
    return conditions


def _changes_field(connection: sa.Connection, field: str) -> sa.ColumnElement[bool]:
    """Whether a row changes the field; for a create, whether it has a value for it."""
    each = _expand_json_array(connection, import_rows.c.changed)
    listed = sa.exists(sa.select(1).select_from(each).where(each.c.value == field))
    changed = sa.and_(import_rows.c.action != "create", listed)
    if not field.startswith(METADATA_PREFIX) and field not in USER_FIELD_NAMES:
        return changed
    value = (
        import_rows.c.after["metadata"][field[1:]] if field.startswith(METADATA_PREFIX) else import_rows.c.after[field]
    )
    return sa.or_(changed, sa.and_(import_rows.c.action == "create", value.as_string().is_not(None)))


def _expand_json_array(connection: sa.Connection, column: sa.ColumnElement[Any]) -> sa.TableValuedAlias:
    listing = sa.func.json_array_elements_text if connection.dialect.name == "postgresql" else sa.func.json_each
    return listing(column).table_valued("value", joins_implicitly=True)


def _match_ids(connection: sa.Connection, table: sa.Table, ids: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    return [in_values(connection, table.c[name], ids) for name in ("employee_id", "hris_id")]


def _order_by_bytes(connection: sa.Connection, key: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The key collated byte by byte, so that the order is the same on every machine."""
    textual = connection.dialect.name == "postgresql" and isinstance(key.type, sa.String)
    return key.collate("C") if textual else key


def _full_name(first: str | None, last: str | None) -> str | None:
    return " ".join(part for part in (first, last) if part) or None


def _coalesce_states(name: str) -> sa.ColumnElement[str]:
    """The value after, else the one before."""
    after, before = (state[name].as_string() for state in (import_rows.c.after, import_rows.c.before))
    return sa.func.coalesce(after, before)


_KNOWN_AS = sa.func.coalesce(
    import_rows.c.before["employee_id"].as_string(),
    import_rows.c.after["employee_id"].as_string(),
    import_rows.c.after["hris_id"].as_string(),
)
"""How guards and warnings name a person."""

_ACTION_ORDER = sa.case({action: place for place, action in enumerate(ACTIONS)}, value=import_rows.c.action)

_SORT_KEYS: Mapping[str, tuple[sa.ColumnElement[Any], ...]] = {
    "action": (_ACTION_ORDER,),
    "employee_id": (_coalesce_states("employee_id"),),
    "name": (_coalesce_states("last_name"), _coalesce_states("first_name")),
}
