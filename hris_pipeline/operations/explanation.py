"""Why a user is as they are, or somebody is none: from the stored value back to the member's field in the extract."""

import dataclasses
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import pandas as pd
import sqlalchemy as sa

from hris_pipeline.change_set.plan import Plan
from hris_pipeline.errors import FrameInvalid, UnknownName, UsageError
from hris_pipeline.operations.extraction import kept_manifest
from hris_pipeline.operations.members import read_users
from hris_pipeline.operations.planning import compute_plan
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.calendar import local_date
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.mapping import effective_mapping, effective_metadata
from hris_pipeline.settings.values import custom_label
from hris_pipeline.sources.extract import member_fields, read_member
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store import history
from hris_pipeline.store.imports import Import, get_import
from hris_pipeline.store.integrations import current_settings, get_integration
from hris_pipeline.store.stored_json import read_object
from hris_pipeline.store.tables import users
from hris_pipeline.transform.columns import SourceColumns, as_text, concat_rows, null_as_false
from hris_pipeline.transform.eligibility import has_left

__all__ = [
    "Explanation",
    "FieldExplanation",
    "Origin",
    "directory_as_of",
    "explain",
    "user_as_of",
]

User = Mapping[str, Any]


@dataclass(frozen=True)
class Origin:
    """An import that wrote a value: which, when, by whom, under which settings, from which extract."""

    import_id: str
    finished_at: datetime
    action: str
    trigger: str
    actor: str
    settings_version: int | None
    extract_id: str | None


@dataclass(frozen=True)
class FieldExplanation:
    """One field: what is stored, which import wrote it (None: none did), what feeds it now, what the employee has in
    that source, and the member's own fields behind it by dotted path. Values are a person's data."""

    field: str
    stored: str | None = dataclasses.field(repr=False)
    written_by: Origin | None
    source: str
    normalised: str | None = dataclasses.field(repr=False)
    member: Mapping[str, Any] = dataclasses.field(repr=False)


Employment = Literal["missing", "unknown", "inactive", "ended", "active"]


@dataclass(frozen=True)
class Explanation:
    """Everything known of one person. ``outcome`` says what an import of the latest extract would make of them now, and
    why; ``employment`` how the latest extract has them (``Employment``; None: no extract is kept); ``user_id`` is None
    when they are no user. ``others`` are hris_ids of further people of that extract who come with the same EmployeeId.
    """

    integration: str
    employee_id: str
    user_id: str | None
    hris_id: str | None
    status: str | None
    extract_id: str | None
    outcome: tuple[str, ...]
    fields: tuple[FieldExplanation, ...]
    employment: Employment | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Person:
    """One person in the latest extract: the value they have in any source (of one that was quarantined as it was sent),
    and their member as received."""

    manifest: Manifest | None = None
    hris_id: str | None = None
    value: Callable[[str], str | None] = lambda _: None
    member: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    outcome: tuple[str, ...] = ()
    employment: Employment | None = None
    others: tuple[str, ...] = ()


def explain(services: Services, integration_id: str, employee_id: str, field: str | None = None) -> Explanation:
    """Explains one person, found by EmployeeId (or justworks_id, or hris_id), in all fields or one (metadata as
    ``#Name``).

    Raises:
        UnknownName: neither the directory nor the latest extract knows the person, or there is no such field.
    """
    with services.store.read() as connection:
        integration = get_integration(connection, integration_id)
        settings = current_settings(connection, integration_id).settings
        sources = effective_mapping(settings)
        sources |= {entry.name.column: entry.source for entry in effective_metadata(settings)}
        if field is not None and field not in sources:
            raise UnknownName(f"There is no field {field[:80]!r}: one of {', '.join(sources)}.")
        user = _find_user(connection, integration.directory_id, employee_id)
        person = _read_person(services, connection, integration_id, settings, user, employee_id)
        if user is None and person.hris_id is None and not person.outcome:
            raise UnknownName(
                f"Nobody known as {employee_id[:80]!r} is a user of {integration_id} or in its latest extract."
            )
        explained_sources = {field: sources[field]} if field else sources
        origins = _find_origins(connection, user, explained_sources)
    return Explanation(
        integration=integration_id,
        employee_id=employee_id,
        user_id=user["user_id"] if user else None,
        hris_id=person.hris_id or (user["hris_id"] if user else None),
        status=user["status"] if user else None,
        extract_id=person.manifest.extract_id if person.manifest else None,
        outcome=person.outcome,
        fields=tuple(
            _explain_field(name, _effective_source(name, source, settings, person), user, person, origins.get(name))
            for name, source in explained_sources.items()
        ),
        employment=person.employment,
        others=person.others,
    )


