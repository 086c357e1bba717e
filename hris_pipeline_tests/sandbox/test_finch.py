"""The aggregator, seen through its own published client: the same people, its own ids, its own errors."""

from collections.abc import Iterator

import finch
import httpx
import pytest
from finch.types.hris import EmploymentData, Individual
from finch.types.hris.employment_data import EmploymentDataResponseBody
from finch.types.hris.individual import IndividualResponseBody

from hris_pipeline.sandbox import FINCH_TOKEN, Sandbox
from hris_pipeline.sandbox.wire import finch_id


@pytest.fixture
def aggregator(sandbox: Sandbox) -> Iterator[finch.Finch]:
    with finch.Finch(access_token=FINCH_TOKEN, base_url=sandbox.finch_url, max_retries=0) as aggregator:
        yield aggregator
    sandbox.clear_faults()


def individuals(aggregator: finch.Finch, ids: list[str]) -> dict[str, tuple[int, Individual]]:
    page = aggregator.hris.individuals.retrieve_many(requests=[{"individual_id": id_} for id_ in ids])
    return {answer.individual_id: (answer.code, answer.body) for answer in page}


def employments(aggregator: finch.Finch, ids: list[str]) -> dict[str, tuple[int, EmploymentData]]:
    page = aggregator.hris.employments.retrieve_many(requests=[{"individual_id": id_} for id_ in ids])
    return {answer.individual_id: (answer.code, answer.body) for answer in page}


def test_the_directory_pages_through_everybody(sandbox: Sandbox, aggregator: finch.Finch) -> None:
    everybody = sandbox.company.persons()
    for limit in (60, 10_000):
        listed = list(aggregator.hris.directory.list(limit=limit))
        assert [person_listed.id for person_listed in listed] == [finch_id(person.id) for person in everybody]
        assert [person_listed.is_active for person_listed in listed] == [person.active for person in everybody]


def test_individuals_carry_names_addresses_and_birth_dates(sandbox: Sandbox, aggregator: finch.Finch) -> None:
    everybody = sandbox.company.persons()
    people = individuals(aggregator, [finch_id(person.id) for person in everybody])
    phones: list[object] = []
    for person in everybody:
        code, body = people[finch_id(person.id)]
        assert code == 200
        assert isinstance(body, IndividualResponseBody)
        phones += body.phone_numbers or []
        assert (body.first_name, body.last_name, body.dob) == (person.first_name, person.last_name, person.birth_date)
        assert {email.type: email.data for email in body.emails or []}.get("work") == person.work_email
        assert (body.residence.country if body.residence else None) == (person.home.country if person.home else None)
    assert None in phones


def test_employments_carry_titles_dates_and_custom_fields(sandbox: Sandbox, aggregator: finch.Finch) -> None:
    everybody = sandbox.company.persons()
    jobs = employments(aggregator, [finch_id(person.id) for person in everybody])
    kinds = set()
    for person in everybody:
        code, body = jobs[finch_id(person.id)]
        assert code == 200
        assert isinstance(body, EmploymentDataResponseBody)
        assert (body.source_id, body.title, body.start_date) == (person.work_id, person.job_title, person.start_date)
        assert (body.manager.id if body.manager else None) == (finch_id(person.manager) if person.manager else None)
        assert body.class_code is None
        assert {field.name for field in body.custom_fields or []} <= {
            "T-Shirt Size",
            "Languages",
            "Buddy",
            "Badge Number",
            "Volunteer Day",
        }
        kinds |= {(body.employment_status, body.employment and body.employment.type)}
    assert {
        ("active", "employee"),
        ("active", "contractor"),
        ("terminated", "employee"),
        ("prehire", "employee"),
    } <= kinds


