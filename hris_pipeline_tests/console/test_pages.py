"""Every page over HTTP: what it shows to whom, and what its forms do."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa

from hris_pipeline.console.jobs import Job
from hris_pipeline.console.visit import STATIC
from hris_pipeline.console.words import browser_words
from hris_pipeline.errors import MachineError
from hris_pipeline.operations.connection import QUESTIONS, SetupProgress
from hris_pipeline.operations.decisions import is_approved
from hris_pipeline.operations.overview import overview, read_import
from hris_pipeline.operations.review_queues import open_conflicts
from hris_pipeline.operations.roles import decisions_of
from hris_pipeline.operations.settings import settings_in_force
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.settings.validating import settings_from
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.browser import Browser, Served, words_of
from hris_pipeline_tests.kit.live_console import CHROMIUM, browser_page

RENAMED = {"first_name": "Ottilie", "last_name": "Beispiel"}


def hidden(page: str, name: str) -> list[str]:
    """The values of a page's hidden fields of that name."""
    return [unescape(value) for value in re.findall(rf'name="{re.escape(name)}" value="([^"]*)"', page)]


def review_of(acme: Acme) -> str:
    return f"/i/acme/imports/{acme.preview().import_id}"


@pytest.fixture
def changed(acme: Acme) -> Acme:
    """Somebody is called otherwise, somebody has another EmployeeId, somebody left."""
    first, second, third = acme.active()[:3]
    acme.company.edit(first, **RENAMED)
    acme.company.edit(second, work_id="NEW-7")
    acme.company.edit(third, active=False)
    return acme


@pytest.fixture
def held(make: Any) -> Acme:
    """Of thirty people ten left at once: a guard holds it."""
    acme: Acme = make(30)
    acme.run()
    for hris_id in acme.active()[:10]:
        acme.company.edit(hris_id, active=False)
    return acme


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


