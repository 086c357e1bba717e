"""The review of an import, one model for every face: what it changes, for whom, from what to what, and why; and whoever
it does not change, with the reason.

The command line, the files and the console show this and nothing else, so that they agree. Values are masked unless
``reveal`` is asked for; hidden metadata is never part of a review, revealed or not. Nothing here reaches Dagster.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from functools import cached_property

import sqlalchemy as sa

from hris_pipeline.contract import ACTIONS, PAGE_SIZE
from hris_pipeline.errors import HrisError, UsageError
from hris_pipeline.operations.review_rows import (
    FIELD_REASONS,
    SYSTEM_FIELDS,
    Change,
    ReviewRow,
    archive_reason,
    check_text,
    known_as,
    mask,
    reasons_by_id,
    review_row,
)
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.settings.text import suggestion
from hris_pipeline.sources.archive import Archive
from hris_pipeline.store import review as stored
from hris_pipeline.store.imports import Import, get_import

__all__ = [
    "FIELD_REASONS",
    "Change",
    "Filters",
    "NotApplied",
    "Person",
    "Review",
    "ReviewRow",
    "all_rows",
    "check_filters",
    "people_not_applied",
    "review",
]

BATCH = 500
PREVIEWED_PEOPLE = 12
"""How many people a reason lists before one asks for them page by page."""

FILTER_FIELDS: tuple[str, ...] = tuple(name for name in USER_STATE if name not in {*SYSTEM_FIELDS, "metadata"})


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What is to be seen of an import; everything by default, and what is given narrows together.

    ``action`` is one of create, update, archive, restore; ``field`` a changed field (metadata as ``#Name``), of a
    create one that it comes with; ``guard`` the people whom a tripped guard names; ``text`` parts of ids, names or
    addresses, whatever their case."""

    action: str | None = None
    field: str | None = None
    guard: str | None = None
    text: str | None = None

    @property
    def any(self) -> bool:
        """Whether anything is filtered."""
        return any(value for value in (self.action, self.field, self.guard, self.text))


@dataclass(frozen=True)
class Person:
    """Somebody who is named beside an import: ``id`` as it is named there; ``name`` where the store knows one."""

    id: str
    name: str | None = attribute(repr=False)
    user_id: str | None
    hris_id: str | None


