"""A week: every kind of event, each of them a real difference, and none so many that a default guard would mind."""

from collections import Counter
from datetime import date, timedelta

import msgspec
import pytest

from hris_pipeline.sandbox import Company, Person

TODAY = date(2026, 3, 2)


def people(company: Company) -> dict[str, Person]:
    return {person.id: msgspec.structs.replace(person) for person in company.persons()}


@pytest.mark.parametrize("employees", [40, 57, 100, 500])
def test_a_week_of_a_company_large_enough_has_every_kind_of_event(employees: int) -> None:
    company = Company(employees, 4, TODAY)
    kinds = Counter(event.kind for event in company.week())
    assert {"hired", "changed", "left", "vanished", "returned"} <= set(kinds)


@pytest.mark.parametrize("employees", [3, 8, 15])
def test_a_small_company_loses_nobody(employees: int) -> None:
    company = Company(employees, 4, TODAY)
    for _ in range(3):
        assert {event.kind for event in company.week()} == {"hired", "changed"}


def test_a_company_of_nobody_hires() -> None:
    company = Company(0, 4, TODAY)
    assert [event.kind for event in company.week()] == ["hired"]
    assert len(company.member_ids) == 1


@pytest.mark.parametrize("employees", [40, 250, 500, 2000])
def test_no_week_loses_a_tenth_of_the_people(employees: int) -> None:
    company = Company(employees, 4, TODAY)
    for _ in range(6):
        active = sum(person.active for person in company.persons())
        kinds = Counter(event.kind for event in company.week())
        lost = kinds["left"] + kinds["vanished"]
        assert lost < 0.1 * active
        assert kinds["hired"] < 0.5 * active


def test_each_event_says_what_is_different_and_nothing_else_is() -> None:
    company = Company(300, 4, TODAY)
    for _ in range(4):
        before = people(company)
        events = company.week()
        after = people(company)
        by_kind = {
            kind: {event.member_id for event in events if event.kind == kind}
            for kind in ("hired", "changed", "left", "vanished", "returned", "rehired", "reused")
        }
        assert by_kind["vanished"] == set(before) - set(after)
        new = by_kind["hired"] | by_kind["rehired"] | by_kind["reused"]
        assert new <= set(after) - set(before) <= new | by_kind["returned"]
        same = {id_ for id_ in set(before) & set(after) if before[id_] == after[id_]}
        assert set(before) & set(after) - same == by_kind["changed"] | by_kind["left"] | (
            by_kind["returned"] & set(before)
        )
        for event in events:
            if event.kind == "changed":
                assert getattr(before[event.member_id], event.field) != getattr(after[event.member_id], event.field)
            if event.kind == "left":
                assert not after[event.member_id].active
                assert (after[event.member_id].termination_date or "") < TODAY.isoformat()
            if event.kind in ("hired", "returned"):
                assert after[event.member_id].active


def test_after_weeks_of_changes_nobody_shares_a_work_address_or_reports_to_a_leaver_just_hired() -> None:
    company = Company(500, 4, TODAY)
    for _ in range(10):
        hired = [event.member_id for event in company.week() if event.kind == "hired"]
        assert all(company.person(company.person(member_id).manager or "").active for member_id in hired)
    former = {event.former_id for event in company.events if event.kind == "rehired"}
    addresses = [p.work_email for p in company.persons() if p.work_email and p.id not in former]
    assert len(set(addresses)) == len(addresses)


def test_people_lost_in_one_week_come_back_under_the_same_id_in_the_next() -> None:
    company = Company(60, 4, TODAY)
    lost = {event.member_id for event in company.week() if event.kind in ("left", "vanished")}
    returned = {event.member_id for event in company.week() if event.kind == "returned"}
    assert returned
    assert returned <= lost


def test_work_ids_are_used_again_and_leavers_come_back_under_new_ids() -> None:
    company = Company(500, 4, TODAY)
    first = company.week()
    (reused,) = [event for event in first if event.kind == "reused"]
    assert company.person(reused.member_id).work_id == company.gone[reused.former_id].work_id
    (rehired,) = [event for event in company.week() if event.kind == "rehired"]
    old, new = company.person(rehired.former_id), company.person(rehired.member_id)
    assert (old.birth_date, old.last_name) == (new.birth_date, new.last_name)
    assert old.work_id != new.work_id


def test_scheduled_terminations_and_starts_happen_when_the_week_reaches_them() -> None:
    company = Company(200, 4, TODAY)
    due, starting = set(company.surprises["future_termination"]), set(company.surprises["future_hire"])
    events = company.week(TODAY + timedelta(days=90))
    assert due <= {event.member_id for event in events if event.kind == "left"}
    assert not any(company.person(member_id).active for member_id in due)
    assert {event.member_id for event in events if event.kind == "started"} == starting
    assert company.today == TODAY + timedelta(days=90)


def test_nothing_happens_to_people_who_cannot_be_users() -> None:
    company = Company(60, 4, TODAY)
    untouched = company.ids_of(["service_account", "overlong_last_name", "missing_last_name", "impossible_date"])
    for _ in range(20):
        assert not untouched & {event.member_id for event in company.week()}
