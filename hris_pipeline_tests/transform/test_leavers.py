"""Rows that fail: quarantined, and still believed as far as leaving goes; and what makes a whole extract unusable."""

import re
from typing import Any

import pandas as pd
import pytest

from hris_pipeline.errors import SettingsInvalid
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS, RAW_COLUMNS
from hris_pipeline.settings.validating import settings_from
from hris_pipeline.transform.map_users import Mapped, map_users, mapped_users_schema
from hris_pipeline.transform.normalise import normalise
from hris_pipeline.transform.validate import TooManyBadRows, validate
from hris_pipeline_tests.kit.frames import TODAY, Company, Definition, columns, member, validated, values

COMPANY = Company((Definition("f1", "Badge"),))


def mapped(*members: dict[str, object], **document: object) -> Mapped:
    """The members of an extract, good and bad, as users."""
    settings = settings_from(document)
    result = map_users(validated(*members).people, settings, COMPANY, TODAY)
    mapped_users_schema(settings).validate(result.users, lazy=True)
    return result


def row(result: Mapped, hris_id: str) -> "pd.Series[Any]":
    return result.users[result.users["hris_id"] == hris_id].iloc[0]


LEFT = {"active": False, "termination_date": "2025-05-01"}


@pytest.mark.parametrize(
    "fault",
    [
        {"email": "no address"},
        {"birth_date": "31/12/1980"},
        {"last_name": None},
        {"country_code": "U1"},
        {"justworks_id": None},
        {"justworks_id": "x" * 101},
        {"latest_rehire_date": "soon"},
    ],
)
def test_a_leavers_row_that_is_bad_elsewhere_still_says_that_they_left(fault: dict[str, object]) -> None:
    result = mapped(member(1), member(2, **{**LEFT, **fault}))
    leaver = row(result, "m-2")
    assert leaver["leaver_only"]
    assert not leaver["active"]
    assert set(values(result.users["leaver_only"])) == {True, False}


@pytest.mark.parametrize(
    "fault",
    [
        {"active": "perhaps"},
        {"active": None},
        {"active": "perhaps", "termination_date": "2025-05-01"},
        {"active": None, "termination_date": "2025-05-01"},
        {"termination_date": "01.02.2025"},
        {"termination_date": "2025-05-01", "hire_date": "soon"},
        {"termination_date": "2025-05-01", "latest_rehire_date": "soon"},
    ],
)
def test_nobody_has_left_because_of_a_value_that_could_not_be_read(fault: dict[str, object]) -> None:
    person = row(mapped(member(1), member(2, **fault)), "m-2")
    assert person["leaver_only"]
    assert person["active"]
    assert person["termination_date"] is pd.NA


def test_a_row_without_an_hris_id_is_nobodys() -> None:
    assert values(mapped(member(1), member(2, hris_id=None)).users["hris_id"]) == ["m-1"]


def test_what_is_left_of_a_bad_row_is_kept_beside_the_good_ones() -> None:
    result = validated(member(1), member(2, email="no address", country_code="USA"))
    assert values(result.employees["hris_id"]) == ["m-1"]
    assert values(result.people.failed["email"]) == [None]
    assert values(result.people.failed["country_code"]) == ["US"]
    assert list(result.people.failed.columns) == list(result.employees.columns)


def test_who_left_blocks_nobody_who_has_their_employee_id_now() -> None:
    result = mapped(member(1, justworks_id="A", **LEFT), member(2, justworks_id="A"))
    assert result.quarantined.empty
    assert not row(result, "m-2")["leaver_only"]
    assert row(result, "m-2")["employee_id"] == "A"
    leaver = row(result, "m-1")
    assert leaver["employee_id"] is pd.NA
    assert leaver["justworks_id"] is pd.NA
    assert not leaver["active"]


def test_who_is_to_come_blocks_nobody_who_is_there() -> None:
    present, later = member(1, justworks_id="A"), member(2, justworks_id="A", hire_date="2025-06-10")
    assert mapped(present, later).quarantined.empty
    early = mapped(present, later, import_days_before_start=14)
    assert values(early.quarantined["hris_id"]) == ["m-2"]
    assert not row(early, "m-1")["leaver_only"]


