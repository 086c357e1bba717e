"""The company: the same for the same arguments, good people only when small, every surprise of real data when not."""

import time
from collections import Counter
from datetime import date, timedelta
from itertools import combinations

import phonenumbers
import pytest

from hris_pipeline.errors import UnknownName
from hris_pipeline.sandbox import Company, Person
from hris_pipeline.sandbox.surprises import SURPRISES

TODAY = date(2026, 3, 2)


@pytest.fixture(scope="module")
def company() -> Company:
    return Company(500, seed=3, today=TODAY)


def struck(company: Company, surprise: str) -> list[Person]:
    return [company.person(member_id) for member_id in company.surprises[surprise]]


def test_equal_arguments_give_an_equal_company_and_another_seed_another() -> None:
    first, second, other = Company(60, 1, TODAY), Company(60, 1, TODAY), Company(60, 2, TODAY)
    assert first.members() == second.members()
    assert [first.week(), first.week()] == [second.week(), second.week()]
    assert first.members() == second.members()
    assert not set(first.member_ids) & set(other.member_ids)


@pytest.mark.parametrize("employees", [0, 1, 2, 3, 8, 15, 39, 40, 99, 100, 500])
def test_a_company_lists_exactly_as_many_people_as_asked_for(employees: int) -> None:
    assert len(set(Company(employees, 1, TODAY).member_ids)) == employees


@pytest.mark.parametrize("employees", [3, 8, 15, 39])
def test_a_small_company_has_good_people_only(employees: int) -> None:
    company = Company(employees, 5, TODAY)
    assert not company.surprises
    people = company.persons()
    assert len({person.work_id for person in people}) == len({person.work_email for person in people}) == employees
    for person in people:
        assert person.active
        assert person.termination_date is None
        assert date.fromisoformat(person.start_date or "") < TODAY
        assert person.first_name
        assert 0 < len(person.last_name or "") <= 50
        assert date.fromisoformat(person.birth_date or "") < TODAY - timedelta(days=18 * 365)
        assert phonenumbers.is_valid_number(phonenumbers.parse(person.phones[0][1]))


@pytest.mark.parametrize("employees", [40, 41, 60, 100, 300])
def test_every_surprise_strikes_a_company_large_enough_for_it_and_nobody_twice(employees: int) -> None:
    company = Company(employees, 9, TODAY)
    assert set(company.surprises) == {s.name for s in SURPRISES if s.smallest <= employees}
    for group, other in combinations(company.surprises.values(), 2):
        assert not set(group) & set(other)


def test_few_rows_are_too_bad_to_use(company: Company) -> None:
    (long,) = struck(company, "overlong_last_name")
    assert len(long.last_name or "") == 60
    (impossible,) = struck(company, "impossible_date")
    with pytest.raises(ValueError, match="day"):
        date.fromisoformat(impossible.start_date or "")
    (nameless,) = struck(company, "missing_last_name")
    assert "family_name" not in company.member(nameless.id)["name"]
    person, other = struck(company, "shared_work_id")
    assert person.work_id == other.work_id


def test_the_service_account_has_its_title_no_birth_date_and_no_residence(company: Company) -> None:
    (account,) = company.surprises["service_account"]
    member = company.member(account)
    assert member["job_title"] == "Service Account"
    assert member["name"]["given_name"] == "3rd Party"
    assert "date_of_birth" not in member
    assert member["addresses"] == []


def test_managers_form_one_tree_but_for_the_surprises(company: Company) -> None:
    odd = company.ids_of(["manager_circle", "own_manager", "manager_outside", "service_account"])
    managers = {person.id: person.manager for person in company.persons()}
    heads = set()
    for member_id in managers:
        path = [member_id]
        while path[-1] not in odd and (above := managers[path[-1]]):
            assert above not in path
            path.append(above)
        heads.add(path[-1])
    assert len(heads - odd) == 1


def test_managers_may_be_outside_terminated_in_a_circle_or_oneself(company: Company) -> None:
    assert all(person.manager not in company.member_ids for person in struck(company, "manager_outside"))
    assert all(person.manager == person.id for person in struck(company, "own_manager"))
    report, other = struck(company, "manager_circle")
    assert (report.manager, other.manager) == (other.id, report.id)
    (gone,) = struck(company, "terminated_manager")
    assert not gone.active
    assert any(person.manager == gone.id for person in company.persons())


