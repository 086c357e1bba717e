"""Settings and mapping on their way from a form to the store: in an administrator's words, with nothing lost on the way
back; and what cannot be taken back takes a confirmation."""

from typing import Any

import pytest

from hris_pipeline.console.pages.settings import Control, controls
from hris_pipeline.console.words import setting_title, setting_words
from hris_pipeline.operations.overview import overview
from hris_pipeline.operations.roles import decisions_of
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import read_settings
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.browser import Served, hidden_values, words_of


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
    ("text", "words"),
    [("", "Justworks EmployeeId"), ("hris_id", "HRIS Sync EmployeeId"), ("custom:Badge", "Badge")],
)
def test_what_feeds_a_field_is_told_by_its_title_also_where_it_is_the_default(text: str, words: str) -> None:
    assert setting_words(text, "mapping.employee_id") == words


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("mapping.supervisor_id", "mapping: Supervisor Id"),
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
    assert read_settings(services, "acme").version == 1


CHANGED = {
    "display_name": "Acme & Söhne",
    "default_calling_country": "DE",
    "do_not_import": "- {name: Interns, all: [{field: job_title, operator: equals, value: Intern}]}",
    "do_not_archive": "0001\r\n0002",
    "exclude_fields": "phone_number, JobTitle",
    "import_days_before_start": "3",
    "at": "05:15",
    "day_of_month": "31",
    "time_zone": "Europe/Berlin",
    "notify": "json://hooks.example.com/path",
}
REFUSED = {
    "directory": "Not A Slug",
    "default_calling_country": "Nowhere",
    "do_not_import": "Interns",
    "do_not_archive": "{",
    "exclude_fields": "nothing of ours",
    "import_days_before_start": "soon",
    "at": "4 o'clock",
    "day_of_month": "32",
    "time_zone": "Nowhere",
    "notify": "not an address",
}
FIXED = frozenset({"source", "directory", "employee_ids"})
"""What ends the connection, or cannot be changed once there are users: asked alone."""


def another(control: Control) -> str:
    """A value that the setting can have and has not."""
    if control.options:
        return next(value for value, _ in control.options if value != control.value)
    return CHANGED.get(control.key) or str(int(control.value) + 1)


def test_every_setting_is_changed_at_once_and_told_as_a_version(acme: Acme, served: Served) -> None:
    browser, settings = served.browser(), controls(acme.settings())
    asked = {control.key: another(control) for control in settings if control.key not in FIXED}
    check = browser.post("/i/acme/settings", **asked)
    text = words_of(check)
    for key in asked:
        assert setting_title(key) in text, key
    assert "An import of the latest extract would then change" in text
    sent = {"version": hidden_values(check.text, "version")[0], "change": hidden_values(check.text, "change")}
    assert "Stored as version 2" in words_of(browser.post("/i/acme/settings/store", **sent))
    versions = words_of(browser.get("/i/acme/settings/versions"))
    for key in asked:
        assert setting_title(key) in versions, key
    assert "hooks.example" not in versions
    form = browser.get("/i/acme/settings").text
    assert 'value="Acme &amp; Söhne"' in form
    again = {key: value for key, value in asked.items() if key != "notify"}
    assert "Nothing differs" in words_of(browser.post("/i/acme/settings", **again)), "each is read back as it was typed"


def test_every_setting_refuses_beside_its_own_field(imported: Any, served: Served, services: Services) -> None:
    settings = controls(read_settings(services, "acme").settings)
    free = {"display_name"}
    asked = {
        control.key: "nonsense" if control.options else REFUSED.get(control.key, "many")
        for control in settings
        if control.key not in free
    }
    page = served.browser().post("/i/acme/settings", **asked)
    assert page.status_code == 422
    assert [key for key in asked if f'id="{key}-problem"' not in page.text] == []
    assert read_settings(services, "acme").version == 1


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("source", "finch", "can only be seen once it is connected and read"),
        ("employee_ids", "generated", "users exist already"),
    ],
)
def test_what_cannot_be_changed_any_more_or_unseen_is_said(
    imported: Any, served: Served, key: str, value: str, words: str
) -> None:
    assert words in words_of(served.browser().post("/i/acme/settings", **{key: value}))
