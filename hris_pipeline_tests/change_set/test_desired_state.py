"""Emails, EmployeeIds and hire dates: settings and the store decide together what a user should hold."""

from datetime import date

import pytest

from hris_pipeline_tests.kit.mapped_people import person
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory
from hris_pipeline_tests.kit.plans import actions, company, conflicts, first_import, next_import, plan, user

EMAIL_CASES: dict[str, tuple[str | None, bool, str | None, bool, str | None, bool]] = {
    # stored, entered by the user, source's, override → after, still marked
    "off: entered stays": ("mine@x.test", True, "new@x.test", False, "mine@x.test", True),
    "off: a source's follows": ("old@x.test", False, "new@x.test", False, "new@x.test", False),
    "off: a blank is filled": (None, False, "new@x.test", False, "new@x.test", False),
    "off: an emptied one is filled": (None, True, "new@x.test", False, "new@x.test", False),
    "off: absent clears a source's": ("old@x.test", False, None, False, None, False),
    "off: absent leaves an entered one": ("mine@x.test", True, None, False, "mine@x.test", True),
    "on: entered is replaced": ("mine@x.test", True, "new@x.test", True, "new@x.test", False),
    "on: a source's follows": ("old@x.test", False, "new@x.test", True, "new@x.test", False),
    "on: a blank is filled": (None, True, "new@x.test", True, "new@x.test", False),
    "on: absent leaves an entered one": ("mine@x.test", True, None, True, "mine@x.test", True),
}


@pytest.mark.parametrize(
    ("stored", "entered", "source", "override", "email", "marked"), EMAIL_CASES.values(), ids=EMAIL_CASES
)
def test_override_emails(
    stored: str | None, entered: bool, source: str | None, override: bool, email: str | None, marked: bool
) -> None:
    people, directory = company(2)
    user_id = directory.by_employee_id("0001")["user_id"]
    directory.edit(user_id, email=stored, email_edited_by_user=entered)
    directory.apply(plan([people[0] | {"email": source}, people[1]], directory, {"override_emails": override}).rows)
    after = directory.by_id[user_id]
    assert (after["email"], after["email_edited_by_user"]) == (email, marked)


@pytest.mark.parametrize("override", [True, False])
def test_the_secondary_email_always_follows(override: bool) -> None:
    stored = {"secondary_email": "s@x.test", "email_edited_by_user": True}
    after = next_import(stored, {"secondary_email": "t@x.test"}, {"override_emails": override})
    assert after["secondary_email"] == "t@x.test"


class TestEmailsInADirectory:
    def test_who_has_an_address_keeps_it_and_a_newcomer_goes_without(self) -> None:
        people, directory = company(1)
        newcomer = person(2, email="P1@acme.test")
        settings_free = plan([*people, newcomer], directory)
        assert conflicts(settings_free)[0][1] == "email"
        planned = plan([person(1), person(2), person(3, email="P2@acme.test")], MemoryDirectory())
        assert planned.diagnostics["warning:email_taken"] == ("0003",)
        assert planned.counts["created"] == 3

    def test_who_moves_to_a_taken_address_keeps_the_one_stored(self) -> None:
        people, directory = company(2)
        planned = plan([people[0], people[1] | {"email": "p1@acme.test", "first_name": "New"}], directory)
        directory.apply(planned.rows)
        assert directory.by_employee_id("0002")["email"] == "p2@acme.test"
        assert directory.by_employee_id("0002")["first_name"] == "New"
        assert planned.diagnostics["warning:email_taken"] == ("0002",)

    def test_addresses_can_be_swapped(self) -> None:
        people, directory = company(2)
        directory.apply(
            plan([people[0] | {"email": "p2@acme.test"}, people[1] | {"email": "P1@acme.test"}], directory).rows
        )
        emails = {user["employee_id"]: user["email"] for user in directory.by_id.values()}
        assert emails == {"0001": "p2@acme.test", "0002": "P1@acme.test"}