class TestReview:
    def test_everybody_is_shown_from_old_to_new(self, changed: Acme, served: Served) -> None:
        before = changed.users()
        first, second, third = changed.active()[:3]
        page = served.browser("reviewer").get(review_of(changed))
        text = words_of(page)
        assert f"{before[first]['first_name']} → becomes Ottilie" in text
        assert f"{before[second]['employee_id']} → becomes NEW-7" in text
        assert "active → becomes archived" in text
        assert before[third]["last_name"] in text

    def test_a_viewer_sees_ids_and_fields_but_nobodys_values(self, changed: Acme, served: Served) -> None:
        before = changed.users()
        second = changed.active()[1]
        text = served.browser("viewer").get(review_of(changed)).text
        assert "NEW-7" in text
        assert str(before[second]["employee_id"]) in text
        assert "First Name" in text
        for value in ("Ottilie", "Beispiel", *(row["last_name"] for row in before.values())):
            assert value not in text

    def test_tabs_and_filters_stand_in_the_address(self, changed: Acme, served: Served) -> None:
        browser, address = served.browser("reviewer"), review_of(changed)
        assert "1 change fits" in words_of(browser.get(f"{address}?field=employee_id"))
        assert "NEW-7" in browser.get(f"{address}?field=employee_id").text
        archived = browser.get(f"{address}?action=archive").text
        assert "Ottilie" not in archived
        assert "archived" in archived
        assert browser.get(f"{address}?field=nonsense").status_code == 422
        assert browser.get(f"{address}?sort=nonsense").status_code == 422
        assert browser.get(f"{address}?page=99").status_code == 200

    def test_somebody_is_looked_for_by_post_alone(self, changed: Acme, served: Served) -> None:
        browser, address = served.browser("reviewer"), review_of(changed)
        page = browser.post(address, text="ottil")
        assert "1 change fits" in words_of(page)
        assert "Ottilie" in page.text
        assert "ottil" not in str(page.url)
        assert "Ottilie" in browser.get(f"{address}?text=nobody-at-all").text

    def test_guards_lead_to_their_very_people(self, held: Acme, served: Served) -> None:
        browser, address = served.browser("reviewer"), review_of(held)
        assert "Many people would be archived : 10 of" in words_of(browser.get(address))
        page = browser.get(f"{address}?guard=archive_limit").text
        assert page.count('<th scope="row">') == 10

    def test_saving_applies_the_very_plan_that_was_shown(self, changed: Acme, served: Served) -> None:
        browser, address = served.browser("reviewer"), review_of(changed)
        (digest,) = set(hidden(browser.get(address).text, "digest"))
        browser.post(f"{address}/save", digest=digest)
        ((job, _, request),) = served.jobs.started
        assert job == "save_import"
        assert request["import_id"] == address.rpartition("/")[2]
        assert decisions_of(changed.services, "acme")[0].action == "save"

    @pytest.mark.parametrize("action", ["save", "discard", "approve"])
    def test_what_was_not_shown_is_not_decided(self, changed: Acme, served: Served, action: str) -> None:
        browser, address = served.browser(), review_of(changed)
        answer = browser.post(f"{address}/{action}", digest="0" * 64, reason="x", discard_reason="x", sure="yes")
        assert answer.status_code == 409
        assert served.jobs.started == []

    def test_a_superseded_import_is_not_decided(self, changed: Acme, served: Served) -> None:
        browser, address = served.browser(), review_of(changed)
        digest = hidden(browser.get(address).text, "digest")[0]
        changed.company.edit(changed.active()[4], first_name="Meanwhile")
        changed.preview()
        assert browser.post(f"{address}/save", digest=digest).status_code == 409
        assert served.jobs.started == []

    def test_a_held_import_is_approved_with_a_reason_and_a_look(self, held: Acme, served: Served) -> None:
        browser, address = served.browser("approver", "lee"), review_of(held)
        page = browser.get(address).text
        digest = hidden(page, "digest")[0]
        assert "Save import" not in page
        assert browser.post(f"{address}/save", digest=digest).status_code == 422
        refused = browser.post(f"{address}/approve", digest=digest)
        assert refused.status_code == 422
        assert {'href="#reason"', 'href="#sure"'} <= set(re.findall(r'href="#\w+"', refused.text))
        approved = browser.post(f"{address}/approve", digest=digest, reason="the branch closed", sure="yes")
        assert "It is approved" in words_of(approved)
        assert "Save import" in approved.text
        assert is_approved(held.services, read_import(held.services, address.rpartition("/")[2]))

    def test_a_reviewer_cannot_let_a_held_import_through(self, held: Acme, served: Served) -> None:
        page = served.browser("reviewer").get(review_of(held)).text
        assert "/approve" not in page
        assert "role approver" in page

    def test_discarding_needs_a_reason(self, changed: Acme, served: Served) -> None:
        browser, address = served.browser("reviewer"), review_of(changed)
        digest = hidden(browser.get(address).text, "digest")[0]
        assert browser.post(f"{address}/discard", digest=digest).status_code == 422
        answer = browser.post(f"{address}/discard", digest=digest, discard_reason="not today")
        assert "Import discarded" in words_of(answer)

    def test_taking_back_is_a_review_too(self, changed: Acme, served: Served) -> None:
        summary = changed.run()
        browser = served.browser("approver")
        page = browser.post(f"/i/acme/imports/{summary.import_id}/undo")
        assert "Taking an import back" in words_of(page)
        assert "Ottilie" in page.text
        digest = hidden(page.text, "digest")[0]
        answer = browser.post(f"{page.url.path}/discard", digest=digest, discard_reason="only looking")
        assert "Import discarded" in words_of(answer)

    def test_whoever_is_not_applied_is_named_with_the_reason(self, acme: Acme, served: Served) -> None:
        acme.company.edit(acme.active()[0], last_name=None)
        browser, address = served.browser("reviewer"), review_of(acme)
        assert "quarantined" in words_of(browser.get(f"{address}?action=others"))
        assert "Last Name" in words_of(browser.get(f"{address}?action=others&reason=quarantined"))

    def test_an_import_of_another_integration_is_none_of_this_one(self, acme: Acme, served: Served) -> None:
        summary = acme.preview()
        assert served.browser().get(f"/i/other/imports/{summary.import_id}").status_code == 404
        assert served.browser().get("/i/acme/imports/none").status_code == 404


