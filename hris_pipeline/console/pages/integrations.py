"""The first page, and the page of one integration: how it is doing, what waits, and what can be started by hand."""

import uuid

from starlette.responses import RedirectResponse, Response

from hris_pipeline.console.visit import Page, Visit
from hris_pipeline.errors import UsageError
from hris_pipeline.operations import automation
from hris_pipeline.operations.overview import deleted_integrations, overview, overview_page
from hris_pipeline.operations.roles import count_decisions, decisions_of

__all__ = ["PAGES", "start_job"]

LATEST_DECISIONS = 12
"""So many the page of an integration shows."""

DECISIONS = 50
"""So many a page of all of them shows."""


def index(visit: Visit) -> Response:
    """The integrations, a page of them at a time, searched by name or only those that wait for a person."""
    search = visit.query.get("search", "").strip()
    only_waiting = visit.query.get("show") == "waiting"
    listing = overview_page(visit.services, search=search, only_waiting=only_waiting, page=visit.page_number)
    return visit.page(
        "integrations.html",
        listing=listing,
        search=search,
        only_waiting=only_waiting,
        now=visit.services.now(),
    )


def deleted(visit: Visit) -> Response:
    """The integrations that were deleted, with the way to their history."""
    return visit.page("deleted.html", listed=deleted_integrations(visit.services))


def show(visit: Visit) -> Response:
    """One integration."""
    decided = decisions_of(visit.services, visit.name, limit=LATEST_DECISIONS + 1)
    return visit.page(
        "overview.html",
        place="",
        overview=overview(visit.services, visit.name),
        job=visit.console.jobs.latest(visit.name),
        decisions=decided[:LATEST_DECISIONS],
        more_decisions=len(decided) > LATEST_DECISIONS,
        now=visit.services.now(),
    )


def decisions(visit: Visit) -> Response:
    """Who decided what, all of it, a page at a time; also of an integration that was deleted."""
    page, pages = visit.page_of(count_decisions(visit.services, visit.name), DECISIONS)
    decided = decisions_of(visit.services, visit.name, DECISIONS, (page - 1) * DECISIONS)
    return visit.page("decisions.html", place="decisions", decisions=decided, page=page, pages=pages)


def preview(visit: Visit) -> Response:
    """Starts the first half of a manual import."""
    if overview(visit.services, visit.name).integration.connection != "connected":
        raise UsageError(f"{visit.name} is not connected: connect it in its setup before importing.")
    start_job(visit, "preview_import")
    return visit.go(f"/i/{visit.name}/progress")


def start_job(visit: Visit, job: str, import_id: str | None = None) -> None:
    """Starts a Dagster job of the integration in a process of its own.

    Raises:
        UsageError: one is under way.
    """
    by, jobs = visit.session.by, visit.console.jobs
    request = {
        "actor": by.identity,
        "tags": {"hris/method": by.method, "hris/address": by.address or ""},
        "run_id": str(uuid.uuid4()),
        "started_at": visit.services.now().isoformat(),
        "import_id": import_id,
    }
    with jobs.starting:
        latest = jobs.latest(visit.name)
        if latest is not None and not latest.ended:
            raise UsageError(f"An import of {visit.name} is under way: wait for its end, which its page shows.")
        jobs.start(job, visit.name, request)


def progress(visit: Visit) -> Response:
    """How far the work is; when it has ended well, what came of it."""
    job = visit.console.jobs.latest(visit.name)
    if job is not None and job.state == "done" and job.import_id:
        address = f"/i/{visit.name}/imports/{job.import_id}"
        if visit.partial:
            return Response(headers={"HX-Redirect": address})
        return RedirectResponse(address, 303)
    return visit.page("progress_part.html" if visit.partial else "progress.html", place="", job=job)


def pause(visit: Visit) -> Response:
    """Stops automatic imports."""
    return _switch(visit, "pause", "Automatic imports are paused.")


def resume(visit: Visit) -> Response:
    """Starts them, or starts them again."""
    return _switch(visit, "resume", "Automatic imports are running.")


def _switch(visit: Visit, action: str, message: str) -> Response:
    reason = visit.text("reason")
    if not reason:
        visit.problems["reason"] = "Say why: whoever looks later wants to know."
        return show(visit)
    with visit.deciding(action, reason=reason):
        switch = automation.pause if action == "pause" else automation.resume
        switch(visit.services, visit.name, visit.actor, reason)
    return visit.go(f"/i/{visit.name}", message)


PAGES = (
    Page("/", "see", index),
    Page("/deleted", "see", deleted),
    Page("/i/{name}", "see", show),
    Page("/i/{name}/decisions", "see", decisions),
    Page("/i/{name}/preview", "preview", preview, "POST"),
    Page("/i/{name}/progress", "see", progress),
    Page("/i/{name}/pause", "pause", pause, "POST"),
    Page("/i/{name}/resume", "resume", resume, "POST"),
)
