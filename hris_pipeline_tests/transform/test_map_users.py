"""Map: what the settings in force make of valid employees."""

from datetime import date

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.contract import QUARANTINE_COLUMNS
from hris_pipeline.settings.fields import DEFAULT_METADATA, USER_FIELD_NAMES, TextRule
from hris_pipeline.settings.text import clean_value
from hris_pipeline.settings.validating import settings_from
from hris_pipeline.transform import columns
from hris_pipeline.transform.columns import DATE, TEXT, SourceColumns, text_from_source
from hris_pipeline.transform.map_users import EMPLOYMENT_COLUMNS, Mapped, map_users
from hris_pipeline.transform.normalise import is_international, with_plus
from hris_pipeline.transform.validate import Employees
from hris_pipeline_tests.kit.frames import TODAY, Company, Definition, member, validated, values

COMPANY = Company((Definition("f1", "Buddy"), Definition("f2", "Start"), Definition("f3", "Buddy")))
SERVICE = {
    "first_name": "3rd Party",
    "last_name": "Admin",
    "job_title": "Service Account",
    "birth_date": None,
    "residence_city": None,
}


def mapped(*members: dict[str, object], **document: object) -> Mapped:
    """The members mapped under a settings document, all of them valid."""
    result = validated(*members)
    assert result.quarantined.empty
    return map_users(result.people, settings_from(document), COMPANY, TODAY)


def mapped_value(field: str, person: dict[str, object], **document: object) -> object:
    """One mapped field of one member."""
    result = mapped(person, **document)
    assert result.quarantined.empty
    return values(result.users[field])[0]


def believed(result: Mapped) -> list[str]:
    """The hris_ids of those whose whole rows are to be believed."""
    return values(result.users["hris_id"][~result.users["leaver_only"].astype(bool)])


def checks(result: Mapped) -> list[tuple[str | None, ...]]:
    """Who is quarantined by which check of which field, and with what value."""
    names = ("hris_id", "field", "check", "value")
    return list(zip(*(values(result.quarantined[name]) for name in names), strict=True))


def test_users_have_the_core_fields_then_the_metadata_then_what_planning_needs_all_typed() -> None:
    users = mapped(member()).users
    assert list(users.columns) == [
        "hris_id",
        "justworks_id",
        *USER_FIELD_NAMES,
        *(f"#{name}" for name, _ in DEFAULT_METADATA),
        *EMPLOYMENT_COLUMNS,
    ]
    dates = {"birth_date", "hire_date", "latest_rehire_date"}
    assert dict(users.dtypes) == {name: DATE if name in dates else TEXT for name in users} | dict(EMPLOYMENT_COLUMNS)


def test_the_default_mapping_takes_the_column_of_the_same_name_and_the_ids() -> None:
    users = mapped(member(1), member(2, supervisor_hris_id="m-1", email="a@x.org", job_title="Poet")).users
    assert values(users["employee_id"]) == ["0001", "0002"]
    assert values(users["supervisor_id"]) == [None, "m-1"]
    assert values(users["email"]) == [None, "a@x.org"]
    assert values(users["#JobTitle"]) == [None, "Poet"]
    assert values(users["#IsManager"]) == ["true", "false"]


def test_an_excluded_field_is_not_in_the_frame() -> None:
    users = mapped(member(), exclude_fields=["birth_date", "JobTitle"]).users
    assert not {"birth_date", "#JobTitle"} & set(users)


def test_generated_employee_ids_are_not_mapped_and_not_asked_for() -> None:
    result = mapped(member(1, justworks_id=None), member(2), employee_ids="generated")
    assert "employee_id" not in result.users
    assert result.quarantined.empty


@pytest.mark.parametrize(
    ("source", "value", "text"),
    [
        ("hire_date", "2020-01-15", "2020-01-15"),
        ("active", True, "true"),
        ("job_title", "Poet", "Poet"),
        ("custom:Buddy", "0007", "0007"),
        ("custom:Nobody", None, None),
    ],
)
def test_metadata_is_text_whatever_its_source(source: str, value: object, text: str | None) -> None:
    person = member(custom_fields='{"f1": "0007"}') if source.startswith("custom:") else member(**{source: value})
    assert mapped_value("#X", person, metadata=[{"name": "X", "source": source}]) == text


