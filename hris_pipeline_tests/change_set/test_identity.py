"""Who is who: each case of SEMANTICS' matching order, never a silent takeover, never a duplicate."""

from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from hris_pipeline.change_set.directory import Resolution
from hris_pipeline.change_set.identity import match_rates
from hris_pipeline.transform.columns import text_series
from hris_pipeline_tests.kit.mapped_people import TODAY, Person, person
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory
from hris_pipeline_tests.kit.plans import BORN, actions, company, conflicts, linked, plan, quarantined, user


def test_a_link_counts_before_anything_else() -> None:
    people, directory = company(2)
    people[0] |= {"employee_id": "new", "email": "new@acme.test", "first_name": "New", "birth_date": None}
    assert actions(plan(people, directory)) == ["update"]
    directory.apply(plan(people, directory).rows)
    assert directory.by_employee_id("new")["hris_id"] == "m-1"


@pytest.mark.parametrize(("employee_id", "matches"), [("0001", True), ("1", False), ("001", False), ("a1", False)])
def test_a_local_user_is_linked_by_exactly_the_same_employee_id(employee_id: str, matches: bool) -> None:
    directory = MemoryDirectory(user(employee_id=employee_id))
    planned = plan([person(1)], directory)
    assert actions(planned) == (["update"] if matches else ["create"])
    directory.apply(planned.rows)
    assert len(directory.by_id) == (1 if matches else 2)


def test_employee_ids_compare_with_their_case() -> None:
    assert actions(plan([person(1, employee_id="a")], MemoryDirectory(user(employee_id="A")))) == ["create"]


@pytest.mark.parametrize(
    "member",
    [
        person(1, active=False),
        person(1, termination_date=TODAY - timedelta(days=1)),
        person(1, hire_date=TODAY + timedelta(days=1)),
        person(1, exclusion="rule:Contractors", archive_existing=True),
    ],
    ids=["inactive", "left yesterday", "not started", "excluded"],
)
def test_nobody_who_is_not_to_be_imported_links_to_a_local_user(member: Person) -> None:
    planned = plan([member], MemoryDirectory(user()))
    assert (actions(planned), planned.counts["excluded"]) == ([], 1)


def test_a_user_archived_by_a_person_is_a_conflict_and_restored_only_when_a_person_says_so() -> None:
    archived = user(status="archived", archived_by="Pat", email="p1@acme.test")
    directory = MemoryDirectory(archived)
    assert conflicts(plan([person(1)], directory)) == [("m-1", "employee_id", "u-1")]
    linked_only = plan([person(1)], directory, resolutions=(Resolution("m-1", "u-1", "link"),))
    assert conflicts(linked_only) == [("m-1", "employee_id", "u-1")]
    assert linked_only.rows.empty
    restored = plan([person(1)], directory, resolutions=(Resolution("m-1", "u-1", "link", restore=True),))
    assert actions(restored) == ["restore"]


def test_a_former_link_to_a_user_archived_by_a_person_leaves_them_alone() -> None:
    archived = user(status="archived", archived_by="Pat", former_source="justworks", former_hris_id="m-1")
    planned = plan([person(1)], MemoryDirectory(archived))
    assert (actions(planned), planned.counts["protected"]) == ([], 1)


DOUBTFUL: dict[str, dict[str, Any]] = {
    "archived": {"status": "archived", "archived_by": "import"},
    "managed before": {"former_source": "justworks", "former_hris_id": "old-1"},
    "managed before by another kind of source": {"former_source": "finch", "former_hris_id": "m-1"},
    "both": {"status": "archived", "archived_by": "import", "former_source": "justworks", "former_hris_id": "old-1"},
}


@pytest.mark.parametrize("stored", DOUBTFUL.values(), ids=DOUBTFUL)
@pytest.mark.parametrize(
    "agrees",
    [{}, {"email": "P1@acme.test"}, {"first_name": "first1", "last_name": "Last", "birth_date": BORN}],
    ids=["nothing", "email", "name and birth date"],
)
def test_a_local_user_who_was_managed_before_or_is_archived_must_agree(
    stored: dict[str, Any], agrees: dict[str, Any]
) -> None:
    directory = MemoryDirectory(user(**stored, **agrees))
    planned = plan([person(1)], directory)
    if agrees:
        assert actions(planned) == (["restore"] if "status" in stored else ["update"])
        directory.apply(planned.rows)
        assert directory.by_id["u-1"]["hris_id"] == "m-1"
    else:
        assert (actions(planned), conflicts(planned)) == ([], [("m-1", "employee_id", "u-1")])


