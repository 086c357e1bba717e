"""What is read from a Partner API member, and what a broken one does: nothing to the others."""

import json
from typing import Any

import pytest

from hris_pipeline.errors import HrisError
from hris_pipeline.settings.fields import RAW_COLUMNS
from hris_pipeline.sources import finch_wire, justworks_wire
from hris_pipeline.sources.justworks_wire import Reception, read_company, read_custom_fields
from hris_pipeline.sources.protocol import Company, CustomField, Office
from hris_pipeline.sources.raw_columns import SPELLS, WireField, wire_getters
from hris_pipeline_tests.kit.wire_company import COMPANY, gather_columns, justworks_columns, receive_member, row_of


def test_a_whole_member_gives_every_column() -> None:
    assert row_of(
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
    read = row_of(addresses=[], emails=[], phones=[], employment_history=[])
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
    read = row_of(emails=emails)
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
    assert row_of(phones=phones)["phone_number"] == number


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
    assert row_of(addresses=addresses)["residence_city"] == city


@pytest.mark.parametrize(
    ("employment", "country", "subtype"),
    [
        ({"GB": {"type": "part_time"}}, "GB", "part_time"),
        ({"GB": {}}, "MX", None),
        ({"GB": None}, "MX", None),
        ({"US": None, "CA": {"employment_type": "full_time"}}, "CA", "full_time"),
        ({"US": {}, "CA": {"start_date": "2020-01-01"}}, "CA", None),
        ({"USA": {"employment_type": "full_time"}}, "USA", "full_time"),
        ({"US": [{"employment_type": "full_time"}]}, "US", "full_time"),
        ([{"country": "CA", "employment_type": "full_time"}], "CA", "full_time"),
        ({"employment_type": "full_time"}, "MX", "full_time"),
        ({}, "MX", None),
        (None, "MX", None),
    ],
)
def test_the_country_is_that_of_the_employment_else_of_the_home(
    employment: object, country: str, subtype: str | None
) -> None:
    read = row_of(current_employment=employment, addresses=[{"type": "home", "country": "MX"}])
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
    read = row_of(employment_start_date=first, employment_history=[{"start_date": start} for start in starts])
    assert read["latest_rehire_date"] == rehire


@pytest.mark.parametrize(
    ("began", "rehire"), [("2025-03-01", "2025-03-01"), ("2020-01-01", None), ("2019-01-01", None), (None, None)]
)
def test_the_start_of_the_present_employment_counts_where_the_history_lacks_it(
    began: str | None, rehire: str | None
) -> None:
    history = [{"start_date": "2020-01-01", "end_date": "2024-05-01"}]
    employment = {"US": {"employment_type": "full_time", "start_date": began}}
    member = {"employment_start_date": "2020-01-01", "employment_history": history, "current_employment": employment}
    read = receive_member(**member)
    assert read["latest_rehire_date"] == rehire
    assert str(read[SPELLS]).endswith("2025-03-01/") == (rehire is not None)
    assert receive_member(**member, name=["otherwise"])["latest_rehire_date"] == rehire


def test_every_spell_is_handed_on_with_its_end() -> None:
    periods = [
        {"start_date": "2024-01-01T00:00:00Z", "end_date": "9999-12-31"},
        {"start_date": "2019-01-07", "end_date": "2020-12-31"},
        {"effective_date": "2022/3/1", "end_date": None},
    ]
    read = receive_member(employment_start_date="2019-01-07", employment_history=periods)
    assert read[SPELLS] == "2024-01-01/ 2019-01-07/2020-12-31 2022-03-01/"
    assert receive_member(employment_start_date="2019-01-07", employment_history=periods[1:2])[SPELLS] is None


@pytest.mark.parametrize("kind", ["employee_eor", "contractor", "something_new"])
def test_the_type_passes_through_as_it_is(kind: str) -> None:
    assert row_of(type=kind)["employment_type"] == kind


def test_an_unknown_office_has_no_place() -> None:
    assert row_of(office={"id": "elsewhere"})["employment_city"] is None


@pytest.mark.parametrize(
    ("member", "column", "value"),
    [
        ({"work_id": 42}, "justworks_id", "42"),
        ({"date_of_birth": {"year": 1990}}, "birth_date", '{"year": 1990}'),
        ({"emails": "a@acme.example"}, "email", "a@acme.example"),
        ({"emails": [7]}, "email", "7"),
        ({"department": "Engines"}, "department", "Engines"),
        ({"active": "yes"}, "active", None),
        ({"name": ["Ada"]}, "first_name", None),
    ],
)
def test_a_key_of_the_wrong_type_gives_its_text_and_loses_nothing_else(
    member: dict[str, object], column: str, value: object
) -> None:
    read = row_of(job_title="Analyst", **member)
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
    read = justworks_columns(lines)
    assert read["hris_id"] == ["a", "b", "c", None, None]
    assert read["job_title"] == ["new", "new", "new", "nobody", "nobody else"]


def test_the_company_is_read_tolerantly() -> None:
    body = {
        "id": "c",
        "legal_name": "Acme, Inc.",
        "offices": [
            {"id": "o1", "address": {"city": "Austin", "state": None}},
            {"id": "o2"},
            {"id": "o3", "city": "Reno", "country": "US"},
            {"id": "o4", "addresses": [{"line1": "1 St", "city": "Elko"}]},
            {"id": "o5", "location": {"town": "Ely"}},
            None,
            7,
        ],
        "departments": [{"id": "d1", "name": "Engines"}, {"id": "d2"}, {"name": "No id"}, None],
    }
    assert read_company(body) == Company(
        "c",
        "Acme, Inc.",
        (
            Office("o1", "Austin"),
            Office("o2"),
            Office("o3", "Reno", "", "US"),
            Office("o4", "Elko", line1="1 St"),
            Office("o5", unread=True),
        ),
        {"d1": "Engines"},
    )
    assert read_company([]) == Company("", "")
    fields = [
        {"id": "f1", "label": "Buddy", "type": "text", "options": []},
        {"id": "f2", "options": ["S", {"label": "M"}, None]},
        {"label": "lost"},
        7,
    ]
    assert read_custom_fields(fields) == (
        CustomField("f1", "Buddy", "text"),
        CustomField("f2", "f2", "", ("S", "M")),
    )


def test_a_manager_named_by_the_work_id_is_who_has_it_now() -> None:
    lines = [
        b'{"id":"boss","work_id":"7","active":true}',
        b'{"id":"former","work_id":"7","active":false}',
        b'{"id":"left","work_id":"8","active":false}',
        b'{"id":"x","work_id":"9","active":true}',
        b'{"id":"y","work_id":"9","active":true}',
        *(b'{"id":"r%d","manager":{"work_id":"%d"}}' % (number, number) for number in (7, 8, 9, 5)),
    ]
    read = justworks_columns(lines)
    assert read["supervisor_hris_id"][5:] == ["boss", "left", None, None]
    assert [bool(unread) for unread in read["unread"][5:]] == [False, False, True, True]


def test_of_equally_new_records_that_contradict_each_other_the_active_one_counts() -> None:
    lines = [
        b'{"id":"a","active":true,"job_title":"works","updated_at":"2026-01-01"}',
        b'{"id":"a","active":false,"job_title":"left","updated_at":"2026-01-01"}',
        b'{"id":"b","active":false,"job_title":"left"}',
        b'{"id":"b","active":true,"job_title":"works"}',
        b'{"id":"c","active":true,"job_title":"works","updated_at":"2026-01-01"}',
        b'{"id":"c","active":false,"job_title":"left","updated_at":"2026-01-02"}',
    ]
    assert justworks_columns(lines)["job_title"] == ["works", "works", "left"]


def test_ids_that_are_equal_once_cleaned_are_one_member() -> None:
    lines = [
        '{"id":"x-1","job_title":"old","updated_at":"2026-01-01"}',
        '{"id":" x-1 ","job_title":"newer","updated_at":"2026-01-02"}',
        '{"id":"x-1\\u200b","job_title":"newest","updated_at":"2026-01-03"}',
        '{"id":"caf\\u00e9"}',
        '{"id":"cafe\\u0301"}',
    ]
    read = justworks_columns(line.encode() for line in lines)
    assert (len(read["hris_id"]), read["job_title"][0]) == (2, "newest")
    records = [Reception(COMPANY).record(json.loads(line)) for line in lines]
    assert [record.hris_id for record in records] == ["x-1", "x-1", "x-1", "café", "café"]
    assert gather_columns(*records) == read


@pytest.mark.parametrize("wire", [justworks_wire, finch_wire])
def test_a_field_forgotten_in_one_wire_is_named(wire: Any) -> None:
    source = wire.__name__.rpartition(".")[2].removesuffix("_wire")
    for name in ("job_title", "active"):
        with pytest.raises(HrisError, match=f"{source}.*{name}"):
            wire_getters(source, {key: field for key, field in wire.FIELDS.items() if key != name})
    with pytest.raises(HrisError, match="shoe_size"):
        wire_getters(source, {**wire.FIELDS, "shoe_size": WireField(("shoe",), str)})
