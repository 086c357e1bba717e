"""The whole flow in a real browser, from nothing to automatic imports running, by somebody who uses nothing else;
what is read on the way is found in no log, address or table that it must not be in; and axe-core finds nothing
serious."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hris_pipeline.environment import VARIABLES
from hris_pipeline.operations import settings as operations
from hris_pipeline.operations.connection import connect
from hris_pipeline.operations.overview import overview
from hris_pipeline.operations.roles import decisions_of
from hris_pipeline.sandbox import Sandbox, running
from hris_pipeline.sandbox.world import PASSWORD, USERNAME
from hris_pipeline_tests.kit.acme import CALLBACK
from hris_pipeline_tests.kit.live_console import CHROMIUM, Live, browser_page, live_console, violations

CANARY = "Zwitscherling"
SECRETS = (CANARY.encode(), b"2125550188", b"1961-07-13")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Forty people, one of them full of canaries; the environment points at it."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    with running(40, 3) as sandbox:
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HRIS_HOME", str(tmp_path / "home"))
        sandbox.company.add(
            first_name=f"{CANARY}first",
            last_name=f"{CANARY}last",
            work_email=f"{CANARY.lower()}@acme.example",
            phones=(("mobile", "+12125550188"),),
            birth_date="1961-07-13",
        )
        yield sandbox


@pytest.fixture
def live(sandbox: Sandbox) -> Iterator[Live]:
    with live_console(os.environ) as live:
        yield live


MOST_TABS = 60
"""So many steps of the Tab key lead anywhere on a page."""


class Visitor:
    """Somebody at a browser, who has every page they meet looked at."""

    def __init__(self, page: Any, *, axe: bool) -> None:
        self.page = page
        self.axe = axe
        self.views: set[tuple[str, ...]] = set()
        self.violations: list[str] = []
        self.addresses: list[str] = []
        self.faults: list[str] = []
        page.on("request", lambda request: self.addresses.append(request.url))
        page.on("console", lambda message: self._complained(message.type, message.text))
        page.on("response", lambda response: self._answered(response.url, response.status))

    def _complained(self, kind: str, text: str) -> None:
        if kind == "error" and not text.startswith("Failed to load resource"):  # the sandbox has no icon
            self.faults.append(text)

    def _answered(self, url: str, status: int) -> None:
        if status >= 400 and status != 422 and "/oauth" not in url and "favicon" not in url:
            self.faults.append(f"{status} {url}")

    def sees(self, words: str) -> None:
        """Waits for words in a headline of the page, and looks at it, once at each view of it."""
        headline = self.page.get_by_role("heading", name=re.compile(words)).first
        headline.wait_for()
        view = (urlsplit(self.page.url).path, headline.inner_text(), str(self.page.viewport_size))
        if self.axe and view not in self.views:
            self.views.add(view)
            self.violations += violations(self.page)

    def presses(self, words: str) -> None:
        self.page.get_by_role("button", name=words, exact=True).first.click()

    def tabs_to(self, words: str) -> None:
        """Moves the focus to what says so, by the Tab key alone."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            words_of = "e => (e.labels?.[0] ?? e).innerText"
            if self.page.locator(":focus").evaluate(words_of).strip().startswith(words):
                return
        raise AssertionError(f"no key leads to {words!r}")

    def follows(self, words: str) -> None:
        self.page.get_by_role("link", name=words).first.click()


