"""Looking back: imports, a user or the directory as of one, and why somebody is as they are."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

from starlette.responses import Response

from hris_pipeline.console.visit import Page, Visit
from hris_pipeline.contract import ImportStatus
from hris_pipeline.errors import UnknownName
from hris_pipeline.operations.explanation import Explanation, directory_as_of, explain, user_as_of
from hris_pipeline.operations.overview import history, read_import
from hris_pipeline.operations.review_files import field_title, reason_words
from hris_pipeline.operations.settings import settings_in_force
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.store.review import visible_metadata

__all__ = ["PAGES"]

PAGE_SIZE = 50
MOST = 500
DIRECTORY_FIELDS = ("employee_id", "first_name", "last_name", "email", "supervisor_id", "hire_date", "status")
NOT_SHOWN = frozenset({"email_key", "integration_id", "metadata"})


def show(visit: Visit) -> Response:
    """The imports, the newest first, and what can be asked about people."""
    return _page(visit)


def _page(visit: Visit, **values: Any) -> Response:
    status = visit.query.get("status", "")
    statuses = [status] if status in get_args(ImportStatus) else None
    imports = history(visit.services, visit.name, statuses, MOST)
    page = max(1, int(number)) if (number := visit.query.get("page", "1")).isdigit() else 1
    answers: dict[str, Any] = {"explained": None, "user": None, "as_of": "", "employee_id": visit.text("employee_id")}
    return visit.page(
        "history.html",
        place="history",
        imports=imports[(page - 1) * PAGE_SIZE : page * PAGE_SIZE],
        page=page,
        pages=max(1, -(-len(imports) // PAGE_SIZE)),
        chosen=status,
        statuses=get_args(ImportStatus),
        zone=settings_in_force(visit.services, visit.name).settings.time_zone,
        reason_words=reason_words,
        **{**answers, **values},
    )


def explain_person(visit: Visit) -> Response:
    """Why somebody is as they are, or is no user."""
    if not visit.text("employee_id"):
        visit.problems["employee_id"] = "Give an EmployeeId."
        return _page(visit)
    try:
        explained: Explanation = explain(visit.services, visit.name, visit.text("employee_id"))
    except UnknownName as error:
        visit.problems["employee_id"] = str(error)
        return _page(visit)
    visible = _visible_metadata(visit)
    fields = tuple(line for line in explained.fields if line.field[0] != "#" or line.field[1:] in visible)
    return _page(visit, explained=replace(explained, fields=fields))


def user_then(visit: Visit) -> Response:
    """A user as imports had left them at the end of a day."""
    zone = ZoneInfo(settings_in_force(visit.services, visit.name).settings.time_zone)
    try:
        day = date.fromisoformat(visit.text("as_of"))
        at = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    except (ValueError, OverflowError):
        visit.problems["as_of"] = "Give a date, such as 2026-01-31."
        return _page(visit, as_of=visit.text("as_of"))
    try:
        state = user_as_of(visit.services, visit.name, visit.text("employee_id"), at)
    except UnknownName as error:
        visit.problems["employee_id_then"] = str(error)
        return _page(visit, as_of=visit.text("as_of"))
    return _page(visit, user=_visible(visit, state) if state else {}, as_of=day.isoformat())


def _visible(visit: Visit, state: Mapping[str, Any]) -> dict[str, Any]:
    """What of a user's state is shown: hidden metadata is not."""
    visible = _visible_metadata(visit)
    fields = {field_title(name): state.get(name) for name in USER_STATE if name not in NOT_SHOWN}
    metadata = {f"#{key}": value for key, value in (state.get("metadata") or {}).items() if key in visible}
    return fields | metadata


def _visible_metadata(visit: Visit) -> frozenset[str]:
    """The names of the metadata that may be shown: not hidden, as far as any settings say."""
    with visit.services.store.read() as connection:
        return visible_metadata(connection, visit.name, None, visit.services.now())


def directory(visit: Visit) -> Response:
    """The whole directory right after an import."""
    summary = read_import(visit.services, visit.route["import_id"])
    if summary.integration_id != visit.name:
        raise UnknownName(f"Import {summary.import_id} is not one of {visit.name}.")
    frame = directory_as_of(visit.services, visit.name, summary.import_id).sort_values("employee_id")
    page = max(1, int(number)) if (number := visit.query.get("page", "1")).isdigit() else 1
    part = frame.iloc[(page - 1) * PAGE_SIZE : page * PAGE_SIZE][list(DIRECTORY_FIELDS)]
    rows = part.astype(object).where(part.notna(), None).to_numpy().tolist()
    return visit.page(
        "directory.html",
        place="history",
        summary=summary,
        columns=[field_title(name) for name in DIRECTORY_FIELDS],
        rows=rows,
        total=len(frame),
        page=page,
        pages=max(1, -(-len(frame) // PAGE_SIZE)),
    )


PAGES = (
    Page("/i/{name}/history", "see", show),
    Page("/i/{name}/history/explain", "see_people", explain_person, "POST"),
    Page("/i/{name}/history/user", "see_people", user_then, "POST"),
    Page("/i/{name}/history/{import_id}", "see_people", directory),
)
