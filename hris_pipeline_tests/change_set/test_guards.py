"""Every guard as an administrator would want it, for companies of 3, 8, 15, 50, 300 and 1 000 people."""

from typing import Any

import pytest
from pandera.errors import SchemaError, SchemaErrors

from hris_pipeline.change_set.diff import change_rows_schema
from hris_pipeline.change_set.guards import GUARDS, Guard, GuardInputs, evaluate_guards
from hris_pipeline.change_set.plan import Plan
from hris_pipeline.settings.document import GuardLimits
from hris_pipeline_tests.kit.mapped_people import person
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory
from hris_pipeline_tests.kit.plans import company, plan, user

NO_LIMITS = GuardLimits()


def judge(name: str, facts: GuardInputs, limits: GuardLimits = NO_LIMITS) -> Guard:
    return next(guard for guard in evaluate_guards(facts, limits) if guard.name == name)


def people(n: int) -> tuple[str, ...]:
    return tuple(f"{number:04}" for number in range(n))


def company_of(size: int, **facts: Any) -> GuardInputs:
    usual: dict[str, Any] = {
        "first_import": False,
        "managed": size,
        "managed_active": size,
        "changeable": size,
        "complete": True,
    }
    return GuardInputs(**({"integration_id": "acme"} | usual | facts))


def trips(name: str, facts: GuardInputs) -> bool:
    return judge(name, facts).tripped


def test_the_table_has_every_guard_of_the_specification() -> None:
    assert tuple(GUARDS) == (
        "incomplete_extract",
        "archive_limit",
        "slow_bleed",
        "create_limit",
        "employee_id_mismatch",
        "email_change_limit",
        "identity_change",
        "quarantine_growth",
        "unread_field",
        "field_wipe",
    )


@pytest.mark.parametrize("size", [3, 8, 15, 50, 300, 1000])
def test_an_incomplete_extract_holds_whatever_the_size(size: int) -> None:
    assert trips("incomplete_extract", company_of(size, complete=False))
    assert not trips("incomplete_extract", company_of(size))


@pytest.mark.parametrize(
    ("size", "passes", "held"),
    [
        (1, 1, None),
        (2, 1, 2),
        (3, 1, 2),
        (8, 3, 4),
        (9, 4, 5),
        (15, 4, 5),
        (50, 5, 6),
        (51, 5, 6),
        (300, 30, 31),
        (300, None, 40),
        (1000, 100, 101),
        (3300, 100, 101),
        (5000, 150, 151),
    ],
)
def test_archive_limit(size: int, passes: int | None, held: int | None) -> None:
    if passes is not None:
        assert not trips("archive_limit", company_of(size, archived=people(passes)))
    if held is not None:
        assert trips("archive_limit", company_of(size, archived=people(held)))


@pytest.mark.parametrize(("size", "lost", "held"), [(8, 1, False), (15, 2, False), (300, 40, True)])
def test_whole_plans_of_companies_that_lose_people(size: int, lost: int, held: bool) -> None:
    members, directory = company(size)
    gone = frozenset(member["hris_id"] for member in members[:lost])
    planned = plan(members[lost:], directory, missing=gone)
    assert (planned.held, planned.counts["archived"]) == (held, lost)
    tripped = next(guard for guard in planned.guards if guard.name == "archive_limit")
    assert tripped.employee_ids == (tuple(f"{n:04}" for n in range(1, lost + 1)) if held else ())


@pytest.mark.parametrize(
    ("size", "recently", "now", "held"),
    [
        (3, 1, 1, False),
        (8, 3, 1, False),
        (8, 4, 1, True),
        (15, 3, 1, False),
        (21, 4, 1, False),
        (20, 4, 1, True),
        (16, 4, 2, True),
        (50, 9, 2, False),
        (50, 11, 2, True),
        (300, 60, 14, True),
        (300, 60, 0, False),
        (1000, 200, 40, False),
        (1000, 200, 41, True),
    ],
)
def test_slow_bleed_counts_the_week_and_trips_only_when_somebody_is_archived(
    size: int, recently: int, now: int, held: bool
) -> None:
    facts = company_of(size, recently_archived=recently, archived=people(now))
    assert trips("slow_bleed", facts) is held


