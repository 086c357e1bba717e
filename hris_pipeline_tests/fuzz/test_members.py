"""Members of both wires with odd values at any place: the reading ends, and only that member is a hole, quarantined or
read; and answers of the token endpoint: tokens, or an error of our own."""

import json
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.errors import FrameInvalid, SourceError
from hris_pipeline.sources import finch_wire, justworks_wire
from hris_pipeline.sources.oauth import OAuth
from hris_pipeline.sources.protocol import Company, Office, Record
from hris_pipeline.transform.normalise import normalise
from hris_pipeline.transform.validate import validate
from hris_pipeline_tests.kit.law_profiles import law
from hris_pipeline_tests.kit.odd_values import ODD_VALUES, mutated
from hris_pipeline_tests.kit.scripted_clients import open_client
from hris_pipeline_tests.kit.scripted_http import Call, Reply, answered_in_process
from hris_pipeline_tests.kit.wire_company import finch_columns, justworks_columns
from hris_pipeline_tests.oracle.model import Answer

TODAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
COMPANY = Company("c", "Acme", (Office("o1", "Austin", "TX", "US"),), {"d1": "Engines"})

MEMBER: dict[str, Any] = {
    "id": "m1",
    "work_id": "0042",
    "name": {"given_name": "Ada", "family_name": "Lovelace", "preferred_name": "Ada"},
    "active": True,
    "addresses": [{"type": "home", "city": "Reno", "state": "NV", "country": "US"}],
    "emails": [{"type": "work", "email": "ada@acme.example"}],
    "phones": [{"type": "mobile", "number": "+15551234567"}],
    "current_employment": {"US": {"employment_type": "full_time", "start_date": "2021-02-01"}},
    "employment_history": [{"start_date": "2019-01-07", "end_date": "2020-12-31"}, {"start_date": "2021-02-01"}],
    "date_of_birth": "1990-01-01",
    "department": {"id": "d1", "name": "Engines"},
    "office": {"id": "o1"},
    "manager": {"id": "m0"},
    "employment_start_date": "2019-01-07",
    "employment_termination_date": None,
    "job_title": "Analyst",
    "type": "employee",
    "custom_field_values": [{"custom_field_id": "f1", "values": ["a"]}],
    "updated_at": "2026-01-01T00:00:00Z",
}

PERSON: dict[str, Any] = {
    "id": "m1",
    "directory": {"first_name": "Ada", "last_name": "Lovelace", "is_active": True, "manager": {"id": "m0"}},
    "individual": {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "emails": [{"data": "ada@acme.example", "type": "work"}],
        "phone_numbers": [{"data": "+15551234567", "type": "mobile"}],
        "dob": "1990-01-01",
        "residence": {"city": "Reno", "state": "NV", "country": "US"},
    },
    "employment": {
        "title": "Analyst",
        "start_date": "2019-01-07",
        "end_date": None,
        "is_active": True,
        "employment_status": "active",
        "source_id": "0042",
        "department": {"name": "Engines"},
        "employment": {"type": "employee", "subtype": "full_time"},
        "location": {"city": "Austin", "state": "TX", "country": "US"},
        "custom_fields": [{"name": "Badge", "value": "7"}],
    },
}


def good(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Three others like the document."""
    others = [deepcopy(document) | {"id": f"good-{number}"} for number in range(3)]
    for number, other in enumerate(others):
        if "work_id" in other:
            other["work_id"] = f"g{number}"
        else:
            other["employment"]["source_id"] = f"g{number}"
    return others


def good_are_employed(raw: Any) -> None:
    """Whatever the odd one is, the others go on as they are."""
    validated = validate(normalise(raw), TODAY)
    assert {"good-0", "good-1", "good-2"} <= set(validated.employees["hris_id"])


def records(reception: Any, members: list[Any], add: Any) -> Iterator[Record]:
    for member in members:
        with suppress(ValueError, RecursionError):  # a hole
            yield add(reception, member)


@law(12)
@given(mutated(MEMBER) | st.sampled_from(ODD_VALUES))
def test_an_odd_member_of_the_partner_api_costs_nobody_else_anything(member: Any) -> None:
    kept = records(justworks_wire.Reception(COMPANY), [member, *good(MEMBER)], lambda at, each: at.record(each))
    good_are_employed(justworks_columns([record.line for record in kept], COMPANY))


@law(12)
@given(mutated({key: PERSON[key] for key in ("directory", "individual", "employment")}), st.sampled_from(ODD_VALUES))
def test_an_odd_person_of_the_aggregator_costs_nobody_else_anything(parts: dict[str, Any], hris_id: Any) -> None:
    person = {"id": "odd" if isinstance(hris_id, float) else hris_id}
    person |= {name: parts.get(name) if isinstance(parts.get(name), dict) else {} for name in list(PERSON)[1:]}

    def add(reception: finch_wire.Reception, each: dict[str, Any]) -> Record:
        return reception.record(each["id"], each["directory"], each["individual"], each["employment"])

    kept = records(finch_wire.Reception(), [person, *good(PERSON)], add)
    good_are_employed(finch_columns([record.line for record in kept]))


@law(15)
@given(mutated({"items": [MEMBER, *good(MEMBER)], "next_cursor": None}))
def test_a_reading_of_an_odd_page_ends_with_what_is_good_or_in_words(page: dict[str, Any]) -> None:
    def answer(call: Call) -> Reply:
        body = page if call.path.endswith("/members") else {"id": "c", "display_name": "Acme", "items": []}
        return Reply(Answer(200, json.dumps(body).encode("utf-8", "surrogatepass")))

    with answered_in_process(answer) as address:
        source = open_client("justworks", address)
        try:
            with suppress(SourceError):
                company = source.company()
                lines = [record.line for each in source.pages(custom_fields=False) for record in each.records]
                with suppress(FrameInvalid):
                    validate(normalise(justworks_columns(lines, company)), TODAY)
        finally:
            source.close()


TOKENS = {
    "access_token": "a",
    "refresh_token": "r",
    "token_type": "Bearer",
    "expires_in": 86400,
    "expires_at": "2026-03-03T12:00:00Z",
    "scope": "company.detail:read member.detail:read",
}


@pytest.mark.filterwarnings("ignore")
@law(60)
@given(mutated(TOKENS) | st.sampled_from(ODD_VALUES))
def test_any_answer_of_the_token_endpoint_is_tokens_or_an_error_of_our_own(answer: Any) -> None:
    body = json.dumps(answer).encode("utf-8", "surrogatepass")
    with answered_in_process(lambda _: Reply(Answer(200, body))) as address:
        oauth = OAuth(
            api_url=address,
            authorize_url="",
            client_id="c",
            client_secret="s",
            integration_id="acme",
            clock=lambda: NOON,
        )
        try:
            with suppress(SourceError):
                tokens = oauth.exchange("code", "http://127.0.0.1/callback")
                assert tokens.access
                assert tokens.expires_at > NOON
        finally:
            oauth.close()
