"""Three hundred changed people, two questions, and how many clicks from the first page answer both: whose EmployeeId
changes, and why two people are archived. In a real browser, and by links alone where none is."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx
import pytest

from hris_pipeline.operations.services import Services
from hris_pipeline.settings.validating import settings_from
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.browser import Browser, Served, words_of
from hris_pipeline_tests.kit.live_console import CHROMIUM, browser_page, console_over
from hris_pipeline_tests.kit.remembered_homes import remembered

PEOPLE, CHANGED, RENUMBERED = 400, 300, 40
MOST_CLICKS = 4
"""Under five."""

GONE, INACTIVE = "not listed any more, confirmed gone", "not employed any more, the source says"


@dataclass
class Restructured:
    """A company in which 300 people changed: 40 are numbered anew, one is inactive, one is gone from the list."""

    acme: Acme
    ids: dict[str, str]
    inactive: str
    gone: str

    @property
    def names(self) -> dict[str, str]:
        return {user["employee_id"]: user["last_name"] for user in self.acme.users().values()}


@pytest.fixture
def restructured(make: Any) -> Restructured:
    acme: Acme = make(PEOPLE)
    remembered(acme, "before it is restructured", acme.run)
    users, changed_ids = acme.users(), acme.active()[:CHANGED]
    assert len(changed_ids) == CHANGED
    ids = {
        str(users[hris_id]["employee_id"]): f"N-{number:03}" for number, hris_id in enumerate(changed_ids[:RENUMBERED])
    }
    for hris_id, number in zip(changed_ids[:RENUMBERED], ids.values(), strict=True):
        acme.company.edit(hris_id, work_id=number)
    for hris_id in changed_ids[RENUMBERED:-2]:
        acme.company.edit(hris_id, job_title="Senior Adviser")
    acme.company.edit(changed_ids[-1], active=False)
    acme.lose(changed_ids[-2:-1])
    summary = remembered(acme, "restructured", acme.preview)
    assert (summary.status, summary.changes) == ("held", CHANGED)
    return Restructured(
        acme, ids, inactive=str(users[changed_ids[-1]]["employee_id"]), gone=str(users[changed_ids[-2]]["employee_id"])
    )


def answered_ids(text: str) -> dict[str, str]:
    """The EmployeeIds before and after that a page tells, by the one before."""
    return {before: after for after, before in re.findall(r"(N-\d{3}) EmployeeId was (\S+)", text)}


def reasons(text: str, company: Restructured) -> dict[str, str]:
    """Why each of the two is archived, as the page has it beside them."""
    why = {}
    for employee_id in (company.inactive, company.gone):
        row = text.partition(f"{company.names[employee_id]} {employee_id} ")[2]
        why[employee_id] = min((row.find(reason), reason) for reason in (GONE, INACTIVE) if reason in row)[1]
    return why


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.filterwarnings("ignore")
def test_both_questions_are_answered_in_under_five_clicks_of_a_browser(
    restructured: Restructured, services: Services
) -> None:
    with console_over(services) as live:
        for scripts in (True, False):
            with browser_page(scripts=scripts) as page:
                page.goto(live.links[-1])
                assert clicks_needed(page, restructured) <= MOST_CLICKS


def clicks_needed(page: Any, company: Restructured) -> int:
    clicks: list[str] = []

    def click(words: str) -> str:
        clicks.append(words)
        page.get_by_role("link", name=re.compile(words)).first.click()
        page.locator("#results").wait_for()
        return " ".join(page.locator("#results").inner_text().split())

    page.get_by_role("heading", name="Integrations").wait_for()
    click("^Held")
    assert answered_ids(click(f"Show the {RENUMBERED} people")) == company.ids
    assert reasons(click("^Archived"), company) == {company.inactive: INACTIVE, company.gone: GONE}
    return len(clicks)


def test_the_same_path_is_links_alone(restructured: Restructured, served: Served) -> None:
    browser = served.browser("reviewer")
    review = follow(browser, browser.get("/"), "Held")
    renumbered = follow(browser, review, f"Show the {RENUMBERED} people")
    assert answered_ids(words_of(renumbered)) == restructured.ids
    archived = follow(browser, renumbered, "Archived")
    assert reasons(words_of(archived), restructured) == {restructured.inactive: INACTIVE, restructured.gone: GONE}
    assert answered_ids(words_of(follow(browser, review, f"EmployeeId {RENUMBERED}"))) == restructured.ids
    moved = follow(browser, review, f"JobTitle {CHANGED - RENUMBERED - 2}")
    assert f"{CHANGED - RENUMBERED - 2} changes fit" in words_of(moved), "every field that changes is a link"


def follow(browser: Browser, page: httpx.Response, words: str) -> httpx.Response:
    """The page behind the first link whose text begins so."""
    links = re.findall(r'<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>', page.text, re.DOTALL)
    texts = ((address, " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())) for address, text in links)
    address = next(unescape(address) for address, text in texts if text.startswith(words))
    answer = browser.get(address.partition("#")[0])
    assert answer.status_code == 200
    return answer


@pytest.fixture
def ruled(make: Any) -> Acme:
    """Of two rules that somebody matches, one archives."""
    rules = [
        {"name": "Seniors", "all": [{"field": "job_title", "operator": "equals", "value": "Senior"}]},
        {"name": "Interns", "all": [{"field": "job_title", "operator": "equals", "value": "Intern"}]}
        | {"archive_existing": True},
    ]
    acme: Acme = make(12)
    acme.run()
    acme.change(settings_from({"do_not_import": rules}))
    return acme


def test_a_rule_is_the_reason_only_where_it_archives(ruled: Acme, served: Served) -> None:
    by_rule, left = ruled.active()[:2]
    ruled.company.edit(by_rule, job_title="Intern")
    ruled.company.edit(left, job_title="Senior", active=False)
    import_id = ruled.preview().import_id
    text = words_of(served.browser("reviewer").get(f"/i/acme/imports/{import_id}?action=archive"))
    assert text.count("rule Interns") == 1
    assert "rule Seniors" not in text
    assert text.count(INACTIVE) == 1


def test_of_an_undo_no_source_says_why(make: Any, served: Served) -> None:
    acme: Acme = make(12)
    summary = acme.run()
    page = served.browser("approver").post(f"/i/acme/imports/{summary.import_id}/undo")
    assert "Taking an import back" in words_of(page)
    text = words_of(served.browser("reviewer").get(f"{page.url.path}?action=archive"))
    assert "archived" in text
    assert GONE not in text
    assert INACTIVE not in text
