"""References to people become EmployeeIds: through links and the extract, whatever names the supervisor."""

from typing import Any

import pytest

from hris_pipeline.change_set.directory import QuarantinedMember, Resolution
from hris_pipeline.change_set.identity import in_cycle
from hris_pipeline.transform.columns import text_series
from hris_pipeline_tests.kit.mapped_people import METADATA, Person, person
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory
from hris_pipeline_tests.kit.plans import actions, company, plan, quarantined, user

Changes = dict[str, Any]

BY_WORK_ID: Changes = {"mapping": {"supervisor_id": "custom:Boss"}}
"""A custom field names people as a person types them; the source's own columns name the manager by hris_id."""


def supervisor(people: list[Person], directory: MemoryDirectory, settings: Changes, **facts: object) -> object:
    """The supervisor's EmployeeId of ``m-1`` after the import."""
    directory.apply(plan(people, directory, settings, **facts).rows)
    return next(user["supervisor_id"] for user in directory.by_id.values() if user["hris_id"] == "m-1")


@pytest.mark.parametrize(("settings", "reference"), [({}, "m-2"), (BY_WORK_ID, "0002")])
class TestResolving:
    def test_a_supervisor_in_the_same_first_import(self, settings: Changes, reference: str) -> None:
        people = [person(1, supervisor_id=reference), person(2)]
        assert supervisor(people, MemoryDirectory(), settings) == "0002"

    def test_a_supervisor_who_is_archived_excluded_or_quarantined(self, settings: Changes, reference: str) -> None:
        for second in ([person(2, active=False)], [person(2, exclusion="rule:Out")], []):
            people, directory = company(3)
            now = [person(1, supervisor_id=reference), *second, people[2]]
            assert supervisor(now, directory, settings, quarantined=quarantined("m-2")) == "0002"

    def test_a_supervisor_whose_employee_id_changes_in_the_same_import(self, settings: Changes, reference: str) -> None:
        _, directory = company(2)
        reference = "9" if reference == "0002" else reference
        now = [person(1, supervisor_id=reference), person(2, employee_id="9")]
        assert supervisor(now, directory, settings) == "9"

    def test_nobody_with_a_warning_when_the_person_is_no_user(self, settings: Changes, reference: str) -> None:
        for second in ([person(2, active=False)], [person(2, exclusion="rule:Out")], []):
            planned = plan([person(1, supervisor_id=reference), *second], MemoryDirectory(), settings)
            assert planned.diagnostics["warning:supervisor_unknown"] == ("0001",)
            assert actions(planned) == ["create"]


def test_a_supervisor_linked_by_another_integration_of_the_directory() -> None:
    elsewhere = user(2, integration_id="other", hris_id="m-2")
    assert supervisor([person(1, supervisor_id="m-2")], MemoryDirectory(elsewhere), {}) == "0002"
    ours, theirs = user(3, integration_id="acme", hris_id="m-2"), user(4, integration_id="other", hris_id="m-2")
    assert supervisor([person(1, supervisor_id="m-2")], MemoryDirectory(theirs, ours), {}) == "0003"


def test_a_link_that_two_other_integrations_have_is_not_certain() -> None:
    directory = MemoryDirectory(
        user(2, integration_id="one", hris_id="m-9"), user(3, integration_id="other", hris_id="m-9")
    )
    assert supervisor([person(1, supervisor_id="m-9")], directory, {}) is None


HEADS: dict[str, dict[str, Any]] = {
    "local": {},
    "linked by another integration": {"integration_id": "other", "hris_id": "o-2"},
    "archived": {"status": "archived", "archived_by": "Pat"},
}


