"""What an extract does not tell of somebody, who may have left or who reports to whom, changes nothing stored."""

from typing import Any

import pytest

from hris_pipeline.change_set.directory import PlanContext
from hris_pipeline.change_set.plan import Plan, make_plan
from hris_pipeline.settings.document import Settings
from hris_pipeline_tests.kit.mapped_people import TODAY, Person, mapped_frame, person, under
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory
from hris_pipeline_tests.kit.plans import actions, company, plan, quarantined, user

DOUBTFUL = {"may_have_left": True}


def test_who_may_have_left_stays_and_is_kept_up_to_date() -> None:
    people, directory = company(3)
    planned = plan([people[0] | DOUBTFUL | {"first_name": "New"}, people[1] | DOUBTFUL, people[2]], directory)
    assert actions(planned) == ["update"]
    assert (planned.counts["unchanged"], planned.counts["excluded"]) == (2, 0)


@pytest.mark.parametrize("archived_by", ["import", "person:dana"])
def test_who_may_have_left_is_not_brought_back(archived_by: str) -> None:
    people, directory = company(3)
    directory.edit(directory.by_employee_id("0001")["user_id"], status="archived", archived_by=archived_by)
    planned = plan([people[0] | DOUBTFUL, *people[1:]], directory)
    assert (actions(planned), planned.diagnostics) == ([], {"excluded:may_have_left": ("0001",)})


def test_who_may_have_left_neither_becomes_nor_takes_over_a_user() -> None:
    _, directory = company(3)
    planned = plan([person(1), person(2), person(3), person(9, **DOUBTFUL)], directory)
    assert (actions(planned), planned.counts["excluded"]) == ([], 1)
    local = MemoryDirectory(user(9))
    planned = plan([person(9, **DOUBTFUL)], local)
    assert (actions(planned), planned.diagnostics) == ([], {"excluded:may_have_left": ("0009",)})


def test_who_may_have_left_and_starts_soon_is_imported_early() -> None:
    _, directory = company(3)
    soon = person(9, **DOUBTFUL, latest_rehire_date=TODAY.replace(day=TODAY.day + 3))
    assert actions(plan([person(1), person(2), person(3), soon], directory, {"import_days_before_start": 7})) == [
        "create"
    ]


def test_whose_person_may_work_on_under_another_id_is_not_archived() -> None:
    people, directory = company(3)
    other = people[0] | DOUBTFUL | {"hris_id": "m-9", "employee_id": "0009", "justworks_id": "0009"}
    planned = plan([people[0] | {"active": False}, *people[1:], other], directory)
    assert (actions(planned), planned.diagnostics["listed_under_other_id"]) == ([], ("0001",))


def test_a_field_that_is_empty_after_it_was_unread_is_cleared() -> None:
    """Although another field was written in between, by a row that says the same of that one."""
    people, directory = company(3)
    people[1]["#Team"] = "Blue"
    directory.apply(plan([people[0] | {"#Team": "Red"}, *people[1:]], directory).rows)
    unread = people[0] | {"#Team": None, "unread": ["#Team"], "first_name": "New"}
    directory.apply(plan([unread, *people[1:]], directory).rows)
    assert directory.by_employee_id("0001")["metadata"] == {"Team": "Red"}
    directory.apply(plan([people[0] | {"#Team": None, "first_name": "New"}, *people[1:]], directory).rows)
    assert directory.by_employee_id("0001")["metadata"] == {}


def test_an_unread_supervisor_changes_nothing_stored_beside_one_who_is_uncertain() -> None:
    people = [person(1), person(2, supervisor_id="m-1"), person(3, supervisor_id="m-1")]
    directory = MemoryDirectory()
    directory.apply(plan(people, directory).rows)
    unread = people[1] | {"supervisor_id": None, "unread": ["supervisor_id"]}
    planned = plan([people[0], unread, people[2] | {"supervisor_id": "m-9"}], directory, holes=frozenset({"m-9"}))
    assert actions(planned) == []


