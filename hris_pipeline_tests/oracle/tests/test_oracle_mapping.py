"""Wire, settings and mapping."""

from dataclasses import replace
from datetime import date

import pytest

from ..company import crowd, partner_member
from ..model import Employee, JsonObject
from ..text import clean_id, clean_name, key, same
from ..wire import finch_employee, partner_employee
from .kit import (
    action_of,
    changed,
    empty_world,
    fields_of,
    imported,
    plan,
    with_members,
)


def employee(**fields: object) -> Employee:
    return partner_employee({**partner_member(crowd(1)[0]), **fields})


# Text


def test_text_is_trimmed_and_line_breaks_and_tabs_become_a_blank() -> None:
    assert clean_name("  Ann\r\nMary\tLee \n") == "Ann Mary Lee"


def test_control_and_format_characters_go_except_joiners_inside_a_word() -> None:
    assert clean_id("\u200bm\u00ad1\u200d2\u0000") == "m12"
    assert clean_name("نامه\u200cای") == "نامه\u200cای"
    assert clean_name("\u200dAnn\u200b \u200d Lee") == "Ann  Lee"


def test_nfc_throughout_and_compared_without_case_by_nfkc_casefold() -> None:
    assert clean_name("Zoe\u0308") == "Zo\u00eb"
    assert same("STRASSE", "straße")
    assert key("Ａnn") == "ann"


@pytest.mark.parametrize(("sent", "read"), [("DEU", "DE"), ("us", "US"), ("Narnia", None)])
def test_alpha_3_country_codes_are_converted(sent: str, read: str | None) -> None:
    assert employee(current_employment={}, addresses=[{"country": sent}]).residence_country == read


def test_9999_12_31_as_an_end_date_means_no_end() -> None:
    assert employee(employment_termination_date="9999-12-31").termination_date is None
    assert employee(employment_termination_date="9999-12-31").failures == ()


# Spelled otherwise


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"emails": [{"type": "work"}]}, "email"),
        ({"emails": [{"type": "work", "mail": "x@acme.test"}]}, "email"),
        ({"emails": ["nobody"]}, "email"),
        ({"department": {"title": "Sales"}}, "department"),
        ({"manager": {"ref": "m3"}}, "supervisor_hris_id"),
        ({"phones": [{"digits": "1"}]}, "phone_number"),
        ({"addresses": [{"street": "x"}]}, "residence_city"),
        ({"job_title": {"name": "Chief"}}, "job_title"),
        ({"employment_history": [{"from": "2020-01-01"}]}, "latest_rehire_date"),
        ({"current_employment": {"employment_type": "full_time"}, "addresses": []}, "country_code"),
    ],
)
def test_spelled_otherwise_is_not_empty(changes: JsonObject, column: str) -> None:
    assert column in employee(**changes).unread


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"emails": []}, "email"),
        ({"emails": [None]}, "email"),
        ({"department": {}}, "department"),
        ({"department": {"id": "d", "name": "No Department"}}, "department"),
        ({"manager": None}, "supervisor_hris_id"),
        ({"phones": [None]}, "phone_number"),
    ],
)
def test_absent_means_empty(changes: JsonObject, column: str) -> None:
    read = employee(**changes)
    assert getattr(read, column) is None
    assert column not in read.unread


def test_unread_changes_nothing_stored_and_absent_clears() -> None:
    assert fields_of(with_members(3, {"department": {"title": "x"}}), "m1") == {}
    assert fields_of(with_members(3, {"department": {}}), "m1") == {"#Department": None}


def test_email_is_work_else_personal_and_secondary_is_personal_only_beside_work() -> None:
    both = employee(emails=[{"kind": "HOME", "value": "p@x.test"}, {"type": "Work_Email", "address": "w@x.test"}])
    assert (both.email, both.secondary_email) == ("w@x.test", "p@x.test")
    personal = employee(emails=[{"type": "personal", "email": "p@x.test"}])
    assert (personal.email, personal.secondary_email) == ("p@x.test", None)
    assert employee(emails=[{"email": "lone@x.test"}]).email == "lone@x.test"


def test_phone_prefers_mobile_then_work_and_joins_a_country_code() -> None:
    phones = [{"number": "1"}, {"type": "work", "number": "2"}, None, {"type": "MOBILE_PHONE", "number": "3"}]
    assert employee(phones=phones).phone_number == "3"
    assert employee(phones=[{"number": "4155550100", "calling_code": "1"}]).phone_number == "+14155550100"