@pytest.mark.parametrize(
    ("custom_fields", "text"),
    [
        (None, None),
        ("{}", None),
        ('{"f1": "Ada"}', "Ada"),
        ('{"f1": ["Ada", "Grace"]}', "Ada, Grace"),
        ('{"f1": []}', None),
        ('{"f1": " "}', None),
        ('{"f1": "A\\u0000da "}', "Ada"),
        ('{"f3": "Grace"}', "Grace"),
        ('{"f3": "Grace", "f1": ""}', "Grace"),
        ('{"unknown": "Ada"}', None),
    ],
)
def test_a_custom_field_is_shown_by_label_and_several_values_are_joined(
    custom_fields: str | None, text: str | None
) -> None:
    assert (
        mapped_value("#X", member(custom_fields=custom_fields), metadata=[{"name": "X", "source": "custom:Buddy"}])
        == text
    )


GOOD = '{"f1": "2020-01-01"}'


def test_source_columns_give_every_column_and_custom_field_by_name() -> None:
    employees = validated(member(custom_fields='{"f2": "2020-01-01"}')).employees
    source = SourceColumns(employees, COMPANY)
    assert values(source("hire_date")) == [date(2020, 1, 15)]
    assert values(source("custom:Start")) == ["2020-01-01"]


def test_a_manager_is_named_by_hris_id_whichever_column_names_them_and_shown_by_work_id() -> None:
    source, columns = "supervisor_justworks_id", ("#Boss", "#Boss's Id")
    metadata = [{"name": "Boss", "source": source, "type": "associated"}, {"name": "Boss's Id", "source": source}]
    people = [member(1), member(2, supervisor_hris_id="m-1"), member(3, supervisor_hris_id="m-9")]
    users = mapped(*people, mapping={"supervisor_id": source}, metadata=metadata).users
    assert values(users["supervisor_id"]) == [None, "m-1", None]
    assert [values(users[column]) for column in columns] == [[None, "m-1", None], [None, "0001", None]]


def test_custom_text_is_cleaned_once_however_many_settings_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned: list[str] = []

    def clean(value: str, rule: TextRule = "free") -> str | None:
        cleaned.append(value)
        return clean_value(value, rule)

    employees = validated(member(custom_fields='{"f1": "Zoë\u200b"}')).employees
    monkeypatch.setattr(columns, "clean_value", clean)
    source = SourceColumns(employees, COMPANY)
    assert [values(source("custom:Buddy")) for _ in range(3)] == [["Zoë"]] * 3
    assert cleaned == ["Zoë\u200b"]


def test_a_blank_employee_id_is_quarantined_and_shared_ones_all_are() -> None:
    result = mapped(
        member(1, justworks_id="A"),
        member(2, justworks_id="A"),
        member(3, justworks_id=None),
        member(4),
        member(5, justworks_id="a"),
    )
    assert believed(result) == ["m-4", "m-5"]
    assert checks(result) == [
        ("m-1", "employee_id", "employee_id_shared", "A"),
        ("m-2", "employee_id", "employee_id_shared", "A"),
        ("m-3", "employee_id", "employee_id_missing", None),
    ]
    assert values(result.quarantined["employee_id"]) == ["A", "A", None]
    assert tuple(result.quarantined.columns) == QUARANTINE_COLUMNS


@pytest.mark.parametrize(
    ("target", "value", "check"),
    [
        ("hire_date", "soon", "not_a_date"),
        ("hire_date", "1800-01-01", "date_out_of_range"),
        ("email", "ada", "not_an_email"),
        ("first_name", None, "missing"),
        ("last_name", "x" * 51, "too_long"),
        ("country_code", "U1", "not_a_country"),
        ("employee_id", "x" * 101, "too_long"),
        ("employee_id", None, "employee_id_missing"),
    ],
)
def test_a_remapped_field_is_held_to_the_checks_of_the_field_it_replaces(
    target: str, value: str | None, check: str
) -> None:
    people = [member(1, custom_fields=f'{{"f1": "{value or ""}"}}'), member(2, custom_fields=GOOD)]
    result = mapped(*people, mapping={target: "custom:Buddy"})
    assert ("m-1", target, check, value) in checks(result)
    assert "m-1" not in believed(result)


def test_a_remapped_field_is_typed_as_its_target() -> None:
    person = member(custom_fields='{"f2": "2019-05-06T00:00:00Z", "f1": "us"}')
    result = mapped(
        person, mapping={"hire_date": "custom:Start", "country_code": "custom:Buddy", "last_name": "hire_date"}
    )
    assert values(result.users["hire_date"]) == [date(2019, 5, 6)]
    assert values(result.users["country_code"]) == ["US"]
    assert values(result.users["last_name"]) == ["2020-01-15"]


