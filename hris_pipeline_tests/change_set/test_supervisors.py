"""References to people become EmployeeIds: through links and the extract, whatever names the supervisor."""

from typing import Any

import pytest

from hris_pipeline.change_set.supervisors import in_cycle
from hris_pipeline.transform.columns import text_series
from hris_pipeline_tests.change_set.test_identity import actions, company, plan, user
from hris_pipeline_tests.kit.company_strategies import METADATA, Person, person
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory

Changes = dict[str, Any]

BY_JUSTWORKS_ID: Changes = {"mapping": {"supervisor_id": "supervisor_justworks_id"}}


def supervisor(people: list[Person], directory: MemoryDirectory, settings: Changes, **facts: object) -> object:
    """The supervisor's EmployeeId of ``m-1`` after the import."""
    directory.apply(plan(people, directory, settings, **facts).rows)
    return next(user["supervisor_id"] for user in directory.by_id.values() if user["hris_id"] == "m-1")


@pytest.mark.parametrize(("settings", "reference"), [({}, "m-2"), (BY_JUSTWORKS_ID, "0002")])
class TestResolving:
    def test_a_supervisor_in_the_same_first_import(self, settings: Changes, reference: str) -> None:
        people = [person(1, supervisor_id=reference), person(2)]
        assert supervisor(people, MemoryDirectory(), settings) == "0002"

    def test_a_supervisor_who_is_archived_excluded_or_quarantined(self, settings: Changes, reference: str) -> None:
        for second in ([person(2, active=False)], [person(2, exclusion="rule:Out")], []):
            people, directory = company(3)
            now = [person(1, supervisor_id=reference), *second, people[2]]
            assert supervisor(now, directory, settings, quarantined_hris_ids=frozenset({"m-2"})) == "0002"

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


def test_another_companys_link_is_not_ours() -> None:
    directory = MemoryDirectory(user(2, integration_id="other", hris_id="m-2"))
    assert supervisor([person(1, supervisor_id="m-2")], directory, {}) is None


def test_with_generated_employee_ids_a_justworks_id_is_never_taken_for_one() -> None:
    directory = MemoryDirectory(user(2))
    settings = BY_JUSTWORKS_ID | {"employee_ids": "generated"}
    assert supervisor([person(1, supervisor_id="0002")], directory, settings) is None
    people = [person(1, supervisor_id="0009"), person(2, employee_id="0009")]
    assert supervisor(people, MemoryDirectory(), settings) == "000002"


def test_associated_metadata_holds_the_employee_id_of_a_person() -> None:
    directory = MemoryDirectory(user(7))
    planned = plan([person(1, Buddy="0007"), person(2, Buddy="0001"), person(3, Buddy="nobody")], directory)
    directory.apply(planned.rows)
    buddies = {one["hris_id"]: one["metadata"].get("Buddy") for one in directory.by_id.values() if one["hris_id"]}
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