@dataclass(frozen=True)
class NotApplied:
    """People who are not applied, or warned about, for one reason: ``reason`` as in ``Import.diagnostics``; of
    quarantined people ``field``, ``check`` and ``detail`` say which. ``ids`` are the first of them.

    Under one of ``FIELD_REASONS`` the ids are names of fields."""

    reason: str
    count: int
    ids: tuple[str, ...]
    people: tuple[Person, ...] = attribute(repr=False)
    field: str | None = None
    check: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Review:
    """One page of an import's review. ``total`` rows fit the filters, ``by_action`` splits them whatever action is
    asked for; ``fields`` counts the changed fields of the whole import, for choosing one, ``updated_fields`` those of
    updates alone, and ``metadata`` names what may be shown of it; ``not_applied`` is everybody else."""

    summary: Import
    filters: Filters
    sort: str
    page: int
    page_size: int
    total: int
    by_action: Mapping[str, int]
    fields: Mapping[str, int]
    updated_fields: Mapping[str, int]
    metadata: tuple[str, ...]
    rows: tuple[ReviewRow, ...]
    not_applied: tuple[NotApplied, ...]
    revealed: bool

    @property
    def pages(self) -> int:
        """How many pages there are, one at least."""
        return max(1, -(-self.total // self.page_size))


def review(
    services: Services,
    import_id: str,
    *,
    filters: Filters | None = None,
    sort: str = "action",
    page: int = 1,
    page_size: int = PAGE_SIZE,
    reveal: bool = False,
) -> Review:
    """One page of the review of an import, whatever became of it.

    Args:
        services: The store.
        import_id: Which import.
        filters: What is to be seen.
        sort: ``action``, ``employee_id`` or ``name``; with a minus in front the other way round.
        page: From 1; past the last page is the last.
        page_size: How many rows a page has.
        reveal: Whether values and names are shown, not masked.

    Raises:
        UnknownName: no import of that id.
        UsageError: a filter or a way of sorting that there is not.
    """
    filters = filters or Filters()
    check_filters(filters, sort)
    if page < 1 or page_size < 1:
        raise UsageError("Pages are counted from 1, and hold one row at least.")
    with services.store.read() as connection:
        reader = _open_reader(services, connection, import_id, filters, reveal=reveal)
        fields = reader.fields()
        read = stored.read_page(connection, reader.query, sort=sort, page=page, page_size=page_size)
        return Review(
            summary=reader.summary,
            filters=filters,
            sort=sort,
            page=read.page,
            page_size=page_size,
            total=sum(count for action, count in read.by_action.items() if filters.action in (None, action)),
            by_action=read.by_action,
            fields={name: sum(counts.values()) for name, counts in fields.items()},
            updated_fields={name: counts["update"] for name, counts in fields.items() if "update" in counts},
            metadata=tuple(sorted(reader.visible)),
            rows=reader.rows(read.user_ids),
            not_applied=reader.not_applied(),
            revealed=reveal,
        )


def all_rows(
    services: Services,
    import_id: str,
    *,
    filters: Filters | None = None,
    sort: str = "action",
    reveal: bool = False,
) -> Iterator[ReviewRow]:
    """Every row that fits the filters, read in batches: for files and for ``--rows``.

    Raises:
        UnknownName: no import of that id.
        UsageError: a filter or a way of sorting that there is not.
    """
    filters = filters or Filters()
    check_filters(filters, sort)
    with services.store.read() as connection:
        reader = _open_reader(services, connection, import_id, filters, reveal=reveal)
        user_ids = reader.user_ids(sort)
        for start in range(0, len(user_ids), BATCH):
            yield from reader.rows(user_ids[start : start + BATCH])


def people_not_applied(
    services: Services,
    import_id: str,
    reason: str,
    *,
    filters: Filters | None = None,
    page: int = 1,
    page_size: int = PAGE_SIZE,
    reveal: bool = False,
) -> tuple[tuple[Person, ...], int]:
    """A page of the people under one reason of ``Import.diagnostics``, and how many there are in all.

    Raises:
        UnknownName: no import of that id.
    """
    filters = filters or Filters()
    check_filters(filters, "action")
    with services.store.read() as connection:
        reader = _open_reader(services, connection, import_id, filters, reveal=reveal)
        ids = reader.ids_under(reason)
        start = (page - 1) * page_size
        return reader.people(ids[start : start + page_size]), len(ids)


@dataclass(frozen=True)
class _Reader:
    """What one review reads with: an open transaction, the import, the query, and who stands in which reason."""

    connection: sa.Connection
    archive: Archive
    summary: Import
    directory_id: str
    query: stored.RowQuery
    filters: Filters
    visible: frozenset[str]
    reveal: bool

    def user_ids(self, sort: str) -> Sequence[str]:
        key, descending = sort.removeprefix("-"), sort.startswith("-")
        return stored.sorted_user_ids(self.connection, self.query, sort=key, descending=descending)

    def rows(self, user_ids: Sequence[str]) -> tuple[ReviewRow, ...]:
        rows = stored.read_rows(self.connection, self.query.import_id, user_ids)
        reasons = reasons_by_id(self.summary, frozenset(known_as(row) for row in rows))
        why = ((*reasons.get(known_as(row), ()), *self._reasons_to_archive(row)) for row in rows)
        pairs = zip(rows, why, strict=True)
        return tuple(review_row(row, reason, self.visible, reveal=self.reveal) for row, reason in pairs)

    def _reasons_to_archive(self, row: stored.StoredRow) -> tuple[str, ...]:
        """How the source says that somebody who is archived has left; a hire may have their EmployeeId."""
        if row.action != "archive" or self.missing is None:
            return ()
        return (archive_reason(row, self.summary, self.missing, self.archiving_rules),)

    @cached_property
    def missing(self) -> frozenset[str] | None:
        """Who was not listed any more in the extract; None where no extract says: of an undo, or after retention."""
        if self.summary.extract_id is None or self.summary.trigger == "undo":
            return None
        try:
            return frozenset(self.archive.manifest(self.summary.integration_id, self.summary.extract_id).missing)
        except HrisError:
            return None

    @cached_property
    def archiving_rules(self) -> tuple[str, ...]:
        """The do-not-import rules that archive, under the settings it was planned with."""
        return stored.archiving_rules(self.connection, self.summary.integration_id, self.summary.settings_version)

    def fields(self) -> dict[str, dict[str, int]]:
        counts = stored.changed_fields(self.connection, self.query.import_id)
        return {name: by_action for name, by_action in counts.items() if self._shows_field(name)}

    def not_applied(self) -> tuple[NotApplied, ...]:
        groups = [*self._by_reason(), *self._quarantine_by_check()]
        groups.sort(key=lambda group: (_reason_order(group.reason), group.reason))
        return self._with_people([group for group in groups if group.count])

    def ids_under(self, reason: str) -> list[str]:
        """Whom the filters leave of a reason's people."""
        ids: Collection[str] = self.summary.diagnostics.get(reason, ())
        if reason in FIELD_REASONS:
            return [name for name in ids if self._shows_field(name)]
        if self.query.people is not None:
            ids = [name for name in ids if name in self.query.people]
        if self.filters.text and ids:
            matching = stored.people_matching(
                self.connection, self.directory_id, self.summary.integration_id, self.filters.text
            )
            words = self.filters.text.casefold().split()
            ids = [name for name in ids if name in matching or all(word in name.casefold() for word in words)]
        return list(ids)

    def people(self, ids: Sequence[str]) -> tuple[Person, ...]:
        names = stored.names_of_people(self.connection, self.summary.integration_id, self.directory_id, ids)
        return tuple(self._build_person(key, names.get(key)) for key in ids)

    def _build_person(self, key: str, name: stored.PersonName | None) -> Person:
        if name is None:
            return Person(key, None, None, None)
        return Person(key, name.name if self.reveal else mask(name.name), name.user_id, name.hris_id)

    def _with_people(self, groups: Sequence[NotApplied]) -> tuple[NotApplied, ...]:
        """The groups with the people whom they list, all looked up at once."""
        ids = dict.fromkeys(key for group in groups if group.reason not in FIELD_REASONS for key in group.ids)
        people = {person.id: person for person in self.people(tuple(ids))}
        return tuple(
            group if group.reason in FIELD_REASONS else replace(group, people=tuple(people[key] for key in group.ids))
            for group in groups
        )

    def _by_reason(self) -> Iterator[NotApplied]:
        for reason in self.summary.diagnostics:
            if reason != "quarantined":
                ids = self.ids_under(reason)
                yield NotApplied(reason, len(ids), tuple(ids[:PREVIEWED_PEOPLE]), ())

    def _quarantine_by_check(self) -> Iterator[NotApplied]:
        """By field and check; as the plan counted them when the quarantined rows are not kept any more."""
        extract_id = self.summary.extract_id
        if "quarantined" not in self.summary.diagnostics or extract_id is None:
            return
        ids = self.ids_under("quarantined")
        lines = stored.quarantine_lines(self.connection, self.summary.integration_id, extract_id)
        if not lines:
            yield NotApplied("quarantined", len(ids), tuple(ids[:PREVIEWED_PEOPLE]), ())
        left = set(ids) if self.filters.text or self.filters.guard else None
        groups: dict[tuple[str, str], list[stored.QuarantineLine]] = {}
        for line in lines:
            groups.setdefault((line.field, line.check), []).append(line)
        for (field, check), failed in groups.items():
            named = {line.hris_id or line.employee_id: line.employee_id or line.hris_id or "?" for line in failed}
            people = [name for name in named.values() if left is None or name in left]
            first = tuple(dict.fromkeys(people))[:PREVIEWED_PEOPLE]
            yield NotApplied("quarantined", len(people), first, (), field, check, min(line.reason for line in failed))

    def _shows_field(self, name: str) -> bool:
        return name not in SYSTEM_FIELDS and not stored.is_hidden(name, self.visible)


_ORDER = ("conflict", "awaiting_decision", "quarantined", "protected", "inactive_local", "hole", "excluded", "warning")


def _reason_order(reason: str) -> int:
    kind = reason.partition(":")[0]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _open_reader(
    services: Services, connection: sa.Connection, import_id: str, filters: Filters, *, reveal: bool
) -> _Reader:
    summary = get_import(connection, import_id)
    visible = stored.visible_metadata(connection, summary.integration_id, summary.settings_version, summary.planned_at)
    _refuse_unknown_guard(filters, summary)
    hidden = filters.field is not None and stored.is_hidden(filters.field, visible)
    people = _ids_of_guard(summary, filters.guard) if filters.guard else None
    query = stored.RowQuery(
        import_id=import_id,
        action=filters.action,
        field=filters.field,
        people=() if hidden else people,
        text=filters.text,
    )
    return _Reader(connection, services.archive, summary, summary.directory_id, query, filters, visible, reveal)


def check_filters(filters: Filters, sort: str) -> None:
    """Refuses what no import could be filtered or sorted by, before one is made to be looked at.

    Raises:
        UsageError: an action, a field or a way of sorting that there is not, or a text too long.
    """
    check_text(filters.text or "")
    if sort.removeprefix("-") not in stored.SORTS:
        raise UsageError(f"Rows cannot be sorted by {sort[:40]!r}: use {', '.join(stored.SORTS)}.")
    if filters.action and filters.action not in ACTIONS:
        hint = suggestion(filters.action, ACTIONS)
        raise UsageError(f"There is no action {filters.action[:40]!r}: use {', '.join(ACTIONS)}.{hint}")
    if filters.field and not filters.field.startswith("#") and filters.field not in FILTER_FIELDS:
        raise UsageError(
            f"There is no field {filters.field[:40]!r}: use {', '.join(FILTER_FIELDS)}, or #Name for metadata."
            f"{suggestion(filters.field, FILTER_FIELDS)}"
        )


def _refuse_unknown_guard(filters: Filters, summary: Import) -> None:
    guards = [guard.name for guard in summary.guards]
    if filters.guard and filters.guard not in guards:
        listed = ", ".join(guards) or "none, as nothing guards an undo or a failed run"
        raise UsageError(
            f"Import {summary.import_id} has no guard {filters.guard[:40]!r}: it has {listed}."
            f"{suggestion(filters.guard, guards)}"
        )


def _ids_of_guard(summary: Import, guard: str) -> frozenset[str]:
    return frozenset(name for judged in summary.guards if judged.name == guard for name in judged.employee_ids)
