"""The whole flow over HTTP alone, where no browser is there and no script runs: from nothing to automatic imports
running, by forms and links. What a Dagster job does is done by the operations it calls (jobs: ``test_jobs``)."""

import re
from html import unescape

import httpx

from hris_pipeline.console.jobs import Job
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.extraction import extract_members
from hris_pipeline.operations.overview import overview
from hris_pipeline.operations.roles import decisions_of
from hris_pipeline.operations.services import Services
from hris_pipeline.sandbox import Company, Sandbox
from hris_pipeline_tests.kit.browser import ORIGIN, Browser, Served, hidden_values, words_of
from hris_pipeline_tests.kit.clock import MONDAY, Clock
from hris_pipeline_tests.kit.planning import plan_extract


def log_in(served: Served) -> Browser:
    """By the link that the terminal shows."""
    browser = served.stranger()
    page = browser.get(served.links[0].removeprefix(ORIGIN))
    browser.csrf = hidden_values(page.text, "csrf")[0]
    return browser


def agree_at_the_provider(page: httpx.Response, sandbox: Sandbox) -> str:
    """Follows the page's link to the log-in, and gives where the browser is sent back to."""
    address = re.search(r'href="(http[^"]+/oauth/authorize[^"]+)"', page.text)
    assert address
    return str(sandbox.consent(unescape(address[1]))[0]).removeprefix(ORIGIN)


def test_from_nothing_to_automatic_imports_by_forms_alone(
    served: Served, services: Services, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.add_company("acme", Company(12, 1, today=MONDAY.date()))
    browser = log_in(served)
    page = browser.post("/setup", name="acme", display_name="Acme Robotics", source="justworks")
    assert "Terms and privacy" in words_of(page)
    page = browser.post("/i/acme/setup/terms", agree="yes")
    page = browser.get(agree_at_the_provider(page, sandbox))
    assert "Connected to" in words_of(page)
    for step, answers in {
        "connect": {},
        "archive": {"archive_employees": "on"},
        "emails": {"override_emails": "off"},
        "schedule": {"frequency": "weekly", "weekday": "monday", "at": "04:00", "time_zone": "Europe/Berlin"},
    }.items():
        page = browser.post(f"/i/acme/setup/{step}", **answers)
        assert page.status_code == 200, step
    assert "weekly on Monday at 04:00 (Europe/Berlin)" in words_of(page)
    browser.post("/i/acme/setup/check")
    browser.post("/i/acme/setup/import", now="now")
    assert [job for job, _, _ in served.jobs.started] == ["preview_import"]

    planned = plan_extract(services, extract_members(services, "acme"), actor="dana")
    served.jobs.shown = Job("preview_import", "done", "run-1", clock().isoformat(), import_id=planned.import_id)
    page = browser.get("/i/acme/progress")
    assert "What this import would do" in words_of(page)
    clock.advance(minutes=1)
    browser.post(f"{page.url.path}/save", digest=hidden_values(page.text, "digest")[0])
    assert [job for job, _, _ in served.jobs.started] == ["preview_import", "save_import"]
    save_import(services, "acme", planned.import_id, actor="dana")
    assert "Import applied" in words_of(browser.get(page.url.path))

    page = browser.post("/i/acme/setup/automatic", automatic="start")
    assert "Automatic imports are running" in words_of(page)
    state = overview(services, "acme")
    assert (state.set_up, state.integration.automatic, state.settings.frequency) == (True, "running", "weekly")
    actions = [decision.action for decision in decisions_of(services, "acme")]
    assert {"set_up", "accept_terms", "connect", "change_settings", "resume"} <= set(actions)
