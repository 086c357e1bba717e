"""Looking back: imports, also of integrations that were deleted, a user or the directory as of one, and why somebody is
as they are."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pandas as pd
from starlette.responses import Response

from hris_pipeline.console.visit import Page, Visit
from hris_pipeline.console.words import moment_words
from hris_pipeline.contract import PAGE_SIZE, ImportStatus
from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.operations.explanation import Explanation, directory_as_of, explain, user_as_of
from hris_pipeline.operations.overview import history, history_length, read_import
from hris_pipeline.operations.review_files import field_title, reason_words
from hris_pipeline.operations.review_rows import check_text
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.store.conditions import SEARCHED
from hris_pipeline.store.imports import Import
from hris_pipeline.store.review import visible_metadata

__all__ = ["PAGES"]

DIRECTORY_FIELDS = ("employee_id", "first_name", "last_name", "email", "supervisor_id", "hire_date", "status")
NOT_SHOWN = frozenset({"email_key", "integration_id", "metadata"})


def show(visit: Visit) -> Response:
    """The imports, the newest first, and what can be asked about people."""
    return _history_page(visit)


def _history_page(visit: Visit, **values: Any) -> Response:
    status = visit.query.get("status", "")
    statuses = [status] if status in get_args(ImportStatus) else None
    page, pages = visit.page_of(history_length(visit.services, visit.name, statuses), PAGE_SIZE)
    answers: dict[str, Any] = {"explained": None, "user": None, "as_of": "", "then": ""}
    return visit.page(
        "history.html",
        place="history",
        imports=history(visit.services, visit.name, statuses, PAGE_SIZE, (page - 1) * PAGE_SIZE),
        page=page,
        pages=pages,
        status_filter=status,
        statuses=get_args(ImportStatus),
        zone=visit.zone,
        reason_words=reason_words,
        employee_id=visit.text("employee_id"),
        **{**answers, **values},
    )


def explain_person(visit: Visit) -> Response:
    """Why somebody is as they are, or is no user."""
    if not visit.text("employee_id"):
        visit.problems["employee_id"] = "Give an EmployeeId."
        return _history_page(visit)
    try:
        explained: Explanation = explain(visit.services, visit.name, visit.text("employee_id"))
    except UnknownName as error:
        visit.problems["employee_id"] = str(error)
        return _history_page(visit)
    visible = _visible_metadata(visit)
    fields = tuple(line for line in explained.fields if line.field[0] != "#" or line.field[1:] in visible)
    return _history_page(visit, explained=replace(explained, fields=fields))


def user_then(visit: Visit) -> Response:
    """A user as imports had left them at the end of a day, or right after an import."""
    import_id, typed = visit.text("import_id"), visit.text("as_of")
    try:
        at, words = _moment_after_import(visit, import_id) if import_id else _end_of_day(visit, typed)
    except UnknownName:
        raise
    except UsageError as error:
        visit.problems["as_of"] = str(error)
        return _history_page(visit, as_of=typed)
    try:
        state = user_as_of(visit.services, visit.name, visit.text("employee_id"), at)
    except UnknownName as error:
        visit.problems["employee_id_then"] = str(error)
        return _history_page(visit, as_of=typed)
    return _history_page(visit, user=_visible_state(visit, state) if state else {}, as_of=typed, then=words)


def _moment_after_import(visit: Visit, import_id: str) -> tuple[str, str]:
    """The moment right after an import, and its words."""
    summary = _read_own_import(visit, import_id)
    return import_id, f"after the import of {moment_words(summary.finished_at, visit.zone)}"


def _end_of_day(visit: Visit, typed: str) -> tuple[datetime, str]:
    """The end of a day in the integration's time zone, or now when the day is today, and its words.

    Raises:
        UsageError: it is no day, or one to come.
    """
    zone, now = ZoneInfo(visit.zone), visit.services.now()
    today = now.astimezone(zone).date()
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        raise UsageError("Give a date, such as 2026-01-31.") from None
    if day > today:
        raise UsageError(f"{day.isoformat()} is still to come ({visit.zone}): give a day that has been.")
    if day == today:
        return now, "now"
    end = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    return end, f"at the end of {day.isoformat()} ({visit.zone})"


def _visible_state(visit: Visit, state: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a user without hidden metadata."""
    visible = _visible_metadata(visit)
    fields = {field_title(name): state.get(name) for name in USER_STATE if name not in NOT_SHOWN}
    metadata = {f"#{key}": value for key, value in (state.get("metadata") or {}).items() if key in visible}
    return fields | metadata


def _visible_metadata(visit: Visit) -> frozenset[str]:
    """The names of the metadata that may be shown: not hidden, as far as any settings say."""
    with visit.services.store.read() as connection:
        return visible_metadata(connection, visit.name, None, visit.services.now())


def directory(visit: Visit) -> Response:
    """The whole directory right after an import, or whoever of it has what is looked for; that comes by POST."""
    summary = _read_own_import(visit, visit.route["import_id"])
    frame = directory_as_of(visit.services, visit.name, summary.import_id).sort_values("employee_id")
    text = visit.text("text")
    check_text(text)
    if text:
        frame = frame[_has_words(frame, text)]
    page, pages = visit.page_of(len(frame), PAGE_SIZE)
    part = frame.iloc[(page - 1) * PAGE_SIZE : page * PAGE_SIZE][list(DIRECTORY_FIELDS)]
    rows = part.astype(object).where(part.notna(), None).to_numpy().tolist()
    return visit.page(
        "directory.html",
        place="history",
        summary=summary,
        columns=[field_title(name) for name in DIRECTORY_FIELDS],
        rows=rows,
        total=len(frame),
        text=text,
        page=page,
        pages=pages,
    )


def _read_own_import(visit: Visit, import_id: str) -> Import:
    """An import, if it is one of this integration."""
    summary = read_import(visit.services, import_id)
    if summary.integration_id != visit.name:
        raise UnknownName(f"Import {summary.import_id} is not one of {visit.name}.")
    return summary


def _has_words(frame: pd.DataFrame, text: str) -> pd.Series:
    """Whose ids, names or addresses contain every word, whatever its case."""
    columns = [frame[name].fillna("").astype(str) for name in SEARCHED]
    names = columns[0].str.cat(pd.DataFrame(dict(enumerate(columns[1:]))), sep=" ").str.casefold()
    has_all = pd.Series(True, index=frame.index)
    for word in text.casefold().split():
        has_all &= names.str.contains(word, regex=False).astype(bool)
    return has_all


PAGES = (
    Page("/i/{name}/history", "see", show),
    Page("/i/{name}/history/explain", "see_people", explain_person, "POST"),
    Page("/i/{name}/history/user", "see_people", user_then, "POST"),
    Page("/i/{name}/history/{import_id}", "see_people", directory),
    Page("/i/{name}/history/{import_id}", "see_people", directory, "POST"),
)