class TestConflicts:
    @pytest.fixture
    def conflicting(self, acme: Acme) -> Acme:
        """Somebody new comes with the address of a user."""
        user = acme.users()[acme.active()[0]]
        acme.company.add(first_name="Neu", last_name="Anders", work_email=user["email"])
        acme.preview()
        return acme

    def test_both_records_stand_side_by_side(self, conflicting: Acme, served: Served) -> None:
        user = conflicting.users()[conflicting.active()[0]]
        page = served.browser("reviewer").get("/i/acme/conflicts").text
        assert "Anders" in page
        assert str(user["last_name"]) in page
        assert "Anders" not in served.browser("viewer").get("/i/acme/conflicts").text

    @pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
    @pytest.mark.filterwarnings("ignore")
    def test_a_phone_shows_both_records(self, conflicting: Acme, served: Served) -> None:
        html = served.browser("reviewer").get("/i/acme/conflicts").text
        sheet = (STATIC / "console.css").read_text()
        with browser_page(width=375, scripts=True) as page:
            page.set_content(f"{html}<style>{sheet}</style>")
            assert page.evaluate("document.documentElement.scrollWidth") == 375
            cell = page.locator('td[data-label="The user"]').first.bounding_box()
            assert cell["x"] + cell["width"] <= 375

    def test_a_decision_is_recorded(self, conflicting: Acme, served: Served) -> None:
        (conflict,) = open_conflicts(conflicting.services, "acme")
        browser, address = served.browser("approver"), f"/i/acme/conflicts/{conflict.conflict_id}"
        assert browser.post(address).status_code == 422
        assert "Decided" in words_of(browser.post(address, **{f"decision-{conflict.conflict_id}": "create"}))
        assert open_conflicts(conflicting.services, "acme") == ()
        assert decisions_of(conflicting.services, "acme")[0].subject == conflict.conflict_id
        assert browser.post(address, **{f"decision-{conflict.conflict_id}": "create"}).status_code == 404

    def test_linking_all_by_employee_id_is_confirmed(self, acme: Acme, served: Served) -> None:
        browser = served.browser("approver")
        assert browser.post("/i/acme/conflicts/relink").status_code == 422
        assert "0 people are linked" in words_of(browser.post("/i/acme/conflicts/relink", sure="yes"))


