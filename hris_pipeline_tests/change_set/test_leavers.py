"""Nobody who works is archived, nobody who left stays: who is certain to have left, and who may still be here."""

from datetime import date, timedelta
from typing import Any

import pytest

from hris_pipeline.change_set.directory import Resolution
from hris_pipeline_tests.kit.mapped_people import TODAY, Person, person
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory
from hris_pipeline_tests.kit.plans import BORN, actions, company, held_by, plan, quarantined, user

YESTERDAY = TODAY - timedelta(days=1)

LEFT: dict[str, Person] = {
    "inactive": {"active": False},
    "past the last day": {"termination_date": YESTERDAY},
    "a re-hire long ago, and left since": {
        "latest_rehire_date": date(2024, 1, 1),
        "termination_date": date(2025, 1, 1),
    },
    "on the day of the re-hire": {"latest_rehire_date": YESTERDAY, "termination_date": YESTERDAY},
    "will be hired again": {"termination_date": YESTERDAY, "latest_rehire_date": TODAY + timedelta(days=90)},
}
WORKS: dict[str, Person] = {
    "the last day is today": {"termination_date": TODAY},
    "left once and is back": {"termination_date": date(2024, 5, 1), "latest_rehire_date": date(2025, 6, 1)},
    "works since long ago, another start ahead": {"latest_rehire_date": TODAY + timedelta(days=400)},
    "no start known": {"hire_date": None},
}


@pytest.mark.parametrize("now", LEFT.values(), ids=LEFT)
@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"leaver_only": True},
        {"leaver_only": True, "employee_id": None, "justworks_id": None},
        {"exclusion": "rule:Contractors", "archive_existing": False},
    ],
    ids=["a good row", "a bad row", "no work id any more", "left out by a rule"],
)
def test_who_has_left_is_archived_whatever_else_is_wrong(now: Person, bad: Person) -> None:
    people, directory = company(3)
    planned = plan([person(1, **now) | bad, *people[1:]], directory, quarantined=quarantined("m-1"))
    assert actions(planned) == ["archive"]
    directory.apply(planned.rows)
    assert directory.by_employee_id("0001")["status"] == "archived"


@pytest.mark.parametrize("now", WORKS.values(), ids=WORKS)
def test_who_works_is_neither_archived_nor_left_out(now: Person) -> None:
    people, directory = company(3)
    assert "archive" not in actions(plan([person(1, **now), *people[1:]], directory))
    assert actions(plan([person(1, **now)], MemoryDirectory())) == ["create"]


def test_a_bad_row_of_somebody_who_works_or_may_work_changes_nothing() -> None:
    people, directory = company(3)
    for active in (True, None):
        bad = people[0] | {"leaver_only": True, "active": active, "first_name": "Wrong", "employee_id": None}
        planned = plan([bad, *people[1:]], directory, quarantined=quarantined("m-1"))
        assert (actions(planned), planned.counts["quarantined"], planned.counts["unchanged"]) == ([], 1, 2)


def test_a_work_id_given_to_a_linked_colleague_does_not_keep_the_leaver() -> None:
    people, directory = company(4)
    leaver = people[0] | {"active": False, "employee_id": None, "justworks_id": None}
    planned = plan([leaver, *people[1:]], directory)
    assert actions(planned) == ["archive"]


def test_a_leaver_and_a_hire_who_has_the_work_id_wait_for_a_person_and_then_go_their_ways() -> None:
    """The same work id may be the same person: until somebody says that it is not, nobody is archived."""
    people, directory = company(4)
    hire = person(9, employee_id="0001", first_name="Else", birth_date=date(1999, 1, 1))
    planned = plan([people[0] | {"active": False}, *people[1:], hire], directory)
    assert (actions(planned), planned.counts["conflicts"]) == ([], 1)
    assert planned.diagnostics["awaiting_decision"] == ("0001",)
    other_id = hire | {"employee_id": "0009", "justworks_id": "0009"}
    assert sorted(actions(plan([people[0] | {"active": False}, *people[1:], other_id], directory))) == [
        "archive",
        "create",
    ]


@pytest.mark.parametrize("before", ["waits", "archived"])
@pytest.mark.parametrize("listed", [True, False], ids=["listed as left", "gone"])
def test_a_person_who_says_that_they_are_two_has_one_archived_and_the_other_created(before: str, listed: bool) -> None:
    people, directory = company(4)
    leaver = directory.by_employee_id("0001")["user_id"]
    gone: dict[str, Any] = {} if listed else {"missing": frozenset({"m-1"})}
    old = [people[0] | {"active": False}] if listed else []
    if before == "archived":
        directory.apply(plan([*old, *people[1:]], directory, **gone).rows)
    hire = person(9, employee_id="0001", first_name="Else", birth_date=date(1999, 1, 1))
    decided = (Resolution("m-9", leaver, "create"),)
    planned = plan([*old, *people[1:], hire], directory, resolutions=decided, **gone)
    assert sorted(actions(planned)) == sorted(["create", "archive" if before == "waits" else "update"])
    assert planned.counts["conflicts"] == 0
    directory.apply(planned.rows)
    user = directory.by_id[leaver]
    assert (user["status"], user["employee_id"], user["hris_id"]) == ("archived", None, "m-1")
    assert directory.by_employee_id("0001")["hris_id"] == "m-9"
    assert plan([*old, *people[1:], hire], directory, resolutions=decided).rows.empty


