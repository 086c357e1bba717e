"""Takes the console's pictures for docs/console.md with Playwright and the system's Chromium, of a made-up company with
two weeks behind it, whose next import has 300 changes and is held. `.venv/bin/python docs/take_pictures.py --console`
runs it.
"""

import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from hris_pipeline.console.app import build_app, build_console, listen
from hris_pipeline.console.gateway import access_of
from hris_pipeline.console.login import OneTimeLink
from hris_pipeline.operations.automation import resume
from hris_pipeline.operations.connection import connect
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.extraction import extract_members
from hris_pipeline.operations.members import build_employees, build_mapped_users
from hris_pipeline.operations.planning import plan_import
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.operations.settings import read_settings, set_up
from hris_pipeline.sandbox.server import Sandbox, running
from hris_pipeline.settings.document import Settings

__all__ = ["made_up_company", "preview", "take_console_pictures"]

CALLBACK = "http://127.0.0.1:8765/callback"
PEOPLE = 400
RENUMBERED, MOVED = 40, 256
WHO = "dana"


def preview(services: Services) -> str:
    """Reads and plans; gives the import."""
    manifest = extract_members(services, "acme")
    settings = read_settings(services, "acme").settings
    validated = build_employees(services, manifest, settings)
    mapped = build_mapped_users(services, manifest, validated.people, settings)
    warnings = {**validated.warnings, **mapped.warnings}
    planned = plan_import(services, manifest, mapped.users, warnings=warnings, trigger="manual", actor=WHO, run_id=None)
    return planned.import_id


def live_two_weeks(services: Services, sandbox: Sandbox) -> None:
    """A company is imported, a week passes and is imported, another passes in which forty people are numbered anew and
    256 get another title."""
    set_up(services, "acme", settings=Settings(display_name="Acme Robotics"), actor=WHO, accept=True)
    connect(services, "acme", sandbox.authorize(), redirect_uri=CALLBACK)
    for _ in range(2):
        save_import(services, "acme", preview(services), actor=WHO)
        sandbox.week_passes()
    resume(services, "acme", WHO, "chosen in the setup")
    active = [person for person in sandbox.company.persons() if person.active]
    for number, person in enumerate(active[:RENUMBERED]):
        sandbox.company.edit(person.id, work_id=f"N-{number:04}")
    for person in active[RENUMBERED : RENUMBERED + MOVED]:
        sandbox.company.edit(person.id, job_title=f"Senior {person.job_title or 'Adviser'}")
    set_up(services, "blue-bird", settings=Settings(display_name="Blue Bird Bakery"), actor=WHO, accept=True)


@contextmanager
def served(services: Services) -> Iterator[str]:
    """The console, until the block ends; gives its one-time link."""
    listener = listen("127.0.0.1", 0)
    access = access_of(services.environment.access, "127.0.0.1", int(listener.getsockname()[1]))
    link = OneTimeLink(access, WHO, lambda _: None)
    address = link.renew()
    app: Any = build_app(build_console(services, access), link=link)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def look_around(page: Any, address: str, folder: Path) -> None:
    """Goes through the console and takes each picture."""

    def take(name: str) -> None:
        page.screenshot(path=str(folder / f"console-{name}.png"))
        sys.stderr.write(f"{folder / name}\n")

    def results() -> None:
        page.wait_for_timeout(600)
        page.evaluate("document.getElementById('results').scrollIntoView()")

    origin = address.partition("/login")[0]
    page.goto(address)
    take("integrations")
    page.goto(f"{origin}/i/acme/review")
    take("review")
    page.get_by_role("link", name=re.compile(r"Show the \d+ people")).first.click()
    results()
    take("employee-ids")
    page.get_by_role("link", name="Archived").click()
    results()
    take("archived")
    page.get_by_role("button", name="Why?").first.click()
    page.wait_for_timeout(600)
    page.evaluate("document.getElementById('answer').scrollIntoView()")
    take("why")
    for name, path in {"mapping": "acme/mapping", "people": "acme/people", "setup": "blue-bird/setup"}.items():
        page.goto(f"{origin}/i/{path}")
        take(name)


@contextmanager
def made_up_company() -> Iterator[Services]:
    """The company, in a home that is thrown away, with this process's environment pointing at it."""
    with tempfile.TemporaryDirectory() as home, running(PEOPLE, 7) as sandbox:
        os.environ.update(sandbox.environment() | {"HRIS_HOME": home})
        services = open_services(create=True)
        try:
            live_two_weeks(services, sandbox)
            yield services
        finally:
            services.close()


def take_console_pictures(browser: str, folder: Path, services: Services) -> None:
    """Every picture.

    Args:
        browser: Chromium's path.
        folder: Where they go.
        services: Of the made-up company, with an import that waits.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a development dependency

    with served(services) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        look_around(chromium.new_page(viewport={"width": 1120, "height": 760}), address, folder)
        chromium.close()
