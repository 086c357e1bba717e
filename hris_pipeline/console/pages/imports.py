"""The review of an import, and what a person decides about it: save, approve, discard, undo; and about the people whom
imports hold back until somebody decides who they are, with both records side by side."""

from dataclasses import replace
from typing import Any, get_args

from starlette.responses import RedirectResponse, Response

from hris_pipeline.console.pages.integrations import start_job
from hris_pipeline.console.visit import Page, Visit
from hris_pipeline.contract import PAGE_SIZE
from hris_pipeline.errors import ImportStale, UnknownName, UsageError
from hris_pipeline.operations.decisions import approve_import, discard_import, is_approved, open_import, plan_undo
from hris_pipeline.operations.members import matching_ids
from hris_pipeline.operations.overview import history, overview, read_import
from hris_pipeline.operations.review import Filters, people_not_applied, review
from hris_pipeline.operations.review_files import group_words, reason_words
from hris_pipeline.operations.review_queues import (
    Conflict,
    Decision,
    count_quarantined,
    open_conflicts,
    quarantined_people,
    relink_by_employee_id,
    resolve,
)
from hris_pipeline.operations.review_rows import FIELD_REASONS, mask_value
from hris_pipeline.operations.roles import decisions_of
from hris_pipeline.settings.text import plural
from hris_pipeline.store.imports import APPROVAL_LASTS, Import
from hris_pipeline.store.integrations import get_integration

__all__ = ["PAGES"]

CONFLICTS = 25
"""So many conflicts a page shows."""

_NAMES = ("first_name", "last_name")
TABS = ("all", "create", "update", "archive", "restore", "others")
FIELDS_OF_NEW = ("email", "hire_date", "#JobTitle", "#Department")
"""What of somebody new is told without asking for more."""

LOOKED_FOR = ("action", "field", "guard", "sort", "reason")


def current(visit: Visit) -> Response:
    """The import that waits, else the newest, else how to start one."""
    summary = open_import(visit.services, visit.name) or next(iter(history(visit.services, visit.name, limit=1)), None)
    if summary is None:
        state = overview(visit.services, visit.name).integration.connection
        return visit.page("no_import.html", place="review", connected=state == "connected")
    query = f"?{visit.query}" if visit.query else ""
    return RedirectResponse(f"{_import_address(summary)}{query}", 303)


def show(visit: Visit) -> Response:
    """One page of a review. Filters stand in the address; a text that is looked for comes by POST, and never does."""
    summary = _read_own_import(visit)
    parameters = {name: visit.text(name) or visit.query.get(name, "") for name in LOOKED_FOR}
    filters = Filters(
        action=parameters["action"] if parameters["action"] in TABS[1:-1] else None,
        field=parameters["field"] or None,
        guard=parameters["guard"] or None,
        text=visit.text("text") or None,
    )
    reveal, is_open = visit.may("see_people"), summary.status in ("planned", "held")
    reviewed = review(
        visit.services,
        summary.import_id,
        filters=filters,
        sort=parameters["sort"] or "action",
        page=visit.page_number,
        page_size=PAGE_SIZE,
        reveal=reveal,
    )
    return visit.page(
        "review.html",
        place="review",
        reviewed=reviewed,
        summary=summary,
        parameters={name: value for name, value in parameters.items() if name != "reason"},
        approved=summary.status == "held" and is_approved(visit.services, summary),
        left_out=sum(map(len, summary.diagnostics.values())),
        reason_words=reason_words,
        group_words=group_words,
        field_reasons=FIELD_REASONS,
        fields_of_new=FIELDS_OF_NEW,
        people=_people_under_reason(visit, summary, parameters["reason"], filters),
        matching=_matching_ids(visit, summary),
        unfinished=not is_open and _is_unfinished(visit),
        decisions=decisions_of(visit.services, visit.name, subject=summary.import_id),
    )


def _is_unfinished(visit: Visit) -> bool:
    """Whether the setup waits for whoever looks."""
    return visit.may("set_up") and visit.former is None and not overview(visit.services, visit.name).set_up