@pytest.mark.parametrize(
    "kept", ["works", "protected", "archived by a person", "named", "in another conflict", "may be back in a bad row"]
)
def test_nobody_gives_up_an_id_who_is_not_archived(kept: str) -> None:
    people, directory = company(4)
    leaver = directory.by_employee_id("0001")["user_id"]
    if kept == "protected":
        directory.edit(leaver, protected=True)
    if kept == "archived by a person":
        directory.edit(leaver, status="archived", archived_by="person:dana")
    hire = person(9, employee_id="0001", first_name="Else", birth_date=date(1999, 1, 1))
    others = {
        "in another conflict": person(10, email="p1@acme.test"),
        "may be back in a bad row": person(1, hris_id="m-10", employee_id="0099", leaver_only=True),
    }
    other = [others[kept]] if kept in others else []
    old = people[0] | ({"employee_id": "0077", "justworks_id": "0077"} if kept == "works" else {"active": False})
    planned = plan(
        [old, *people[1:], hire, *other],
        directory,
        {"do_not_archive": ["0001"]} if kept == "named" else {},
        resolutions=(Resolution("m-9", leaver, "create"),),
        quarantined=quarantined("m-10") if kept == "may be back in a bad row" else (),
    )
    assert "create" not in actions(planned)
    assert "archive" not in actions(planned)
    directory.apply(planned.rows)
    assert directory.by_id[leaver]["employee_id"] in ("0001", "0077")


ALIKE: dict[str, tuple[dict[str, Any], bool]] = {
    "the same email": ({"first_name": "Else", "birth_date": None, "email": "P1@acme.test"}, True),
    "the same name and birth date": ({"email": None}, True),
    "the same name, birth date unreadable": ({"email": None, "birth_date": None}, True),
    "no name readable, the same work id": ({"first_name": None, "email": None, "employee_id": "0001"}, True),
    "another name, the same work id": ({"first_name": "Else", "email": None, "employee_id": "0001"}, True),
    "somebody else": ({"first_name": "Else", "email": None}, False),
}


@pytest.mark.parametrize(("row", "stays"), ALIKE.values(), ids=ALIKE)
def test_who_seems_to_be_back_under_another_id_in_a_bad_row_is_not_archived(row: Person, stays: bool) -> None:
    people, directory = company(4)
    bad = person(1, hris_id="m-new", employee_id="0099") | {"leaver_only": True} | row
    planned = plan([*people[1:], bad], directory, missing=frozenset({"m-1"}), quarantined=quarantined("m-new"))
    assert actions(planned) == ([] if stays else ["archive"])
    assert planned.diagnostics.get("listed_under_other_id") == (("0001",) if stays else None)


def test_nor_is_who_is_back_under_another_id_that_a_rule_leaves_out() -> None:
    people, directory = company(4)
    again = person(1, hris_id="m-new", employee_id="0099", exclusion="rule:Out")
    assert actions(plan([*people[1:], again], directory, missing=frozenset({"m-1"}))) == []
    sent_away = again | {"archive_existing": True}
    assert actions(plan([*people[1:], sent_away], directory, missing=frozenset({"m-1"}))) == ["archive"]


def renumbered(size: int, changed: int, *, listed: bool, work_ids: bool) -> tuple[list[Person], MemoryDirectory, Any]:
    """A company of which some come back under other member ids: the old rows gone or listed as left, the work ids kept
    or changed too."""
    people, directory = company(size)
    again = [
        member
        | {"hris_id": f"new-{member['hris_id']}"}
        | ({"employee_id": f"N{member['employee_id']}"} if work_ids else {})
        for member in people[:changed]
    ]
    old = [member | {"active": False} for member in people[:changed]] if listed else []
    missing = frozenset() if listed else frozenset(member["hris_id"] for member in people[:changed])
    return [*old, *again, *people[changed:]], directory, missing


