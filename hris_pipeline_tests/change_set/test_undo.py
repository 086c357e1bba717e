"""Taking an import back: the state before, for whoever was not changed since."""

import json
from typing import Any

from hris_pipeline.change_set.plan import Plan
from hris_pipeline.change_set.undo import Undo, undo_rows
from hris_pipeline_tests.kit.applied_rows import applied, current, owners
from hris_pipeline_tests.kit.mapped_people import person
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory
from hris_pipeline_tests.kit.plans import company, plan, user


def undone(planned: Plan, directory: MemoryDirectory) -> Undo:
    return undo_rows(applied(planned.rows), current(directory), owners(directory))


def saved(people: list[dict[str, Any]], directory: MemoryDirectory) -> Plan:
    planned = plan(people, directory)
    directory.apply(planned.rows)
    return planned


def week() -> tuple[Plan, MemoryDirectory]:
    """An import that updates, archives, restores and creates one person each."""
    people, directory = company(5)
    saved([*people[:2], people[2] | {"active": False}, *people[3:]], directory)
    now = [people[0] | {"first_name": "New", "#Team": "Red"}, people[1] | {"active": False}, *people[2:], person(6)]
    return saved(now, directory), directory


def test_every_kind_of_change_is_taken_back() -> None:
    planned, directory = week()
    undo = undone(planned, directory)
    lines = {
        json.loads(row["after"])["employee_id"]: (row["action"], json.loads(row["changed"]))
        for row in undo.rows.to_dict("records")
    }
    assert lines == {
        "0001": ("update", ["first_name", "#Team"]),
        "0002": ("restore", ["status"]),
        "0003": ("archive", ["status"]),
        "0006": ("archive", ["status"]),
    }
    directory.apply(undo.rows)
    assert directory.by_employee_id("0001")["first_name"] == "First1"
    assert directory.by_employee_id("0006")["archived_by"] == "import"


def test_an_undo_can_itself_be_undone() -> None:
    planned, directory = week()
    after = {key: dict(user) for key, user in directory.by_id.items()}
    undo = undone(planned, directory)
    directory.apply(undo.rows)
    directory.apply(undo_rows(applied(undo.rows), current(directory), owners(directory)).rows)
    moving = {"version", "synced_version", "source_hash"}
    for key, state in directory.by_id.items():
        assert {name: state[name] for name in set(state) - moving} == {
            name: after[key][name] for name in set(state) - moving
        }


def test_what_was_changed_since_is_listed_and_left_field_by_field() -> None:
    planned, directory = week()
    key = directory.by_employee_id("0001")["user_id"]
    directory.edit(key, first_name="Edited", phone_number="+12025550123")
    undo = undone(planned, directory)
    assert undo.changed_since == {"first_name": ("0001",)}
    directory.apply(undo.rows)
    user = directory.by_employee_id("0001")
    assert (user["first_name"], user["phone_number"], user["metadata"].get("Team")) == ("Edited", "+12025550123", None)


def test_who_was_linked_is_local_again() -> None:
    directory = MemoryDirectory(user(1))
    planned = saved([person(1)], directory)
    undo = undone(planned, directory)
    (line,) = undo.rows.to_dict("records")
    assert json.loads(line["changed"])[:2] == ["integration_id", "hris_id"]
    directory.apply(undo.rows)
    local = directory.by_employee_id("0001")
    assert (local["integration_id"], local["hris_id"], local["status"]) == (None, None, "active")


def test_a_renamed_metadata_name_is_followed() -> None:
    planned, directory = week()
    user = directory.by_employee_id("0001")
    directory.edit(user["user_id"], metadata={"Squad": user["metadata"]["Team"]})
    undo = undo_rows(applied(planned.rows), current(directory), owners(directory), {"Team": "Squad"})
    assert undo.changed_since == {}
    directory.apply(undo.rows)
    assert directory.by_employee_id("0001")["metadata"] == {}


