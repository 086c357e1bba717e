"""People held back until somebody decides who they are: both records side by side."""

from typing import get_args

from starlette.responses import Response

from hris_pipeline.console.visit import Page, Visit
from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.operations.review_queues import Conflict, Decision, open_conflicts, relink_by_employee_id, resolve
from hris_pipeline.operations.review_rows import mask_value

__all__ = ["PAGES"]

PAGE_SIZE = 25
_NAMES = ("first_name", "last_name")


def show(visit: Visit) -> Response:
    """The conflicts that wait."""
    conflicts = open_conflicts(visit.services, visit.name)
    page = max(1, int(number)) if (number := visit.query.get("page", "1")).isdigit() else 1
    listed = conflicts[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return visit.page(
        "conflicts.html",
        place="conflicts",
        conflicts=[(conflict, *_sides(conflict, reveal=visit.may("see_people"))) for conflict in listed],
        total=len(conflicts),
        relinkable=sum(conflict.kind == "employee_id" for conflict in conflicts),
        page=page,
        pages=max(1, -(-len(conflicts) // PAGE_SIZE)),
    )


def _sides(conflict: Conflict, *, reveal: bool) -> tuple[str, list[tuple[str, object, object, bool]]]:
    """Who stands on the two sides by name, and each field of both."""
    pairs = _pairs(conflict, reveal=reveal)
    sides = [" ".join(str(pair[side]) for pair in pairs if pair[0] in _NAMES and pair[side]) for side in (1, 2)]
    return " and ".join(dict.fromkeys(filter(None, sides))), pairs


def _pairs(conflict: Conflict, *, reveal: bool) -> list[tuple[str, object, object, bool]]:
    """Each field as the source has it, as the user has it, and whether the two agree."""
    keys = dict.fromkeys([*conflict.user, *conflict.incoming])
    pairs = [(key, conflict.incoming.get(key), conflict.user.get(key)) for key in keys]
    return [
        (key, new if reveal else mask_value(key, new), old if reveal else mask_value(key, old), new == old)
        for key, new, old in pairs
        if (new or old) and (key, old) != ("status", "active")
    ]


def decide(visit: Visit) -> Response:
    """One decision."""
    conflict_id = visit.route["conflict_id"]
    if conflict_id not in {conflict.conflict_id for conflict in open_conflicts(visit.services, visit.name)}:
        raise UnknownName(f"{visit.name} has no open conflict {conflict_id[:80]!r}: look at the list again.")
    restore = visit.text(f"decision-{conflict_id}") == "restore"
    chosen = "link" if restore else visit.text(f"decision-{conflict_id}")
    decision: Decision | None = next((arg for arg in get_args(Decision) if arg == chosen), None)
    if decision is None:
        visit.problems[f"decision-{conflict_id}"] = "Choose what is to be done with this person."
        return show(visit)
    try:
        with visit.deciding("resolve", conflict_id):
            resolve(visit.services, conflict_id, decision, visit.actor, restore=restore)
    except UsageError as error:
        visit.problems[f"decision-{conflict_id}"] = str(error)
        return show(visit)
    return visit.go(f"/i/{visit.name}/conflicts", "Decided. The next import follows it.")


def relink(visit: Visit) -> Response:
    """All conflicts about an EmployeeId at once, because the source's ids changed."""
    if visit.text("sure") != "yes":
        visit.problems["sure"] = "Confirm that the source's ids have changed."
        return show(visit)
    with visit.deciding("relink"):
        number = relink_by_employee_id(visit.services, visit.name, visit.actor)
    words = f"{number} people are linked by EmployeeId. Run a manual import to see what that means before saving it."
    return visit.go(f"/i/{visit.name}", words)


PAGES = (
    Page("/i/{name}/conflicts", "see", show),
    Page("/i/{name}/conflicts/relink", "resolve", relink, "POST"),
    Page("/i/{name}/conflicts/{conflict_id}", "resolve", decide, "POST"),
)