@pytest.mark.parametrize("listed", [False, True], ids=["gone", "listed as left"])
@pytest.mark.parametrize(("size", "changed"), [(12, 12), (30, 5), (100, 6), (300, 30)])
def test_many_who_come_back_under_other_ids_are_held_and_never_archived(size: int, changed: int, listed: bool) -> None:
    people, directory, missing = renumbered(size, changed, listed=listed, work_ids=False)
    planned = plan(people, directory, missing=missing)
    assert held_by(planned) == ["identity_change"]
    assert planned.rows.empty
    guard = next(guard for guard in planned.guards if guard.name == "identity_change")
    assert len(guard.employee_ids) == changed
    assert "`hris resolve acme --relink`" in guard.remedy
    assert len(planned.diagnostics["awaiting_decision"]) == changed


@pytest.mark.parametrize("listed", [False, True], ids=["gone", "listed as left"])
@pytest.mark.parametrize(("size", "changed"), [(12, 12), (30, 5)])
def test_nor_when_their_work_ids_changed_too(size: int, changed: int, listed: bool) -> None:
    people, directory, missing = renumbered(size, changed, listed=listed, work_ids=True)
    planned = plan(people, directory, missing=missing)
    assert (planned.rows.empty, planned.counts["conflicts"]) == (True, changed)


@pytest.mark.parametrize(("size", "changed"), [(30, 4), (100, 5)])
def test_a_few_are_relinked_unasked(size: int, changed: int) -> None:
    people, directory, missing = renumbered(size, changed, listed=False, work_ids=False)
    planned = plan(people, directory, missing=missing)
    assert (planned.held, planned.counts["updated"], planned.counts["conflicts"]) == (False, changed, 0)


def test_how_many_are_many_is_a_setting() -> None:
    people, directory, missing = renumbered(30, 5, listed=False, work_ids=False)
    limits = {"guards": {"identity_change": {"min_people": 6}}}
    assert plan(people, directory, limits, missing=missing).counts["updated"] == 5


class TestDoNotArchive:
    def test_it_follows_the_user(self) -> None:
        people, directory = company(3)
        key = directory.by_employee_id("0001")["user_id"]
        gone = [people[0] | {"active": False}, *people[1:]]
        planned = plan(gone, directory, {"do_not_archive": ["before"]}, kept_users=frozenset({key}))
        assert (actions(planned), planned.counts["protected"]) == ([], 1)

    def test_an_id_that_nobody_has_is_warned_about(self) -> None:
        people, directory = company(2)
        planned = plan(people, directory, {"do_not_archive": ["0001", "9999"]})
        assert planned.diagnostics["warning:do_not_archive_unknown"] == ("9999",)


def test_a_start_ahead_moves_no_date_before_its_day() -> None:
    ahead = TODAY + timedelta(days=400)
    settings = {"hire_date_priority": "latest", "override_hire_date": True}
    people, directory = company(2)
    for changes in ({"hire_date_priority": "latest"}, settings):
        now = [person(1, latest_rehire_date=ahead), people[1]]
        assert actions(plan(now, directory, changes)) == []
        new = MemoryDirectory()
        new.apply(plan([person(1, latest_rehire_date=ahead)], new, changes).rows)
        created = new.by_employee_id("0001")
        assert (created["hire_date"], created["latest_rehire_date"]) == (date(2020, 1, 1), None)


def test_who_is_not_listed_may_be_a_member_whose_details_failed() -> None:
    people, directory = company(30)
    directory.apply(plan(people, directory).rows)
    gone = frozenset({"m-30"})
    planned = plan(people[:-1], directory, missing=gone, holes=frozenset({"n-30"}))
    assert (actions(planned), planned.diagnostics["listed_under_other_id"]) == ([], ("0030",))
    assert actions(plan(people[:-2], directory, missing=gone, holes=frozenset({"m-29"}))) == ["archive"]
    listed = [*people[:-1], people[-1] | {"active": False}]
    assert actions(plan(listed, directory, holes=frozenset({"n-30"}))) == ["archive"], "the source says that they left"