def test_employee_ids_equal_once_cleaned_are_shared_and_hris_ids_are_one_person() -> None:
    result = mapped(member(1, justworks_id="x-1"), member(2, justworks_id="x\u200b-1 "), member(3))
    assert values(result.quarantined["hris_id"]) == ["m-1", "m-2"]
    twice = columns(member(1, hris_id="x-1", last_name="Old"), member(2, hris_id="x-1\u200b ", last_name="New"))
    stamped: dict[str, list[object]] = {**twice, "updated_at": ["2025-01-02T00:00:00Z", "2025-01-01T23:00:00+00:00"]}
    assert values(normalise(twice).rows["last_name"]) == ["New"]
    assert values(normalise(stamped).rows["last_name"]) == ["Old"]


def test_leavers_do_not_count_towards_too_many_bad_rows() -> None:
    leavers = [member(number, email="no address", **LEFT) for number in range(40)]
    result = validated(*leavers, *(member(number) for number in range(100, 105)))
    assert len(result.employees) == 5


def test_validation_and_mapping_count_together() -> None:
    bad = [member(number, email="no address") for number in range(3)]
    blank = [member(number, justworks_id=None) for number in range(10, 13)]
    good = [member(number) for number in range(100, 120)]
    with pytest.raises(TooManyBadRows, match=r"6 of 26 employed members.*employee_id is blank, so .* it: 3"):
        mapped(*bad, *blank, *good)
    assert len(mapped(*bad, *blank[:1], *good).users) == 24


def test_too_many_bad_rows_are_told_so_that_their_reasons_need_not_add_up() -> None:
    twice = [member(number, email="no address", birth_date="soon") for number in range(5)]
    left = [member(number, email="no address", **LEFT) for number in range(10, 12)]
    with pytest.raises(TooManyBadRows) as stopped:
        validated(*twice, *left, member(100))
    assert str(stopped.value).startswith("The rows of 5 of 6 employed members cannot be used, more than 20%. All bad")
    assert "a row can fail several and those of people who left are counted too: " in str(stopped.value)
    assert re.search(r"birth_date is [\w ,]+: 5, email is [\w ]+: 7", str(stopped.value))


def test_an_employee_id_that_nobody_has_stops_the_run_with_its_reasons() -> None:
    with pytest.raises(TooManyBadRows, match=r"custom:Badge \(employee_id is blank, .*: 2\)") as stopped:
        mapped(member(1), member(2), mapping={"employee_id": "custom:Badge"})
    assert values(stopped.value.quarantined["hris_id"]) == ["m-1", "m-2"]


def test_rows_that_were_bad_before_the_mapping_are_told_beside_those_that_it_finds() -> None:
    bad = [member(number, birth_date="soon") for number in range(4)]
    blank = [member(number, justworks_id=None) for number in range(4, 6)]
    reasons = "employee_id is blank, so nobody can be known by it: 2, bad before the mapping: 4"
    with pytest.raises(TooManyBadRows, match=f"The rows of 6 of 20 .*: {reasons}"):
        mapped(*bad, *blank, *(member(number) for number in range(6, 20)))


def test_a_rule_that_matches_everybody_is_refused_as_soon_as_there_are_values() -> None:
    rule = {"name": "Badged", "any": [{"field": "custom:Badge", "operator": "is_not_empty"}]}
    people = [member(number, custom_fields='{"f1": "x"}') for number in range(5)]
    with pytest.raises(SettingsInvalid, match="'Badged' matches everybody"):
        mapped(*people, do_not_import=[rule])
    assert len(mapped(*people, member(9), do_not_import=[rule]).users) == 6


def test_a_rule_whose_field_nobody_has_any_more_stops_no_import() -> None:
    rule = {"name": "Out", "all": [{"field": "department", "operator": "not_equals", "value": "Sales"}]}
    people = [member(number, department=None) for number in range(5)]
    assert set(values(mapped(*people, do_not_import=[rule]).users["exclusion"])) == {"rule:Out"}


UNREAD = {"email": None, "department": None}


