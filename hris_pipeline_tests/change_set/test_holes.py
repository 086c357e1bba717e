"""Holes, members of whom nothing certain is known: what the list tells of them says who of the others has left."""

from typing import Any

import pandas as pd
import pytest

from hris_pipeline.change_set.directory import PlanContext, QuarantinedMember, Resolution
from hris_pipeline.transform.map_users import IDENTITY_COLUMNS
from hris_pipeline_tests.kit.mapped_people import TODAY, Person, person
from hris_pipeline_tests.kit.plans import actions, company, plan

NAMED = {"first_name": "Kim", "last_name": "Doe"}


def identities(*members: Person) -> pd.DataFrame:
    """What the list tells of holes: they work, if nothing else is said."""
    rows = [dict.fromkeys(IDENTITY_COLUMNS) | {"works": True, "left": False} | member for member in members]
    return pd.DataFrame(rows).astype(dict(IDENTITY_COLUMNS))


def context(*members: Person, **facts: Any) -> PlanContext:
    holes = frozenset(member["hris_id"] for member in members)
    return PlanContext("acme", TODAY, complete=True, holes=holes, **facts).with_hole_identities(identities(*members))


def test_whom_the_list_calls_inactive_is_gone_where_the_list_tells_it_all() -> None:
    members = {"hris_id": "m-1", "works": False, "left": True}, {"hris_id": "m-2"}
    partner, finch = context(*members), context(*members, source="finch")
    assert (partner.holes, partner.missing) == (frozenset({"m-2"}), frozenset({"m-1"}))
    assert (finch.holes, finch.missing) == (frozenset({"m-1", "m-2"}), frozenset())
    assert finch.working_holes == {"m-2"}


def test_who_is_no_hole_is_not_gone_by_the_word_of_the_list() -> None:
    listed = identities({"hris_id": "m-1", "works": False, "left": True})
    assert not PlanContext("acme", TODAY, complete=True).with_hole_identities(listed).missing


@pytest.mark.parametrize(
    "identity",
    [NAMED, {"email": "kim@acme.test"}, {"employee_id": "0007"}, {"works": False}],
    ids=["a name", "an email", "an EmployeeId", "does not work"],
)
def test_somebody_is_told_by_any_of_these(identity: Person) -> None:
    assert context({"hris_id": "m-1"} | identity).untold_holes == frozenset()


@pytest.mark.parametrize(
    "identity", [{}, {"first_name": "Kim"}, {"last_name": "Doe"}], ids=["nothing", "first", "last"]
)
def test_half_a_name_tells_nobody(identity: Person) -> None:
    assert context({"hris_id": "m-1"} | identity).untold_holes == {"m-1"}


@pytest.mark.parametrize(
    ("hole", "archived"),
    [
        ({"hris_id": "m-9"}, []),
        ({"hris_id": "m-9", "works": False}, ["archive"]),
        ({"hris_id": "m-9", "email": "p3@acme.test", "employee_id": "0099"}, []),
        ({"hris_id": "m-9", "employee_id": "0003"}, []),
        ({"hris_id": "m-9", "email": "p3@acme.test", "works": False}, ["archive"]),
        ({"hris_id": "m-9", "email": "p9@acme.test", "employee_id": "0009", **NAMED}, ["archive"]),
        ({"hris_id": "m-2", "email": "p3@acme.test"}, ["archive"]),
    ],
    ids=["untold", "untold, has left", "the email", "the EmployeeId", "has left", "somebody else", "a colleague"],
)
def test_who_is_gone_stays_while_a_hole_may_be_they_under_another_id(hole: Person, archived: list[str]) -> None:
    people, directory = company(3)
    facts: dict[str, Any] = {"holes": frozenset({hole["hris_id"]}), "hole_identities": identities(hole)}
    listed = [member for member in people[:2] if member["hris_id"] != hole["hris_id"]]
    assert actions(plan(listed, directory, missing=frozenset({"m-3"}), **facts)) == archived


def test_a_hole_in_an_open_conflict_or_listed_elsewhere_is_not_somebody_else() -> None:
    people, directory = company(3)
    facts: dict[str, Any] = {"holes": frozenset({"m-9"}), "missing": frozenset({"m-3"})}
    for name in ("undecided", "relisted"):
        facts[name] = frozenset({("m-9", "somebody")})
        assert actions(plan(people[:2], directory, **facts)) == ["archive"]
        del facts[name]
    assert actions(plan(people[:2], directory, **facts)) == []


def test_a_conflict_stays_open_while_its_member_is_a_hole() -> None:
    people, directory = company(3)
    pair = ("m-9", directory.by_employee_id("0003")["user_id"])
    facts: dict[str, Any] = {"undecided": frozenset({pair}), "missing": frozenset({"m-3"})}
    planned = plan(people[:2], directory, holes=frozenset({"m-9"}), **facts)
    assert (actions(planned), planned.diagnostics["awaiting_decision"]) == ([], ("0003",))
    assert actions(plan(people[:2], directory, **facts)) == ["archive"]


NEXT_YEAR = TODAY.replace(year=2027)