@pytest.mark.parametrize(
    ("size", "passes", "held"),
    [(3, 24, 25), (8, 24, 25), (15, 24, 25), (50, 25, 26), (300, 150, 151), (1000, 500, 501)],
)
def test_create_limit_and_not_on_a_first_import(size: int, passes: int, held: int) -> None:
    assert not trips("create_limit", company_of(size, created=people(passes)))
    assert trips("create_limit", company_of(size, created=people(held)))
    assert not trips("create_limit", company_of(0, first_import=True, created=people(held)))


@pytest.mark.parametrize(
    ("size", "passes", "held"), [(3, 3, None), (8, 4, 5), (15, 4, 5), (50, 4, 5), (300, 15, 16), (1000, 50, 51)]
)
def test_employee_id_mismatch(size: int, passes: int, held: int | None) -> None:
    assert not trips("employee_id_mismatch", company_of(size, comparable=size, mismatched=people(passes)))
    if held is not None:
        assert trips("employee_id_mismatch", company_of(size, comparable=size, mismatched=people(held)))


@pytest.mark.parametrize(
    ("size", "passes", "held"), [(3, 3, None), (8, 4, 5), (15, 4, 5), (50, 10, 11), (300, 60, 61), (1000, 200, 201)]
)
def test_email_change_limit(size: int, passes: int, held: int | None) -> None:
    assert not trips("email_change_limit", company_of(size, email_changed=people(passes)))
    if held is not None:
        assert trips("email_change_limit", company_of(size, email_changed=people(held)))


@pytest.mark.parametrize(
    ("filled", "passes", "held"), [(3, 3, None), (8, 4, 5), (15, 4, 5), (50, 15, 16), (300, 90, 91), (1000, 300, 301)]
)
def test_field_wipe_is_judged_field_by_field(filled: int, passes: int, held: int | None) -> None:
    facts = company_of(
        1000, filled={"phone_number": filled, "#Team": 1000}, wiped={"#Team": people(5), "phone_number": people(passes)}
    )
    assert not trips("field_wipe", facts)
    if held is not None:
        facts = company_of(1000, filled={"phone_number": filled}, wiped={"phone_number": people(held)})
        guard = judge("field_wipe", facts)
        assert guard.tripped
        assert guard.observed.startswith(f"phone_number: {held} of {filled}")
        assert guard.employee_ids == people(held)


def test_of_fields_below_the_limit_the_worst_by_its_share_is_told() -> None:
    facts = company_of(
        100, filled={"email": 1, "phone_number": 5}, wiped={"email": people(1), "phone_number": people(3)}
    )
    guard = judge("field_wipe", facts)
    assert (guard.tripped, guard.observed) == (False, "email: 1 of 1 (100.0 %)")


def test_a_field_over_the_limit_is_told_before_one_that_too_few_people_have() -> None:
    facts = company_of(
        100, filled={"email": 1, "phone_number": 90}, wiped={"email": people(1), "phone_number": people(80)}
    )
    guard = judge("field_wipe", facts)
    assert (guard.tripped, guard.observed) == (True, "phone_number: 80 of 90 (88.9 %)")


def test_the_limit_of_few_people_is_a_percentage_too() -> None:
    few = {"small_people": 3, "small_percent": 50, "percent": 100, "people": 1000, "people_percent": 100}
    limits = GuardLimits.model_validate({"archive_limit": few})
    assert not judge("archive_limit", company_of(101, archived=people(50)), limits).tripped
    assert judge("archive_limit", company_of(101, archived=people(51)), limits).tripped


def test_a_percentage_may_count_from_the_only_person_on() -> None:
    limits = GuardLimits.model_validate({"create_limit": {"percent": 50, "min_people": 1}})
    assert judge("create_limit", company_of(1, created=people(1)), limits).tripped


