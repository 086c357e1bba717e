"""What the oracle makes of the settings: emails, hire dates, phones, rules, metadata and ids."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from ..company import Person, crowd, json_answer, partner_member
from ..model import JsonObject, Reading
from ..plan import expect
from .kit import (
    TODAY,
    action_of,
    changed,
    empty_world,
    fields_of,
    imported,
    plan,
    row_of,
    tripped,
    user,
    with_members,
    with_user,
)


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