FORMER: dict[str, Any] = {"former_source": "justworks", "former_hris_id": "m-1", "employee_id": "other"}


def test_the_link_of_a_deleted_integration_of_the_same_kind_of_source_counts_as_a_link() -> None:
    directory = MemoryDirectory(user(**FORMER))
    planned = plan([person(1)], directory)
    assert actions(planned) == ["update"]
    directory.apply(planned.rows)
    assert list(directory.by_id) == ["u-1"]
    after = directory.by_id["u-1"]
    assert (after["integration_id"], after["hris_id"], after["employee_id"]) == ("acme", "m-1", "0001")


@pytest.mark.parametrize(
    "other",
    [
        {"former_source": "finch"},
        {"integration_id": "other", "hris_id": "x"},
        {"former_hris_id": "M-1"},
    ],
    ids=["another kind of source", "managed by somebody else now", "another id"],
)
def test_no_other_former_link_does(other: dict[str, Any]) -> None:
    assert actions(plan([person(1)], MemoryDirectory(user(**FORMER | other)))) == ["create"]


def test_a_former_link_that_two_users_have_is_none() -> None:
    directory = MemoryDirectory(user(1, **FORMER), user(2, **FORMER | {"employee_id": "another"}))
    assert actions(plan([person(1)], directory)) == ["create"]


@pytest.mark.parametrize(
    "stored", [{}, {"former_source": "justworks", "former_hris_id": "m-1", "employee_id": "x"}], ids=["id", "link"]
)
def test_a_member_who_is_not_employed_takes_over_no_local_user_but_is_named(stored: dict[str, Any]) -> None:
    directory = MemoryDirectory(user(**stored))
    planned = plan([person(1, active=False)], directory)
    assert (actions(planned), planned.counts["excluded"]) == ([], 1)
    assert planned.diagnostics["inactive_local"] == ("0001",)
    directory.edit("u-1", status="archived", archived_by="Pat")
    assert "inactive_local" not in plan([person(1, active=False)], directory).diagnostics


def test_who_becomes_the_local_user_of_a_leavers_work_id_is_not_named_inactive() -> None:
    planned = plan([person(2, active=False, employee_id="0001"), person(1)], MemoryDirectory(user()))
    assert actions(planned) == ["update"]
    assert "inactive_local" not in planned.diagnostics


RELINKS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "confirmed missing, all agree": ({}, {"missing": frozenset({"old-1"})}, True),
    "name and birth date agree": ({"email": "else@acme.test"}, {"missing": frozenset({"old-1"})}, True),
    "email agrees": ({"first_name": "Else"}, {"missing": frozenset({"old-1"})}, True),
    "email agrees but for its case": (
        {"email": "P1@ACME.test", "first_name": "Else"},
        {"missing": frozenset({"old-1"})},
        True,
    ),
    "only the name agrees": (
        {"email": "else@acme.test", "birth_date": date(1980, 1, 1)},
        {"missing": frozenset({"old-1"})},
        False,
    ),
    "no birth date on either side": (
        {"email": "else@acme.test", "birth_date": None},
        {"missing": frozenset({"old-1"})},
        False,
    ),
    "nothing else agrees: a re-used work id": (
        {"email": "else@acme.test", "first_name": "Else"},
        {"missing": frozenset({"old-1"})},
        False,
    ),
    "nobody knows about the old id": ({}, {}, False),
    "the old id is a hole": ({}, {"missing": frozenset({"old-1"}), "holes": frozenset({"old-1"})}, False),
    "archived by an import, not listed": ({"status": "archived", "archived_by": "import"}, {}, True),
    "archived by an import, list incomplete": (
        {"status": "archived", "archived_by": "import"},
        {"complete": False},
        False,
    ),
    "archived by an import, quarantined today": (
        {"status": "archived", "archived_by": "import"},
        {"quarantined": quarantined("old-1")},
        False,
    ),
    "archived by a person": ({"status": "archived", "archived_by": "Pat"}, {}, False),
    "linked by another company": ({"integration_id": "other"}, {"missing": frozenset({"old-1"})}, False),
}