def unread(*names: list[str], **document: object) -> Mapped:
    members = [member(number, **UNREAD) for number, _ in enumerate(names)]
    people = validate(normalise({**columns(*members), "unread": list(names)}), TODAY).people
    return map_users(people, settings_from(document), COMPANY, TODAY)


def test_what_is_unread_is_told_by_the_columns_it_would_have_fed() -> None:
    result = unread(["department", "email"], [])
    assert [sorted(names) if names is not None else None for names in values(result.users["unread"])] == [
        ["#Department", "email"],
        None,
    ]


@pytest.mark.parametrize(("priority", "fed"), [("original", []), ("latest", ["hire_date"])])
def test_an_unread_re_hire_date_feeds_the_hire_date_where_it_counts(priority: str, fed: list[str]) -> None:
    result = unread(["latest_rehire_date"], hire_date_priority=priority)
    assert sorted(values(result.users["unread"])[0]) == [*fed, "latest_rehire_date"]


def test_a_rule_archives_nobody_because_of_what_is_unread() -> None:
    rule = {"name": "None", "all": [{"field": "department", "operator": "is_empty"}], "archive_existing": True}
    members = columns(member(1), member(2), member(3, department="Sales"))
    people = validate(normalise({**members, "unread": [["department"], [], []]}), TODAY).people
    result = map_users(people, settings_from({"do_not_import": [rule]}), COMPANY, TODAY)
    assert values(result.users["exclusion"]) == ["rule:None", "rule:None", None]
    assert values(result.users["archive_existing"]) == [False, True, False]


ABSENT: tuple[dict[str, object], ...] = (
    {"operator": "is_empty"},
    {"operator": "not_equals", "value": "2020-01-01"},
    {"operator": "not_in", "value": ["2020-01-01"]},
)
NEVER_MISSING = {"hris_id", "justworks_id", "first_name", "last_name", "active", "is_manager", "custom_fields"}
OURS = [field.name for field in EMPLOYEE_FIELDS if "justworks" not in field.missing_in]
NOBODY_HAS = [name for name in OURS if name not in NEVER_MISSING]
NOTHING = dict.fromkeys(set(NOBODY_HAS) & set(RAW_COLUMNS))


def archived(condition: dict[str, object], *people: dict[str, object], group: str = "all") -> list[bool]:
    """Whom a rule of the condition and the name Eve archives; the first of the people is called so."""
    conditions = [condition, {"field": "first_name", "operator": "equals", "value": "Eve"}]
    rule = {"name": "Out", group: conditions, "archive_existing": True}
    members = [member(number, **person) for number, person in enumerate(people, start=1)]
    result = mapped(members[0] | {"first_name": "Eve"}, *members[1:], do_not_import=[rule])
    assert values(result.users["exclusion"])[0] == "rule:Out"
    return values(result.users["archive_existing"])


@pytest.mark.parametrize("condition", ABSENT, ids=lambda condition: str(condition["operator"]))
@pytest.mark.parametrize("field", [*NOBODY_HAS, "custom:Badge", "custom:Renamed"])
def test_a_rule_archives_nobody_because_of_a_field_that_nobody_has(field: str, condition: dict[str, object]) -> None:
    for group in ("all", "any"):
        assert archived({"field": field, **condition}, NOTHING, NOTHING, group=group) == [False, False]


@pytest.mark.parametrize("condition", ABSENT, ids=lambda condition: str(condition["operator"]))
@pytest.mark.parametrize(
    ("field", "somebody"),
    [
        ("birth_date", {"birth_date": "1990-09-09"}),
        ("department", {"department": "Sales"}),
        ("supervisor_hris_id", {"supervisor_hris_id": "m-1"}),
        ("supervisor_justworks_id", {"supervisor_hris_id": "m-1"}),
        ("custom:Badge", {"custom_fields": '{"f1": "b-1"}'}),
    ],
)
def test_a_rule_archives_who_lacks_a_field_that_somebody_has(
    field: str, somebody: dict[str, object], condition: dict[str, object]
) -> None:
    assert archived({"field": field, **condition}, NOTHING, NOTHING | somebody) == [True, False]


