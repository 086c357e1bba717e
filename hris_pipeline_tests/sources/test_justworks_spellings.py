"""A Partner API member in every spelling: read as what it means, or named as unread, never taken for empty."""

from typing import Any

import pytest

from hris_pipeline.settings.fields import RAW_COLUMNS
from hris_pipeline.sources.justworks_wire import Reception
from hris_pipeline_tests.kit.wire_company import COMPANY, receive_member


def test_every_spelling_is_read() -> None:
    for spelling, column, value in SPELLED:
        assert receive_member(**spelling)[column] == value, spelling
        assert receive_member(**spelling)["unread"] == [], spelling


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
    ({"name": {"given_name": {"value": "A"}, "family_name": "L"}}, ("first_name",), ("value",), ()),
    ({"addresses": [{"city": {"name": "Ely"}, "country": "US"}]}, ("residence_city",), ("name",), ()),
    ({"office": {"id": "o9", "city": "Reno", "state": ["NV"]}}, ("employment_state",), (), ()),
    ({"office": {"address": {"city": "Reno", "country": {"code": "US"}}}}, ("employment_country",), ("code",), ()),
    ({"current_employment": {"US": {"employment_type": {"label": "x"}}}}, ("employment_subtype",), ("label",), ()),
    ({"current_employment": {"type": "x", "country": {"code": "US"}}}, ("country_code",), ("code",), ()),
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
    read = receive_member(**member)
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