@pytest.mark.parametrize(("stored", "facts", "relinks"), RELINKS.values(), ids=RELINKS)
def test_a_user_of_another_hris_id_with_the_same_employee_id(
    stored: dict[str, Any], facts: dict[str, Any], relinks: bool
) -> None:
    directory = MemoryDirectory(linked(1, **stored))
    planned = plan([person(1)], directory, **facts)
    if not relinks:
        assert conflicts(planned) == [("m-1", "employee_id", "u-1")]
        assert set(actions(planned)) <= {"archive"}
        return
    directory.apply(planned.rows)
    assert planned.conflicts.empty
    assert list(directory.by_id) == ["u-1"]
    assert (directory.by_id["u-1"]["hris_id"], directory.by_id["u-1"]["status"]) == ("m-1", "active")
    assert plan([person(1)], directory).rows.empty


def test_a_person_rehired_with_a_new_id_while_the_old_one_is_listed_as_left_stays_the_same_user() -> None:
    people, directory = company(3)
    left = people[0] | {"active": False, "employee_id": "x-1"}
    again = people[0] | {"hris_id": "m-new"}
    planned = plan([left, again, *people[1:]], directory)
    assert actions(planned) == ["update"]
    directory.apply(planned.rows)
    assert directory.by_employee_id("0001")["hris_id"] == "m-new"
    assert len(directory.by_id) == 3
    assert plan([left, again, *people[1:]], directory).rows.empty


def test_a_namesake_does_not_hide_that_the_holder_agrees() -> None:
    namesake = user(9, first_name="First1", last_name="Last", birth_date=BORN)
    directory = MemoryDirectory(namesake, linked(1, email=None))
    assert plan([person(1)], directory, missing=frozenset({"old-1"})).conflicts.empty


STRANGERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing in common": ({}, []),
    "the same email": ({"email": "P1@acme.test"}, ["email"]),
    "the same name and birth date": (
        {"first_name": "FIRST1", "last_name": "last", "birth_date": BORN},
        ["name_and_birth_date"],
    ),
    "the same name, another birth date": (
        {"first_name": "First1", "last_name": "Last", "birth_date": date(1991, 1, 1)},
        [],
    ),
    "both": ({"email": "p1@acme.test", "first_name": "First1", "last_name": "Last", "birth_date": BORN}, ["email"]),
}


@pytest.mark.parametrize(("stored", "kinds"), STRANGERS.values(), ids=STRANGERS)
def test_a_newcomer_is_new_unless_email_or_name_and_birth_date_are_known(
    stored: dict[str, Any], kinds: list[str]
) -> None:
    planned = plan([person(1)], MemoryDirectory(user(7, **stored)))
    assert [kind for _, kind, _ in conflicts(planned)] == kinds
    assert actions(planned) == ([] if kinds else ["create"])
    assert planned.counts["conflicts"] == len(kinds)


@pytest.mark.parametrize("birth_date", [BORN, None])
def test_a_birth_date_that_cannot_be_read_may_be_the_same(birth_date: date | None) -> None:
    namesake = user(7, first_name="First1", last_name="Last", birth_date=birth_date)
    unread = person(1, birth_date=None, unread=["birth_date"])
    planned = plan([unread, person(2)], MemoryDirectory(namesake))
    assert [kind for _, kind, _ in conflicts(planned)] == ["name_and_birth_date"]
    assert plan([person(1, birth_date=None)], MemoryDirectory(namesake)).conflicts.empty


def test_a_birth_date_that_cannot_be_read_agrees_with_nothing() -> None:
    former = user(7, employee_id="1", first_name="First1", last_name="Last", birth_date=BORN, status="archived")
    planned = plan([person(1, employee_id="1", birth_date=None, unread=["birth_date"])], MemoryDirectory(former))
    assert [kind for _, kind, _ in conflicts(planned)] == ["employee_id"]


def test_a_newcomer_can_collide_with_several_users() -> None:
    names = {"first_name": "First1", "last_name": "Last", "birth_date": BORN}
    directory = MemoryDirectory(user(7, email="p1@acme.test"), user(8, **names), user(9, **names))
    planned = plan([person(1)], directory)
    assert conflicts(planned) == [
        ("m-1", "email", "u-7"),
        ("m-1", "name_and_birth_date", "u-8"),
        ("m-1", "name_and_birth_date", "u-9"),
    ]
    assert planned.counts["conflicts"] == 1


def test_a_conflict_holds_back_only_its_own_row_and_carries_the_mapped_row() -> None:
    planned = plan([person(1), person(2)], MemoryDirectory(user(7, email="p1@acme.test")))
    assert actions(planned) == ["create"]
    line = planned.conflicts.iloc[0]
    assert line["employee_id"] == "0001"
    assert '"email":"p1@acme.test"' in line["incoming"]
    assert "stored_" not in line["incoming"]