def test_of_what_is_not_said_nobody_is_counted() -> None:
    facts = GuardInputs("acme", complete=True, first_import=False, managed=9, managed_active=9)
    observed = {guard.name: guard.observed for guard in evaluate_guards(facts, NO_LIMITS)}
    of_nine = dict.fromkeys(["archive_limit", "slow_bleed", "create_limit", "quarantine_growth"], "0 of 9 (0.0 %)")
    of_nobody = dict.fromkeys(["employee_id_mismatch", "email_change_limit", "identity_change"], "0")
    named = dict.fromkeys(["unread_field", "field_wipe"], "none")
    assert observed == {"incomplete_extract": "complete"} | of_nine | of_nobody | named


def test_a_guard_is_told_with_its_limit_and_what_can_be_done() -> None:
    assert Guard("archive_limit", "at most 3 %", "5 of 9", True).sentence == "5 of 9, limit at most 3 %"
    guard = Guard("identity_change", "at most 5 %", "8 of 9", True, remedy="resolve them")
    assert guard.sentence == "8 of 9, limit at most 5 %: resolve them"


def test_limits_are_settings_and_are_shown() -> None:
    limits = GuardLimits.model_validate(
        {"archive_limit": {"percent": 50, "people": 7, "people_percent": 0, "small_people": 9, "small_percent": 80}}
    )
    assert not judge("archive_limit", company_of(8, archived=people(4)), limits).tripped
    assert judge("archive_limit", company_of(100, archived=people(8)), limits).tripped
    guard = judge("archive_limit", company_of(8, archived=people(7)), limits)
    assert guard.tripped
    assert guard.limit == (
        "at most 50 % from 5 people on, less than 80 % from 9 people on, "
        "and never over 7 people (0 % where that is more)"
    )
    assert guard.observed == "7 of 8 (87.5 %)"


def test_a_guard_that_does_not_trip_names_nobody() -> None:
    for guard in evaluate_guards(company_of(50, archived=people(2), created=people(3)), NO_LIMITS):
        assert (guard.tripped, guard.employee_ids) == (False, ())


def tripped(planned: Plan) -> list[str]:
    return [guard.name for guard in planned.guards if guard.tripped]


def test_a_source_that_shifts_its_employee_ids_is_held() -> None:
    members, directory = company(20)
    shifted = [member | {"employee_id": f"{number:04}"} for number, member in enumerate(members, start=101)]
    assert tripped(plan(shifted, directory)) == ["employee_id_mismatch"]


def test_conflicts_count_as_mismatches_before_the_first_applied_import_only() -> None:
    members, directory = company(20)
    for key, stored in list(directory.by_id.items()):
        directory.edit(key, integration_id=None, hris_id=None, employee_id=f"other-{stored['employee_id']}")
    assert tripped(plan(members, directory, first_import=True)) == ["employee_id_mismatch"]
    assert tripped(plan(members, directory)) == []


def test_a_protected_user_would_not_carry_another_employee_id() -> None:
    members, directory = company(20)
    for key in directory.by_id:
        directory.edit(key, protected=True)
    shifted = [member | {"employee_id": f"{number:04}"} for number, member in enumerate(members, start=101)]
    assert tripped(plan(shifted, directory)) == []


def test_emails_that_change_or_vanish_are_counted_and_filled_blanks_are_not() -> None:
    members, directory = company(20)
    moved = [member | {"email": f"new-{member['email']}"} for member in members]
    assert tripped(plan(moved, directory)) == ["email_change_limit"]
    fewer = [member | {"email": None} for member in members[:10]] + members[10:]
    assert tripped(plan(fewer, directory)) == ["email_change_limit", "field_wipe"]
    for key in directory.by_id:
        directory.edit(key, email=None)
    assert tripped(plan(members, directory)) == []


