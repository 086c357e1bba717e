"""The pages of what an import would do: its review, the decisions on it, and its conflicts."""

import re

import pytest

from hris_pipeline.console.visit import STATIC
from hris_pipeline.contract import COUNTS
from hris_pipeline.operations.decisions import is_approved
from hris_pipeline.operations.overview import read_import
from hris_pipeline.operations.review_queues import open_conflicts
from hris_pipeline.operations.roles import decisions_of
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.browser import Served, hidden_values, review_address, words_of
from hris_pipeline_tests.kit.live_console import CHROMIUM, browser_page


class TestReview:
    def test_everybody_is_shown_from_old_to_new(self, changed: Acme, served: Served) -> None:
        before = changed.users()
        first, second, third = changed.active()[:3]
        page = served.browser("reviewer").get(review_address(changed))
        text = words_of(page)
        assert f"{before[first]['first_name']} → becomes Ottilie" in text
        assert f"{before[second]['employee_id']} → becomes NEW-7" in text
        assert "active → becomes archived" in text
        assert before[third]["last_name"] in text

    def test_counts_and_actions_have_the_words_of_the_semantics(self, changed: Acme, served: Served) -> None:
        text = words_of(served.browser().get(review_address(changed)))
        for word in COUNTS:
            assert re.search(rf"\d+ ?{word}\b", text), word
        assert "Created" in text
        assert not re.search(r"\b[Nn]ew\b", text.replace("NEW-7", "").replace("old to new", ""))

    def test_a_viewer_sees_ids_and_fields_but_nobodys_values(self, changed: Acme, served: Served) -> None:
        before = changed.users()
        second = changed.active()[1]
        text = served.browser("viewer").get(review_address(changed)).text
        assert "NEW-7" in text
        assert str(before[second]["employee_id"]) in text
        assert "First Name" in text
        for value in ("Ottilie", "Beispiel", *(row["last_name"] for row in before.values())):
            assert value not in text

    def test_tabs_and_filters_stand_in_the_address(self, changed: Acme, served: Served) -> None:
        browser, address = served.browser("reviewer"), review_address(changed)
        assert "1 change fits" in words_of(browser.get(f"{address}?field=employee_id"))
        assert "NEW-7" in browser.get(f"{address}?field=employee_id").text
        archived = browser.get(f"{address}?action=archive").text
        assert "Ottilie" not in archived
        assert "archived" in archived
        assert browser.get(f"{address}?field=nonsense").status_code == 422
        assert browser.get(f"{address}?sort=nonsense").status_code == 422
        assert browser.get(f"{address}?page=99").status_code == 200

    def test_somebody_is_looked_for_by_post_alone(self, changed: Acme, served: Served) -> None:
        browser, address = served.browser("reviewer"), review_address(changed)
        page = browser.post(address, text="ottil")
        assert "1 change fits" in words_of(page)
        assert "Ottilie" in page.text
        assert "ottil" not in str(page.url)
        assert "Ottilie" in browser.get(f"{address}?text=nobody-at-all").text

    def test_guards_lead_to_their_very_people(self, held: Acme, served: Served) -> None:
        browser, address = served.browser("reviewer"), review_address(held)
        assert "Many people would be archived : 10 of" in words_of(browser.get(address))
        page = browser.get(f"{address}?guard=archive_limit").text
        assert page.count('<th scope="row">') == 10

    def test_saving_applies_the_very_plan_that_was_shown(self, changed: Acme, served: Served) -> None:
        browser, address = served.browser("reviewer"), review_address(changed)
        (digest,) = set(hidden_values(browser.get(address).text, "digest"))
        browser.post(f"{address}/save", digest=digest)
        ((job, _, request),) = served.jobs.started
        assert job == "save_import"
        assert request["import_id"] == address.rpartition("/")[2]
        assert request["tags"] == {"hris/method": "link", "hris/address": "127.0.0.1"}  # the run writes down who saved
        assert decisions_of(changed.services, "acme") == ()

    @pytest.mark.parametrize("action", ["save", "discard", "approve"])
    def test_what_was_not_shown_is_not_decided(self, changed: Acme, served: Served, action: str) -> None:
        browser, address = served.browser(), review_address(changed)
        answer = browser.post(f"{address}/{action}", digest="0" * 64, reason="x", discard_reason="x", sure="yes")
        assert answer.status_code == 409
        assert f'href="{address}">Back to the import' in answer.text
        assert served.jobs.started == []

    def test_a_superseded_import_is_not_decided(self, changed: Acme, served: Served) -> None:
        browser, address = served.browser(), review_address(changed)
        digest = hidden_values(browser.get(address).text, "digest")[0]
        changed.company.edit(changed.active()[4], first_name="Meanwhile")
        changed.preview()
        assert browser.post(f"{address}/save", digest=digest).status_code == 409
        assert served.jobs.started == []

    def test_a_held_import_is_approved_with_a_reason_and_a_look(self, held: Acme, served: Served) -> None:
        browser, address = served.browser("approver", "lee"), review_address(held)
        page = browser.get(address).text
        digest = hidden_values(page, "digest")[0]
        assert "Save import" not in page
        assert browser.post(f"{address}/save", digest=digest).status_code == 422
        refused = browser.post(f"{address}/approve", digest=digest)
        assert refused.status_code == 422
        assert {'href="#reason"', 'href="#sure"'} <= set(re.findall(r'href="#\w+"', refused.text))
        approved = browser.post(f"{address}/approve", digest=digest, reason="the branch closed", sure="yes")
        assert "It is approved" in words_of(approved)
        assert "Save import" in approved.text
        assert "approved an import" in words_of(approved)
        assert "the branch closed" in words_of(approved)
        assert is_approved(held.services, read_import(held.services, address.rpartition("/")[2]))

    def test_a_reviewer_cannot_let_a_held_import_through(self, held: Acme, served: Served) -> None:
        page = served.browser("reviewer").get(review_address(held)).text
        assert "/approve" not in page
        assert "role approver" in page

    def test_discarding_needs_a_reason(self, changed: Acme, served: Served) -> None:
        browser, address = served.browser("reviewer"), review_address(changed)
        digest = hidden_values(browser.get(address).text, "digest")[0]
        assert browser.post(f"{address}/discard", digest=digest).status_code == 422
        answer = browser.post(f"{address}/discard", digest=digest, discard_reason="not today")
        assert "Import discarded" in words_of(answer)

    def test_taking_back_is_a_review_too(self, changed: Acme, served: Served) -> None:
        summary = changed.run()
        browser = served.browser("approver")
        browser.post("/i/acme/resume", reason="all is well")
        page = browser.post(f"/i/acme/imports/{summary.import_id}/undo")
        assert "paused until somebody starts them on the overview" in words_of(page)
        assert "Taking an import back" in words_of(page)
        assert "Ottilie" in page.text
        digest = hidden_values(page.text, "digest")[0]
        answer = browser.post(f"{page.url.path}/discard", digest=digest, discard_reason="only looking")
        assert "Import discarded" in words_of(answer)
        assert "paused until somebody starts them" in words_of(answer)

    def test_whoever_is_not_applied_is_named_with_the_reason(self, acme: Acme, served: Served) -> None:
        acme.company.edit(acme.active()[0], last_name=None)
        browser, address = served.browser("reviewer"), review_address(acme)
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
        assert "Linked by EmployeeId: 0 people." in words_of(browser.post("/i/acme/conflicts/relink", sure="yes"))
