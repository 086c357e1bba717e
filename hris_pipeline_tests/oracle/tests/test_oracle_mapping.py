"""Wire, settings and mapping."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from ..company import Person, crowd, json_answer, partner_member
from ..model import Employee, Expectation, JsonObject, Reading
from ..plan import expect
from ..text import clean_id, clean_name, key, same
from ..wire import finch_employee, partner_employee
from .kit import TODAY, action_of, changed, empty_world, fields_of, imported, plan, row_of, tripped, user, with_user


def employee(**fields: object) -> Employee:
    return partner_employee({**partner_member(crowd(1)[0]), **fields})


def with_members(count: int, changes: JsonObject, *, of: int = 40, settings: JsonObject | None = None) -> Expectation:
    """The first `count` of the members get these keys as sent."""
    people = crowd(of)
    people = [replace(person, department="Sales", phone="+14155550100", manager="m40") for person in people]
    members = [partner_member(person) for person in people]
    for member in members[:count]:
        member.update(changes)
    return expect(imported(people, settings), Reading(tuple(members)))


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


# Settings


def test_absent_for_everybody_keeps_what_is_stored_and_warns() -> None:
    people = [replace(person, birth_date=None) for person in crowd(20)]
    expectation = plan(imported(crowd(20)), people)
    assert expectation.rows == ()
    assert ("absent_for_everybody", "birth_date") in {(warned.kind, warned.who) for warned in expectation.warnings}
    some = plan(imported(crowd(20)), changed(crowd(20), "m1", birth_date=None))
    assert fields_of(some, "m1") == {"birth_date": None}


@pytest.mark.parametrize(
    ("override", "edited", "stored", "sent", "after"),
    [
        (False, True, "own@x.test", "new@x.test", "own@x.test"),
        (True, True, "own@x.test", "new@x.test", "new@x.test"),
        (False, False, "old@x.test", "new@x.test", "new@x.test"),
        (False, True, None, "new@x.test", "new@x.test"),
        (False, False, "old@x.test", None, None),
        (False, True, "own@x.test", None, "own@x.test"),
    ],
)
def test_override_emails(override: bool, edited: bool, stored: str | None, sent: str | None, after: str | None) -> None:
    world = imported(crowd(20), {"override_emails": override})
    world = with_user(world, "m1", email=stored, email_edited_by_user=edited)
    expectation = plan(world, changed(crowd(20), "m1", email=sent))
    assert fields_of(expectation, "m1").get("email", stored) == after


@pytest.mark.parametrize(
    ("priority", "override", "stored", "rehire", "after"),
    [
        ("original", False, None, None, date(2020, 1, 1)),
        ("original", False, date(2019, 1, 1), None, date(2019, 1, 1)),
        ("original", True, date(2019, 1, 1), None, date(2020, 1, 1)),
        ("latest", False, date(2019, 1, 1), date(2024, 1, 1), date(2024, 1, 1)),
        ("latest", False, date(2025, 1, 1), date(2024, 1, 1), date(2025, 1, 1)),
        ("latest", True, date(2025, 1, 1), date(2024, 1, 1), date(2024, 1, 1)),
        ("latest", False, date(2019, 1, 1), None, date(2019, 1, 1)),
        ("original", False, date(2019, 1, 1), date(2024, 1, 1), date(2019, 1, 1)),
    ],
)
def test_hire_date(priority: str, override: bool, stored: date | None, rehire: date | None, after: date | None) -> None:
    world = imported(crowd(20), {"hire_date_priority": priority, "override_hire_date": override})
    world = with_user(world, "m1", hire_date=stored)
    expectation = plan(world, changed(crowd(20), "m1", rehires=(rehire,) if rehire else ()))
    assert fields_of(expectation, "m1").get("hire_date", stored) == after


def test_rehire_in_the_future_moves_no_hire_date_before_its_day() -> None:
    world = imported(crowd(20), {"hire_date_priority": "latest"})
    day = TODAY + timedelta(days=5)
    people = changed(crowd(20), "m1", rehires=(day,))
    assert row_of(plan(world, people), "m1") is None
    later = plan(replace(world, today=day), people)
    assert fields_of(later, "m1") == {"hire_date": day, "latest_rehire_date": day}


@pytest.mark.parametrize(
    ("settings", "sent", "stored"),
    [
        ({}, "415 555 0100", "415 555 0100"),
        ({"default_calling_country": "US"}, "(415) 555-2671", "+14155552671"),
        ({"default_calling_country": "US"}, "none of your business", "none of your business"),
        ({"add_plus_to_phone_numbers": True}, "14155552671", "+14155552671"),
        ({"add_plus_to_phone_numbers": True}, "+14155552671", "+14155552671"),
        ({"default_calling_country": "US", "add_plus_to_phone_numbers": True}, "4155552671", "+14155552671"),
        ({"add_plus_to_phone_numbers": True}, "4155552671", "+4155552671"),
    ],
)
def test_phone_numbers(settings: JsonObject, sent: str, stored: str) -> None:
    expectation = plan(empty_world(settings), changed(crowd(3), "m1", phone=sent))
    assert fields_of(expectation, "m1")["phone_number"] == stored


@pytest.mark.parametrize(
    ("operator", "value", "matches"),
    [
        ("equals", "Sales", True),
        ("equals", "Sale", False),
        ("not_equals", "Sales", False),
        ("in", ["Sales", "IT"], True),
        ("not_in", ["IT"], True),
        ("contains", "ale", True),
        ("starts_with", "Sa", True),
        ("ends_with", "les", True),
        ("is_empty", None, False),
        ("is_not_empty", None, True),
    ],
)
def test_rules_over_texts(operator: str, value: object, matches: bool) -> None:
    rule = {"name": "R", "all": [{"field": "department", "operator": operator, "value": value}]}
    people = changed(crowd(3), "m1", department="Sales")
    expectation = plan(empty_world({"do_not_import": [rule]}), people)
    assert (action_of(expectation, "m1") is None) is matches


@pytest.mark.parametrize(
    ("operator", "value", "matches"),
    [
        ("before", "2020-01-01", False),
        ("before", "2020-01-02", True),
        ("after", "2019-12-31", True),
        ("after", "2020-01-01", False),
        ("at_least", "2020-01-01", True),
        ("at_most", "2020-01-01", True),
        ("at_most", "2019-12-31", False),
    ],
)
def test_rules_over_dates(operator: str, value: object, matches: bool) -> None:
    rule = {"name": "R", "any": [{"field": "hire_date", "operator": operator, "value": value}]}
    expectation = plan(empty_world({"do_not_import": [rule]}), crowd(3))
    assert (expectation.rows == ()) is matches


@pytest.mark.parametrize("archive_existing", [False, True])
def test_existing_user_who_matches_a_rule_is_left_alone_unless_the_rule_archives(archive_existing: bool) -> None:
    rule = {
        "name": "Contractors",
        "all": [{"field": "employment_type", "operator": "equals", "value": "contractor"}],
        "archive_existing": archive_existing,
    }
    world = replace(imported(crowd(30)), settings={"do_not_import": [rule]})
    expectation = plan(world, changed(crowd(30), "m1", kind="contractor", title="Chief"))
    assert action_of(expectation, "m1") == ("archive" if archive_existing else None)
    left = plan(world, changed(crowd(30), "m1", kind="contractor", active=False))
    assert action_of(left, "m1") == "archive"


@pytest.mark.parametrize(
    ("condition", "lost"),
    [
        ({"field": "birth_date", "operator": "is_empty"}, {"birth_date": None}),
        ({"field": "department", "operator": "not_equals", "value": "Poetry"}, {"department": None}),
        ({"field": "is_manager", "operator": "equals", "value": False}, {"manager": None}),
    ],
)
def test_a_rule_on_a_field_that_nobody_has_archives_nobody(condition: JsonObject, lost: dict[str, Any]) -> None:
    contractors = {"field": "employment_type", "operator": "equals", "value": "contractor"}
    rule = {"name": "Out", "all": [condition, contractors], "archive_existing": True}
    world = replace(imported(crowd(30)), settings={"do_not_import": [rule]})
    people = [
        replace(person, kind="contractor" if person.hris_id == "m3" else person.kind, **lost) for person in crowd(30)
    ]
    assert action_of(plan(world, people), "m3") is None


def test_excluded_fields_are_never_written() -> None:
    world = imported(crowd(20), {"exclude_fields": ["birth_date", "JobTitle"]})
    assert user(world, "m1").birth_date is None
    people = changed(crowd(20), "m1", title="Chief", first_name="New")
    assert fields_of(plan(world, people), "m1") == {"first_name": "New"}


def test_giving_metadata_replaces_the_list_and_mapping_its_keys() -> None:
    settings = {
        "metadata": [{"name": "Job", "source": "job_title", "type": "hidden"}],
        "mapping": {"preferred_first_name": "first_name"},
    }
    fields = fields_of(plan(empty_world(settings), changed(crowd(3), "m1", title="Chief", department="Sales")), "m1")
    assert {name for name in fields if name.startswith("#")} == {"#Job"}
    assert fields["preferred_first_name"] == "First1"


def test_mapped_value_of_the_wrong_kind_is_quarantined() -> None:
    world = imported(crowd(30), {"mapping": {"latest_rehire_date": "job_title"}})
    expectation = plan(world, changed(crowd(30), "m1", title="Chief"))
    assert [(entry.failures[0].field, entry.failures[0].check) for entry in expectation.quarantined] == [
        ("latest_rehire_date", "kind")
    ]


def test_associated_metadata_is_the_employee_id_of_a_further_supervisor() -> None:
    settings = {"metadata": [{"name": "Buddy", "source": "custom:Buddy", "type": "associated"}]}
    people = crowd(3)
    reading = Reading(
        tuple(partner_member(person) for person in people),
        custom_definitions=({"id": "c1", "label": "Buddy", "cardinality": "one"},),
        custom_values={
            "m1": json_answer(200, {"items": [{"id": "c1", "values": ["m2"]}]}),
            "m2": json_answer(200, {"items": [{"custom_field_id": "c1", "value": "0001"}]}),
            "m3": json_answer(500, {}),
        },
    )
    expectation = expect(empty_world(settings), reading)
    assert fields_of(expectation, "m1")["#Buddy"] == "0002"
    assert fields_of(expectation, "m2")["#Buddy"] == "0001"
    assert expectation.holes == {"m3"}


def test_generated_ids_are_never_changed() -> None:
    world = imported(crowd(20), {"employee_ids": "generated"})
    assert plan(world, changed(crowd(20), "m1", work_id="other")).rows == ()
    assert plan(world, changed(crowd(20), "m1", work_id="0002")).quarantined == ()


def test_unread_for_more_than_half_of_those_who_send_it_holds() -> None:
    assert tripped(with_members(21, {"department": {"title": "x"}})) == {"unread_field"}
    assert tripped(with_members(20, {"department": {"title": "x"}})) == set()
    excluded = {"exclude_fields": ["Department"]}
    assert tripped(with_members(21, {"department": {"title": "x"}}, settings=excluded)) == set()


def test_rehired_person_keeps_one_user() -> None:
    person = Person("m99", "0099", end=date(2022, 1, 1), rehires=(date(2024, 1, 1),))
    assert action_of(plan(empty_world(), [person, *crowd(3)]), "m99") == "create"
