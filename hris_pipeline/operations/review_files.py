"""The review of an import as a file (a page that works offline, CSV, or a workbook), and its reasons in an
administrator's words, in one place for every face.

All files show people's values. What stands in them is ``review``'s; row by row, so that a large import needs no more
memory than a small one.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import IO, Any

from hris_pipeline.contract import APPLIED_COUNTS
from hris_pipeline.operations.review import (
    FIELD_REASONS,
    Filters,
    NotApplied,
    Person,
    Review,
    ReviewRow,
    all_rows,
    people_not_applied,
    review,
)
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.fields import USER_FIELD_NAMES, USER_FIELDS
from hris_pipeline.settings.text import local_moment, plural
from hris_pipeline.store.imports import Import
from hris_pipeline.transform.spreadsheets import write_csv, write_xlsx

__all__ = ["GUARD_TITLES", "REVIEW_FILES", "field_title", "group_words", "guard_title", "reason_words", "write_review"]

REASONS: Mapping[str, str] = {
    "conflict": "conflict: somebody must decide who this is",
    "awaiting_decision": "awaiting a decision: on the other side of a conflict",
    "inactive_local": "inactive in the source, and an active local user",
    "protected": "protected from imports",
    "quarantined": "quarantined: the record fails validation",
    "hole": "hole: nothing was learnt of them this time",
    "excluded:inactive": "excluded: inactive, and no user yet",
    "excluded:not_started": "excluded: not started yet",
    "excluded:may_have_left": "excluded: the record does not tell for certain whether they work",
    "excluded:service_account": "excluded: service account",
    "excluded:ignored": "excluded: ignored, as somebody decided",
    "archived:missing": "archived: not listed any more, confirmed gone",
    "archived:not_employed": "archived: not employed any more, the source says",
    "warning:associated_unknown": "warning: a further supervisor is nobody known, left blank",
    "warning:do_not_archive_unknown": "warning: under “do not archive” stands an id that nobody has",
    "warning:email_taken": "warning: another user has the email, imported without",
    "warning:field_unread": "warning: nothing could be read from what was sent, kept as stored",
    "warning:supervisor_cycle": "warning: supervisor of themselves, directly or through others; kept as sent",
    "warning:supervisor_unknown": "warning: the supervisor is nobody known, left blank",
    "warning:phone_not_international": "warning: phone number is not international (no SMS)",
    "warning:gone_since": "left alone: gone since",
    "warning:value_taken": "left alone: another user has that value now",
    "warning:field_missing_for_all": "warning: field missing for everybody, kept as stored",
}
"""Why somebody is not applied, or warned about, in an administrator's words."""


_UNREAD = "warning:field_unread:"
"""In front of the field that could not be read of the people named."""


GUARD_TITLES: Mapping[str, str] = {
    "incomplete_extract": "Not everybody could be read",
    "archive_limit": "Many people would be archived",
    "slow_bleed": "Many people were archived within a week",
    "create_limit": "Many new users",
    "employee_id_mismatch": "Many EmployeeIds would change",
    "email_change_limit": "Many emails would change",
    "identity_change": "Many people come back under other ids",
    "quarantine_growth": "Many more people in quarantine",
    "unread_field": "A field could not be read",
    "field_wipe": "A field would become empty for many",
}
"""What each guard has seen when it trips, in an administrator's words."""


def guard_title(name: str) -> str:
    """A guard in the words of whoever decides; one that there is no more by its name."""
    return GUARD_TITLES.get(name, name.replace("_", " "))


def reason_words(reason: str) -> str:
    """A reason of ``Import.diagnostics``, or why a row stands out, in words."""
    if reason.startswith("guard:"):
        return f"guard: {guard_title(reason.removeprefix('guard:'))}"
    if reason.startswith("warning:changed_since:"):
        return f"left alone: {field_title(reason.rpartition(':')[2])} changed since"
    if reason.startswith(_UNREAD):
        return f"{REASONS['warning:field_unread']}: {field_title(reason.removeprefix(_UNREAD))}"
    for kind in ("excluded", "archived"):
        if reason.startswith(f"{kind}:rule:"):
            return f"{kind}: rule {reason.removeprefix(f'{kind}:rule:')}"
    if ": " in reason:
        return reason
    return REASONS.get(reason, reason.replace(":", ": ").replace("_", " "))


