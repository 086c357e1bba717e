"""What is read from a Partner API member, in every spelling, and what a broken one does: nothing to the others."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.errors import HrisError
from hris_pipeline.settings.fields import RAW_COLUMNS
from hris_pipeline.sources import finch_wire, justworks_wire
from hris_pipeline.sources.justworks_wire import Reception, columns, read_company, read_custom_fields
from hris_pipeline.sources.protocol import Company, CustomField, Office, Record
from hris_pipeline.sources.raw_columns import SPELLS, UNREAD, ColumnBuilder, WireField, wire_getters
from hris_pipeline_tests.kit.wire_company import COMPANY


def gathered(*records: Record) -> dict[str, list[object]]:
    """The columns gathered while members arrived, without the archive."""
    builder = ColumnBuilder()
    for record in records:
        builder.append(record.row, record.unread, record.updated_at)
    return {name: column.to_pylist() for name, column in builder.finish().items()}


def received(**member: Any) -> dict[str, object]:
    """A member that was taken in, archived and read again."""
    reception = Reception(COMPANY)
    record = reception.record({"id": "m1", "active": True, **member})
    read = columns([record.line], COMPANY)
    assert gathered(record) == read
    unread = reception.report().unread
    assert set(unread) == set(read["unread"][0])
    assert all(column.count == column.of == 1 for column in unread.values())
    return {name: values[0] for name, values in read.items()} | {"report": unread}


def row(**member: Any) -> dict[str, object]:
    """The columns of a member: read of the line as it came, and the same after it was taken in."""
    read = columns([msgspec.json.encode({"id": "m1", "active": True, **member})], COMPANY)
    plain = {name: values[0] for name, values in read.items() if name in RAW_COLUMNS}
    if not read[UNREAD][0]:
        after = received(**member)
        assert after["unread"] or {name: after[name] for name in RAW_COLUMNS} == plain
    return plain


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


@pytest.mark.parametrize(
    ("began", "rehire"), [("2025-03-01", "2025-03-01"), ("2020-01-01", None), ("2019-01-01", None), (None, None)]
)
def test_the_start_of_the_present_employment_counts_where_the_history_lacks_it(
    began: str | None, rehire: str | None
) -> None:
    history = [{"start_date": "2020-01-01", "end_date": "2024-05-01"}]
    employment = {"US": {"employment_type": "full_time", "start_date": began}}
    member = {"employment_start_date": "2020-01-01", "employment_history": history, "current_employment": employment}
    read = received(**member)
    assert read["latest_rehire_date"] == rehire
    assert str(read[SPELLS]).endswith("2025-03-01/") == (rehire is not None)
    assert received(**member, name=["otherwise"])["latest_rehire_date"] == rehire


def test_every_spell_is_handed_on_with_its_end() -> None:
    periods = [
        {"start_date": "2024-01-01T00:00:00Z", "end_date": "9999-12-31"},
        {"start_date": "2019-01-07", "end_date": "2020-12-31"},
        {"effective_date": "2022/3/1", "end_date": None},
    ]
    read = received(employment_start_date="2019-01-07", employment_history=periods)
    assert read[SPELLS] == "2024-01-01/ 2019-01-07/2020-12-31 2022-03-01/"
    assert received(employment_start_date="2019-01-07", employment_history=periods[1:2])[SPELLS] is None


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
        ({"name": ["Ada"]}, "first_name", None),
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


def test_every_spelling_is_read() -> None:
    for spelling, column, value in SPELLED:
        assert received(**spelling)[column] == value, spelling
        assert received(**spelling)["unread"] == [], spelling


SPELLED: tuple[tuple[dict[str, Any], str, object], ...] = (
    ({"emails": [{"type": "work_email", "address": "w@a"}]}, "email", "w@a"),
    ({"emails": [{"kind": "Personal Email", "value": "p@a"}, {"kind": "WORK", "email": "w@a"}]}, "email", "w@a"),
    (
        {"emails": [{"type": "home_email", "email": "p@a"}, {"type": "work-email", "email": "w@a"}]},
        "secondary_email",
        "p@a",
    ),
    ({"emails": ["w@a"]}, "email", "w@a"),
    ({"phones": [{"country_code": "1", "number": "5125550147"}]}, "phone_number", "+15125550147"),
    ({"phones": [{"calling_code": "+44", "national_number": "020 7946 0123"}]}, "phone_number", "+442079460123"),
    ({"phones": [{"country_code": "US", "phone_number": "(512) 555-0147"}]}, "phone_number", "+15125550147"),
    ({"phones": [{"country_code": "1", "number": "+15125550147"}]}, "phone_number", "+15125550147"),
    ({"phones": [{"type": "mobile_phone", "national_number": 5125550147}]}, "phone_number", "5125550147"),
    ({"phones": [{"type": "home", "value": "1"}, {"type": "Cell Phone", "phone": "2"}]}, "phone_number", "2"),
    ({"department": {"id": "d1"}}, "department", "Engines"),
    ({"department": {"id": "d9", "name": "Own"}}, "department", "Own"),
    ({"department": {"id": "d9", "name": "No Department"}}, "department", None),
    ({"department": "Engines"}, "department", "Engines"),
    ({"manager": {"member_id": "m0"}}, "supervisor_hris_id", "m0"),
    ({"manager": "m0"}, "supervisor_hris_id", "m0"),
    ({"office": {"id": "o1"}}, "employment_city", "Austin"),
    ({"office": {"id": "o9", "city": "Reno"}}, "employment_city", "Reno"),
    ({"office": {"address": {"city": "Reno", "country_code": "US"}}}, "employment_country", "US"),
    ({"office": {"addresses": [{"city": "Reno"}]}}, "employment_city", "Reno"),
    ({"office": "o1"}, "employment_city", "Austin"),
    ({"office": {"id": "o4"}}, "employment_city", None),
    ({"addresses": [{"city": "Elko"}, {"city": "Ely"}]}, "residence_city", "Elko"),
    (
        {
            "addresses": [
                {
                    "line1": "1 Sample avenue",
                    "postal_code": "10013",
                    "city": "new york",
                    "state": "NY",
                    "country": "US",
                },
                {"line1": "2 Home St", "city": "Ely"},
            ]
        },
        "residence_city",
        "Ely",
    ),
    (
        {
            "addresses": [
                {"line1": "2 Home St", "postal_code": "10013", "city": "New York", "state": "NY", "country": "US"},
                {"city": "Ely"},
            ]
        },
        "residence_city",
        "New York",
    ),
    ({"addresses": [{"city": "Austin", "state": "TX", "country": "US"}, {"city": "Ely"}]}, "residence_city", "Ely"),
    ({"addresses": [{"type": "home_address", "city": "Ely"}]}, "residence_city", "Ely"),
    ({"addresses": [{"type": "work", "city": "Reno"}]}, "residence_city", None),
    (
        {"employment_start_date": "2019-01-01", "employment_history": [{"US": {"start_date": "2020-01-01"}}]},
        "latest_rehire_date",
        "2020-01-01",
    ),
    (
        {"employment_start_date": "2019-01-01", "employment_history": {"US": [{"start_date": "2020-01-01"}]}},
        "latest_rehire_date",
        "2020-01-01",
    ),
    (
        {"employment_start_date": "2019-01-01", "employment_history": [{"effective_date": "2020-01-01"}]},
        "latest_rehire_date",
        "2020-01-01",
    ),
    (
        {"employment_start_date": "2019-01-01", "employment_history": [{"start_date": "2019-01-01T00:00:00Z"}]},
        "latest_rehire_date",
        None,
    ),
    ({"custom_field_values": [{"custom_field_id": "f", "value": "a"}]}, "custom_fields", '{"f":"a"}'),
    ({"custom_field_values": [{"id": "f", "values": [{"label": "a"}, "b"]}]}, "custom_fields", '{"f":["a","b"]}'),
    ({"custom_field_values": [{"id": "f", "value": {"label": "a", "id": 9}}]}, "custom_fields", '{"f":"a"}'),
    ({"custom_field_values": [{"id": "f", "label": "F", "values": []}]}, "custom_fields", None),
    ({"emails": [], "phones": [], "addresses": [], "employment_history": []}, "email", None),
    ({"emails": None, "department": {}, "office": {"id": ""}, "manager": {"id": None}}, "department", None),
)
"""What a member holds, the column it is read as, and its value."""

UNREADABLE_SHAPES: tuple[tuple[dict[str, Any], tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    ({"emails": [{"type": "work", "mail": "w@a"}]}, ("email", "secondary_email"), ("mail", "type"), ("work",)),
    ({"emails": [{"type": "work"}]}, ("email", "secondary_email"), ("type",), ("work",)),
    ({"emails": {"work": "w@a"}}, ("email", "secondary_email"), ("work",), ()),
    (
        {"emails": [{"type": "work", "mail": "w@a"}, {"type": "personal", "email": "p@a"}]},
        ("email", "secondary_email"),
        ("email", "mail", "type"),
        ("personal", "work"),
    ),
    (
        {"emails": [{"type": "personal", "mail": "p@a"}, {"type": "work", "email": "w@a"}]},
        ("secondary_email",),
        ("email", "mail", "type"),
        ("personal", "work"),
    ),
    ({"phones": [{"digits": "1"}]}, ("phone_number",), ("digits",), ()),
    ({"department": {"title": "Engines"}}, ("department",), ("title",), ()),
    ({"department": {"id": "d9"}}, ("department",), ("id",), ()),
    ({"department": ["a", "b"]}, ("department",), (), ()),
    (
        {"manager": {"employee": {"id": "m0"}}},
        ("supervisor_hris_id", "supervisor_justworks_id"),
        ("employee", "id"),
        (),
    ),
    (
        {"office": {"id": "o9"}},
        ("employment_city", "employment_country", "employment_state"),
        ("id",),
        (),
    ),
    ({"office": {"id": "o3"}}, ("employment_city", "employment_country", "employment_state"), ("id",), ()),
    (
        {"addresses": [{"town": "Ely"}]},
        ("country_code", "residence_city", "residence_country", "residence_state"),
        ("town",),
        (),
    ),
    (
        {"addresses": [{"type": "permanent", "city": "Ely"}], "current_employment": {"US": {"type": "x"}}},
        ("residence_city", "residence_country", "residence_state"),
        ("city", "type"),
        ("permanent",),
    ),
    ({"current_employment": "full_time"}, ("country_code", "employment_subtype"), (), ()),
    ({"current_employment": {"US": {"rate": 5}}}, ("employment_subtype",), ("US", "rate"), ()),
    ({"employment_history": [{"from": "2020-01-01"}]}, ("latest_rehire_date",), ("from",), ()),
    (
        {"employment_history": [{"start_date": "2020-01-01"}, {"from": "2021-01-01"}]},
        ("latest_rehire_date",),
        ("from", "start_date"),
        (),
    ),
    ({"employment_history": {"US": {"from": "2020"}}}, ("latest_rehire_date",), ("US", "from"), ()),
    ({"employment_history": [{"start_date": "soon"}]}, ("latest_rehire_date",), ("start_date",), ()),
    (
        {"employment_history": [{"start_date": "2020-01-01", "end_date": "later"}]},
        ("latest_rehire_date",),
        ("end_date", "start_date"),
        (),
    ),
    ({"name": {"first": "A"}}, ("first_name", "last_name", "preferred_first_name"), ("first",), ()),
    ({"name": "Ada Lovelace"}, ("first_name", "last_name", "preferred_first_name"), (), ()),
    ({"custom_field_values": [{"id": "f", "text": "a"}]}, ("custom_fields",), ("id", "text"), ()),
    ({"custom_field_values": {"f": "a"}}, ("custom_fields",), ("f",), ()),
    ({"date_of_birth": {"year": 1990}}, ("birth_date",), ("year",), ()),
    ({"job_title": [{"title": "Analyst"}]}, ("job_title",), ("title",), ()),
)
"""What a member holds, the columns that are unread, and the names of keys and the type words that are told."""


@pytest.mark.parametrize(("member", "unread", "keys", "types"), UNREADABLE_SHAPES)
def test_what_is_spelled_otherwise_is_unread_and_not_empty(
    member: dict[str, Any], unread: tuple[str, ...], keys: tuple[str, ...], types: tuple[str, ...]
) -> None:
    read = received(**member)
    assert tuple(read["unread"]) == unread  # type: ignore[arg-type]
    assert all(read[column] is None for column in unread if column in RAW_COLUMNS)
    for column in read["report"].values():  # type: ignore[attr-defined]
        assert (column.keys, column.types) == (keys, types)
        assert "@" not in repr(column)
        assert "1990" not in repr(column)


def test_how_many_sent_it_and_for_how_many_it_is_unread_is_counted() -> None:
    reception = Reception(COMPANY)
    sent: tuple[object, ...] = ([{"mail": "x"}], [{"email": "y"}], [], None, [{}], [{"mail": "z"}])
    for emails in sent:
        reception.record({"id": "a", "emails": emails})
    email = reception.report().unread["email"]
    assert (email.count, email.of, email.keys) == (2, 3, ("mail",))


def test_a_manager_named_by_the_work_id_is_who_has_it_now() -> None:
    lines = [
        b'{"id":"boss","work_id":"7","active":true}',
        b'{"id":"former","work_id":"7","active":false}',
        b'{"id":"left","work_id":"8","active":false}',
        b'{"id":"x","work_id":"9","active":true}',
        b'{"id":"y","work_id":"9","active":true}',
        *(b'{"id":"r%d","manager":{"work_id":"%d"}}' % (number, number) for number in (7, 8, 9, 5)),
    ]
    read = columns(lines, COMPANY)
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
    assert columns(lines, COMPANY)["job_title"] == ["works", "works", "left"]


def test_ids_that_are_equal_once_cleaned_are_one_member() -> None:
    lines = [
        '{"id":"x-1","job_title":"old","updated_at":"2026-01-01"}',
        '{"id":" x-1 ","job_title":"newer","updated_at":"2026-01-02"}',
        '{"id":"x-1\\u200b","job_title":"newest","updated_at":"2026-01-03"}',
        '{"id":"caf\\u00e9"}',
        '{"id":"cafe\\u0301"}',
    ]
    read = columns((line.encode() for line in lines), COMPANY)
    assert (len(read["hris_id"]), read["job_title"][0]) == (2, "newest")
    records = [Reception(COMPANY).record(json.loads(line)) for line in lines]
    assert [record.hris_id for record in records] == ["x-1", "x-1", "x-1", "café", "café"]
    assert gathered(*records) == read


@pytest.mark.parametrize("wire", [justworks_wire, finch_wire])
def test_a_field_forgotten_in_one_wire_is_named(wire: Any) -> None:
    source = wire.__name__.rpartition(".")[2].removesuffix("_wire")
    for name in ("job_title", "active"):
        with pytest.raises(HrisError, match=f"{source}.*{name}"):
            wire_getters(source, {key: field for key, field in wire.FIELDS.items() if key != name})
    with pytest.raises(HrisError, match="shoe_size"):
        wire_getters(source, {**wire.FIELDS, "shoe_size": WireField(("shoe",), str)})


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
    assert tuple(read) == (*RAW_COLUMNS, SPELLS, UNREAD)
    assert len({len(column) for column in read.values()}) == 1
    assert 1 <= len(read["hris_id"]) <= rows
    for name in RAW_COLUMNS:
        for value in read[name]:
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