def _employment_in_extract(
    mapped: pd.DataFrame, hris_id: str | None, failed: Collection[str], today: date
) -> Employment:
    """How the extract has somebody, in a word that holds no person's data; an end of an earlier spell is none."""
    row = mapped[mapped["hris_id"] == hris_id]
    if row.empty or "active" in failed or null_as_false(row["may_have_left"]).any():
        return "unknown"
    if not row["active"].all():
        return "inactive"
    return "ended" if has_left(row, today).any() else "active"


def user_as_of(services: Services, integration_id: str, employee_id: str, at: datetime | str) -> dict[str, Any] | None:
    """The user's state as imports had left it at that moment, or right after the import of an id; None when no import
    had made the user yet.

    Raises:
        UnknownName: the directory has no user with that EmployeeId, or there is no applied import of that id.
    """
    with services.store.read() as connection:
        integration = get_integration(connection, integration_id)
        user = _find_user(connection, integration.directory_id, employee_id)
        if user is None:
            raise UnknownName(f"{integration_id} has no user with EmployeeId {employee_id[:80]!r}.")
        return history.user_as_of(connection, user["user_id"], at)


def directory_as_of(services: Services, integration_id: str, at: datetime | str | None = None) -> pd.DataFrame:
    """The integration's directory as imports left it at a moment, right after the import of an id, or by now: one row a
    user (``store.history.directory_as_of``).

    Raises:
        UnknownName: no such integration, or no applied import of that id.
    """
    with services.store.read() as connection:
        directory_id = get_integration(connection, integration_id).directory_id
        return history.directory_as_of(connection, directory_id, at)


def _find_user(connection: sa.Connection, directory_id: str, known_as: str) -> User | None:
    """By EmployeeId, or else by hris_id."""
    named = sa.or_(users.c.employee_id == known_as, users.c.hris_id == known_as)
    first = sa.case((users.c.employee_id == known_as, 0), else_=1)
    matching = sa.select(users).where(users.c.directory_id == directory_id, named)
    row = connection.execute(matching.order_by(first).limit(1)).mappings().one_or_none()
    return None if row is None else dict(row)


def _read_person(
    services: Services,
    connection: sa.Connection,
    integration_id: str,
    settings: Settings,
    user: User | None,
    known_as: str,
) -> _Person:
    try:
        manifest = kept_manifest(services, integration_id)
        transformed = read_users(services, manifest, settings)
    except UnknownName:
        return _Person()
    except (FrameInvalid, UsageError) as unusable:
        return _Person(outcome=(str(unusable),))
    mapped, bad = transformed.mapped, transformed.quarantined
    plan = compute_plan(services, connection, manifest, mapped.users, settings, bad=bad, warnings=transformed.warnings)
    # A linked user is their own member and nobody else's, even if somebody else came to have their work id.
    linked = user["hris_id"] if user else None
    names = {linked} if linked else {known_as}
    people = concat_rows(transformed.validated.people.rows, transformed.validated.people.failed)
    carriers = [*_hris_ids(people, "justworks_id", known_as), *_hris_ids(bad, "employee_id", known_as)]
    candidates = (
        _hris_ids(people, "hris_id", linked) if linked else [*_hris_ids(people, "hris_id", known_as), *carriers]
    )
    hris_id = next(iter(candidates), None)
    people = people[_rows_named(people, "hris_id", {str(hris_id)})]
    unidentified = bad["hris_id"].isna() & (not linked) & _rows_named(bad, "employee_id", names)
    bad_rows = bad[_rows_named(bad, "hris_id", {str(hris_id)}) | unidentified]
    sent = dict(zip(bad_rows["field"], bad_rows["value"], strict=True))
    today = local_date(settings, services.now())
    is_listed = hris_id is not None or not names.isdisjoint(manifest.holes)
    called = {*names, hris_id, *([user["employee_id"]] if user else _employee_ids(mapped.users, hris_id))}
    outcome = [
        *_planned_actions(plan, called),
        *(reason for reason, whom in plan.diagnostics.items() if called & set(whom)),
    ]
    outcome += [f"{line.field}: {line.check} ({line.reason})" for line in bad_rows.itertuples()]
    columns = SourceColumns(people, manifest.company)
    return _Person(
        manifest,
        hris_id,
        lambda source: _first_text(as_text(columns(source))) or sent.get(source),
        read_member(manifest, services.archive, hris_id) if hris_id else {},
        tuple(outcome) or _no_change_reason(settings, manifest, user, hris_id),
        _employment_in_extract(mapped.users, hris_id, set(bad_rows["field"]), today) if is_listed else "missing",
        tuple(dict.fromkeys(name for name in carriers if name != hris_id)),
    )