def test_employments_end_start_and_start_again(company: Company) -> None:
    for person in struck(company, "terminated"):
        assert not person.active
        assert (person.start_date or "") < (person.termination_date or "") < TODAY.isoformat()
    for person in struck(company, "future_termination"):
        assert person.active
        assert (person.termination_date or "") > TODAY.isoformat()
    assert all((person.start_date or "") > TODAY.isoformat() for person in struck(company, "future_hire"))
    for person in struck(company, "rehired"):
        history = [stay["start_date"] for stay in company.member(person.id)["employment_history"]]
        assert history == sorted(history)
        assert history[0] < history[-1] <= TODAY.isoformat()
    before, after = struck(company, "rehired_under_new_id")
    assert (before.first_name, before.birth_date) == (after.first_name, after.birth_date)
    assert (before.active, after.active) == (False, True)


def test_phones_are_international_bare_ten_digits_or_free_text(company: Company) -> None:
    assert all(len(p.phones[0][1]) == 10 and p.phones[0][1].isdecimal() for p in struck(company, "bare_phone"))
    odd = company.ids_of(["bare_phone", "free_text_phone"])
    for person in company.persons():
        for _, number in person.phones if person.id not in odd else ():
            assert phonenumbers.is_valid_number(phonenumbers.parse(number)), number


def test_nobody_shares_a_work_address(company: Company) -> None:
    addresses = [person.work_email for person in company.persons() if person.work_email]
    assert len(set(addresses)) == len(addresses)


def test_names_come_in_many_scripts(company: Company) -> None:
    scripts = {"latin": (0x41, 0x24F), "cyrillic": (0x400, 0x4FF), "arabic": (0x600, 0x6FF), "han": (0x4E00, 0x9FFF)}
    initials = [ord(person.last_name[0]) for person in company.persons() if person.last_name]
    for low, high in scripts.values():
        assert any(low <= initial <= high for initial in initials)


def test_empty_single_values_are_omitted_and_arrays_always_there(company: Company) -> None:
    for member in company.members():
        assert None not in member.values()
        assert "" not in member.values()
        assert {} not in member.values()
        for array in ("addresses", "emails", "phones", "employment_history", "pay_history"):
            assert isinstance(member[array], list)


def test_what_a_client_must_drop_is_there_to_be_dropped(company: Company) -> None:
    keys = Counter(key for member in company.members() for key in member)
    for denied in ("current_pay", "pay_history", "current_pay_frequency", "sex_assigned_at_birth", "tax_withholding"):
        assert keys[denied] == 500


def test_500_people_take_half_a_second_and_a_hundred_thousand_are_possible() -> None:
    begun = time.process_time()
    Company(500, 1, TODAY)
    assert time.process_time() - begun < 0.5
    begun = time.process_time()
    Company(10_000, 1, TODAY)
    assert time.process_time() - begun < 3


def test_people_are_edited_removed_added_and_terminated() -> None:
    company = Company(5, 1, TODAY)
    head, second, *_, last = company.member_ids
    before = company.member(second)
    company.edit(second, job_title="Baker", work_email=None)
    after = company.member(second)
    assert after["job_title"] == "Baker"
    assert [email["type"] for email in after["emails"]] in ([], ["personal"])
    assert after["updated_at"] > before["updated_at"]

    company.edit(head, work_id="X-1")
    assert company.member(second)["manager"] == {"id": head, "work_id": "X-1"}

    company.terminate(second, TODAY - timedelta(days=1))
    company.terminate(last, TODAY + timedelta(days=9))
    assert [company.member(member_id)["active"] for member_id in (second, last)] == [False, True]

    gone = company.remove(last)
    assert last not in company.member_ids
    with pytest.raises(UnknownName):
        company.member(last)
    assert company.add(gone) == last
    assert company.add(gone) == last
    new = company.add(first_name="Zoë", last_name="Ångström")
    assert company.member(new)["name"]["family_name"] == "Ångström"
    assert len(company.member_ids) == 6


def test_a_member_can_be_made_as_wrong_as_wanted() -> None:
    company = Company(3, 1, TODAY)
    member_id = company.member_ids[1]
    company.edit(member_id, raw={"name": 5, "emails": None})
    assert company.member(member_id)["name"] == 5
    assert b'"emails":null' in company.encoded(member_id)


def test_an_unknown_field_is_refused_by_name() -> None:
    company = Company(3, 1, TODAY)
    with pytest.raises(UnknownName, match="shoe_size"):
        company.edit(company.member_ids[0], shoe_size=44)


def test_all_ids_can_change_at_once_with_the_tree_intact() -> None:
    company = Company(30, 1, TODAY)
    before = {
        person.work_id: company.member(person.id).get("manager", {}).get("work_id") for person in company.persons()
    }
    renewed = company.renew_ids()
    assert not set(renewed) & set(company.member_ids)
    after = {
        person.work_id: company.member(person.id).get("manager", {}).get("work_id") for person in company.persons()
    }
    assert after == before