@pytest.mark.parametrize(
    ("decision", "created", "updated", "excluded"), [("link", 0, 1, 0), ("create", 1, 0, 0), ("ignore", 0, 0, 1)]
)
def test_what_a_person_decided_is_followed_and_remembered(
    decision: str, created: int, updated: int, excluded: int
) -> None:
    directory = MemoryDirectory(user(7, email="p1@acme.test"))
    decided = (Resolution("m-1", "u-7", decision),)
    planned = plan([person(1)], directory, resolutions=decided)
    counts = planned.counts
    assert (counts["created"], counts["updated"], counts["excluded"]) == (created, updated, excluded)
    directory.apply(planned.rows)
    again = plan([person(1)], directory, resolutions=decided)
    assert again.rows.empty
    assert again.conflicts.empty


def test_an_employee_id_cannot_be_had_twice_even_by_decision() -> None:
    directory = MemoryDirectory(linked(1, first_name="Else", email=None))
    planned = plan([person(1)], directory, resolutions=(Resolution("m-1", "u-1", "create"),))
    assert conflicts(planned) == [("m-1", "employee_id", "u-1")]


def test_a_decision_about_a_user_who_is_no_more_is_void() -> None:
    planned = plan([person(1)], MemoryDirectory(), resolutions=(Resolution("m-1", "erased", "link"),))
    assert actions(planned) == ["create"]


def test_two_people_linked_to_one_user_by_hand_do_not_both_become_it() -> None:
    directory = MemoryDirectory(user(7))
    decided = (Resolution("m-1", "u-7", "link"), Resolution("m-2", "u-7", "link"))
    directory.apply(plan([person(1), person(2)], directory, resolutions=decided).rows)
    assert directory.by_id["u-7"]["hris_id"] == "m-1"
    assert len(directory.by_id) == 2


def test_a_link_by_hand_frees_the_person_who_had_the_user() -> None:
    people, directory = company(2)
    taken = directory.by_employee_id("0001")["user_id"]
    newcomer = person(3, first_name="First1", email="p3@acme.test")
    planned = plan([*people, newcomer], directory, resolutions=(Resolution("m-3", taken, "link"),))
    directory.apply(planned.rows)
    assert directory.by_id[taken]["hris_id"] == "m-3"
    assert [user["hris_id"] for user in directory.by_id.values()].count("m-3") == 1


def test_when_all_ids_changed_everybody_is_a_conflict_and_one_bulk_decision_relinks_them() -> None:
    people, directory = company(30)
    before = {key: user["employee_id"] for key, user in directory.by_id.items()}
    renumbered = [member | {"hris_id": f"new-{member['hris_id']}"} for member in people]
    missing = frozenset(member["hris_id"] for member in people)
    planned = plan(renumbered, directory, missing=missing)
    assert (planned.counts["conflicts"], planned.counts["created"]) == (30, 0)
    assert planned.held

    decided = tuple(Resolution(hris_id, user_id, "link") for hris_id, _, user_id in conflicts(planned))
    relinking = plan(renumbered, directory, missing=missing, resolutions=decided)
    assert (relinking.counts["updated"], relinking.counts["archived"], relinking.held) == (30, 0, False)
    directory.apply(relinking.rows)
    assert {key: user["employee_id"] for key, user in directory.by_id.items()} == before
    assert plan(renumbered, directory).rows.empty


@pytest.mark.parametrize(("size", "changed", "relinked"), [(30, 4, 4), (30, 5, 0), (100, 5, 5), (100, 6, 0)])
def test_only_a_few_are_relinked_unasked(size: int, changed: int, relinked: int) -> None:
    people, directory = company(size)
    missing = frozenset(member["hris_id"] for member in people[:changed])
    moved = [member | {"hris_id": f"new-{member['hris_id']}"} for member in people[:changed]]
    planned = plan([*moved, *people[changed:]], directory, missing=missing)
    assert planned.counts["updated"] == relinked
    assert planned.counts["conflicts"] == changed - relinked


def test_match_rates_tell_which_source_field_names_the_existing_users() -> None:
    employee_ids = pd.Series(text_series(["0001", "0002", "A-3", None]))
    fields = {
        "justworks_id": text_series(["0001", "0002", "0002", "9", None]),
        "custom:Badge": text_series(["A-3", "a-3", None, None, None]),
        "hris_id": text_series(["m-1", "m-2", "m-3", "m-4", "m-5"]),
    }
    assert match_rates(fields, employee_ids) == {"justworks_id": 2, "custom:Badge": 1}