REHIRED = member(hire_date="2010-01-01", latest_rehire_date="2022-02-02")
RETURNING = member(hire_date="2010-01-01", latest_rehire_date="2027-06-01")


@pytest.mark.parametrize(
    ("person", "priority", "hire_date", "rehired_on", "starts_on"),
    [
        (REHIRED, "original", date(2010, 1, 1), date(2022, 2, 2), date(2010, 1, 1)),
        (REHIRED, "latest", date(2022, 2, 2), date(2022, 2, 2), date(2010, 1, 1)),
        (RETURNING, "latest", date(2010, 1, 1), None, date(2010, 1, 1)),
        (member(hire_date="2010-01-01"), "latest", date(2010, 1, 1), None, date(2010, 1, 1)),
        (member(hire_date=None, latest_rehire_date="2022-02-02"), "original", None, date(2022, 2, 2), date(2022, 2, 2)),
        (member(hire_date=None), "latest", None, None, None),
    ],
)
def test_the_hire_date_in_force_follows_the_priority(
    person: dict[str, object], priority: str, hire_date: date | None, rehired_on: date | None, starts_on: date | None
) -> None:
    users = mapped(person, hire_date_priority=priority).users
    assert [values(users[name])[0] for name in ("hire_date", "rehired_on", "starts_on")] == [
        hire_date,
        rehired_on,
        starts_on,
    ]


def test_the_priority_also_holds_over_a_remapped_hire_date() -> None:
    person = REHIRED | {"custom_fields": '{"f2": "2001-01-01"}'}
    document = {"mapping": {"hire_date": "custom:Start"}}
    assert mapped_value("hire_date", person, **document) == date(2001, 1, 1)
    assert mapped_value("hire_date", person, **document, hire_date_priority="latest") == date(2022, 2, 2)


PERSON = {"first_name": "Ada", "last_name": "Lovelace", "job_title": None}

CONTRACTORS = {
    "name": "Contractors",
    "all": [{"field": "employment_type", "operator": "equals", "value": "contractor"}],
}
POETS = {
    "name": "Poets",
    "all": [{"field": "job_title", "operator": "contains", "value": "poet"}],
    "archive_existing": True,
}
BUDDIES = {"name": "Buddies", "any": [{"field": "custom:Buddy", "operator": "is_not_empty"}]}


@pytest.mark.parametrize(
    ("changes", "exclusion", "archive"),
    [
        ({}, None, False),
        ({"employment_type": "us_contractor"}, "rule:Contractors", False),
        ({"job_title": "Poet Laureate", "employment_type": "employee"}, "rule:Poets", True),
        ({"job_title": "Poet", "employment_type": "contractor"}, "rule:Contractors", False),
        ({"custom_fields": '{"f1": "x"}'}, "rule:Buddies", False),
        (SERVICE, "service_account", False),
        (SERVICE | {"employment_type": "contractor"}, "service_account", False),
    ],
)
def test_who_is_left_out_stays_in_the_frame_with_the_reason(
    changes: dict[str, object], exclusion: str | None, archive: bool
) -> None:
    users = mapped(member(**changes), do_not_import=[CONTRACTORS, POETS, BUDDIES]).users
    assert values(users["exclusion"]) == [exclusion]
    assert values(users["archive_existing"]) == [archive]


@pytest.mark.parametrize(
    ("changes", "is_one"),
    [
        ({}, True),
        ({"first_name": "Ada", "last_name": "Lovelace"}, True),
        ({"job_title": "  SERVICE\u00a0ACCOUNT "}, True),
        (PERSON | {"last_name": "Service Account"}, True),
        (PERSON | {"employment_type": "3rd Party Admin / Accountant"}, True),
        (PERSON | {"employment_type": "3rd_party_admin_accountant"}, True),
        (PERSON | {"first_name": "3rd Party", "last_name": "Admin/Accountant"}, True),
        (PERSON | {"first_name": "3RD  PARTY ADMIN /", "last_name": "ACCOUNTANT"}, True),
        (PERSON | {"job_title": "Service Account Manager"}, False),
        (PERSON | {"job_title": "Head of Service Accounts"}, False),
        (PERSON | {"first_name": "Service", "last_name": "Account"}, False),
        (PERSON | {"job_title": "3rd Party Admin / Accountant"}, False),
        (PERSON | {"job_title": "Admin"}, False),
        ({"birth_date": "1985-12-10"}, False),
        ({"residence_state": "NY"}, False),
        ({"residence_country": "US"}, False),
    ],
)
def test_a_service_account_is_marked_and_has_no_birth_date_and_no_residence(
    changes: dict[str, object], is_one: bool
) -> None:
    assert mapped_value("exclusion", member(**(SERVICE | changes))) == ("service_account" if is_one else None)


