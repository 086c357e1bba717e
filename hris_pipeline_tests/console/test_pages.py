"""Every page over HTTP: what it shows to whom, and what its forms do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa

from hris_pipeline.console.jobs import Job
from hris_pipeline.operations.overview import overview
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.validating import settings_from
from hris_pipeline.store.imports import Import, record_failed
from hris_pipeline.store.integrations import delete_integration
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.browser import Served, review_address, words_of


class TestIntegrations:
    def test_without_any_it_says_how_to_begin(self, served: Served) -> None:
        assert "Nothing is set up yet" in served.browser().get("/").text
        assert "Set up an integration" not in served.browser("viewer").get("/").text

    def test_each_tells_its_state_and_what_waits(self, changed: Acme, served: Served) -> None:
        changed.preview()
        text = words_of(served.browser("viewer").get("/"))
        assert "acme" in text
        assert "connected" in text
        assert "3 changes to be saved" in text

    def test_the_next_due_moment_names_the_zone(self, acme: Acme, served: Served) -> None:
        served.browser().post("/i/acme/resume", reason="now")
        assert "tomorrow at 04:00 (America/New York)" in words_of(served.browser().get("/"))

    def test_records_in_quarantine_are_one_link_away(self, acme: Acme, served: Served) -> None:
        acme.company.edit(acme.active()[0], last_name=None)
        acme.preview()
        browser = served.browser("reviewer")
        (address,) = re.findall(r'href="([^"]*)">1 record</a> in quarantine', unescape(browser.get("/").text))
        for path in (address, "/i/acme/review?action=others"):
            page = browser.get(path).text
            assert 'action=others#results" aria-current="page"' in page
            assert "quarantined: Last Name is needed and missing" in page

    def test_a_name_is_not_shown_twice(self, acme: Acme, served: Served) -> None:
        assert words_of(served.browser().get("/")).count("acme") == 1

    def test_an_import_tells_the_integration_s_time(self, acme: Acme, served: Served) -> None:
        assert re.search(r"\d\d:\d\d E[SD]T", words_of(served.browser("viewer").get("/i/acme/review")))

    def test_a_held_import_waits(self, held: Acme, served: Served) -> None:
        held.preview()
        assert "Held : 10 changes" in words_of(served.browser("viewer").get("/"))


class TestSteering:
    def test_pausing_and_resuming_need_a_reason_and_say_who(self, acme: Acme, served: Served) -> None:
        browser = served.browser("approver", "lee@acme.example")
        refused = browser.post("/i/acme/resume", reason=" ")
        assert refused.status_code == 422
        assert 'href="#reason"' in refused.text
        assert 'aria-describedby="reason-hint reason-problem"' in refused.text
        assert "running" in words_of(browser.post("/i/acme/resume", reason="all is well"))
        assert "lee@acme.example" in words_of(browser.post("/i/acme/pause", reason="holidays"))
        integration = overview(acme.services, "acme").integration
        assert (integration.automatic, integration.automatic_by, integration.automatic_reason) == (
            "paused",
            "lee@acme.example",
            "holidays",
        )

    def test_a_manual_import_is_started_once(self, acme: Acme, served: Served) -> None:
        browser = served.browser()
        browser.post("/i/acme/preview")
        ((job, name, request),) = served.jobs.started
        assert (job, name, request["actor"], request["import_id"]) == ("preview_import", "acme", "dana", None)
        served.jobs.shown = Job("preview_import", "running", "run-1", "2026-03-02T15:00:00+00:00", read=7)
        assert browser.post("/i/acme/preview").status_code == 422
        assert len(served.jobs.started) == 1

    def test_progress_is_told_and_leads_to_the_review(self, changed: Acme, served: Served) -> None:
        browser = served.browser()
        served.jobs.shown = Job("preview_import", "running", "run-1", "2026-03-02T15:00:00+00:00", read=7)
        assert "7 people read so far" in words_of(browser.get("/i/acme/progress"))
        assert "every 1s" in browser.get("/i/acme/progress", {"hx-request": "true"}).text
        summary = changed.preview()
        served.jobs.shown = Job(
            "preview_import", "done", "run-1", "2026-03-02T15:00:00+00:00", import_id=summary.import_id
        )
        address = f"/i/acme/imports/{summary.import_id}"
        assert browser.get("/i/acme/progress", {"hx-request": "true"}).headers["hx-redirect"] == address
        assert browser.get("/i/acme/progress").url.path == address
        served.jobs.shown = Job(
            "preview_import", "failed", "run-1", "2026-03-02T15:00:00+00:00", message="The source is down."
        )
        assert "The source is down." in words_of(browser.get("/i/acme/progress"))


class TestHistory:
    def test_imports_and_the_directory_after_one(self, changed: Acme, served: Served) -> None:
        first = next(iter(changed.users().values()))
        summary = changed.run()
        browser = served.browser("reviewer")
        assert summary.import_id in browser.get("/i/acme/history").text
        assert summary.import_id not in browser.get("/i/acme/history?status=held").text
        page = browser.get(f"/i/acme/history/{summary.import_id}").text
        assert "Ottilie" in page
        assert str(first["employee_id"]) in page

    def test_a_user_as_of_a_day(self, changed: Acme, served: Served) -> None:
        renamed = changed.users()[changed.active()[0]]
        changed.tomorrow()
        changed.run()
        browser = served.browser("reviewer")
        then = words_of(browser.post("/i/acme/history/user", employee_id=renamed["employee_id"], as_of="2026-03-02"))
        now = words_of(browser.post("/i/acme/history/user", employee_id=renamed["employee_id"], as_of="2026-03-03"))
        assert renamed["first_name"] in then
        assert "at the end of 2026-03-02 (America/New_York)" in then
        assert "Ottilie" in now
        assert browser.post("/i/acme/history/user", employee_id="x", as_of="2026-03-02").status_code == 422
        for wrong in ("yesterday", "", "9999-12-31", "2026-03-04"):
            answer = browser.post("/i/acme/history/user", employee_id=renamed["employee_id"], as_of=wrong)
            assert answer.status_code == 422
        assert "still to come" in words_of(answer)

    def test_somebody_of_the_directory_after_an_import_is_looked_for_and_shown_whole(
        self, imported: Any, acme: Acme, served: Served
    ) -> None:
        user = acme.users()[acme.active()[0]]
        acme.company.edit(acme.active()[0], last_name="Beispiel")
        acme.run()
        browser, address = served.browser("reviewer"), f"/i/acme/history/{imported.import_id}"
        page = browser.post(address, text=f"{user['last_name']} {user['first_name']}".upper())
        assert "1 user who fit" in words_of(page)
        assert "Nobody" in words_of(browser.post(address, text="beispiel"))
        then = words_of(
            browser.post("/i/acme/history/user", employee_id=user["employee_id"], import_id=imported.import_id)
        )
        assert "after the import of" in then
        assert user["last_name"] in then
        assert "Beispiel" not in then
        assert browser.post("/i/acme/history/user", employee_id="0001", import_id="none").status_code == 404

    def test_somebody_is_explained(self, acme: Acme, served: Served) -> None:
        user = acme.users()[acme.active()[0]]
        browser = served.browser("reviewer")
        text = words_of(browser.post("/i/acme/history/explain", employee_id=user["employee_id"]))
        assert user["last_name"] in text
        assert "Fed from" in text
        assert browser.post("/i/acme/history/explain", employee_id="nobody").status_code == 422
        assert browser.post("/i/acme/history/explain").status_code == 422

    def test_why_somebody_is_archived_is_one_click_away(self, changed: Acme, served: Served) -> None:
        leaver = changed.users()[changed.active()[2]]
        browser, address = served.browser("reviewer"), review_address(changed)
        page = browser.get(f"{address}?action=archive").text
        assert f'name="employee_id" value="{leaver["employee_id"]}"' in page
        text = words_of(browser.post("/i/acme/history/explain", employee_id=leaver["employee_id"]))
        assert "The source says that this person is inactive." in text
        changed.lose([changed.active()[3]])
        changed.preview()
        missing = changed.users()[changed.active()[3]]
        text = words_of(browser.post("/i/acme/history/explain", employee_id=missing["employee_id"]))
        assert "does not list this person" in text

    def test_hidden_metadata_is_never_shown(self, make: Any, served: Served) -> None:
        acme = make(settings=settings_from({"metadata": [{"name": "Title", "source": "job_title", "type": "hidden"}]}))
        acme.company.edit(next(iter(acme.company.persons())).id, job_title="Geheimnisträger")
        summary = acme.run()
        user = next(row for row in acme.users().values() if row["metadata"].get("Title") == "Geheimnisträger")
        browser = served.browser()
        pages = [
            browser.get(f"/i/acme/imports/{summary.import_id}"),
            browser.post("/i/acme/history/explain", employee_id=user["employee_id"]),
            browser.post("/i/acme/history/user", employee_id=user["employee_id"], as_of="2026-03-02"),
            browser.get(f"/i/acme/history/{summary.import_id}"),
            browser.get("/i/acme/user-file"),
            browser.get("/i/acme/files/user-file.csv"),
            browser.get("/i/acme/people"),
        ]
        assert [page.status_code for page in pages] == [200] * len(pages)
        assert [str(page.url) for page in pages if "Geheimnisträger" in page.text] == []

    def test_every_import_is_a_page_away(self, imported: Any, services: Services, served: Served) -> None:
        failed = Import(
            integration_id="acme",
            directory_id="acme",
            status="failed",
            trigger="schedule",
            actor="schedule",
            planned_at=services.now() + timedelta(days=1),
        )
        with services.store.begin() as connection:
            for _ in range(50):
                record_failed(connection, failed)
        browser = served.browser("viewer")
        assert "Page 1 of 2" in words_of(browser.get("/i/acme/history"))
        last = browser.get("/i/acme/history?page=99")
        assert "Page 2 of 2" in words_of(last)
        assert imported.import_id in last.text
        assert imported.import_id in browser.get("/i/acme/history?status=applied").text


class TestDeleted:
    @pytest.fixture
    def deleted(self, imported: Any, services: Services) -> str:
        with services.store.begin() as connection:
            delete_integration(connection, "acme", services.now())
        return str(imported.import_id)

    def test_the_history_of_a_deleted_integration_is_there_to_be_looked_at(self, deleted: str, served: Served) -> None:
        browser = served.browser()
        assert "1 deleted integration" in words_of(browser.get("/"))
        assert 'href="/i/acme/history"' in browser.get("/deleted").text
        page = browser.get("/i/acme/history")
        assert "acme was deleted on" in words_of(page)
        assert deleted in page.text
        assert "/history/explain" not in page.text
        review = browser.get(f"/i/acme/imports/{deleted}")
        assert "Import applied" in words_of(review)
        assert "Take this import back" not in review.text
        assert browser.get("/i/acme/decisions").status_code == 200
        places = set(re.findall(r'href="(/[^"#?]*)', page.text + review.text)) - {"/static/console.css"}
        assert {browser.get(place).status_code for place in places} == {200}

    def test_nothing_else_of_it_is(self, deleted: str, served: Served) -> None:
        browser = served.browser()
        for path in ("", "/people", "/settings", "/mapping", "/conflicts", "/setup", f"/history/{deleted}"):
            assert browser.get(f"/i/acme{path}").status_code == 404, path
        assert browser.post(f"/i/acme/imports/{deleted}/undo").status_code == 404
        assert browser.get("/i/nobody/history").status_code == 404

    def test_without_any_there_is_no_way_there(self, imported: Any, served: Served) -> None:
        assert "/deleted" not in served.browser().get("/").text
        assert "None was deleted" in words_of(served.browser().get("/deleted"))


ODD_NUMBERS = ("²", "٣", "-1", "0", "9" * 5000, "1e3", " ", "x", "%00")


@pytest.mark.parametrize(
    "path", ["", "/conflicts", "/history", "/user-file", "/decisions", "/history/ID", "/imports/ID"]
)
def test_a_page_s_number_is_one_or_the_first_page_is_shown(imported: Any, served: Served, path: str) -> None:
    browser = served.browser()
    for number in ODD_NUMBERS:
        answer = browser.get(f"/i/acme{path.replace('ID', imported.import_id)}?page={number}")
        assert answer.status_code == 200, (path, number)


class TestPeople:
    def test_milestones_lines_and_headcounts(self, acme: Acme, served: Served) -> None:
        page = served.browser("reviewer").get("/i/acme/people")
        text = words_of(page)
        assert "12 active users" in text
        assert "Milestones of the next 90 days" in text
        assert page.text.count('<svg class="plot"') == 3
        for row in acme.users().values():
            assert str(row["last_name"]) in text

    def test_who_supervises_themselves_is_shown_once(self, acme: Acme, served: Served) -> None:
        first, second = acme.active()[:2]
        acme.company.edit(first, manager=second)
        acme.company.edit(second, manager=first)
        acme.run()
        users = acme.users()
        page = served.browser("reviewer").get("/i/acme/people").text
        tree = page[page.index('class="tree"') :]
        assert [tree.count(f">{users[key]['employee_id']}<") for key in (first, second)] == [1, 1]

    @pytest.mark.parametrize("what", ["user-file", "milestones", "reporting-lines", "headcounts"])
    @pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
    def test_downloads(self, acme: Acme, served: Served, what: str, ending: str) -> None:
        answer = served.browser("reviewer").get(f"/i/acme/files/{what}.{ending}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert f'filename="acme-{what}.{ending}"' in answer.headers["content-disposition"]
        assert answer.content[:4] == {"parquet": b"PAR1", "xlsx": b"PK\x03\x04", "csv": '\ufeff"'.encode()}[ending]

    @pytest.mark.parametrize("file", ["user-file.exe", "passwords.csv", "..csv", "user-file"])
    def test_there_is_no_other_file(self, acme: Acme, served: Served, file: str) -> None:
        assert served.browser().get(f"/i/acme/files/{file}").status_code == 404


MOST_STATEMENTS = {"/": 10, "/i/acme": 16, "review": 20, "/i/acme/history": 9, "/i/acme/conflicts": 9}
"""How many statements a page may cost, transactions included, however many people and reasons it names."""


@pytest.mark.parametrize(("page", "most"), MOST_STATEMENTS.items())
def test_a_page_is_a_few_statements(changed: Acme, served: Served, page: str, most: int) -> None:
    for reason, hris_id in zip(("last_name", "birth_date", "first_name"), changed.active()[4:], strict=False):
        changed.company.edit(hris_id, **{reason: "31/12/1980" if reason == "birth_date" else None})
    user = changed.users()[changed.active()[3]]
    changed.company.add(first_name="Neu", last_name="Anders", work_email=user["email"])
    path, browser = review_address(changed) if page == "review" else page, served.browser()
    browser.get(path)  # the settings are read once a process
    with statements(changed.services.store.engine) as executed:
        answer = browser.get(path)
    assert answer.status_code == 200
    assert 0 < len(executed) <= most, "\n".join(executed)


@contextmanager
def statements(engine: sa.Engine) -> Iterator[list[str]]:
    """Every statement that the engine is given, until the block ends."""
    executed: list[str] = []

    def note(*arguments: Any) -> None:
        executed.append(str(arguments[2]))

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