def group_words(group: NotApplied) -> str:
    """The reason of a group of people; of quarantined ones with the field and what is wrong with it.
    Where fields stand under a reason, these."""
    if group.reason in FIELD_REASONS:
        return f"{reason_words(group.reason)}: {', '.join(map(field_title, group.ids))}"
    if group.field is None:
        return reason_words(group.reason)
    return f"quarantined: {group.field} {group.detail or group.check}"


def field_title(name: str) -> str:
    """A user field in the words of whoever reads, metadata under its own name."""
    return _TITLES.get(name) or name.removeprefix("#").replace("_", " ")


_TITLES = {field.name: field.title for field in USER_FIELDS} | {"status": "Status", "hris_id": "HRIS id"}

MOST_PEOPLE = 2000
"""So many people a reason lists on the page."""


@dataclass(frozen=True)
class _Source:
    """What a file is written from: the first page for everything but rows, and the rows."""

    services: Services
    page: Review
    rows: Callable[[], Iterator[ReviewRow]]

    def people(self, group: NotApplied, most: int) -> Sequence[Person]:
        """Whom a reason names; of one check of quarantine the first."""
        if group.reason in FIELD_REASONS:
            return ()
        if group.field is not None:
            return group.people or [Person(name, None, None, None) for name in group.ids]
        return people_not_applied(
            self.services,
            self.page.summary.import_id,
            group.reason,
            filters=self.page.filters,
            page_size=most,
            reveal=True,
        )[0]


def write_review(
    services: Services,
    import_id: str,
    file: IO[bytes],
    ending: str,
    *,
    filters: Filters | None = None,
    sort: str = "action",
) -> int:
    """Writes the review of an import, people's values revealed, in the form of one of ``REVIEW_FILES``; gives how many
    rows it has.

    Raises:
        UnknownName: no import of that id.
        UsageError: a filter or a way of sorting that there is not.
    """
    page = review(services, import_id, filters=filters, sort=sort, page_size=1, reveal=True)
    source = _Source(
        services, page, lambda: all_rows(services, import_id, filters=page.filters, sort=sort, reveal=True)
    )
    REVIEW_FILES[ending](source, file)
    return page.total


def _write_html(source: _Source, file: IO[bytes]) -> None:
    page = source.page
    style, script = _read_page_part("review.css"), _read_page_part("review.js")
    stream = _load_template().generate(
        summary=page.summary,
        headline=_import_headline(page.summary),
        planned_at=local_moment(page.summary.planned_at, source.services.time_zone(page.summary.integration_id)),
        applied_counts=APPLIED_COUNTS,
        by_action=page.by_action,
        filtered=_filters_words(page.filters),
        fields=_difference_columns(page),
        reasons=_row_reasons(page.summary),
        rows=source.rows(),
        groups=[(group, source.people(group, MOST_PEOPLE)) for group in page.not_applied],
        decision=_decision_commands(page.summary),
        words=reason_words,
        field_reasons=FIELD_REASONS,
        group_words=group_words,
        title=field_title,
        value=_value_text,
        style=_mark_trusted(style),
        script=_mark_trusted(script),
        style_hash=_policy_hash(style),
        script_hash=_policy_hash(script),
    )
    for part in stream:
        file.write(part.encode("utf-8", "replace"))


def _write_csv(source: _Source, file: IO[bytes]) -> None:
    header, rows = _difference_table(source)
    write_csv(file, header, rows)


def _write_xlsx(source: _Source, file: IO[bytes]) -> None:
    others = (
        (group_words(group), person.id, person.name)
        for group in source.page.not_applied
        for person in source.people(group, group.count) or [Person("", None, None, None)]
    )
    not_applied = (("Reason", "Id", "Name"), others)
    write_xlsx(file, {"Changes": _difference_table(source), "Not applied": not_applied})