@pytest.mark.parametrize("stored", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("why", ["excluded", "not employed", "quarantined"])
def test_a_supervisor_who_is_no_user_of_ours_is_found_by_the_employee_id_of_the_extract(
    stored: dict[str, Any], why: str
) -> None:
    head = {
        "excluded": [person(2, exclusion="rule:Owners")],
        "not employed": [person(2, active=False)],
        "quarantined": [],
    }[why]
    bad = () if head else (QuarantinedMember("m-2", "0002"),)
    people = [person(1, supervisor_id="m-2"), *head]
    assert supervisor(people, MemoryDirectory(user(2, **stored)), {}, quarantined=bad) == "0002"


class TestOpenConflicts:
    def rehired(self) -> tuple[list[Person], MemoryDirectory]:
        """A manager of two is back under another member id and another work id."""
        people, directory = company(6)
        reports = [people[n] | {"supervisor_id": "m-6", "#Buddy": "0006"} for n in (0, 1)]
        directory.apply(plan([*reports, *people[2:]], directory).rows)
        back = person(6, hris_id="m-60", employee_id="0060")
        return [
            *(report | {"supervisor_id": "m-60", "#Buddy": "0060"} for report in reports),
            *people[2:5],
            back,
        ], directory

    def test_the_manager_stays_and_so_do_her_reports(self) -> None:
        people, directory = self.rehired()
        planned = plan(people, directory, missing=frozenset({"m-6"}))
        assert (actions(planned), planned.counts["conflicts"]) == ([], 1)
        assert planned.diagnostics["awaiting_decision"] == ("0006",)
        assert "warning:supervisor_unknown" not in planned.diagnostics

    def test_nothing_that_points_to_her_is_cleared_while_it_may_change_to_somebody_certain(self) -> None:
        people, directory = self.rehired()
        people[0] |= {"supervisor_id": None, "#Buddy": None}
        people[1] |= {"supervisor_id": "m-3", "#Buddy": "0003"}
        directory.apply(plan(people, directory, missing=frozenset({"m-6"})).rows)
        first, second = directory.by_employee_id("0001"), directory.by_employee_id("0002")
        assert (first["supervisor_id"], first["metadata"]) == ("0006", {"Buddy": "0006"})
        assert (second["supervisor_id"], second["metadata"]) == ("0003", {"Buddy": "0003"})

    def test_linking_her_gives_everything_the_new_id(self) -> None:
        people, directory = self.rehired()
        user_id = directory.by_employee_id("0006")["user_id"]
        decided = (Resolution("m-60", user_id, "link"),)
        directory.apply(plan(people, directory, missing=frozenset({"m-6"}), resolutions=decided).rows)
        assert directory.by_id[user_id]["employee_id"] == "0060"
        assert directory.by_employee_id("0001")["supervisor_id"] == "0060"


@pytest.mark.parametrize("employee_id", ["0006", None], ids=["the work id", "none, as it was given up"])
def test_a_report_who_still_names_the_former_member_id_of_a_rehired_manager_keeps_her(employee_id: str | None) -> None:
    people, directory = company(6)
    people[0] |= {"supervisor_id": "m-6"}
    directory.apply(plan(people, directory).rows)
    left = people[5] | {"active": False, "employee_id": employee_id, "justworks_id": employee_id}
    now = [*people[:5], left, people[5] | {"hris_id": "m-60"}]
    directory.apply(plan(now, directory).rows)
    assert directory.by_employee_id("0006")["hris_id"] == "m-60"
    assert plan(now, directory).rows.empty
    assert directory.by_employee_id("0001")["supervisor_id"] == "0006"


@pytest.mark.parametrize(("source", "expected"), [("justworks", "0009"), ("finch", None)])
def test_a_supervisor_whom_a_deleted_integration_of_the_same_source_had_linked(source: str, expected: str) -> None:
    directory = MemoryDirectory(user(9, former_source=source, former_hris_id="m-9"))
    assert supervisor([person(1, supervisor_id="m-9")], directory, {}) == expected


def test_a_report_does_not_follow_a_member_who_still_works_to_somebody_like_them() -> None:
    people, directory = company(3)
    twin = people[1] | {"hris_id": "m-20", "employee_id": None, "justworks_id": None, "leaver_only": True}
    now = [people[0] | {"supervisor_id": "m-20"}, *people[1:], twin]
    directory.apply(plan(now, directory, quarantined=quarantined("m-20")).rows)
    assert directory.by_employee_id("0001")["supervisor_id"] is None


def test_a_report_who_names_a_member_id_that_is_gone_keeps_whoever_was_linked_to_it() -> None:
    people, directory = company(6)
    people[0] |= {"supervisor_id": "m-6"}
    directory.apply(plan(people, directory).rows)
    now = [*people[:5], people[5] | {"hris_id": "m-60"}]
    gone = frozenset({"m-6"})
    directory.apply(plan(now, directory, missing=gone).rows)
    later = [*people[:5], people[5] | {"hris_id": "m-61"}]
    directory.apply(plan(later, directory, missing=frozenset({"m-60"})).rows)
    assert directory.by_employee_id("0006")["hris_id"] == "m-61"
    planned = plan(later, directory)
    assert (actions(planned), "warning:supervisor_unknown" in planned.diagnostics) == ([], False)
    assert directory.by_employee_id("0001")["supervisor_id"] == "0006"
    stranger = person(7, hris_id="m-6")
    directory.apply(plan([*later, stranger], directory).rows)
    assert directory.by_employee_id("0001")["supervisor_id"] == "0007", "the id is somebody else's now"


def test_a_report_of_somebody_whom_a_person_linked_to_another_member_keeps_her() -> None:
    people, directory = company(6)
    people[0] |= {"supervisor_id": "m-6"}
    directory.apply(plan(people, directory).rows)
    user_id = directory.by_employee_id("0006")["user_id"]
    back = people[5] | {"hris_id": "m-60", "first_name": "Another", "birth_date": None}
    now = [*people[:5], people[5] | {"active": False, "employee_id": None, "justworks_id": None}, back]
    decided = (Resolution("m-60", user_id, "link"),)
    directory.apply(plan(now, directory, resolutions=decided).rows)
    assert directory.by_employee_id("0006")["hris_id"] == "m-60"
    assert plan(now, directory, resolutions=decided).rows.empty
    assert directory.by_employee_id("0001")["supervisor_id"] == "0006"


def test_a_report_of_somebody_back_under_other_ids_keeps_her_while_the_old_record_stays_listed() -> None:
    people, directory = company(6)
    people[0] |= {"supervisor_id": "m-6"}
    directory.apply(plan(people, directory).rows)
    user_id = directory.by_employee_id("0006")["user_id"]
    back = people[5] | {"hris_id": "m-60", "employee_id": "0060", "justworks_id": "0060"}
    now = [*people[:5], people[5] | {"active": False}, back]
    decided = (Resolution("m-60", user_id, "link"),)
    directory.apply(plan(now, directory, resolutions=decided).rows)
    assert directory.by_employee_id("0001")["supervisor_id"] == "0060"
    assert plan(now, directory, resolutions=decided).rows.empty


def test_a_supervisor_who_left_is_not_the_hire_who_has_the_work_id_now() -> None:
    people, directory = company(3)
    stranger = person(9, active=False, employee_id="0002", justworks_id="0002")
    planned = plan([people[0] | {"supervisor_id": "m-9"}, *people[1:], stranger], directory)
    assert planned.diagnostics["warning:supervisor_unknown"] == ("0001",)


@pytest.mark.parametrize("leaver_first", [True, False])
def test_a_work_id_that_a_leaver_and_somebody_employed_have_names_the_latter(leaver_first: bool) -> None:
    people, directory = company(3)
    stranger = person(9, active=False, employee_id="0002", justworks_id="0002")
    rest = [stranger, *people[1:]] if leaver_first else [*people[1:], stranger]
    planned = plan([people[0] | {"supervisor_id": "0002"}, *rest], directory, BY_WORK_ID)
    directory.apply(planned.rows)
    assert directory.by_employee_id("0001")["supervisor_id"] == "0002"
    assert "warning:supervisor_unknown" not in planned.diagnostics


def test_the_stored_supervisor_stays_when_nothing_is_known_of_the_new_one() -> None:
    people, directory = company(3)
    people[0] |= {"supervisor_id": "m-2"}
    directory.apply(plan(people, directory).rows)
    now = [people[0] | {"supervisor_id": "m-9"}, *people[1:]]
    assert actions(plan(now, directory, holes=frozenset({"m-9"}))) == []
    assert actions(plan(now, directory)) == ["update"]


def test_associated_metadata_holds_the_employee_id_of_a_person() -> None:
    directory = MemoryDirectory(user(7))
    planned = plan([person(1, Buddy="0007"), person(2, Buddy="0001"), person(3, Buddy="nobody")], directory)
    directory.apply(planned.rows)
    buddies = {user["hris_id"]: user["metadata"].get("Buddy") for user in directory.by_id.values() if user["hris_id"]}
    assert METADATA[1]["type"] == "associated"
    assert buddies == {"m-1": "0007", "m-2": "0001", "m-3": None}
    assert planned.diagnostics["warning:associated_unknown"] == ("0003",)


def test_a_cycle_or_self_supervision_is_kept_with_a_warning() -> None:
    people = [
        person(1, supervisor_id="m-2"),
        person(2, supervisor_id="m-1"),
        person(3, supervisor_id="m-3"),
        person(4, supervisor_id="m-1"),
    ]
    directory = MemoryDirectory()
    planned = plan(people, directory)
    directory.apply(planned.rows)
    assert planned.diagnostics["warning:supervisor_cycle"] == ("0001", "0002", "0003")
    assert directory.by_employee_id("0003")["supervisor_id"] == "0003"
    assert plan(people, directory).rows.empty


@pytest.mark.parametrize(
    ("chain", "going_round"),
    [
        ({"a": "b", "b": "c", "c": None}, set()),
        ({"a": "a"}, {"a"}),
        ({"a": "b", "b": "c", "c": "b"}, {"b", "c"}),
        ({"a": "b", "b": "a", "c": "d", "d": "e", "e": "c", "f": "a"}, {"a", "b", "c", "d", "e"}),
        ({"a": "outside", "b": "a"}, set()),
    ],
)
def test_who_goes_round_in_a_cycle(chain: dict[str, str | None], going_round: set[str]) -> None:
    people = text_series(chain)
    assert set(people[in_cycle(people, text_series(chain.values()))]) == going_round


def test_with_generated_employee_ids_a_work_id_names_the_member_who_has_it() -> None:
    people = [person(1, supervisor_id="0009"), person(2, employee_id="0009")]
    assert supervisor(people, MemoryDirectory(), BY_WORK_ID | {"employee_ids": "generated"}) == "000002"