class TestSettings:
    def test_every_setting_is_there_with_its_meaning_and_default(self, acme: Acme, served: Served) -> None:
        from hris_pipeline.settings.schema import setting_rows

        page = unescape(served.browser().get("/i/acme/settings").text)
        for row in setting_rows():
            if row.values != "keys below" and row.name.partition(".")[0] not in ("mapping", "metadata"):
                assert f'name="{row.name}"' in page
                assert row.meaning in page

    def test_what_differs_is_shown_before_it_is_stored(self, changed: Acme, served: Served) -> None:
        browser = served.browser()
        page = browser.post("/i/acme/settings", archive_employees="off", at="05:15")
        text = words_of(page)
        assert "An import of the latest extract would then change" in text
        assert "05:15" in text
        assert settings_in_force(changed.services, "acme").version == 1
        fields = {"version": hidden(page.text, "version")[0], "change": hidden(page.text, "change")}
        assert "Stored as version 2" in words_of(browser.post("/i/acme/settings/store", **fields))
        settings = settings_in_force(changed.services, "acme").settings
        assert (settings.archive_employees, settings.at) == (False, "05:15")
        assert "05:15" in browser.get("/i/acme/settings/versions").text

    def test_what_somebody_else_stored_meanwhile_is_not_overwritten(self, acme: Acme, served: Served) -> None:
        browser = served.browser()
        page = browser.post("/i/acme/settings", at="05:15").text
        acme.switch("at=06:30")
        fields = {"version": hidden(page, "version")[0], "change": hidden(page, "change")}
        assert browser.post("/i/acme/settings/store", **fields).status_code == 422
        assert acme.settings().at == "06:30"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("at", "4 o'clock"),
            ("time_zone", "Nowhere"),
            ("import_days_before_start", "-1"),
            ("do_not_import", "- {name: X, all: [{field: nothing, operator: equals, value: x}]}"),
            ("do_not_archive", "{"),
            ("guards.archive_limit.percent", "many"),
        ],
    )
    def test_a_problem_stands_on_top_and_beside_the_field(
        self, acme: Acme, served: Served, field: str, value: str
    ) -> None:
        page = served.browser().post("/i/acme/settings", **{field: value})
        assert page.status_code == 422
        assert f'href="#{field}"' in page.text
        assert f'id="{field}-problem"' in page.text
        assert unescape(page.text).count(value) >= 1

    @pytest.mark.parametrize(
        "sent", ["0016\r\n0020", "0016, 0020", "0016,\n0020", '["0016", "0020"]', '- "0016"\n- "0020"']
    )
    def test_ids_are_taken_one_a_line_or_with_commas_between(self, acme: Acme, served: Served, sent: str) -> None:
        browser = served.browser()
        page = browser.post("/i/acme/settings", do_not_archive=sent)
        assert hidden(page.text, "change") == ['do_not_archive=["0016", "0020"]']
        browser.post("/i/acme/settings/store", version="1", change=hidden(page.text, "change"))
        assert acme.settings().do_not_archive == ("0016", "0020")
        assert ">0016\n0020</textarea>" in browser.get("/i/acme/settings").text
        assert "Nothing differs" in words_of(browser.post("/i/acme/settings", do_not_archive=sent))

    def test_an_address_is_taken_as_it_is(self, acme: Acme, served: Served) -> None:
        page = served.browser().post("/i/acme/settings", notify="json://one.example\njson://two.example")
        (change,) = hidden(page.text, "change")
        assert (change.count("json://one.example"), change.count("json://two.example")) == (1, 1)

    def test_a_refused_value_is_told_with_its_setting_and_an_example(self, acme: Acme, served: Served) -> None:
        text = words_of(served.browser().post("/i/acme/settings", do_not_archive="{", import_days_before_start="91"))
        assert "Import days before start: must be at most 90" in text
        assert "Do not archive: " in text
        assert "For example: 0016, 0020" in text

    def test_where_notifications_go_is_never_shown(self, make: Any, served: Served) -> None:
        make(settings=settings_from({"notify": [{"to": "json://token-7@hooks.example"}]}))
        browser = served.browser()
        for path in ("settings", "settings/versions", "settings/export"):
            assert "token-7" not in browser.get(f"/i/acme/{path}").text
        assert "Nothing differs" in words_of(browser.post("/i/acme/settings", notify=""))

    def test_deleting_takes_the_name(self, acme: Acme, served: Served) -> None:
        browser = served.browser()
        assert browser.post("/i/acme/settings/delete", confirm="acm").status_code == 422
        assert overview(acme.services, "acme").integration.integration_id == "acme"

    def test_disconnecting_says_what_the_source_said(self, acme: Acme, served: Served) -> None:
        assert "Disconnected" in words_of(served.browser().post("/i/acme/settings/disconnect", sure="yes"))
        assert overview(acme.services, "acme").integration.connection == "disconnected"


class TestMapping:
    def test_it_shows_how_many_have_a_field_and_the_first_value(self, acme: Acme, served: Served) -> None:
        last_name = next(iter(acme.company.persons())).last_name
        text = words_of(served.browser().get("/i/acme/mapping"))
        assert "Last Name (100%)" in text
        assert str(last_name) in text
        assert str(last_name) not in words_of(served.browser("viewer").get("/i/acme/mapping"))

    def unchanged(self, browser: Browser) -> dict[str, str]:
        page = browser.get("/i/acme/mapping").text
        return {name: unescape(value) for name, value in re.findall(r'name="(was-\d+)" value="([^"]*)"', page)}

    def stored(self, browser: Browser, **fields: str) -> str:
        page = browser.post("/i/acme/mapping", **self.unchanged(browser), **fields)
        assert "What would change" in words_of(page), words_of(page)
        sent = {"version": hidden(page.text, "version")[0], "change": hidden(page.text, "change")}
        browser.post("/i/acme/mapping/store", **sent)
        return words_of(page)

    def test_a_core_field_is_fed_from_elsewhere(self, acme: Acme, served: Served) -> None:
        text = self.stored(served.browser(), **{"map-preferred_first_name": "first_name"})
        assert "would then change" in text
        assert acme.settings().mapping == {"preferred_first_name": "first_name"}

    def test_metadata_is_added_renamed_retyped_and_deleted(self, acme: Acme, served: Served) -> None:
        browser = served.browser()
        self.stored(browser, **{"name-new": "City", "source-new": "residence_city", "type-new": "hidden"})
        fields = {"name-0": "Position", "type-1": "hidden", "delete-2": "yes", "source-3": "job_title"}
        self.stored(browser, **fields)
        metadata = {str(entry.name): entry for entry in acme.settings().metadata}
        assert "JobTitle" not in metadata
        assert metadata["Position"].source == "job_title"
        assert metadata["Department"].type == "hidden"
        assert "EmploymentType" not in metadata
        assert metadata["City"].type == "hidden"
        assert metadata["EmploymentSubtype"].source == "job_title"

    def test_what_cannot_be_is_said_beside_the_field(self, acme: Acme, served: Served) -> None:
        browser = served.browser()
        page = browser.post(
            "/i/acme/mapping", **{"map-birth_date": "last_name", "name-new": "Email", "source-new": "email"}
        )
        assert page.status_code == 422
        assert {'href="#map-birth_date"', 'href="#name-new"'} <= set(re.findall(r'href="#[\w-]+"', page.text))

    def test_the_mappings_store_takes_nothing_else(self, acme: Acme, served: Served) -> None:
        answer = served.browser().post("/i/acme/mapping/store", version="1", change="archive_employees=off")
        assert answer.status_code == 422
        assert acme.settings().archive_employees


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
        now = words_of(browser.post("/i/acme/history/user", employee_id=renamed["employee_id"], as_of="2026-03-04"))
        assert renamed["first_name"] in then
        assert "Ottilie" in now
        assert browser.post("/i/acme/history/user", employee_id="x", as_of="2026-03-02").status_code == 422
        for wrong in ("yesterday", "", "9999-12-31"):
            answer = browser.post("/i/acme/history/user", employee_id=renamed["employee_id"], as_of=wrong)
            assert answer.status_code == 422

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
        browser, address = served.browser("reviewer"), review_of(changed)
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