@pytest.mark.parametrize(
    "history",
    [
        [{"start_date": "2020-01-01"}, {"start_date": "2024-02-02"}],
        [{"US": {"start_date": "2024-02-02"}}],
        {"US": [{"effective_date": "2024-02-02"}]},
    ],
)
def test_latest_start_after_the_first_is_the_rehire(history: object) -> None:
    assert employee(employment_history=history).latest_rehire_date == date(2024, 2, 2)


def test_first_of_two_untyped_addresses_is_home_unless_it_is_an_office() -> None:
    home, office = {"city": "Here", "line1": "1"}, {"city": "There", "line1": "2"}
    assert employee(addresses=[home, office]).residence_city == "Here"
    read = employee(addresses=[office, home], office={"id": "o", "address": office})
    assert (read.residence_city, read.employment_city) == ("Here", "There")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"job_title": "SERVICE  ACCOUNT"}, False),
        ({"job_title": "Service Account"}, True),
        ({"type": "3rd party admin/accountant"}, True),
        ({"type": "3rdPartyAdmin / Accountant"}, True),
        ({"job_title": "Service Account", "date_of_birth": "1990-01-01"}, False),
        ({"job_title": "Service Account", "addresses": [{"city": "X"}]}, False),
        ({"job_title": "Service Account Manager"}, False),
    ],
)
def test_service_account_is_marker_and_no_birth_date_and_no_residence(fields: JsonObject, expected: bool) -> None:
    plain: dict[str, object] = {"date_of_birth": None, "addresses": []}
    assert employee(**{**plain, **fields}).is_service_account is expected


def test_aggregator_fields() -> None:
    read = finch_employee(
        {"id": "f1"},
        {"first_name": "Ann", "last_name": "Lee", "emails": [{"data": "a@x.test", "type": None}], "dob": None},
        {
            "is_active": True,
            "source_id": "7",
            "location": {"country": "USA"},
            "custom_fields": [{"name": "A", "value": 1}],
        },
    )
    assert (read.email, read.justworks_id, read.country_code, read.custom_fields) == ("a@x.test", "7", "US", {"A": "1"})


def test_is_manager_when_an_active_employee_reports() -> None:
    people = changed(changed(crowd(4), "m2", manager="m1"), "m3", manager="m4", active=False)
    expectation = plan(empty_world(), people)
    assert fields_of(expectation, "m1")["#IsManager"] == "true"
    assert fields_of(expectation, "m4")["#IsManager"] == "false"


# Quarantine and frame failures


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({"first_name": ""}, ("first_name", "needed")),
        ({"last_name": "x" * 51}, ("last_name", "length")),
        ({"preferred_name": "x" * 101}, ("preferred_first_name", "length")),
        ({"work_id": " "}, ("employee_id", "blank")),
    ],
)
def test_row_failures_are_quarantined_and_block_no_good_row(
    fields: dict[str, object], failure: tuple[str, str]
) -> None:
    expectation = plan(imported(crowd(30)), changed(changed(crowd(30), "m1", **fields), "m2", title="Chief"))
    assert [(entry.failures[0].field, entry.failures[0].check) for entry in expectation.quarantined] == [failure]
    assert action_of(expectation, "m2") == "update"


def test_names_at_their_limit_are_good() -> None:
    people = changed(crowd(30), "m1", first_name="x" * 100, last_name="y" * 50, preferred_name="z" * 100)
    assert action_of(plan(imported(crowd(30)), people), "m1") == "update"


def test_no_rows_is_a_frame_failure() -> None:
    assert plan(empty_world(), []).frame_failure == "no_rows"


def test_employee_id_absent_for_everybody_stops_the_run() -> None:
    assert plan(empty_world(), [replace(person, work_id=None) for person in crowd(3)]).frame_failure is not None


@pytest.mark.parametrize(("bad", "of", "stops"), [(4, 5, False), (5, 25, False), (5, 24, True), (6, 25, True)])
def test_more_than_20_percent_and_at_least_5_of_the_employed_rows_stop_the_run(bad: int, of: int, stops: bool) -> None:
    people = [replace(person, last_name="") if place < bad else person for place, person in enumerate(crowd(of))]
    people += [replace(person, active=False) for person in crowd(50, first=100)]
    assert (plan(empty_world(), people).frame_failure is not None) is stops


def test_the_limit_counts_mapping_and_validation_together() -> None:
    people = [replace(person, last_name="") if place < 3 else person for place, person in enumerate(crowd(20))]
    people = [replace(person, work_id=None) if 3 <= place < 6 else person for place, person in enumerate(people)]
    assert plan(empty_world(), people).frame_failure == "too_many_failures"