def _employee_ids(mapped: pd.DataFrame, hris_id: str | None) -> list[str]:
    """What a person who is no user is called beside a plan."""
    rows = mapped[mapped["hris_id"] == hris_id] if hris_id and "employee_id" in mapped else mapped.iloc[:0]
    return list(rows["employee_id"].dropna()) if len(rows) else []


def _hris_ids(frame: pd.DataFrame, column: str, name: str) -> list[str]:
    """Of the rows that are called so."""
    return [str(hris_id) for hris_id in frame.loc[_rows_named(frame, column, {name}), "hris_id"].dropna()]


def _rows_named(frame: pd.DataFrame, column: str, names: set[str]) -> pd.Series:
    return frame[column].isin(names).fillna(False).astype(bool)


def _first_text(values: pd.Series) -> str | None:
    return None if values.empty or pd.isna(values.iloc[0]) else str(values.iloc[0])


def _planned_actions(plan: Plan, called: set[str | None]) -> list[str]:
    """What the plan would do to the person."""
    states = zip(plan.rows["action"].tolist(), plan.rows["after"].tolist(), strict=True)
    return [action for action, after in states if json.loads(after)["hris_id"] in called]


def _no_change_reason(
    settings: Settings, manifest: Manifest, user: User | None, hris_id: str | None
) -> tuple[str, ...]:
    """Why nothing happens to somebody who is in the extract, or is an active user."""
    if user is None or user["status"] != "active" or user["hris_id"] is None or hris_id:
        return ("unchanged",) if hris_id else ()
    if not manifest.complete:
        return ("missing from an incomplete extract, which archives nobody",)
    if not settings.archive_employees:
        return ("missing, and archive_employees is off",)
    return ("missing, and not confirmed as gone by that extract",)


def _effective_source(name: str, source: str, settings: Settings, person: _Person) -> str:
    """The source of a field, for this person."""
    latest = name == "hire_date" and settings.hire_date_priority == "latest" and person.value("latest_rehire_date")
    return "latest_rehire_date" if latest else source


def _explain_field(
    name: str, source: str, user: User | None, person: _Person, written_by: Origin | None
) -> FieldExplanation:
    stored = None
    if user is not None:
        stored = read_object(user["metadata"]).get(name[1:]) if name.startswith("#") else user[name]
    column = "custom_fields" if custom_label(source) is not None else source
    return FieldExplanation(
        field=name,
        stored=None if stored is None else str(stored),
        written_by=written_by,
        source=source,
        normalised=person.value(source),
        member=member_fields(person.manifest.source, column, person.member) if person.manifest else {},
    )


def _find_origins(connection: sa.Connection, user: User | None, names: Iterable[str]) -> dict[str, Origin]:
    """Of each field the import that last wrote it."""
    past = history.user_history(connection, user["user_id"]) if user else ()
    last = {name: row for name in names for row in past if row.action == "create" or name in row.changed}
    written_by = {row.import_id: get_import(connection, row.import_id) for row in last.values()}
    return {name: _build_origin(row, written_by[row.import_id]) for name, row in last.items()}


def _build_origin(row: history.HistoryRow, by: Import) -> Origin:
    return Origin(by.import_id, row.finished_at, row.action, by.trigger, by.actor, by.settings_version, by.extract_id)