@pytest.mark.parametrize(
    ("row", "waits"),
    [
        ({"leaver_only": True}, True),
        ({"exclusion": "rule:Out"}, True),
        ({"may_have_left": True}, True),
        ({"hire_date": NEXT_YEAR}, True),
        ({"exclusion": "rule:Out", "archive_existing": True}, False),
        ({"active": False}, False),
        ({"leaver_only": True, "active": False}, False),
    ],
    ids=["bad", "left out", "may have left", "not started", "sent away", "inactive", "bad and inactive"],
)
def test_a_conflict_stays_open_while_its_member_may_work_and_the_row_decides_nothing(row: Person, waits: bool) -> None:
    people, directory = company(3)
    member = person(9, first_name="Else", birth_date=TODAY.replace(year=1999), **row)
    pair = ("m-9", directory.by_employee_id("0003")["user_id"])
    facts: dict[str, Any] = {"undecided": frozenset({pair}), "missing": frozenset({"m-3"})}
    planned = plan([*people[:2], member], directory, **facts)
    assert ("awaiting_decision" in planned.diagnostics) == waits
    assert actions(planned) == ([] if waits else ["archive"])


@pytest.mark.parametrize(("hole", "archived"), [(NAMED, ["archive"]), ({}, []), ({"first_name": "Kim"}, [])])
def test_somebody_of_another_name_with_the_work_id_keeps_nobody_whom_the_source_itself_calls_inactive(
    hole: Person, archived: list[str]
) -> None:
    people, directory = company(3)
    facts = identities({"hris_id": "m-9", "employee_id": "0003"} | hole)
    left = people[2] | {"active": False}
    assert actions(plan([*people[:2], left], directory, holes=frozenset({"m-9"}), hole_identities=facts)) == archived


def test_who_was_seen_at_another_company_is_so_as_long_as_they_are_an_untold_hole() -> None:
    people, directory = company(3)
    pairs = frozenset({("m-9", "elsewhere"), ("m-8", "elsewhere")})
    assert plan(people, directory, holes=frozenset({"m-9"}), relisted=pairs).relisted == {("m-9", "elsewhere")}


@pytest.mark.parametrize(
    ("decision", "archived"), [("create", ["archive"]), ("ignore", ["archive"]), ("link", []), (None, [])]
)
def test_who_was_decided_to_be_somebody_else_keeps_nobody(decision: str | None, archived: list[str]) -> None:
    people, directory = company(3)
    hole = {"hris_id": "m-9", "email": "p3@acme.test"}
    key = directory.by_employee_id("0003")["user_id"]
    facts: dict[str, Any] = {"holes": frozenset({"m-9"}), "hole_identities": identities(hole)}
    decided = (Resolution("m-9", key, decision),) if decision else ()
    planned = plan(people[:2], directory, missing=frozenset({"m-3"}), resolutions=decided, **facts)
    assert actions(planned) == archived


def test_a_quarantined_member_keeps_whoever_has_the_employee_id_unless_it_is_a_colleague() -> None:
    people, directory = company(3)
    gone: dict[str, Any] = {"missing": frozenset({"m-3"})}
    assert actions(plan(people[:2], directory, quarantined=(QuarantinedMember("m-9", "0003"),), **gone)) == []
    bad = people[1] | {"leaver_only": True, "employee_id": None}
    planned = plan([people[0], bad], directory, quarantined=(QuarantinedMember("m-2", "0003"),), **gone)
    assert actions(planned) == ["archive"]
    assert actions(plan(people[:1], directory, quarantined=(QuarantinedMember("m-2", "0003"),), **gone)) == ["archive"]
    namesake = people[1] | {"leaver_only": True, "email": "p3@acme.test"}
    assert actions(plan([people[0], namesake], directory, **gone)) == ["archive"]


def test_a_hole_may_be_somebody_of_another_company_and_nobody_else() -> None:
    people, directory = company(3)
    directory.put(user_id="globex", integration_id="globex", hris_id="g-1", email="kim@acme.test")
    directory.put(user_id="local", first_name="Kim", last_name="Doe", birth_date=TODAY.replace(year=1980))
    facts: dict[str, Any] = {"holes": frozenset({"m-7", "m-8", "m-9"})}
    facts["hole_identities"] = identities(
        {"hris_id": "m-7", "email": "kim@acme.test"},
        {"hris_id": "m-8", **NAMED},
        {"hris_id": "m-9", "email": "p3@acme.test"},
    )
    assert plan(people, directory, **facts).relisted == {("m-7", "globex")}


def test_nobody_is_archived_of_whom_an_incomplete_extract_says_that_they_left() -> None:
    people, directory = company(3)
    assert actions(plan([people[0], people[1] | {"active": False}, people[2]], directory, complete=False)) == []


def test_who_left_and_will_be_back_is_no_user_before_the_day() -> None:
    people, directory = company(3)
    ahead = {"termination_date": TODAY.replace(day=1), "latest_rehire_date": NEXT_YEAR}
    planned = plan([person(1, **ahead), *people[1:], person(4, **ahead)], directory, {"archive_employees": False})
    assert (actions(planned), planned.counts["unchanged"]) == ([], 3)
    assert planned.diagnostics == {"excluded:not_started": ("0004",)}


@pytest.mark.parametrize("complete", [True, False])
def test_nobody_is_named_as_kept_or_awaited_where_nobody_is_archived(complete: bool) -> None:
    people, directory = company(3)
    pair = ("m-9", directory.by_employee_id("0003")["user_id"])
    facts: dict[str, Any] = {"missing": frozenset({"m-2", "m-3"}), "holes": frozenset({"m-9"}), "complete": complete}
    settings = {"archive_employees": not complete, "do_not_archive": ["0002"]}
    planned = plan(people[:1], directory, settings, undecided=frozenset({pair}), **facts)
    assert (actions(planned), planned.counts["protected"]) == ([], 0)
    assert "awaiting_decision" not in planned.diagnostics