def test_an_unread_re_hire_date_changes_nothing_stored_beside_one_that_is_ahead() -> None:
    people = [person(number, latest_rehire_date=TODAY.replace(year=2024)) for number in (1, 2, 3)]
    directory = MemoryDirectory()
    directory.apply(plan(people, directory).rows)
    unread = person(1, unread=["latest_rehire_date"])
    ahead = person(2, latest_rehire_date=TODAY.replace(year=2027))
    assert actions(plan([unread, ahead, people[2]], directory)) == []


def test_a_re_hire_counts_on_its_day() -> None:
    people, directory = company(2)
    directory.apply(plan([person(1, latest_rehire_date=TODAY), people[1]], directory).rows)
    assert directory.by_employee_id("0001")["latest_rehire_date"] == TODAY


MANAGERS = Settings.model_validate({"metadata": [{"name": "Boss", "source": "is_manager"}]})


def planned_with_managers(people: list[Person], directory: MemoryDirectory, **facts: Any) -> Plan:
    """A plan of people who have the metadata ``Boss``."""
    rows = [
        {key: value for key, value in row.items() if key not in ("#Team", "#Buddy")} | {"#Boss": member["#Boss"]}
        for row, member in zip(under(MANAGERS, people), people, strict=True)
    ]
    context = PlanContext("acme", TODAY, **({"complete": True} | facts))
    return make_plan(mapped_frame(rows), directory, context, MANAGERS)


def staff() -> tuple[list[Person], MemoryDirectory]:
    """A manager with one report, and a colleague, all imported."""
    people = [person(1), person(2, supervisor_id="m-1"), person(3)]
    people = [member | {"#Boss": "true" if member["hris_id"] == "m-1" else "false"} for member in people]
    directory = MemoryDirectory()
    directory.apply(planned_with_managers(people, directory).rows)
    return people, directory


NO_BOSS = {"#Boss": "false"}
UNTOLD: dict[str, tuple[Person | None, dict[str, Any], bool]] = {
    "a hole": (None, {"holes": frozenset({"m-2"})}, True),
    "missing from an incomplete list": (None, {"complete": False}, True),
    "gone": (None, {"missing": frozenset({"m-2"})}, False),
    "quarantined": ({"leaver_only": True, "supervisor_id": None}, {"quarantined": quarantined("m-2")}, True),
    "supervisor unread": ({"supervisor_id": None, "unread": ["supervisor_id"]}, {}, True),
    "names a hole": ({"supervisor_id": "m-9"}, {"holes": frozenset({"m-9"})}, True),
    "supervisor of nobody told": ({"supervisor_id": None}, {}, True),
    "left": ({"active": False}, {}, False),
    "left, and unread": ({"active": False, "unread": ["supervisor_id"]}, {}, False),
    "left out by a rule": ({"exclusion": "rule:X"}, {}, False),
    "reports to another": ({"supervisor_id": "m-3"}, {}, False),
}


@pytest.mark.parametrize(("report", "facts", "stays"), UNTOLD.values(), ids=UNTOLD)
def test_a_manager_stays_one_while_the_extract_does_not_tell_of_a_report(
    report: Person | None, facts: dict[str, Any], stays: bool
) -> None:
    people, directory = staff()
    rows = [people[0] | NO_BOSS, *([people[1] | report] if report is not None else []), people[2]]
    planned = planned_with_managers(rows, directory, **facts)
    directory.apply(planned.rows)
    assert (directory.by_employee_id("0001")["metadata"] == {"Boss": "true"}) == stays
    assert directory.by_employee_id("0003")["metadata"] == {"Boss": "false"}


def test_a_manager_whom_reports_name_by_a_former_member_id_stays_one() -> None:
    people, directory = staff()
    rows = [people[0] | NO_BOSS | {"hris_id": "m-10"}, *people[1:]]
    for gone in ({"m-1"}, set[str]()):
        directory.apply(planned_with_managers(rows, directory, missing=frozenset(gone)).rows)
        user = directory.by_employee_id("0001")
        assert (user["hris_id"], user["metadata"]) == ("m-10", {"Boss": "true"})
    rows[1] |= {"supervisor_id": "m-3"}
    directory.apply(planned_with_managers(rows, directory).rows)
    assert directory.by_employee_id("0001")["metadata"] == {"Boss": "false"}