def test_before_the_first_import_whoever_others_manage_under_the_same_employee_ids_may_have_come_back() -> None:
    local = {"status": "archived", "archived_by": "person:dana", "employee_id": "0004"}
    directory = MemoryDirectory({"user_id": "left", **local})
    for number in (1, 2, 3):
        directory.put(user_id=f"g-{number}", integration_id="globex", hris_id=f"g-{number}", employee_id=f"{number:04}")
    directory.put(user_id="local", employee_id="0005", first_name="Else", archived_by="person:dana")
    directory.put(user_id="another", integration_id="globex", hris_id="g-6", employee_id="0006")
    planned = plan([person(number) for number in range(1, 5)], directory, first_import=True)
    assert observed(planned)["identity_change"].startswith("3 of")


def test_a_change_that_is_no_creation_has_something_before() -> None:
    people, directory = company(2)
    rows = plan([people[0] | {"first_name": "New"}, people[1], person(3)], directory).rows
    for column in ("before", "base_version"):
        broken = rows.copy()
        broken.loc[rows["action"] == "update", column] = None
        with pytest.raises((SchemaError, SchemaErrors)):
            change_rows_schema().validate(broken)
    for broken in (rows.assign(user_id="u-1"), rows.assign(base_version=0), rows[rows.columns[::-1]]):
        with pytest.raises((SchemaError, SchemaErrors)):
            change_rows_schema().validate(broken)


def test_an_email_that_is_excluded_does_not_change() -> None:
    members, directory = company(20)
    renamed = [member | {"first_name": "New", "email": f"new-{member['email']}"} for member in members]
    planned = plan(renamed, directory, {"exclude_fields": ["email"]})
    assert (tripped(planned), planned.counts["updated"]) == ([], 20)


def observed(planned: Plan) -> dict[str, str]:
    return {guard.name: guard.observed for guard in planned.guards}


def test_percentages_are_of_the_managed_users_and_the_local_ones_that_are_linked() -> None:
    members, directory = company(3)
    directory.put(**user(4))
    local = observed(plan([*members, person(4)], directory))
    assert (local["archive_limit"], local["create_limit"]) == ("0 of 4 (0.0 %)", "0 of 4 (0.0 %)")
    directory.edit("u-4", status="archived", archived_by="import", email="p4@acme.test")
    local = observed(plan([*members, person(4)], directory))
    assert (local["archive_limit"], local["create_limit"]) == ("0 of 3 (0.0 %)", "0 of 4 (0.0 %)")


def test_whose_new_employee_id_somebody_keeps_is_compared_with_nobody() -> None:
    members, directory = company(3)
    directory.put(**user(99))
    planned = plan([members[0] | {"employee_id": "0099", "justworks_id": "0099"}, *members[1:]], directory)
    assert (observed(planned)["employee_id_mismatch"], planned.counts["conflicts"]) == ("0 of 2 (0.0 %)", 1)


def test_a_wiped_field_is_held_and_one_that_vanishes_for_everybody_is_kept_instead() -> None:
    members, directory = company(20)
    half = [member | {"birth_date": None} for member in members[:10]] + members[10:]
    assert tripped(plan(half, directory)) == ["field_wipe"]
    assert tripped(plan([member | {"birth_date": None} for member in members], directory)) == []


def test_many_creates_are_held_but_not_the_first_import() -> None:
    members, directory = company(30)
    more = [person(number) for number in range(31, 61)]
    assert tripped(plan([*members, *more], directory)) == ["create_limit"]


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("email_change_limit", {"changeable": 0, "email_changed": people(5)}),
        ("employee_id_mismatch", {"comparable": 0, "mismatched": people(5)}),
        ("quarantine_growth", {"newly_quarantined": people(5)}),
        ("create_limit", {"created": people(25)}),
    ],
)
def test_of_nobody_there_is_no_percentage(name: str, facts: dict[str, Any]) -> None:
    assert not trips(name, company_of(0, **facts))


def test_of_unread_fields_that_hold_nothing_the_worst_is_told() -> None:
    unread = {"email": {"count": 1, "of": 10}, "department": {"count": 4, "of": 10}}
    assert judge("unread_field", company_of(10, unread=unread)).observed == "department: 4 of 10 (40.0 %)"