class TestUnread:
    def test_an_unread_field_changes_nothing_stored(self) -> None:
        people, directory = company(3)
        directory.apply(plan([people[0] | {"#Team": "Red", "supervisor_id": "m-2"}, *people[1:]], directory).rows)
        fields = ["email", "#Team", "birth_date", "supervisor_id", "hire_date"]
        unread = people[0] | dict.fromkeys(fields) | {"unread": fields}
        for overriding in ({}, {"override_emails": True, "override_hire_date": True}):
            assert actions(plan([unread, *people[1:]], directory, overriding)) == []

    def test_whoever_sends_it_is_named_under_the_field(self) -> None:
        people, directory = company(3)
        fields = ["email", "#Team"]
        unread = people[0] | dict.fromkeys(fields) | {"unread": fields}
        seen = {name: {"count": 1, "of": 3} for name in ("email", "phone_number", "class_code")}
        planned = plan([unread, *people[1:]], directory, unread=seen)
        assert planned.diagnostics["warning:field_unread:email"] == ("0001",)
        assert planned.diagnostics["warning:field_unread"] == ("phone_number",), "nobody who is planned sends that"

    def test_it_is_not_absent_for_everybody(self) -> None:
        people, directory = company(3)
        rows = [member | {"birth_date": None, "unread": ["birth_date"]} for member in people]
        planned = plan(rows, directory)
        assert (actions(planned), planned.diagnostics) == ([], {})

    def test_of_some_it_is_no_proof_that_all_others_have_nothing_any_more(self) -> None:
        people, directory = company(3)
        rows = [member | {"birth_date": None} for member in people]
        planned = plan([rows[0] | {"unread": ["birth_date"]}, *rows[1:]], directory)
        assert (actions(planned), planned.diagnostics["warning:field_missing_for_all"]) == ([], ("birth_date",))

    def test_it_holds_when_it_is_most_of_those_who_send_it(self) -> None:
        people, directory = company(10)
        seen = {"email": {"count": 6, "of": 10}, "class_code": {"count": 9, "of": 9}}
        planned = plan(people, directory, unread=seen)
        assert held_by(planned) == ["unread_field"]
        assert planned.diagnostics["warning:field_unread"] == ("email",), "of those that are mapped"
        assert held_by(plan(people, directory, unread={"email": {"count": 5, "of": 10}})) == []


class TestFirstImportIntoUsers:
    def local(self, n: int = 60) -> MemoryDirectory:
        fields = ("first_name", "last_name", "birth_date", "email", "hire_date")
        users = [
            user(k, **{name: person(k)[name] for name in fields}, phone_number="+12025550123") for k in range(1, n + 1)
        ]
        return MemoryDirectory(*users)

    @pytest.mark.parametrize("changes", [{"phone_number": None}, {"email": "new-{}@acme.test"}], ids=["phone", "email"])
    def test_a_few_differences_of_many_local_users_are_no_reason_to_hold(self, changes: Person) -> None:
        people = [person(k, phone_number="+12025550123") for k in range(1, 61)]
        for k, member in enumerate(people[:5]):
            member |= {name: value and value.format(k) for name, value in changes.items()}
        planned = plan(people, self.local(), first_import=True)
        assert (planned.counts["updated"], held_by(planned)) == (60, [])
        assert not [guard.observed for guard in planned.guards if "of 0" in guard.observed]

    def test_what_nobody_in_the_extract_has_stays_with_a_warning(self) -> None:
        people = [person(k, birth_date=None, phone_number="+12025550123") for k in range(1, 5)]
        directory = self.local(4)
        planned = plan(people, directory, first_import=True)
        assert planned.diagnostics["warning:field_missing_for_all"] == ("birth_date",)
        directory.apply(planned.rows)
        assert {user["birth_date"] for user in directory.by_id.values()} == {BORN}


def test_conflicts_hold_back_their_own_rows_alone() -> None:
    people, directory = company(60)
    hires = [person(100 + k, email=f"p{k}@acme.test") for k in range(1, 6)]
    planned = plan([*people, *hires, person(200)], directory)
    assert (planned.counts["conflicts"], actions(planned), held_by(planned)) == (5, ["create"], [])


class TestQuarantineGrowth:
    def test_many_who_are_quarantined_anew_hold_with_the_reasons(self) -> None:
        people, directory = company(20)
        ids = [member["hris_id"] for member in people[:5]]
        rows = [member | {"leaver_only": True} for member in people[:5]] + people[5:]
        planned = plan(rows, directory, quarantined=quarantined(*ids))
        assert held_by(planned) == ["quarantine_growth"]
        guard = next(guard for guard in planned.guards if guard.tripped)
        assert guard.observed == "5 of 20 (25.0 %): last_name: missing 5"
        assert guard.employee_ids == ("0001", "0002", "0003", "0004", "0005")

    def test_who_was_already_at_the_last_applied_import_is_no_growth(self) -> None:
        people, directory = company(20)
        ids = [member["hris_id"] for member in people[:5]]
        rows = [member | {"leaver_only": True} for member in people[:5]] + people[5:]
        before: dict[str, Any] = {"quarantined": quarantined(*ids), "previously_quarantined": frozenset(ids[1:])}
        assert held_by(plan(rows, directory, **before)) == []


def test_slow_bleed_leaves_out_who_came_back() -> None:
    people, directory = company(20)
    archived = frozenset(directory.by_employee_id(f"{n:04}")["user_id"] for n in range(1, 5))
    for key in archived:
        directory.edit(key, status="archived", archived_by="import")
    gone = frozenset({"m-5"})
    assert held_by(plan(people[5:], directory, missing=gone, recently_archived=archived)) == ["slow_bleed"]
    directory.edit(next(iter(archived)), status="active", archived_by=None)
    assert held_by(plan(people[5:], directory, missing=gone, recently_archived=archived)) == []