def test_each_item_has_its_own_code(sandbox: Sandbox, aggregator: finch.Finch) -> None:
    good, bad = sandbox.company.member_ids[:2]
    sandbox.fault("failing_details", members=(bad,))
    for answer in (
        individuals(aggregator, [finch_id(good), finch_id(bad), "nobody"]),
        employments(aggregator, [finch_id(good), finch_id(bad), "nobody"]),
    ):
        assert {id_: code for id_, (code, _) in answer.items()} == {
            finch_id(good): 200,
            finch_id(bad): 500,
            "nobody": 404,
        }


def test_not_ready_is_202_at_the_top(sandbox: Sandbox, aggregator: finch.Finch) -> None:
    sandbox.fault("not_ready", times=1)
    answer = aggregator.hris.directory.with_raw_response.list(limit=100)
    assert answer.http_response.status_code == 202
    assert aggregator.hris.directory.list(limit=100).individuals


def test_lists_can_be_short_empty_or_repeat(sandbox: Sandbox, aggregator: finch.Finch) -> None:
    everybody = sandbox.company.member_ids
    sandbox.fault("short_list", share=0.4)
    assert len(list(aggregator.hris.directory.list(limit=100))) == len(everybody) * 6 // 10
    sandbox.clear_faults()
    sandbox.fault("empty_list")
    assert list(aggregator.hris.directory.list(limit=100)) == []
    sandbox.clear_faults()
    sandbox.fault("repeated_page", times=1)
    listed = [person.id for person in aggregator.hris.directory.list(limit=100)]
    assert listed[:100] == listed[100:200]


def test_a_revoked_connection_asks_to_connect_again(sandbox: Sandbox, aggregator: finch.Finch) -> None:
    sandbox.fault("revoked_token")
    with pytest.raises(finch.AuthenticationError) as refused:
        aggregator.hris.directory.list(limit=1)
    body = refused.value.body
    assert isinstance(body, dict)
    assert body["name"] == "reauthenticate_user"
    assert set(body) == {"code", "name", "finch_code", "message"}


def test_a_wrong_token_is_401(sandbox: Sandbox) -> None:
    with (
        finch.Finch(access_token="guess", base_url=sandbox.finch_url, max_retries=0) as stranger,
        pytest.raises(finch.AuthenticationError),
    ):
        stranger.hris.directory.list(limit=1)


def test_too_many_questions_are_429(sandbox: Sandbox, aggregator: finch.Finch) -> None:
    sandbox.fault("rate_limited", path="/finch", times=1)
    with pytest.raises(finch.RateLimitError):
        aggregator.hris.directory.list(limit=1)


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "directory?limit=10001", {}),
        ("GET", "directory?limit=0", {}),
        ("POST", "individual", {"json": {"requests": []}}),
        ("POST", "employment", {"content": b"not json"}),
        ("GET", "directory", {"headers": {"Finch-API-Version": "1999-01-01"}}),
    ],
)
def test_a_call_that_makes_no_sense_is_400(
    sandbox: Sandbox, method: str, path: str, options: dict[str, dict[str, str]]
) -> None:
    headers = {"Authorization": f"Bearer {FINCH_TOKEN}", "Finch-API-Version": "2020-09-17"} | options.pop("headers", {})
    answer = httpx.request(method, f"{sandbox.finch_url}/employer/{path}", headers=headers, **options)  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert answer.json()["code"] == 400


def test_answers_say_how_old_their_data_is(sandbox: Sandbox, aggregator: finch.Finch) -> None:
    answer = aggregator.hris.directory.with_raw_response.list(limit=1)
    assert answer.headers["Finch-Data-Retrieved"].endswith("Z")


def test_the_company_has_a_name(sandbox: Sandbox, aggregator: finch.Finch) -> None:
    assert aggregator.hris.company.retrieve().legal_name == "Acme, Inc."


def test_reconnecting_another_way_gives_everybody_a_new_id(sandbox: Sandbox, aggregator: finch.Finch) -> None:
    before = {person.id for person in aggregator.hris.directory.list(limit=10_000)}
    sandbox.company.renew_ids()
    after = {person.id for person in aggregator.hris.directory.list(limit=10_000)}
    assert len(after) == len(before)
    assert not before & after