REVIEW_FILES: Mapping[str, Callable[[_Source, IO[bytes]], None]] = {
    ".html": _write_html,
    ".csv": _write_csv,
    ".xlsx": _write_xlsx,
}
"""How a review is written, by the ending of the file's name."""


def _difference_table(source: _Source) -> tuple[Sequence[str], Iterable[Sequence[str | None]]]:
    """A column for the old and for the new value of every field that the import changes, or brings."""
    columns = _difference_columns(source.page)
    header = ["Action", "EmployeeId (old)", "EmployeeId (new)", "HRIS id", "Name", "Why"]
    header += [f"{field_title(name)} ({age})" for name in columns for age in ("old", "new")]

    def row_cells(row: ReviewRow) -> list[str | None]:
        fixed = [row.action, row.employee_id_before, row.employee_id_after, row.hris_id, row.name]
        changes = [row.changes.get(name) for name in columns]
        values = [
            _text_or_none(value) for change in changes for value in (change and change.before, change and change.after)
        ]
        return [*fixed, "; ".join(map(reason_words, row.why)), *values]

    return header, (row_cells(row) for row in source.rows())


def _difference_columns(page: Review) -> list[str]:
    """The fields that rows of the import change; where it creates people, also every one that they may come with."""
    names = set(page.fields)
    if page.by_action.get("create"):
        names |= set(USER_FIELD_NAMES) | {f"#{name}" for name in page.metadata}
    order = {name: place for place, name in enumerate(USER_FIELD_NAMES)}
    return sorted(names - {"employee_id"}, key=lambda name: (order.get(name, len(order)), name))


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _value_text(value)


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value in (None, "") else str(value)


def _import_headline(record: Import) -> str:
    if record.status == "planned":
        return (
            f"{plural(record.changes, 'person', 'people')} would change" if record.changes else "nothing would change"
        )
    return f"{plural(record.changes, 'person', 'people')}, {record.status}"


def _filters_words(filters: Filters) -> str:
    named = {"action": filters.action, "field": filters.field, "guard": filters.guard, "text": filters.text}
    return ", ".join(f"{name} {value!r}" for name, value in named.items() if value)


def _row_reasons(record: Import) -> list[str]:
    """What rows can stand in."""
    warnings = [
        reason for reason in record.diagnostics if reason.startswith("warning:") and reason not in FIELD_REASONS
    ]
    return [*(f"guard:{guard.name}" for guard in record.tripped), *warnings]


def _decision_commands(record: Import) -> list[dict[str, str]]:
    """What whoever decides has to say, word for word."""
    save = f"hris save {record.integration_id} {record.import_id}"
    discard = {"words": "To drop it:", "command": f"hris discard {record.import_id}"}
    match record.status:
        case "planned":
            return [discard, {"words": "To apply exactly this:", "command": save}]
        case "held":
            approve = f"hris approve {record.import_id} --digest {record.digest[:12]} --by WHO --reason WHY"
            return [
                discard,
                {"words": "A guard holds it. To let it through, with name and reason, and then apply exactly this:"}
                | {"command": f"{approve}\n{save}"},
            ]
        case "applied":
            undo = f"hris undo {record.import_id}"
            return [{"words": "It is applied. To plan the way back:", "command": undo}]
        case status:
            preview = f"hris preview {record.integration_id}"
            return [{"words": f"It is {status}, and can no longer be applied. A new one:", "command": preview}]


def _read_page_part(name: str) -> str:
    return (files("hris_pipeline.operations") / "templates" / name).read_text("utf-8").strip()


def _policy_hash(text: str) -> str:
    """As a content policy names what it allows."""
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _load_template() -> Any:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only for a page

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(_read_page_part("review.html"))


def _mark_trusted(text: str) -> Any:
    from markupsafe import Markup  # noqa: PLC0415

    return Markup(text)  # noqa: S704 - the package's own files