class TestSetup:
    @pytest.mark.parametrize("name", ["", "Acme", "a b", "../x", "-a", "x" * 64, "acme"])
    def test_a_name_that_cannot_be_is_said_beside_the_field(self, acme: Acme, served: Served, name: str) -> None:
        page = served.browser().post("/setup", name=name, source="justworks")
        assert page.status_code == 422
        assert 'href="#name"' in page.text

    def test_quitting_anywhere_goes_on_where_it_stopped(self, served: Served) -> None:
        browser = served.browser()
        browser.post("/setup", name="blue", source="justworks")
        assert "0 of 8 steps" in words_of(browser.get("/i/blue/setup"))
        browser.post("/i/blue/setup/terms", agree="yes")
        browser.post("/i/blue/setup/archive", archive_employees="off")
        other = served.browser()
        assert "2 of 8 steps" in words_of(other.get("/i/blue/setup"))
        assert re.search(r'value="off" checked', other.get("/i/blue/setup/archive").text)

    def test_nobody_connects_before_the_terms(self, served: Served) -> None:
        browser = served.browser()
        browser.post("/setup", name="blue", source="justworks")
        assert "First the terms" in words_of(browser.get("/i/blue/setup/connect"))

    @staticmethod
    def consent(browser: Browser, sandbox: Sandbox) -> str:
        """Agrees at the provider; gives where the browser is sent back to."""
        browser.post("/setup", name="blue", source="justworks")
        browser.post("/i/blue/setup/terms", agree="yes")
        page = browser.get("/i/blue/setup/connect").text
        address = unescape(re.search(r'href="(http[^"]+/oauth/authorize[^"]+)"', page)[1])  # type: ignore[index]
        return str(sandbox.consent(address)[0]).removeprefix("http://127.0.0.1:3000")

    def test_the_provider_sends_back_and_the_company_is_named(self, served: Served, sandbox: Sandbox) -> None:
        browser = served.browser()
        page = browser.get(self.consent(browser, sandbox))
        assert "Connected to Acme" in words_of(page)
        assert "code=" not in str(page.url)

    def test_an_answer_is_good_once_and_for_the_session_that_asked(self, served: Served, sandbox: Sandbox) -> None:
        browser, other = served.browser(), served.browser()
        back = self.consent(browser, sandbox)
        assert other.get(back).status_code == 422
        assert browser.get(back).status_code == 200
        assert browser.get(back).status_code == 422
        assert browser.get("/connect/callback?code=x&state=x").status_code == 422

    def test_somebody_who_does_not_agree_is_told(self, served: Served, sandbox: Sandbox) -> None:
        browser = served.browser()
        state = re.search("state=([^&]+)", self.consent(browser, sandbox))[1]  # type: ignore[index]
        page = browser.get(f"/connect/callback?error=access_denied<b>&state={state}")
        assert page.status_code == 409
        assert "Nobody agreed (access_deniedb)" in words_of(page)

    def test_an_aggregators_token_is_pasted(self, served: Served, sandbox: Sandbox) -> None:
        browser = served.browser()
        browser.post("/setup", name="blue", source="finch")
        browser.post("/i/blue/setup/terms", agree="yes")
        assert browser.post("/i/blue/setup/connect/token").status_code == 422
        assert 'type="password"' in browser.get("/i/blue/setup/connect").text

    def test_skipping_the_import_is_possible(self, acme: Acme, served: Served) -> None:
        assert "Skipped" in words_of(served.browser().post("/i/acme/setup/import", now="skip"))
        assert served.jobs.started == []

    def test_automatic_imports_are_kept_paused_when_wished(self, acme: Acme, served: Served) -> None:
        page = served.browser().post("/i/acme/setup/automatic", automatic="paused")
        assert "Automatic imports are paused" in words_of(page)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/i/none", "/i/none/settings", "/i/acme/setup/nonsense", "/i/%00", "/i/a/b/c"]
)
def test_what_there_is_not_is_said(acme: Acme, served: Served, path: str) -> None:
    page = served.browser().get(path)
    assert page.status_code == 404
    assert "`" not in page.text, "a command is nothing for a browser"
    assert 'href="/"' in page.text, "no way back"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("None: `hris history NAME` lists them.", "None: the page “History” lists them."),
        ("None yet: run `hris preview acme` first.", "None yet: run a manual import first."),
        ("Not connected: run `hris connect acme`.", "Not connected: use “Connect” in the settings."),
        (
            "No tables: run `hris store upgrade`.",
            "No tables: run hris store upgrade. That is for whoever runs this installation.",
        ),
        ("Nothing to name.", "Nothing to name."),
    ],
)
def test_a_command_is_told_as_the_page_that_does_the_same(message: str, words: str) -> None:
    assert browser_words(message) == words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "Zwitscherling"), "disk is full"),
        (ImportError("Install s3fs to access S3"), "pip install"),
        (MachineError("NO_PROXY holds what is no host."), "NO_PROXY"),
    ],
)
def test_what_this_machine_lacks_is_said_in_words(
    acme: Acme, served: Served, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("hris_pipeline.console.pages.people.milestones", broken)
    page = served.browser().get("/i/acme/people")
    assert page.status_code in (409, 503)
    assert words in page.text
    assert "unexpected" not in page.text
    assert "Zwitscherling" not in page.text


def test_an_unexpected_error_tells_its_kind_and_place_alone(
    acme: Acme, served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("Zwitscherling was born on 1961-07-13")

    monkeypatch.setattr("hris_pipeline.console.pages.people.milestones", broken)
    page = served.browser().get("/i/acme/people")
    assert page.status_code == 500
    assert "ValueError" in page.text
    assert "Zwitscherling" not in page.text + caplog.text


def test_what_was_answered_on_the_command_line_is_not_asked_again(make: Any, served: Served) -> None:
    acme, browser = make(), served.browser()
    assert "2 of 8 steps are done" in words_of(browser.get("/i/acme/setup"))
    for question in QUESTIONS:
        SetupProgress(acme.services, "acme").note(question)
    page = browser.get("/i/acme/setup")
    assert "5 of 8 steps are done" in words_of(page)
    assert '/i/acme/setup/check">Go on' in page.text


MOST_STATEMENTS = {"/": 10, "/i/acme": 14, "review": 20, "/i/acme/history": 9, "/i/acme/conflicts": 9}
"""How many statements a page may cost, transactions included, however many people and reasons it names."""


@pytest.mark.parametrize(("page", "most"), MOST_STATEMENTS.items())
def test_a_page_is_a_few_statements(changed: Acme, served: Served, page: str, most: int) -> None:
    for reason, hris_id in zip(("last_name", "birth_date", "first_name"), changed.active()[4:], strict=False):
        changed.company.edit(hris_id, **{reason: "31/12/1980" if reason == "birth_date" else None})
    user = changed.users()[changed.active()[3]]
    changed.company.add(first_name="Neu", last_name="Anders", work_email=user["email"])
    path, browser = review_of(changed) if page == "review" else page, served.browser()
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
