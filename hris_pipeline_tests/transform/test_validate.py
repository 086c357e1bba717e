"""Validate: a bad row blocks no good one, and says what is wrong with it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.contract import QUARANTINE_COLUMNS
from hris_pipeline.errors import FrameInvalid
from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS, EMPLOYEE_FIELDS
from hris_pipeline.transform.columns import DATE, FLAG, TEXT
from hris_pipeline.transform.validate import CheckCount, check_summary, employees_schema
from hris_pipeline_tests.kit.frames import member, validated, values

BAD_VALUES = [
    ("hris_id", None, "missing"),
    ("first_name", " ", "missing"),
    ("last_name", None, "missing"),
    ("active", None, "missing"),
    ("active", '"yes"', "not_a_flag"),
    ("hris_id", "x" * 201, "too_long"),
    ("justworks_id", "x" * 101, "too_long"),
    ("first_name", "ü" * 101, "too_long"),
    ("last_name", "x" * 51, "too_long"),
    ("email", "ada", "not_an_email"),
    ("email", "@lovelace.org", "not_an_email"),
    ("email", "ada@", "not_an_email"),
    ("email", "ada lovelace@x.org", "not_an_email"),
    ("secondary_email", "a@b@c.org", "not_an_email"),
    ("email", '{"value":"ada@x.org"}, "b"', "not_an_email"),
    ("country_code", "U1", "not_a_country"),
    ("birth_date", "12/10/1985", "not_a_date"),
    ("birth_date", "1985-02-30", "not_a_date"),
    ("birth_date", "3/2/1985", "not_a_date"),
    ("birth_date", "1985-02/03", "not_a_date"),
    ("birth_date", "85-02-03", "not_a_date"),
    ("birth_date", "2023-02-29", "not_a_date"),
    ("hire_date", "0000-01-01", "not_a_date"),
    ("hire_date", "2020-01-15x", "not_a_date"),
    ("latest_rehire_date", "1899-12-31", "date_out_of_range"),
    ("termination_date", "2101-01-01", "date_out_of_range"),
]

GOOD_VALUES = [
    ("first_name", "ü" * 100, "ü" * 100),
    ("last_name", "x" * 50, "x" * 50),
    ("email", "ada@localhost", "ada@localhost"),
    ("email", "ådå+tag@bücher.example", "ådå+tag@bücher.example"),
    ("email", None, None),
    ("justworks_id", None, None),
    ("birth_date", None, None),
    ("birth_date", "2000-02-29", date(2000, 2, 29)),
    ("birth_date", "1900-01-01", date(1900, 1, 1)),
    ("termination_date", "2100-12-31", date(2100, 12, 31)),
    ("hire_date", "2020-01-15T23:59:59-05:00", date(2020, 1, 15)),
    ("hire_date", "2020-01-15 00:00", date(2020, 1, 15)),
    ("hire_date", "2020-1-5", date(2020, 1, 5)),
    ("hire_date", "2020/01/15", date(2020, 1, 15)),
    ("hire_date", "2020.1.15", date(2020, 1, 15)),
    ("hire_date", "20200115", date(2020, 1, 15)),
    ("hire_date", "\u200e2020-01-15", date(2020, 1, 15)),
    ("hire_date", "\uff12\uff10\uff12\uff10-01-15", date(2020, 1, 15)),
    ("termination_date", "9999-12-31", None),
    ("termination_date", "9999-12-31T00:00:00Z", None),
    ("termination_date", "99991231", None),
    ("termination_date", "1900-01-01", None),
    ("termination_date", "1970-01-01T00:00:00Z", None),
    ("country_code", "USA", "US"),
    ("country_code", "gbr", "GB"),
    ("custom_fields", '{"a": "b", "c": ["d", "e"]}', '{"a": "b", "c": ["d", "e"]}'),
    ("active", False, False),
]


@pytest.mark.parametrize(("field", "value", "check"), BAD_VALUES)
def test_a_bad_value_quarantines_its_row_alone_and_says_why(field: str, value: object, check: str) -> None:
    result = validated(member(1), member(2, **{field: value}), member(3))
    assert values(result.employees["hris_id"]) == ["m-1", "m-3"]
    assert values(result.quarantined["field"]) == [field]
    assert values(result.quarantined["check"]) == [check]
    assert values(result.quarantined["reason"]) != [None]
    assert values(result.quarantined["value"]) == [value if isinstance(value, str) and value.strip() else None]


@pytest.mark.parametrize(("ids", "known_by"), [({}, ["m-2", "0002"]), ({"hris_id": None}, [None, "0002"])])
def test_a_quarantined_person_is_known_by_the_ids_that_are_there(
    ids: dict[str, object], known_by: list[str | None]
) -> None:
    quarantined = validated(member(1), member(2, email="ada", **ids)).quarantined
    assert [values(quarantined[name])[0] for name in ("hris_id", "employee_id")] == known_by


@pytest.mark.parametrize(("field", "value", "kept"), GOOD_VALUES)
def test_a_good_value_passes_typed(field: str, value: object, kept: object) -> None:
    result = validated(member(1, **{field: value}))
    assert result.quarantined.empty
    assert values(result.employees[field]) == [kept]


def test_every_failed_check_of_a_row_is_a_line_in_the_order_of_the_extract() -> None:
    result = validated(
        member(1, last_name=None, email="ada"), member(2), member(3, country_code="usx"), member(4, hris_id=None)
    )
    lines = result.quarantined[["employee_id", "field", "check"]].values.tolist()
    assert sorted(lines) == [
        ["0001", "email", "not_an_email"],
        ["0001", "last_name", "missing"],
        ["0003", "country_code", "not_a_country"],
        ["0003", "country_code", "too_long"],
        ["0004", "hris_id", "missing"],
    ]
    assert [line[0] for line in lines] == ["0001", "0001", "0003", "0003", "0004"]
    assert tuple(result.quarantined.columns) == QUARANTINE_COLUMNS
    assert all(dtype == TEXT for dtype in result.quarantined.dtypes)


def test_valid_employees_satisfy_the_schema_and_are_typed_by_the_catalogue() -> None:
    employees = validated(member(1), member(2, email="ada")).employees
    employees_schema().validate(employees, lazy=True)
    kinds = {"date": DATE, "flag": FLAG}
    assert {field.name: kinds.get(field.kind, TEXT) for field in EMPLOYEE_FIELDS} == dict(employees.dtypes)
    assert tuple(employees.columns) == EMPLOYEE_COLUMNS


def test_the_schema_describes_every_column() -> None:
    described = employees_schema().columns
    assert {name: column.description for name, column in described.items()} == {
        field.name: field.description for field in EMPLOYEE_FIELDS
    }
    assert [name for name, column in described.items() if not column.nullable] == [
        field.name for field in EMPLOYEE_FIELDS if field.needed
    ]


def test_no_members_stop_the_run() -> None:
    with pytest.raises(FrameInvalid, match="no members"):
        validated()


@pytest.mark.parametrize("field", ["hris_id", "first_name", "last_name", "active"])
def test_a_needed_column_empty_for_everybody_stops_the_run_by_name(field: str) -> None:
    with pytest.raises(FrameInvalid, match=field):
        validated(member(1, **{field: None}), member(2, **{field: None}))


@pytest.mark.parametrize(
    ("bad", "of", "stops"),
    [(4, 4, False), (4, 5, False), (5, 5, True), (5, 25, False), (6, 25, True), (20, 100, False)],
)
def test_more_than_a_fifth_and_at_least_five_bad_rows_stop_the_run(bad: int, of: int, stops: bool) -> None:
    members = [member(number, email="ada" if number < bad else None) for number in range(of)]
    if stops:
        with pytest.raises(FrameInvalid, match=f"{bad} of {of} employed members") as caught:
            validated(*members)
        assert "email is no email address: " in str(caught.value)
    else:
        assert len(validated(*members).employees) == of - bad


def test_a_frame_failure_repeats_no_value() -> None:
    with pytest.raises(FrameInvalid) as caught:
        validated(*(member(number, email="canary", first_name="Canary" * 20) for number in range(9)))
    assert "canary" not in str(caught.value).lower()
    assert caught.value.__cause__ is None


def test_an_unknown_employment_type_passes_with_a_warning() -> None:
    words = [
        "employee",
        "Employee",
        "contractor",
        "us_contractor",
        "international_employee",
        "employee_eor",
        None,
        "robot",
    ]
    result = validated(*(member(number, employment_type=word) for number, word in enumerate(words)))
    assert result.warnings == {"unknown_employment_type": ("m-7",)}
    assert len(result.employees) == len(words)


def test_a_clean_extract_has_no_warnings_and_an_empty_quarantine() -> None:
    result = validated(member(1))
    assert result.warnings == {}
    assert tuple(result.quarantined.columns) == QUARANTINE_COLUMNS
    assert all(dtype == TEXT for dtype in result.quarantined.dtypes)


def test_the_summary_counts_by_field_and_check_and_names_people_by_id_only() -> None:
    result = validated(
        member(1),
        member(2, email="canary"),
        member(3, email="canary", last_name=None),
        member(4, justworks_id=None, email="x"),
    )
    assert check_summary(result.quarantined) == [
        CheckCount("email", "not_an_email", 3, ("0002", "0003", "m-4")),
        CheckCount("last_name", "missing", 1, ("0003",)),
    ]


anything = st.one_of(st.none(), st.text(), st.sampled_from([value for _, value, _ in BAD_VALUES]))
texts = [
    field.name for field in EMPLOYEE_FIELDS if not field.derived and field.name not in ("hris_id", "custom_fields")
]


@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(texts, anything)), min_size=1, max_size=6))
def test_every_member_is_either_a_valid_employee_or_known_in_the_quarantine(changes: list[dict[str, object]]) -> None:
    changed = [member(number, **(change | {"justworks_id": f"j-{number}"})) for number, change in enumerate(changes)]
    members = [*changed, *(member(number) for number in range(100, 130))]
    result = validated(*members)
    employees_schema().validate(result.employees, lazy=True)
    good, bad = set(values(result.employees["justworks_id"])), set(values(result.quarantined["employee_id"]))
    assert good.isdisjoint(bad)
    assert good | bad == {member["justworks_id"] for member in members}