def set_up(visitor: Visitor, live: Live) -> None:
    """The seven steps, as people know them."""
    page = visitor.page
    page.goto(live.links[-1])
    visitor.sees("Integrations")
    visitor.follows("Set up an integration")
    visitor.sees("Set up an integration")
    page.get_by_label("Short name").fill("Not A Name")
    visitor.presses("Continue")
    visitor.sees("There is a problem")
    page.get_by_label("Short name").fill("acme")
    page.get_by_label("The company's name").fill("Acme Robotics")
    visitor.presses("Continue")
    visitor.sees("Terms and privacy")
    visitor.presses("Agree and continue")
    visitor.sees("There is a problem")
    page.get_by_label("I agree").check()
    visitor.presses("Agree and continue")
    visitor.sees("Permissions")
    visitor.follows("Log in to Justworks and agree")
    page.get_by_label("Username").fill(USERNAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("date of birth").or_(page.locator("input[value='member.dob:read']")).first.check()
    page.get_by_role("button", name="Sign in and allow").click()
    visitor.sees("Connected to Acme")
    visitor.presses("Continue")
    visitor.sees("Archive inactive employees")
    visitor.presses("Continue")
    visitor.sees("Override emails")
    visitor.presses("Continue")
    visitor.sees("How often")
    page.get_by_label("Weekly", exact=True).check()
    page.get_by_label("Time zone").fill("Nowhere/Land")
    visitor.presses("Continue")
    visitor.sees("There is a problem")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    visitor.presses("Continue")
    visitor.sees("Check your answers")
    assert "weekly on Monday at 04:00 (Europe/Berlin)" in page.inner_text("main")
    visitor.presses("Accept and continue")
    visitor.sees("Import now")


def import_and_start(visitor: Visitor) -> None:
    """The first import, from the progress to automatic imports."""
    page = visitor.page
    visitor.presses("Import now")
    visitor.sees("What this import would do")
    assert f"{CANARY}first {CANARY}last" in page.inner_text("main")
    visitor.presses("Save import")
    visitor.sees("Import applied")
    visitor.follows("Go on setting up")
    visitor.sees("Start automatic imports")
    visitor.presses("Finish")
    visitor.sees("Acme Robotics is set up")
    assert "Automatic imports are running" in page.inner_text("main")


def test_from_nothing_to_automatic_imports_in_a_browser(live: Live, sandbox: Sandbox) -> None:
    with browser_page() as page:
        visitor = Visitor(page, axe=True)
        set_up(visitor, live)
        import_and_start(visitor)
        _looks_around(visitor, live)
        _decides_a_week_later(visitor, live, sandbox)
    state = overview(live.services, "acme")
    assert (state.integration.automatic, state.settings.frequency) == ("running", "weekly")
    assert visitor.violations == []
    assert visitor.faults == []
    decisions = decisions_of(live.services, "acme")
    assert {decision.action for decision in decisions} >= {"set_up", "accept_terms", "connect", "save", "resume"}
    assert {(decision.identity, decision.method, decision.address) for decision in decisions} == {
        ("dana", "link", "127.0.0.1")
    }
    _finds_no_canary(visitor, live)


PLACES = (
    "/history",
    "/decisions",
    "/people",
    "/mapping",
    "/settings",
    "/settings/versions",
    "/conflicts",
    "/user-file",
    "/setup",
)


def _looks_around(visitor: Visitor, live: Live) -> None:
    """Every page there is, light, dark and as wide as a phone."""
    page = visitor.page
    for path in ("", *PLACES):
        page.goto(f"{live.url}/i/acme{path}")
        visitor.sees(".")
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Import days before start").fill("7")
    visitor.presses("See what would change")
    visitor.sees("What would change")
    visitor.presses("Store")
    visitor.sees("Settings")
    page.get_by_role("link", name="History").click()
    page.get_by_label("EmployeeId").first.fill("0001")
    visitor.presses("Explain")
    visitor.sees("0001")
    page.get_by_role("link", name="directory").first.click()
    visitor.sees("The directory after an import")
    page.get_by_label("Name, id or address").fill(f"{CANARY}last")
    visitor.presses("Search")
    page.get_by_text("1 user who fit").wait_for()
    page.get_by_role("button", name="All fields").first.click()
    visitor.sees("after the import of")
    page.goto(f"{live.url}/deleted")
    visitor.sees("Deleted integrations")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 360, "height": 740})
    for path in ("", "/review", *PLACES, "/setup/schedule"):
        page.goto(f"{live.url}/i/acme{path}")
        visitor.sees(".")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
    page.set_viewport_size({"width": 1280, "height": 900})