def _people_under_reason(visit: Visit, summary: Import, reason: str, filters: Filters) -> dict[str, Any] | None:
    """Everybody under one reason, a page at a time; of the quarantine with what the source sent."""
    if not reason or reason not in summary.diagnostics:
        return None
    reveal, import_id = visit.may("see_people"), summary.import_id
    if reason == "quarantined":
        page, pages = visit.page_of(count_quarantined(visit.services, import_id), PAGE_SIZE)
        lines = quarantined_people(visit.services, import_id, page=page, page_size=PAGE_SIZE, reveal=reveal)
        return {"reason": reason, "lines": lines, "people": (), "page": page, "pages": pages}
    everybody = replace(filters, action=None, field=None)
    page = visit.page_number
    people, total = people_not_applied(
        visit.services, import_id, reason, filters=everybody, page=page, page_size=PAGE_SIZE, reveal=reveal
    )
    return {"reason": reason, "lines": (), "people": people, "page": page, "pages": visit.page_of(total, PAGE_SIZE)[1]}


def _matching_ids(visit: Visit, summary: Import) -> dict[str, int]:
    """Before a first import into a directory with users: where their EmployeeIds come from."""
    if summary.status not in ("planned", "held") or summary.extract_id is None or summary.trigger == "undo":
        return {}
    try:
        return matching_ids(visit.services, visit.name, summary.extract_id)
    except UnknownName:
        return {}


def save(visit: Visit) -> Response:
    """Applies exactly the change set that was shown; the run writes the decision down, with what came of it."""
    summary = _require_reviewed_import(visit)
    if summary.status == "held" and not is_approved(visit.services, summary):
        raise UsageError(f"Import {summary.import_id} is held: somebody who may approve it must do so first.")
    start_job(visit, "save_import", summary.import_id)
    return visit.go(f"/i/{visit.name}/progress")


def approve(visit: Visit) -> Response:
    """Lets exactly the change set that was shown through."""
    summary, reason = _require_reviewed_import(visit), visit.text("reason")
    if not reason:
        visit.problems["reason"] = "Say why this import is right although a guard holds it."
    if visit.text("sure") != "yes":
        visit.problems["sure"] = "Confirm that you looked at whom the guards name."
    if visit.problems:
        return show(visit)
    with visit.deciding("approve", summary.import_id, reason=reason):
        approve_import(visit.services, summary.import_id, visit.text("digest"), visit.actor, reason)
    return visit.go(_import_address(summary), f"Approved for {APPROVAL_LASTS.days} days. Save it to apply it.")


def discard(visit: Visit) -> Response:
    """Ends an open import."""
    summary, reason = _require_reviewed_import(visit), visit.text("discard_reason")
    if not reason:
        visit.problems["discard_reason"] = "Say why nobody wants this import."
        return show(visit)
    with visit.deciding("discard", summary.import_id, reason=reason):
        discard_import(visit.services, summary.import_id, visit.actor, reason)
    paused = _paused_words(visit) if summary.trigger == "undo" else ""
    return visit.go(_import_address(summary), f"Discarded: nothing of it was applied.{paused}")


def undo(visit: Visit) -> Response:
    """Plans an import that takes this one back, to be reviewed like any other."""
    summary = _read_own_import(visit)
    with visit.deciding("undo", summary.import_id):
        planned = plan_undo(visit.services, summary.import_id, actor=visit.actor)
    return visit.go(
        _import_address(planned), f"This would take the import back. Nothing is applied yet.{_paused_words(visit)}"
    )


def _paused_words(visit: Visit) -> str:
    """That automatic imports stand still, and until when."""
    with visit.services.store.read() as connection:
        automatic = get_integration(connection, visit.name).automatic
    return " Automatic imports are paused until somebody starts them on the overview." if automatic == "paused" else ""


def show_conflicts(visit: Visit) -> Response:
    """The conflicts that wait."""
    conflicts = open_conflicts(visit.services, visit.name)
    page, pages = visit.page_of(len(conflicts), CONFLICTS)
    listed = conflicts[(page - 1) * CONFLICTS : page * CONFLICTS]
    return visit.page(
        "conflicts.html",
        place="conflicts",
        conflicts=[(conflict, *_conflict_sides(conflict, reveal=visit.may("see_people"))) for conflict in listed],
        total=len(conflicts),
        relinkable=sum(conflict.kind == "employee_id" for conflict in conflicts),
        page=page,
        pages=pages,
    )