def test_a_field_of_the_service_account_alone_is_one_that_nobody_has() -> None:
    account = NOTHING | {"last_name": "Service Account", "department": "Sales"}
    assert archived({"field": "department", "operator": "is_empty"}, {}, account) == [False, False]


NO_MANAGER = {"field": "is_manager", "operator": "equals", "value": False}


def test_who_is_a_manager_is_unknown_where_nobody_has_one() -> None:
    assert archived(NO_MANAGER, {}, {}) == [False, False]
    assert archived(NO_MANAGER, {}, {}, {"supervisor_hris_id": "m-2"}) == [True, False, False]


@pytest.mark.parametrize(
    ("former", "is_certain"),
    [((), False), (({"active": False},), False), (({"termination_date": "2025-01-01"},), False), (({},), True)],
    ids=["gone", "listed as inactive", "past the last day", "at work"],
)
def test_who_is_a_manager_is_unknown_while_somebody_reports_to_an_id_of_nobody_who_works(
    former: tuple[dict[str, object], ...], is_certain: bool
) -> None:
    reports: list[dict[str, object]] = [{"supervisor_hris_id": "m-4"}, {"supervisor_hris_id": "m-2"}]
    assert archived(NO_MANAGER, {}, *reports, *former)[0] == is_certain


@pytest.mark.parametrize("column", ["supervisor_hris_id", "active"])
def test_who_is_a_manager_is_unknown_while_a_manager_is_unread(column: str) -> None:
    rule = {"name": "Out", "all": [NO_MANAGER], "archive_existing": True}
    members = columns(member(1), member(2, supervisor_hris_id="m-1"), member(3))
    people = validate(normalise({**members, "unread": [[], [], [column]]}), TODAY).people
    result = map_users(people, settings_from({"do_not_import": [rule]}), COMPANY, TODAY)
    assert values(result.users["archive_existing"]) == [False, False, False]


def test_what_another_rule_asks_of_an_unread_field_keeps_nobody_whom_a_readable_one_archives() -> None:
    rules = [
        {"name": "Adas", "all": [{"field": "first_name", "operator": "equals", "value": "Ada"}]},
        {"name": "None", "all": [{"field": "department", "operator": "is_empty"}]},
    ]
    archiving = [rule | {"archive_existing": True} for rule in rules]
    result = unread(["department"], [], do_not_import=archiving)
    assert values(result.users["exclusion"]) == ["rule:Adas", "rule:Adas"]
    assert values(result.users["archive_existing"]) == [True, True]


ENDED: dict[str, object] = {"termination_date": "2024-05-01"}
DOUBTS: list[tuple[dict[str, object], str, bool]] = [
    (ENDED, "latest_rehire_date", True),
    (ENDED, "hire_date", True),
    (ENDED, "department", False),
    ({}, "latest_rehire_date", False),
    ({"termination_date": "2025-06-02"}, "latest_rehire_date", False),
    (ENDED | {"latest_rehire_date": "2025-01-01"}, "hire_date", False),
    (ENDED | {"active": False}, "latest_rehire_date", False),
    ({}, "termination_date", True),
    ({"active": False}, "termination_date", False),
]


@pytest.mark.parametrize(("person", "column", "doubtful"), DOUBTS)
def test_a_termination_is_not_believed_while_the_starts_are_unread(
    person: dict[str, object], column: str, doubtful: bool
) -> None:
    members = columns(member(1, **person), member(2, **person))
    people = validate(normalise({**members, "unread": [[column], []]}), TODAY).people
    users = map_users(people, settings_from({}), COMPANY, TODAY).users
    assert values(users["may_have_left"]) == [doubtful, False]
    assert (values(users["termination_date"])[0] is None) == (doubtful or values(users["termination_date"])[1] is None)
    assert not users["leaver_only"].any()


SALES = {"name": "Sales stay", "all": [{"field": "department", "operator": "equals", "value": "Sales"}]}
ADAS = {
    "name": "Adas",
    "all": [{"field": "first_name", "operator": "equals", "value": "Ada"}],
    "archive_existing": True,
}
EXCEPTIONS: list[tuple[dict[str, Any], bool]] = [
    (SALES, False),
    (SALES | {"archive_existing": True}, True),
    ({"name": "X", "all": [*SALES["all"], {"field": "last_name", "operator": "equals", "value": "X"}]}, True),
    ({"name": "X", "any": [*SALES["all"], {"field": "last_name", "operator": "equals", "value": "X"}]}, False),
    ({"name": "X", "all": [{"field": "country_code", "operator": "is_not_empty"}]}, False),
]