class TestEmployeeIds:
    def test_they_can_be_swapped(self) -> None:
        people, directory = company(3)
        swapped = [people[0] | {"employee_id": "0002"}, people[1] | {"employee_id": "0001"}, people[2]]
        directory.apply(plan(swapped, directory).rows)
        assert directory.by_employee_id("0002")["hris_id"] == "m-1"
        assert plan(swapped, directory).rows.empty

    def test_one_that_somebody_keeps_is_a_conflict_that_holds_back_the_row(self) -> None:
        people, directory = company(2)
        keeper = directory.by_employee_id("0002")["user_id"]
        planned = plan([people[0] | {"employee_id": "0002", "first_name": "New"}], directory)
        assert conflicts(planned) == [("m-1", "employee_id", keeper)]
        assert (actions(planned), planned.counts["conflicts"]) == ([], 1)

    def test_a_chain_of_moves_stops_where_somebody_keeps_theirs(self) -> None:
        people, directory = company(3)
        chain = [people[0] | {"employee_id": "0002"}, people[1] | {"employee_id": "0003"}]
        assert plan(chain, directory).counts["conflicts"] == 2

    def test_generated_ones_count_on_and_never_change(self) -> None:
        directory = MemoryDirectory(user(41), user(7, employee_id="x"))
        settings = {"employee_ids": "generated"}
        directory.apply(plan([person(2), person(1)], directory, settings).rows)
        employee_ids = {user["hris_id"]: user["employee_id"] for user in directory.by_id.values() if user["hris_id"]}
        assert employee_ids == {"m-1": "000042", "m-2": "000043"}
        assert plan([person(2, employee_id="other"), person(1)], directory, settings).rows.empty


JAN, JUNE, OLD = date(2020, 1, 1), date(2024, 6, 1), date(2010, 5, 5)
HIRE_CASES: dict[str, tuple[date | None, date | None, date | None, str, bool, date | None]] = {
    # stored, source, re-hired, priority, override → after
    "first: original": (None, JAN, JUNE, "original", False, JAN),
    "first: latest": (None, JAN, JUNE, "latest", False, JUNE),
    "first: latest without a re-hire": (None, JAN, None, "latest", False, JAN),
    "later: original stays": (OLD, JAN, JUNE, "original", False, OLD),
    "later: original overridden": (OLD, JAN, JUNE, "original", True, JAN),
    "later: a later re-hire replaces": (JAN, JAN, JUNE, "latest", False, JUNE),
    "later: an earlier re-hire does not": (date(2025, 1, 1), JAN, JUNE, "latest", False, date(2025, 1, 1)),
    "later: an earlier re-hire does when overridden": (date(2025, 1, 1), JAN, JUNE, "latest", True, JUNE),
    "later: latest without a re-hire stays": (OLD, JAN, None, "latest", False, OLD),
    "later: latest without a re-hire, overridden": (OLD, JAN, None, "latest", True, JAN),
    "later: absent leaves it": (OLD, None, None, "original", False, OLD),
    "later: absent clears it when overridden": (OLD, None, None, "original", True, None),
}


@pytest.mark.parametrize(
    ("stored", "source", "rehired", "priority", "override", "after"), HIRE_CASES.values(), ids=HIRE_CASES
)
def test_hire_date_priority_and_override_hire_date(
    stored: date | None, source: date | None, rehired: date | None, priority: str, override: bool, after: date | None
) -> None:
    settings = {"hire_date_priority": priority, "override_hire_date": override}
    people, directory = company(2)
    user_id = directory.by_employee_id("0001")["user_id"]
    directory.edit(user_id, hire_date=stored)
    now = person(1, hire_date=source, latest_rehire_date=rehired)
    directory.apply(plan([now, people[1]], directory, settings).rows)
    assert directory.by_id[user_id]["hire_date"] == after
    if stored is None:
        assert first_import({"hire_date": source, "latest_rehire_date": rehired}, settings)["hire_date"] == after
