"""What is read from a Partner API member, in every spelling, and what a broken one does: nothing to the others."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.sources import finch_wire
from hris_pipeline.sources.justworks_wire import columns, read_company, read_custom_fields
from hris_pipeline.sources.protocol import Company, CustomField, Office
from hris_pipeline.sources.raw_columns import RAW_COLUMNS

COMPANY = Company("c", "Acme", (Office("o1", "Austin", "TX", "US"),))


def row(**member: Any) -> dict[str, object]:
    read = columns([msgspec.json.encode({"id": "m1", "active": True, **member})], COMPANY)
    return {name: values[0] for name, values in read.items()}


def test_a_whole_member_gives_every_column() -> None:
    assert row(
        company_id="c",
        work_id="0042",
        name={"given_name": "Ada", "family_name": "Lovelace", "preferred_name": "Countess"},
        type="employee",
        addresses=[{"type": "home", "line1": "1 St", "city": "Reno", "state": "NV", "country": "US"}],
        emails=[{"type": "personal", "email": "ada@home.example"}, {"type": "work", "email": "ada@acme.example"}],
        phones=[{"type": "work", "number": "1"}, {"type": "mobile", "number": "2"}],
        current_employment={"CA": {"employment_type": "full_time", "start_date": "2021-02-01"}},
        employment_history=[{"start_date": "2019-01-07", "end_date": "2020-12-31"}, {"start_date": "2021-02-01"}],
        date_of_birth="1990-01-01",
        department={"id": "d", "name": "Engines"},
        office={"id": "o1", "name": "HQ"},
        manager={"id": "m0", "work_id": "0001"},
        employment_start_date="2019-01-07",
        employment_termination_date="2027-01-01",
        job_title="Analyst",
        custom_field_values=[
            {"id": "f1", "values": ["a"]},
            {"id": "f2", "values": ["a", "b"]},
            {"id": "f3", "values": []},
        ],
        partner_settings={"x": 1},
        updated_at="2026-01-01T00:00:00Z",
    ) == {
        "hris_id": "m1",
        "justworks_id": "0042",
        "supervisor_hris_id": "m0",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "preferred_first_name": "Countess",
        "email": "ada@acme.example",
        "secondary_email": "ada@home.example",
        "phone_number": "2",
        "birth_date": "1990-01-01",
        "hire_date": "2019-01-07",
        "latest_rehire_date": "2021-02-01",
        "country_code": "CA",
        "job_title": "Analyst",
        "department": "Engines",
        "employment_type": "employee",
        "employment_subtype": "full_time",
        "class_code": None,
        "residence_city": "Reno",
        "residence_state": "NV",
        "residence_country": "US",
        "employment_city": "Austin",
        "employment_state": "TX",
        "employment_country": "US",
        "custom_fields": '{"f1":"a","f2":["a","b"]}',
        "active": True,
        "termination_date": "2027-01-01",
    }


def test_a_member_with_nothing_but_what_is_always_there_gives_nothing_else() -> None:
    read = row(addresses=[], emails=[], phones=[], employment_history=[])
    assert {name: value for name, value in read.items() if value is not None} == {"hris_id": "m1", "active": True}
    assert tuple(read) == RAW_COLUMNS


@pytest.mark.parametrize(
    ("emails", "email", "secondary"),
    [
        ([{"type": "work", "email": "w"}], "w", None),
        ([{"kind": "work", "address": "w"}, {"kind": "home", "value": "p"}], "w", "p"),
        ([{"type": "Work", "value": "w"}, {"type": "personal", "address": "p"}], "w", "p"),
        ([{"type": "personal", "email": "p"}], "p", None),
        ([{"email": "x"}], "x", None),
        ([{"type": "work"}, {"type": "personal", "email": "p"}], "p", None),
        ([None, {"type": "work", "email": "w"}], "w", None),
        ([{"type": "work", "email": "w1"}, {"type": "work", "email": "w2"}], "w1", None),
        (None, None, None),
    ],
)
def test_emails(emails: object, email: str | None, secondary: str | None) -> None:
    read = row(emails=emails)
    assert (read["email"], read["secondary_email"]) == (email, secondary)


@pytest.mark.parametrize(
    ("phones", "number"),
    [
        ([{"type": "home", "number": "h"}, {"type": "work", "phone": "w"}, {"kind": "mobile", "value": "m"}], "m"),
        ([{"type": "home", "number": "h"}, {"type": "work", "phone": "w"}], "w"),
        ([None, {"type": "home", "value": "h"}, {"value": "x"}], "h"),
        ([], None),
    ],
)
def test_phones(phones: object, number: str | None) -> None:
    assert row(phones=phones)["phone_number"] == number


@pytest.mark.parametrize(
    ("addresses", "city"),
    [
        ([{"type": "mailing", "city": "M"}, {"kind": "home", "city": "H"}], "H"),
        ([{"type": "mailing", "city": "M"}, {"type": "residence", "city": "R"}], "R"),
        ([{"type": "mailing", "city": "M"}, {"type": "work", "city": "W"}], "M"),
        ([{"city": "X"}], "X"),
        ([{"type": "work", "city": "W"}], None),
    ],
)
def test_home_addresses(addresses: object, city: str | None) -> None:
    assert row(addresses=addresses)["residence_city"] == city


@pytest.mark.parametrize(
    ("employment", "country", "subtype"),
    [
        ({"GB": {"type": "part_time"}}, "GB", "part_time"),
        ({"GB": {}}, "GB", None),
        ({"GB": None}, "GB", None),
        ({}, "MX", None),
        (None, "MX", None),
    ],
)
def test_the_country_is_that_of_the_employment_else_of_the_home(
    employment: object, country: str, subtype: str | None
) -> None:
    read = row(current_employment=employment, addresses=[{"type": "home", "country": "MX"}])
    assert (read["country_code"], read["employment_subtype"]) == (country, subtype)


@pytest.mark.parametrize(
    ("first", "starts", "rehire"),
    [
        ("2019-01-07", ["2019-01-07"], None),
        ("2019-01-07", ["2021-02-01", "2019-01-07", "2020-02-01"], "2021-02-01"),
        (None, ["2019-01-07", "2021-02-01"], "2021-02-01"),
        ("2019-01-07", [], None),
        ("2019-01-07", ["2018-01-01"], None),
    ],
)
def test_the_latest_start_after_the_first_is_a_rehire(first: str | None, starts: list[str], rehire: str | None) -> None:
    read = row(employment_start_date=first, employment_history=[{"start_date": start} for start in starts])
    assert read["latest_rehire_date"] == rehire


@pytest.mark.parametrize("kind", ["employee_eor", "contractor", "something_new"])
def test_the_type_passes_through_as_it_is(kind: str) -> None:
    assert row(type=kind)["employment_type"] == kind


def test_an_unknown_office_has_no_place() -> None:
    assert row(office={"id": "elsewhere"})["employment_city"] is None


@pytest.mark.parametrize(
    ("member", "column", "value"),
    [
        ({"work_id": 42}, "justworks_id", "42"),
        ({"date_of_birth": {"year": 1990}}, "birth_date", '{"year": 1990}'),
        ({"emails": "a@acme.example"}, "email", "a@acme.example"),
        ({"emails": [7]}, "email", "7"),
        ({"department": "Engines"}, "department", "Engines"),
        ({"active": "yes"}, "active", None),
        ({"name": ["Ada"]}, "first_name", '["Ada"]'),
    ],
)
def test_a_key_of_the_wrong_type_gives_its_text_and_loses_nothing_else(
    member: dict[str, object], column: str, value: object
) -> None:
    read = row(job_title="Analyst", **member)
    assert read[column] == value
    assert (read["hris_id"], read["job_title"]) == ("m1", "Analyst")


def test_of_a_member_seen_twice_the_newest_counts_and_of_equals_the_later() -> None:
    lines = [
        b'{"id":"a","job_title":"old","updated_at":"2026-01-01T00:00:00Z"}',
        b'{"id":"b","job_title":"new","updated_at":"2026-01-01T00:00:00.5Z"}',
        b'{"id":"a","job_title":"new","updated_at":"2026-01-01T00:00:01Z"}',
        b'{"id":"b","job_title":"old","updated_at":"2026-01-01T01:00:00+01:00"}',
        b'{"id":"c","job_title":"old"}',
        b'{"id":"c","job_title":"new"}',
        b'{"job_title":"nobody"}',
        b'{"job_title":"nobody else"}',
    ]
    read = columns(lines, COMPANY)
    assert read["hris_id"] == ["a", "b", "c", None, None]
    assert read["job_title"] == ["new", "new", "new", "nobody", "nobody else"]


def test_the_company_is_read_tolerantly() -> None:
    body = {
        "id": "c",
        "legal_name": "Acme, Inc.",
        "offices": [{"id": "o1", "address": {"city": "Austin", "state": None}}, {"id": "o2"}, None, 7],
    }
    assert read_company(json.dumps(body).encode()) == Company("c", "Acme, Inc.", (Office("o1", "Austin"),))
    fields = [b'{"id":"f1","label":"Buddy","type":"text","options":[]}', b'{"id":"f2"}', b'{"label":"lost"}', b"7"]
    assert read_custom_fields(fields) == (CustomField("f1", "Buddy", "text"), CustomField("f2", "f2"))


KEYS = st.sampled_from(
    (
        *("id", "name", "active", "emails", "phones", "addresses", "current_employment", "employment_history"),
        *("department", "office", "manager", "type", "kind", "email", "value", "values", "number", "start_date"),
        *("custom_field_values", "updated_at", "date_of_birth", "given_name", "is_active", "data", "location"),
        *("directory", "individual", "employment", "custom_fields"),
    )
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=5),
    max_leaves=15,
)


def all_readable(read: dict[str, list[object]], rows: int) -> None:
    assert tuple(read) == RAW_COLUMNS
    assert len({len(column) for column in read.values()}) == 1
    assert 1 <= len(read["hris_id"]) <= rows
    for name, column in read.items():
        for value in column:
            assert value is None or isinstance(value, bool if name == "active" else str)
            assert str(value).encode("utf-8", "strict") is not None


@given(st.lists(anything, min_size=1, max_size=4))
def test_no_json_ever_breaks_the_columns(members: list[object]) -> None:
    for ascii_only in (True, False):
        lines = [json.dumps(member, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for member in members]
        all_readable(columns(lines, COMPANY), len(lines))
        all_readable(finch_wire.columns(lines), len(lines))


@given(st.binary(max_size=40))
def test_no_bytes_ever_break_the_columns(line: bytes) -> None:
    all_readable(columns([line, b'{"id":"m1"}'], COMPANY), 2)


def test_nesting_without_end_breaks_nothing() -> None:
    all_readable(columns([b'{"id":"m1","name":' + b"[" * 100_000], COMPANY), 1)
