"""The pages of settings and mapping, and the setup."""

import re
from html import unescape
from typing import Any

import pytest

from hris_pipeline.operations.connection import QUESTIONS, SetupProgress
from hris_pipeline.operations.overview import overview
from hris_pipeline.operations.settings import read_settings
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.settings.validating import settings_from
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.browser import Browser, Served, hidden_values, words_of


class TestSettings:
    def test_every_setting_is_there_with_its_meaning_and_default(self, acme: Acme, served: Served) -> None:
        from hris_pipeline.settings.schema import setting_rows

        page = unescape(served.browser().get("/i/acme/settings").text)
        for row in setting_rows():
            if row.values != "keys below" and row.name.partition(".")[0] not in ("mapping", "metadata"):
                assert f'name="{row.name}"' in page
                assert row.meaning.replace("`", "") in page

    def test_what_differs_is_shown_before_it_is_stored(self, changed: Acme, served: Served) -> None:
        browser = served.browser()
        page = browser.post("/i/acme/settings", archive_employees="off", at="05:15")
        text = words_of(page)
        assert "An import of the latest extract would then change" in text
        assert "05:15" in text
        assert read_settings(changed.services, "acme").version == 1
        fields = {"version": hidden_values(page.text, "version")[0], "change": hidden_values(page.text, "change")}
        assert "Stored as version 2" in words_of(browser.post("/i/acme/settings/store", **fields))
        settings = read_settings(changed.services, "acme").settings
        assert (settings.archive_employees, settings.at) == (False, "05:15")
        assert "05:15" in browser.get("/i/acme/settings/versions").text

    def test_what_somebody_else_stored_meanwhile_is_not_overwritten(self, acme: Acme, served: Served) -> None:
        browser = served.browser()
        page = browser.post("/i/acme/settings", at="05:15").text
        acme.switch("at=06:30")
        fields = {"version": hidden_values(page, "version")[0], "change": hidden_values(page, "change")}
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
        "sent",
        [
            "0016\r\n0020",
            "0016, 0020",
            "0016,\n0020",
            '["0016", "0020"]',
            '- "0016"\n- "0020"',
            '"0016"\n0020',
            "'0016', \"0020\"",
        ],
    )
    def test_ids_are_taken_one_a_line_or_with_commas_between(self, acme: Acme, served: Served, sent: str) -> None:
        browser = served.browser()
        page = browser.post("/i/acme/settings", do_not_archive=sent)
        assert hidden_values(page.text, "change") == ['do_not_archive=["0016", "0020"]']
        browser.post("/i/acme/settings/store", version="1", change=hidden_values(page.text, "change"))
        assert acme.settings().do_not_archive == ("0016", "0020")
        assert ">0016\n0020</textarea>" in browser.get("/i/acme/settings").text
        assert "Nothing differs" in words_of(browser.post("/i/acme/settings", do_not_archive=sent))

    def test_nothing_tells_the_form_to_quote_and_one_id_in_quotes_is_that_id(self, acme: Acme, served: Served) -> None:
        browser = served.browser()
        assert "in quotes" not in words_of(browser.get("/i/acme/settings"))
        for sent in ('"0016"', "'0016'", "0016"):
            page = browser.post("/i/acme/settings", do_not_archive=sent)
            assert hidden_values(page.text, "change") == ['do_not_archive=["0016"]']

    def test_an_address_is_taken_as_it_is(self, acme: Acme, served: Served) -> None:
        page = served.browser().post("/i/acme/settings", notify="json://one.example\njson://two.example")
        (change,) = hidden_values(page.text, "change")
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
        assert f"Last Name (100%): {last_name}" in text, "in the dropdown too"
        assert str(last_name) not in words_of(served.browser("viewer").get("/i/acme/mapping"))

    def test_what_feeds_hidden_metadata_alone_is_not_shown(self, make: Any, served: Served) -> None:
        settings = settings_from({"metadata": [{"name": "Title", "source": "job_title", "type": "hidden"}]})
        acme = make(settings=settings)
        for person in acme.company.persons():
            acme.company.edit(person.id, job_title="Geheimnisträger")
        acme.preview()
        text = words_of(served.browser().get("/i/acme/mapping"))
        assert "JobTitle (100%): hidden" in text
        assert "Geheimnis" not in text

    def unchanged(self, browser: Browser) -> dict[str, str]:
        page = browser.get("/i/acme/mapping").text
        return {name: unescape(value) for name, value in re.findall(r'name="(was-\d+)" value="([^"]*)"', page)}

    def stored(self, browser: Browser, **fields: str) -> str:
        page = browser.post("/i/acme/mapping", **self.unchanged(browser), **fields)
        assert "What would change" in words_of(page), words_of(page)
        sent = {"version": hidden_values(page.text, "version")[0], "change": hidden_values(page.text, "change")}
        browser.post("/i/acme/mapping/store", **sent)
        return words_of(page)

    def test_a_core_field_is_fed_from_elsewhere(self, acme: Acme, served: Served) -> None:
        acme.company.edit(acme.active()[0], job_title="Adviser")
        acme.preview()
        text = self.stored(served.browser(), **{"map-preferred_first_name": "first_name"})
        differing = sum(user["preferred_first_name"] != user["first_name"] for user in acme.users().values())
        assert f"This touches {differing} users" in text, "not who an import would change anyway"
        assert "would then change" in text
        assert acme.settings().mapping == {"preferred_first_name": "first_name"}

    def test_the_guard_that_would_hold_it_is_named_with_its_figures(self, acme: Acme, served: Served) -> None:
        page = served.browser().post("/i/acme/mapping", **{"map-email": "secondary_email"})
        [then] = re.findall(r"<li><strong>Many emails would change</strong>: (.*?)</li>", page.text)
        assert re.fullmatch(r"\d+ of \d+ \(\d+\.\d %\); allowed is at most 20 % from 5 people on\.", then)

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


def test_what_was_answered_on_the_command_line_is_not_asked_again(make: Any, served: Served) -> None:
    acme, browser = make(), served.browser()
    assert "2 of 8 steps are done" in words_of(browser.get("/i/acme/setup"))
    for question in QUESTIONS:
        SetupProgress(acme.services, "acme").note(question)
    page = browser.get("/i/acme/setup")
    assert "5 of 8 steps are done" in words_of(page)
    assert '/i/acme/setup/check">Go on' in page.text