def test_a_member_id_of_another_integration_is_nobodys_obstacle() -> None:
    people, directory = company(2)
    planned = saved([people[0], people[1] | {"active": False}], directory)
    directory.put(user_id="other", employee_id="9", integration_id="globex", hris_id="m-2")
    undo = undone(planned, directory)
    assert (undo.taken, len(undo.rows)) == ((), 1)


def test_whom_somebody_protected_since_is_not_archived() -> None:
    planned, directory = week()
    directory.edit(directory.by_employee_id("0006")["user_id"], protected=True)
    undo = undone(planned, directory)
    assert (undo.protected, len(undo.rows)) == (("0006",), 3)


def test_whom_somebody_protected_since_keeps_email_and_employee_id_alone() -> None:
    people, directory = company(2)
    new = people[0] | {"email": "new@acme.test", "employee_id": "0099", "first_name": "New"}
    planned = saved([new, people[1]], directory)
    key = directory.by_employee_id("0099")["user_id"]
    directory.edit(key, protected=True)
    undo = undone(planned, directory)
    assert (undo.protected, undo.rows["changed"].tolist()) == (("0099",), ['["first_name"]'])


def test_whom_somebody_archived_again_since_stays_as_they_are() -> None:
    planned, directory = week()
    directory.edit(directory.by_employee_id("0002")["user_id"], archived_by="person:lee")
    undo = undone(planned, directory)
    assert undo.changed_since == {"status": ("0002",)}


def test_who_is_gone_is_listed() -> None:
    planned, directory = week()
    del directory.by_id[directory.by_employee_id("0001")["user_id"]]
    assert undone(planned, directory).gone == ("0001",)


def test_who_cannot_get_back_what_somebody_else_has_now_is_listed_and_left() -> None:
    people, directory = company(2)
    planned = saved([people[0] | {"email": "new@acme.test"}, people[1]], directory)
    directory.put(user_id="late", employee_id="9", email="p1@acme.test")
    undo = undone(planned, directory)
    assert (undo.taken, len(undo.rows)) == (("0001",), 0)


def test_who_depends_on_somebody_left_is_left_too() -> None:
    people, directory = company(3)
    planned = saved(
        [people[0] | {"email": "p2@acme.test"}, people[1] | {"email": "new@acme.test"}, people[2]], directory
    )
    directory.edit(directory.by_employee_id("0001")["user_id"], email_edited_by_user=True)
    undo = undone(planned, directory)
    assert (undo.changed_since, undo.taken) == ({"email": ("0001",)}, ("0002",))


def test_swapped_ids_and_emails_swap_back() -> None:
    people, directory = company(2)
    swapped = [
        people[0] | {"email": "p2@acme.test", "employee_id": "0002"},
        people[1] | {"email": "p1@acme.test", "employee_id": "0001"},
    ]
    planned = saved(swapped, directory)
    directory.apply(undone(planned, directory).rows)
    assert directory.by_employee_id("0001")["email"] == "p1@acme.test"
    assert directory.by_employee_id("0001")["hris_id"] == "m-1"


def test_somebody_created_with_an_address_that_was_given_up_gives_it_back() -> None:
    people, directory = company(2)
    planned = plan([people[0] | {"email": "new@acme.test"}, people[1]], directory)
    directory.apply(planned.rows)
    created = plan([people[0] | {"email": "new@acme.test"}, people[1], person(3, email="p1@acme.test")], directory)
    directory.apply(created.rows)
    both = undo_rows(applied(planned.rows) + applied(created.rows), current(directory), owners(directory))
    directory.apply(both.rows)
    assert directory.by_employee_id("0001")["email"] == "p1@acme.test"
    user = directory.by_employee_id("0003")
    assert (user["email"], user["email_edited_by_user"], user["status"]) == (None, False, "archived")


def test_nothing_of_a_person_shows_when_a_change_is_printed() -> None:
    planned, directory = week()
    text = repr(applied(planned.rows)) + repr(undone(planned, directory)) + repr(planned)
    for secret in ("First1", "p1@acme.test", "1990-01-01"):
        assert secret not in text