def _conflict_sides(conflict: Conflict, *, reveal: bool) -> tuple[str, list[tuple[str, object, object, bool]]]:
    """Who stands on the two sides by name, and each field of both."""
    pairs = _compare_fields(conflict, reveal=reveal)
    sides = [" ".join(str(pair[side]) for pair in pairs if pair[0] in _NAMES and pair[side]) for side in (1, 2)]
    return " and ".join(dict.fromkeys(filter(None, sides))), pairs


def _compare_fields(conflict: Conflict, *, reveal: bool) -> list[tuple[str, object, object, bool]]:
    """Each field as the source has it, as the user has it, and whether the two agree."""
    keys = dict.fromkeys([*conflict.user, *conflict.incoming])
    pairs = [(key, conflict.incoming.get(key), conflict.user.get(key)) for key in keys]
    return [
        (key, new if reveal else mask_value(key, new), old if reveal else mask_value(key, old), new == old)
        for key, new, old in pairs
        if (new or old) and (key, old) != ("status", "active")
    ]


def decide_conflict(visit: Visit) -> Response:
    """One decision."""
    conflict_id = visit.route["conflict_id"]
    if conflict_id not in {conflict.conflict_id for conflict in open_conflicts(visit.services, visit.name)}:
        raise UnknownName(f"{visit.name} has no open conflict {conflict_id[:80]!r}: look at the list again.")
    restore = visit.text(f"decision-{conflict_id}") == "restore"
    answer = "link" if restore else visit.text(f"decision-{conflict_id}")
    decision: Decision | None = next((arg for arg in get_args(Decision) if arg == answer), None)
    if decision is None:
        visit.problems[f"decision-{conflict_id}"] = "Choose what is to be done with this person."
        return show_conflicts(visit)
    try:
        with visit.deciding("resolve", conflict_id):
            resolve(visit.services, conflict_id, decision, visit.actor, restore=restore)
    except UsageError as error:
        visit.problems[f"decision-{conflict_id}"] = str(error)
        return show_conflicts(visit)
    return visit.go(f"/i/{visit.name}/conflicts", "Decided. The next import follows it.")


def relink(visit: Visit) -> Response:
    """All conflicts about an EmployeeId at once, because the source's ids changed."""
    if visit.text("sure") != "yes":
        visit.problems["sure"] = "Confirm that the source's ids have changed."
        return show_conflicts(visit)
    with visit.deciding("relink"):
        number = relink_by_employee_id(visit.services, visit.name, visit.actor)
    linked = plural(number, "person", "people")
    words = f"Linked by EmployeeId: {linked}. Run a manual import to see what that means before saving it."
    return visit.go(f"/i/{visit.name}", words)


def _read_own_import(visit: Visit) -> Import:
    """The import of the address, if it is one of this integration."""
    summary = read_import(visit.services, visit.route["import_id"])
    if summary.integration_id != visit.name:
        raise UnknownName(f"Import {summary.import_id} is not one of {visit.name}.")
    return summary


def _require_reviewed_import(visit: Visit) -> Import:
    """The import, if it still is the change set that the page showed.

    Raises:
        ImportStale: it is another by now, or ended.
    """
    summary = _read_own_import(visit)
    if summary.status not in ("planned", "held"):
        raise ImportStale(f"Import {summary.import_id} is {summary.status} by now: nothing was done.")
    if visit.text("digest") != summary.digest:
        raise ImportStale(f"Import {summary.import_id} is not what the page showed: look at it again.")
    return summary


def _import_address(summary: Import) -> str:
    return f"/i/{summary.integration_id}/imports/{summary.import_id}"


PAGES = (
    Page("/i/{name}/review", "see", current),
    Page("/i/{name}/imports/{import_id}", "see", show),
    Page("/i/{name}/imports/{import_id}", "see_people", show, "POST"),
    Page("/i/{name}/imports/{import_id}/save", "save", save, "POST"),
    Page("/i/{name}/imports/{import_id}/approve", "approve", approve, "POST"),
    Page("/i/{name}/imports/{import_id}/discard", "discard", discard, "POST"),
    Page("/i/{name}/imports/{import_id}/undo", "undo", undo, "POST"),
    Page("/i/{name}/conflicts", "see", show_conflicts),
    Page("/i/{name}/conflicts/relink", "resolve", relink, "POST"),
    Page("/i/{name}/conflicts/{conflict_id}", "resolve", decide_conflict, "POST"),
)
