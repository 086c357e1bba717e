"""Settings and mapping on their way from a form to the store: in an administrator's words, with nothing lost on the way
back; and what cannot be taken back takes a confirmation."""

from typing import Any

import pytest

from hris_pipeline.console.words import setting_title, setting_words
from hris_pipeline.operations.overview import overview
from hris_pipeline.operations.roles import decisions_of
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import settings_in_force
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.browser import Served, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("04:15", "04:15"),
        ("7", "7"),
        ("", "–"),
        ('["0010", "9999"]', "0010, 9999"),
        ("[]", "–"),
        ('{"source": "custom:T-Shirt", "type": "default"}', "from T-Shirt, default"),
        ('{"source": "job_title", "type": "hidden"}', "from JobTitle, hidden"),
        (
            '{"all": [{"field": "job_title", "operator": "starts_with", "value": "Intern"}], "any": '
            '[{"field": "email", "operator": "is_empty"}, {"field": "country_code", "operator": "in", '
            '"value": ["DE"]}], "archive_existing": true}',
            "JobTitle starts with Intern and Email is empty or Country Code in DE; archives existing users",
        ),
        ('{"to": "json://…"}', '{"to": "json://…"}'),
    ],
)
def test_a_setting_is_told_as_a_person_says_it(text: str, words: str) -> None:
    assert setting_words(text) == words


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("day_of_month", "day of month"),
        ("guards.archive_limit.min_people", "guards: archive limit: min people"),
        ("metadata.Job_Title", "metadata: Job_Title"),
        ("do_not_import.No interns.", "do not import: No interns."),
    ],
)
def test_a_settings_key_is_told_in_words(key: str, title: str) -> None:
    assert setting_title(key) == title


def test_what_was_asked_for_is_not_lost_when_something_else_is_changed_first(imported: Any, served: Served) -> None:
    browser = served.browser()
    asked = {"at": "05:15", "do_not_archive": "0001, 0002"}
    page = browser.post("/i/acme/settings", **asked).text
    assert all(f'name="{key}" value="{value}"' in page for key, value in asked.items())
    again = browser.post("/i/acme/settings", **asked, again="yes").text
    assert 'name="at" value="05:15"' in again
    assert "0001, 0002</textarea>" in again
    page = browser.post("/i/acme/mapping", **{"name-new": "City", "source-new": "residence_city", "again": "yes"}).text
    assert 'name="name-new" value="City"' in page
    assert page.count('<option value="residence_city" selected>') == 2, "the one that is there, and the new one"


def test_a_refused_mapping_keeps_what_was_chosen(imported: Any, served: Served) -> None:
    fields = {"map-birth_date": "last_name", "was-0": "JobTitle", "type-0": "hidden", "was-1": "Department"}
    page = served.browser().post("/i/acme/mapping", **fields, **{"delete-1": "yes"})
    assert page.status_code == 422
    assert (
        '<option value="last_name" selected>' in page.text.partition('id="map-birth_date"')[2].partition("</select>")[0]
    )
    assert '<option value="hidden" selected>' in page.text.partition('id="type-0"')[2].partition("</select>")[0]
    assert 'aria-label="Delete Department" checked' in page.text


def test_renaming_says_whose_stored_value_moves(acme: Acme, served: Served) -> None:
    browser = served.browser()
    page = browser.post("/i/acme/mapping", **{"was-0": "JobTitle", "name-0": "Position"})
    users = sum("JobTitle" in user["metadata"] for user in acme.users().values())
    assert f"The stored value of {users} users moves to the new name" in words_of(page)
    assert "would then change 0 users" in words_of(page)
    change = acme.change(acme.settings().model_copy(update={"metadata": acme.settings().metadata}))
    assert change.renamed == 0


def test_disconnecting_is_confirmed(acme: Acme, served: Served) -> None:
    browser = served.browser()
    refused = browser.post("/i/acme/settings/disconnect")
    assert refused.status_code == 422
    assert overview(acme.services, "acme").integration.connection == "connected"
    assert "Disconnected" in words_of(browser.post("/i/acme/settings/disconnect", sure="yes"))
    assert "not connected" not in words_of(browser.get("/i/acme/settings"))
    assert ">Connect</a>" in browser.get("/i/acme/settings").text


@pytest.mark.filterwarnings("ignore")  # of Dagster, which knows the frames
def test_erasing_takes_the_id_twice_and_is_written_down(imported: Any, served: Served, services: Services) -> None:
    browser, known_as = served.browser(), "0003"
    for sent in ({}, {"erase_id": known_as}, {"erase_id": known_as, "erase_again": "3"}, {"erase_again": known_as}):
        assert browser.post("/i/acme/people/erase", **sent).status_code == 422
    missing = browser.post("/i/acme/people/erase", erase_id="nobody", erase_again="nobody")
    assert missing.status_code == 422, words_of(missing)
    assert "Nobody known as" in words_of(missing)
    answer = browser.post("/i/acme/people/erase", erase_id=known_as, erase_again=known_as)
    assert "The person is erased" in words_of(answer)
    assert "erased" in words_of(browser.get(f"/i/acme/imports/{imported.import_id}"))
    assert decisions_of(services, "acme")[0].action == "erase"
    assert settings_in_force(services, "acme").version == 1