def _decides_a_week_later(visitor: Visitor, live: Live, sandbox: Sandbox) -> None:
    """Everybody's id changes: the import is held, looked at, approved and saved; then taken back, as a review."""
    for number, person in enumerate(sandbox.company.persons()):
        sandbox.company.edit(person.id, work_id=f"N{number:04}")
    page = visitor.page
    page.goto(f"{live.url}/i/acme")
    visitor.presses("Run a manual import")
    visitor.sees("Import held")
    page.get_by_label("Guard", exact=True).select_option("employee_id_mismatch")
    page.wait_for_url("**guard=employee_id_mismatch**")
    page.get_by_label("Name, id or address").fill(f"{CANARY}last")
    visitor.presses("Search")
    visitor.sees("Import held")
    assert page.locator("tbody tr").count() == 1
    page.get_by_text("Approve it although a guard holds it").click()
    page.get_by_label("Why is it right").fill("the company numbered everybody anew")
    visitor.presses("Approve")
    visitor.sees("There is a problem")
    page.get_by_role("heading", name="There is a problem").wait_for()
    keys = page.keyboard
    visitor.tabs_to("Why is it right")
    keys.type("the company numbered everybody anew")
    visitor.tabs_to("I looked at the people")
    keys.press("Space")
    visitor.tabs_to("Approve")
    keys.press("Enter")
    visitor.sees("Import approved")
    visitor.tabs_to("Save import")
    keys.press("Enter")
    visitor.sees("Import applied")
    visitor.presses("Take this import back")
    visitor.sees("Taking an import back")
    page.get_by_text("Discard it").click()
    page.get_by_label("Why?", exact=True).fill("only looking")
    visitor.presses("Discard")
    visitor.sees("Import discarded")
    page.goto(f"{live.url}/i/acme")
    page.get_by_text("Start automatic imports").click()
    page.get_by_label("Why?", exact=True).fill("done")
    visitor.presses("Start them")
    visitor.sees("Acme Robotics")


def _finds_no_canary(visitor: Visitor, live: Live) -> None:
    """Not in an address, not in what the browser complained about, not in a file that is not meant to hold people."""
    texts = "\n".join([*visitor.addresses, *visitor.faults]).encode()
    home = live.services.environment.home
    meant = ("store.db", "files", "secret.key")
    searched = 0
    for path in home.rglob("*"):
        if path.is_file() and path.relative_to(home).parts[0].partition("-")[0] not in meant:
            content = path.read_bytes()
            searched += len(content)
            texts += str(path).encode() + content
    assert searched > 100_000
    assert [secret for secret in SECRETS if secret in texts] == []


@pytest.mark.soak
def test_the_same_flow_without_scripts(live: Live) -> None:
    with browser_page(scripts=False) as page:
        visitor = Visitor(page, axe=False)
        set_up(visitor, live)
        import_and_start(visitor)
    assert overview(live.services, "acme").integration.automatic == "running"


def test_work_survives_a_closed_tab(live: Live, sandbox: Sandbox) -> None:
    operations.set_up(live.services, "acme", actor="dana", accept=True)
    connect(live.services, "acme", sandbox.authorize(), redirect_uri=CALLBACK)
    with browser_page() as page:
        visitor = Visitor(page, axe=False)
        page.goto(live.links[-1])
        visitor.sees("Integrations")
        page.goto(f"{live.url}/i/acme")
        visitor.presses("Run a manual import")
    with browser_page() as page:
        visitor = Visitor(page, axe=False)
        page.goto(live.links[-1])
        page.goto(f"{live.url}/i/acme/progress")
        visitor.sees("What this import would do")