@pytest.mark.parametrize(("exception", "archives"), EXCEPTIONS)
def test_an_exception_whose_field_is_unread_still_keeps_people_from_a_later_rule(
    exception: dict[str, Any], archives: bool
) -> None:
    members = columns(*(member(number, first_name="Ada") for number in (1, 2)), member(3, first_name="Eve"))
    somewhere: dict[str, list[object]] = {**members, "department": [None, "Support", None]}
    unread = [["department", "country_code"], [], []]
    people = validate(normalise({**somewhere, "country_code": [None, None, "US"], "unread": unread}), TODAY).people
    result = map_users(people, settings_from({"do_not_import": [exception, ADAS]}), COMPANY, TODAY)
    assert values(result.users["exclusion"])[:2] == ["rule:Adas", "rule:Adas"]
    assert values(result.users["archive_existing"])[:2] == [archives, True]


def test_an_exception_whose_field_nobody_has_still_keeps_people_from_a_later_rule() -> None:
    people = [member(number, first_name="Ada") for number in (1, 2)]
    everybody = [*people, member(3, first_name="Eve")]
    kept = mapped(*everybody, do_not_import=[SALES, ADAS])
    assert values(kept.users["archive_existing"]) == [False, False, False]
    filled = mapped(people[0], people[1] | {"department": "Sales"}, everybody[2], do_not_import=[SALES, ADAS])
    assert values(filled.users["exclusion"]) == ["rule:Adas", "rule:Sales stay", None]
    assert values(filled.users["archive_existing"]) == [True, False, False]
    after = mapped(*everybody, do_not_import=[ADAS, SALES])
    assert values(after.users["archive_existing"]) == [True, True, False], "an exception that comes later is none"


@pytest.mark.parametrize("has_holes", [False, True])
def test_who_is_a_manager_is_unknown_while_somebody_is_a_hole(has_holes: bool) -> None:
    people = validated(member(1), member(2, supervisor_hris_id="m-1"), member(3)).people
    managers = {"name": "Managers stay", "all": [NO_MANAGER | {"value": True}]}
    for rules in ([{"name": "Out", "all": [NO_MANAGER], "archive_existing": True}], [managers, ADAS]):
        settings = settings_from({"do_not_import": rules})
        result = map_users(people, settings, COMPANY, TODAY, has_holes=has_holes)
        assert values(result.users["archive_existing"]) == [False, not has_holes, not has_holes]


@pytest.mark.parametrize(
    ("country", "sent", "kept"),
    [
        (None, "(212) 555-0188", "(212) 555-0188"),
        ("US", "(212) 555-0188", "+12125550188"),
        ("US", "1 212 555 0188", "+12125550188"),
        ("US", "212-555-0188 x12", "+12125550188 x12"),
        ("US", "+44 20 7946 0958", "+44 20 7946 0958"),
        ("US", "555-0188", "555-0188"),
        ("US", "ask Ada", "ask Ada"),
        ("GB", "020 7946 0958", "+442079460958"),
        ("GB", "0044 20 7946 0958", "+442079460958"),
        ("gb", "07911 123456", "+447911123456"),
    ],
)
def test_a_national_number_of_the_country_is_completed_before_anything_else(
    country: str | None, sent: str, kept: str
) -> None:
    document = {} if country is None else {"default_calling_country": country}
    assert values(mapped(member(phone_number=sent), **document).users["phone_number"]) == [kept]


def test_a_completed_number_needs_no_plus() -> None:
    both = {"default_calling_country": "US", "add_plus_to_phone_numbers": True}
    assert values(mapped(member(phone_number="(212) 555-0188"), **both).users["phone_number"]) == ["+12125550188"]


def test_a_country_without_phone_numbers_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="default_calling_country"):
        settings_from({"default_calling_country": "Atlantis"})