def test_who_is_left_out_is_not_quarantined_for_a_blank_employee_id_but_is_for_a_shared_one() -> None:
    result = mapped(
        member(1, **SERVICE, justworks_id=None), member(2, **SERVICE, justworks_id="A"), member(3, justworks_id="A")
    )
    assert believed(result) == ["m-1"]
    assert [line[:3] for line in checks(result)] == [
        ("m-2", "employee_id", "employee_id_shared"),
        ("m-3", "employee_id", "employee_id_shared"),
    ]


@pytest.mark.parametrize(
    ("sent", "with_setting", "warns", "warns_with_setting"),
    [
        ("+12125550100", "+12125550100", False, False),
        ("+1 (212) 555-0100", "+1 (212) 555-0100", False, False),
        ("+44 20 7946 0958", "+44 20 7946 0958", False, False),
        ("12125550100", "+12125550100", True, False),
        ("1 (212) 555.0100", "+1 (212) 555.0100", True, False),
        ("2125550100", "+2125550100", True, True),
        ("(212) 555-0100", "+(212) 555-0100", True, True),
        ("+44 (0)20 7946 0958", "+44 (0)20 7946 0958", True, True),
        ("ask at the desk", "ask at the desk", True, True),
        ("555-0100 ext. 7", "555-0100 ext. 7", True, True),
        ("+", "+", True, True),
        (None, None, False, False),
    ],
)
def test_phone_numbers_get_a_plus_only_when_asked_and_warn_when_they_are_not_international(
    sent: str | None, with_setting: str | None, warns: bool, warns_with_setting: bool
) -> None:
    for add_plus, number, warned in ((False, sent, warns), (True, with_setting, warns_with_setting)):
        result = mapped(member(phone_number=sent), add_plus_to_phone_numbers=add_plus)
        assert values(result.users["phone_number"]) == [number]
        assert result.warnings == ({"phone_not_international": ("m-1",)} if warned else {})


def test_nobody_is_warned_about_who_is_left_out_or_when_phones_are_excluded() -> None:
    assert mapped(member(**SERVICE, phone_number="x")).warnings == {}
    assert mapped(member(phone_number="x"), exclude_fields=["phone_number"]).warnings == {}


def test_every_example_number_of_every_numbering_plan_is_international() -> None:
    kinds = phonenumbers.PhoneNumberType.values()
    examples = {
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in kinds
        if (number := phonenumbers.example_number_for_type(region, kind))
    }
    assert len(examples) > 500
    assert is_international(text_from_source(sorted(examples))).all()


@given(st.lists(st.from_regex(r"\+[1-9][0-9]{3,13}", fullmatch=True), min_size=1))
def test_a_number_called_international_is_valid_to_the_phonenumbers_library(numbers: list[str]) -> None:
    for number, international in zip(numbers, is_international(text_from_source(numbers)), strict=True):
        if international:
            assert phonenumbers.is_valid_number(phonenumbers.parse(number))


@given(st.text())
def test_putting_a_plus_twice_is_putting_it_once(number: str) -> None:
    once = with_plus(text_from_source([number]))
    assert with_plus(once).equals(once)


def test_the_order_of_members_never_matters() -> None:
    people = [
        member(1, justworks_id="A"),
        member(2, justworks_id="A"),
        member(3, **SERVICE),
        member(4, phone_number="x"),
    ]
    forward, backward = mapped(*people), mapped(*reversed(people))
    assert forward.users.equals(backward.users[::-1].reset_index(drop=True))
    assert sorted(checks(forward)) == sorted(checks(backward))


def test_a_company_of_nobody_maps_to_no_users() -> None:
    people = validated(member()).people
    nobody = Employees(people.rows[:0], people.failed, people.unread, people.spells)
    document = settings_from({"do_not_import": [CONTRACTORS], "hire_date_priority": "latest"})
    result = map_users(nobody, document, COMPANY, TODAY)
    assert result.users.empty
    assert result.quarantined.empty
