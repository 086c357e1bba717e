"""What each setting means exactly, on a first and on a later import, and what a plan keeps beside."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from hris_pipeline.change_set.directory import PlanContext, QuarantinedMember
from hris_pipeline.change_set.plan import make_plan
from hris_pipeline.contract import COUNTS
from hris_pipeline.settings.document import Settings
from hris_pipeline_tests.kit.mapped_people import METADATA, TODAY, Person, mapped_frame, person
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory
from hris_pipeline_tests.kit.plans import actions, company, first_import, next_import, plan, quarantined, user

Changes = dict[str, Any]


GONE: dict[str, tuple[list[Person], frozenset[str]]] = {
    "inactive": ([person(1, active=False)], frozenset()),
    "left yesterday": ([person(1, termination_date=TODAY - timedelta(days=1))], frozenset()),
    "confirmed missing": ([], frozenset({"m-1"})),
}
STAYS: dict[str, tuple[list[Person], frozenset[str]]] = {
    "last day is today": ([person(1, termination_date=TODAY)], frozenset()),
    "leaves tomorrow": ([person(1, termination_date=TODAY + timedelta(days=1))], frozenset()),
    "absent, but nobody confirmed it": ([], frozenset()),
}


class TestArchiveEmployees:
    @pytest.mark.parametrize("archive", [True, False])
    @pytest.mark.parametrize(("rows", "missing"), GONE.values(), ids=GONE)
    def test_who_is_gone_is_archived_only_when_it_is_on(
        self, rows: list[Person], missing: frozenset[str], archive: bool
    ) -> None:
        people, directory = company(3)
        planned = plan([*rows, *people[1:]], directory, {"archive_employees": archive}, missing=missing)
        assert actions(planned) == (["archive"] if archive else [])
        assert planned.counts["unchanged"] == 2 + (len(rows) if not archive else 0)

    @pytest.mark.parametrize(("rows", "missing"), STAYS.values(), ids=STAYS)
    def test_nobody_else_is(self, rows: list[Person], missing: frozenset[str]) -> None:
        people, directory = company(3)
        assert actions(plan([*rows, *people[1:]], directory, missing=missing)) == []

    def test_an_archive_changes_the_status_alone_and_a_restore_brings_the_rest(self) -> None:
        people, directory = company(3)
        user_id = directory.by_employee_id("0001")["user_id"]
        gone = people[0] | {"active": False, "first_name": "Newer"}
        planned = plan([gone, *people[1:]], directory)
        assert json.loads(planned.rows["changed"][0]) == ["status"]
        directory.apply(planned.rows)
        assert (directory.by_id[user_id]["first_name"], directory.by_id[user_id]["archived_by"]) == ("First1", "import")
        assert plan([gone, *people[1:]], directory).rows.empty
        back = plan([gone | {"active": True}, *people[1:]], directory)
        assert (actions(back), json.loads(back.rows["changed"][0])) == (["restore"], ["first_name", "status"])
        directory.apply(back.rows)
        assert (directory.by_id[user_id]["first_name"], directory.by_id[user_id]["status"]) == ("Newer", "active")

    def test_who_was_archived_by_a_person_stays_so(self) -> None:
        people, directory = company(2)
        directory.edit(directory.by_employee_id("0001")["user_id"], status="archived", archived_by="Pat")
        planned = plan(people, directory)
        assert (actions(planned), planned.counts["protected"]) == ([], 1)

    def test_an_incomplete_extract_archives_nobody(self) -> None:
        people, directory = company(4)
        rule = people[2] | {"exclusion": "rule:Out", "archive_existing": True}
        planned = plan(
            [people[1] | {"active": False}, rule, people[3]], directory, complete=False, missing=frozenset({"m-1"})
        )
        assert (actions(planned), planned.held, planned.complete) == ([], True, False)


SAFE: dict[str, tuple[Changes, Changes]] = {
    "do_not_archive": ({}, {"do_not_archive": ["0001"]}),
    "protected": ({"protected": True}, {}),
}


class TestDoNotArchiveAndProtected:
    @pytest.mark.parametrize(("stored", "settings"), SAFE.values(), ids=SAFE)
    @pytest.mark.parametrize("how", ["inactive", "missing", "rule"])
    def test_they_are_never_archived_and_count_protected(self, stored: Changes, settings: Changes, how: str) -> None:
        people, directory = company(2)
        directory.edit(directory.by_employee_id("0001")["user_id"], **stored)
        becomes: dict[str, list[Person]] = {
            "inactive": [people[0] | {"active": False}],
            "rule": [people[0] | {"exclusion": "rule:Out", "archive_existing": True}],
            "missing": [],
        }
        planned = plan(
            [*becomes[how], people[1]],
            directory,
            settings,
            missing=frozenset({"m-1"} - {member["hris_id"] for member in becomes[how]}),
        )
        assert (actions(planned), planned.counts["protected"], planned.diagnostics["protected"]) == ([], 1, ("0001",))

    def test_do_not_archive_takes_ids_literally(self) -> None:
        people, directory = company(2)
        planned = plan([people[0] | {"active": False}, people[1]], directory, {"do_not_archive": ["1"]})
        assert actions(planned) == ["archive"]

    def test_a_protected_users_email_and_employee_id_stay(self) -> None:
        people, directory = company(2)
        user_id = directory.by_employee_id("0001")["user_id"]
        directory.edit(user_id, protected=True)
        now = people[0] | {"email": "new@acme.test", "employee_id": "9"}
        planned = plan([now, people[1]], directory)
        assert (actions(planned), planned.counts["protected"]) == ([], 1)
        directory.apply(plan([now | {"first_name": "New"}, people[1]], directory).rows)
        after = directory.by_id[user_id]
        assert (after["first_name"], after["email"], after["employee_id"]) == ("New", "p1@acme.test", "0001")

    @pytest.mark.parametrize(
        "settings",
        [
            {"override_emails": True},
            {"override_hire_date": True},
            {"archive_employees": False},
            {"employee_ids": "generated"},
        ],
    )
    def test_no_setting_moves_a_protected_users_email_or_employee_id(self, settings: Changes) -> None:
        stored = {"protected": True, "email": "mine@acme.test", "email_edited_by_user": True}
        after = next_import(stored, {"employee_id": "9", "email": "new@acme.test"}, settings)
        assert (after["email"], after["employee_id"]) == ("mine@acme.test", "0001")

    def test_a_protected_user_whose_email_is_excluded_or_generated_is_not_counted_protected(self) -> None:
        for settings in ({"exclude_fields": ["email"]}, {"employee_ids": "generated"}):
            people, directory = company(1)
            directory.edit(directory.by_employee_id("0001")["user_id"], protected=True)
            assert plan(people, directory, settings).counts["protected"] == 0


RULE = {"exclusion": "rule:Contractors"}


class TestDoNotImport:
    @pytest.mark.parametrize("archive_existing", [True, False])
    def test_a_match_is_never_created(self, archive_existing: bool) -> None:
        planned = plan([person(1, **RULE, archive_existing=archive_existing)], MemoryDirectory())
        assert (actions(planned), planned.diagnostics) == ([], {"excluded:rule:Contractors": ("0001",)})

    @pytest.mark.parametrize(("archive_existing", "expected"), [(True, ["archive"]), (False, [])])
    @pytest.mark.parametrize("archive_employees", [True, False])
    @pytest.mark.parametrize("active", [True, False])
    def test_an_existing_user_is_left_alone_unless_the_rule_archives(
        self, archive_existing: bool, expected: list[str], archive_employees: bool, active: bool
    ) -> None:
        people, directory = company(3)
        match = people[0] | RULE | {"archive_existing": archive_existing, "active": active, "first_name": "New"}
        planned = plan([match, *people[1:]], directory, {"archive_employees": archive_employees})
        leaves = archive_employees and not active
        assert actions(planned) == (["archive"] if leaves else expected), "a rule keeps nobody from leaving"

    def test_who_matches_no_longer_is_restored(self) -> None:
        people, directory = company(3)
        match = people[0] | RULE | {"archive_existing": True}
        directory.apply(plan([match, *people[1:]], directory).rows)
        assert plan([match, *people[1:]], directory).rows.empty
        assert actions(plan(people, directory)) == ["restore"]


class TestExcludeFields:
    def test_a_stored_value_stays_and_a_new_user_has_none(self) -> None:
        settings = {"exclude_fields": ["birth_date", "email", "Team"]}
        after = next_import(
            {"metadata": {"Team": "Old"}}, {"birth_date": None, "email": "n@x.test", "Team": "New"}, settings
        )
        assert (after["birth_date"], after["email"], after["metadata"]) == (
            date(1990, 1, 1),
            "p1@acme.test",
            {"Team": "Old"},
        )
        new = first_import({"Team": "New"}, settings)
        assert (new["birth_date"], new["email"], new["metadata"]) == (None, None, {})

    def test_an_archive_and_a_restore_leave_it_too(self) -> None:
        people, directory = company(3)
        settings = {"exclude_fields": ["email", "hire_date"]}
        changed = people[0] | {"email": "n@x.test", "hire_date": date(2021, 1, 1)}
        for active in (False, True):
            directory.apply(plan([changed | {"active": active}, *people[1:]], directory, settings).rows)
        after = directory.by_employee_id("0001")
        assert (after["status"], after["email"], after["hire_date"]) == ("active", "p1@acme.test", date(2020, 1, 1))


@pytest.mark.parametrize(
    ("days", "starts", "imported"),
    [(0, 0, True), (0, 1, False), (5, 5, True), (5, 6, False), (0, -1, True), (90, 90, True)],
)
def test_a_hire_or_rehire_takes_effect_so_many_days_before_its_start(days: int, starts: int, imported: bool) -> None:
    start, settings = TODAY + timedelta(days=starts), {"import_days_before_start": days}
    planned = plan([person(1, hire_date=start)], MemoryDirectory(), settings)
    assert actions(planned) == (["create"] if imported else [])
    if not imported:
        assert planned.diagnostics == {"excluded:not_started": ("0001",)}

    people, directory = company(3)
    directory.apply(plan([people[0] | {"active": False}, *people[1:]], directory).rows)
    ended = TODAY - timedelta(days=200)
    again = plan([person(1, latest_rehire_date=start, termination_date=ended), *people[1:]], directory, settings)
    assert actions(again) == (["restore"] if imported else [])
    assert again.diagnostics.get("excluded:not_started") == (None if imported else ("0001",))


def test_a_stranger_who_comes_with_a_users_employee_id_is_named_by_their_own() -> None:
    people, directory = company(3)
    to_come = person(9, employee_id="0002", hire_date=TODAY.replace(year=2027))
    left = person(8, employee_id="0001", active=False)
    planned = plan([*people, to_come, left], directory, quarantined=(QuarantinedMember("m-7", "0003"),))
    assert (actions(planned), planned.diagnostics) == (
        [],
        {"excluded:inactive": ("m-8",), "excluded:not_started": ("m-9",), "quarantined": ("m-7",)},
    )


def test_an_active_user_with_a_start_ahead_stays_active_and_follows_the_source() -> None:
    people, directory = company(2)
    ahead = person(1, latest_rehire_date=TODAY + timedelta(days=9), first_name="New")
    assert actions(plan([ahead, people[1]], directory)) == ["update"]


class TestAbsentMeansEmpty:
    def test_an_absent_value_clears_the_stored_one(self) -> None:
        people, directory = company(3)
        directory.apply(
            plan([member | {"#Team": "Red", "phone_number": "+12025550123"} for member in people], directory).rows
        )
        directory.apply(
            plan(
                [people[0], *(member | {"#Team": "Red", "phone_number": "+12025550123"} for member in people[1:])],
                directory,
            ).rows
        )
        after = directory.by_employee_id("0001")
        assert (after["phone_number"], after["metadata"]) == (None, {})

    def test_a_field_nobody_has_any_more_stays_with_a_warning(self) -> None:
        people, directory = company(3)
        planned = plan([member | {"birth_date": None} for member in people], directory)
        assert planned.rows.empty
        assert planned.diagnostics["warning:field_missing_for_all"] == ("birth_date",)
        directory.apply(plan([member | {"birth_date": None, "first_name": "New"} for member in people], directory).rows)
        assert directory.by_employee_id("0001")["birth_date"] == date(1990, 1, 1)

    def test_metadata_that_is_no_longer_listed_stays(self) -> None:
        after = next_import({"metadata": {"Badge": "7"}}, {"Team": "Red"}, {})
        assert after["metadata"] == {"Badge": "7", "Team": "Red"}


def test_a_local_user_and_another_companys_user_are_none_of_the_imports_business() -> None:
    directory = MemoryDirectory(user(7), user(8, integration_id="other", hris_id="m-8"))
    planned = plan([person(1)], directory, missing=frozenset({"m-8"}))
    assert actions(planned) == ["create"]


def test_a_user_somebody_wrote_since_is_compared_in_full() -> None:
    people, directory = company(2)
    directory.edit(directory.by_employee_id("0001")["user_id"], first_name="Edited")
    planned = plan(people, directory)
    assert json.loads(planned.rows["changed"][0]) == ["first_name"]


def test_every_person_is_counted_once_and_beside_by_reason() -> None:
    people, directory = company(9)
    now = [
        people[0] | {"first_name": "New"},
        people[1] | {"active": False},
        people[2] | {"exclusion": "service_account"},
        *people[3:],
        person(10),
        person(11, active=False),
        person(12, email="p9@acme.test"),
    ]
    planned = plan(now, directory, quarantined=(QuarantinedMember("m-13", "0013"),), holes=frozenset({"m-14"}))
    assert planned.counts == dict(zip(COUNTS, (1, 1, 1, 0, 6, 2, 0, 1, 1), strict=True))
    assert planned.diagnostics == {
        "excluded:inactive": ("0011",),
        "excluded:service_account": ("0003",),
        "conflict": ("0012",),
        "quarantined": ("0013",),
        "hole": ("m-14",),
    }


def test_warnings_of_earlier_steps_are_shown_by_employee_id() -> None:
    frame = mapped_frame([person(1)])
    planned = make_plan(
        frame,
        MemoryDirectory(),
        PlanContext("acme", TODAY, True),
        Settings.model_validate({"metadata": METADATA}),
        {"phone": ["m-1", "m-2"]},
    )
    assert planned.diagnostics["warning:phone"] == ("0001",)


def test_quarantined_people_and_holes_are_never_archived() -> None:
    people, directory = company(4)
    gone = frozenset({"m-1", "m-2", "m-3"})
    planned = plan(people[3:], directory, missing=gone, holes=frozenset({"m-2"}), quarantined=quarantined("m-1"))
    archived = [directory.by_id[user_id]["hris_id"] for user_id in planned.rows["user_id"]]
    assert (actions(planned), archived) == (["archive"], ["m-3"])
