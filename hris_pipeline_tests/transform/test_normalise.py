"""Normalise: what a source sent becomes clean employee columns, still text."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS
from hris_pipeline.transform.columns import TEXT
from hris_pipeline.transform.normalise import normalise
from hris_pipeline_tests.kit.frames import TODAY, columns, member, values


def test_the_columns_are_the_catalogues_in_its_order_and_all_text() -> None:
    frame = normalise(columns(member(1), member(2))).rows
    assert tuple(frame.columns) == EMPLOYEE_COLUMNS
    assert all(dtype == TEXT for dtype in frame.dtypes)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("  Ada ", "Ada"),
        ("\u3000Ada\u00a0", "Ada"),
        ("Mary\tAnn", "Mary Ann"),
        ("Mary\r\nAnn", "Mary Ann"),
        ("A\x00d\x1ba\x85", "Ada"),
        ("", None),
        (" \t ", None),
        (None, None),
        ("Zoë 李 محمد Ægir", "Zoë 李 محمد Ægir"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\ud800Ada", "?Ada"),
    ],
)
def test_text_is_trimmed_and_freed_of_control_characters_whatever_the_script(sent: str, kept: str | None) -> None:
    assert values(normalise(columns(member(first_name=sent))).rows["first_name"]) == [kept]


@given(st.lists(st.one_of(st.none(), st.text()), min_size=1))
def test_normalising_twice_changes_nothing_more(names: list[str | None]) -> None:
    once = normalise({"first_name": list(names)}).rows["first_name"]
    assert values(normalise({"first_name": values(once)}).rows["first_name"]) == values(once)


@pytest.mark.parametrize(("sent", "kept"), [(True, "true"), (False, "false"), (None, None), ('"yes"', '"yes"')])
def test_active_is_kept_as_sent_until_it_is_validated(sent: object, kept: str | None) -> None:
    assert values(normalise(columns(member(active=sent))).rows["active"]) == [kept]


def test_the_country_code_is_upper_case() -> None:
    assert values(normalise(columns(member(country_code=" us "))).rows["country_code"]) == ["US"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("contractor", "contractor"),
        ("International_Contractor", "contractor"),
        ("international_employee", "international_employee"),
        ("Volunteer", "Volunteer"),
        (None, None),
    ],
)
def test_every_word_for_a_contractor_is_contractor(sent: str | None, kept: str | None) -> None:
    assert values(normalise(columns(member(employment_type=sent))).rows["employment_type"]) == [kept]


def test_the_supervisors_justworks_id_is_that_persons_own() -> None:
    frame = normalise(
        columns(
            member(1),
            member(2, supervisor_hris_id=" m-1 "),
            member(3, supervisor_hris_id="elsewhere"),
            member(4, supervisor_hris_id="m-5"),
            member(5, justworks_id=None, hris_id="m-5"),
            member(6, hris_id=None),
        )
    ).rows
    assert values(frame["supervisor_justworks_id"]) == [None, "0001", None, None, None, None]


def test_a_column_the_source_never_gives_is_empty() -> None:
    frame = normalise({"hris_id": ["m-1", "m-2"]}).rows
    assert len(frame) == 2
    assert frame["email"].isna().all()


def test_no_members_are_no_rows() -> None:
    assert normalise(columns()).rows.shape == (0, len(EMPLOYEE_COLUMNS))


LATER, EARLIER = "2026-11-02T10:00:00Z", "2026-11-01T10:00:00Z"

LEFT = {"active": False}

EPOCHS = ("1970-01-01", "2200-01-01", "0", "7258118400", "7258118400000")
"""Where placeholders end and begin."""


def counting(*records: tuple[Mapping[str, object], object]) -> object:
    """The title of the record that counts of a person who is listed several times, with its ``updated_at``."""
    sent = columns(*(member(1, **fields) for fields, _ in records))
    return values(normalise({**sent, "updated_at": [stamp for _, stamp in records]}, TODAY).rows["job_title"])[0]


@pytest.mark.parametrize(
    "placeholder", ["9999-12-31T00:00:00Z", "9999-12-31", "2999-12-31T00:00:00Z", "0001-01-01", *EPOCHS]
)
def test_a_placeholder_is_no_newer_record(placeholder: str) -> None:
    works, left = {"job_title": "works"}, {"job_title": "left", **LEFT}
    assert counting((works, EARLIER), (left, placeholder)) == "works"
    assert counting((left, placeholder), (works, EARLIER)) == "works"


@pytest.mark.parametrize(
    ("works", "left"),
    [
        ({}, LEFT),
        ({}, {"termination_date": "2025-05-01"}),
        ({}, {"active": None, "termination_date": "2025-05-01"}),
        ({}, {"hire_date": "2025-07-01"}),
        ({}, {"active": None}),
        ({"active": None}, LEFT),
        ({"active": "yes"}, LEFT),
        ({"active": None}, {"termination_date": "2025-05-01"}),
        ({"termination_date": "2025-06-02"}, {"termination_date": "2025-06-01"}),
        ({"termination_date": "2025-06-30"}, {"hire_date": "2025-07-01"}),
        ({"termination_date": "soon"}, LEFT),
        ({"termination_date": "9999-12-31"}, {"termination_date": "2025-05-01"}),
        ({"termination_date": "1900-01-01", "hire_date": None}, {"termination_date": "2025-05-01"}),
        ({"termination_date": "2024-01-01", "latest_rehire_date": "2024-06-01"}, {"termination_date": "2025-05-01"}),
        ({"hire_date": "2025-07-01"}, LEFT),
    ],
)
@pytest.mark.parametrize(
    ("stamp", "other"),
    [
        (LATER, LATER),
        (LATER, "2026-11-02T11:00:00+01:00"),
        (None, None),
        *[(unknown, LATER) for unknown in (None, "", "garbage", "0001-01-01T00:00:00Z", "32/01/2026", "9" * 40, "5")],
    ],
)
def test_where_it_is_not_certain_which_record_is_newest_the_one_that_works_counts(
    works: dict[str, object], left: dict[str, object], stamp: object, other: object
) -> None:
    records = ({**works, "job_title": "works"}, stamp), ({**left, "job_title": "left"}, other)
    assert counting(*records) == counting(*reversed(records)) == "works"


@pytest.mark.parametrize(
    "earlier",
    [
        EARLIER,
        "2026-11-01",
        "2026-11-01 10:00:00 UTC",
        "2026-11-01 10:00:00",
        "2026-11-01T10:00:00.1234567Z",
        "Sun, 01 Nov 2026 10:00:00 GMT",
        "Sun, 01 Nov 2026 10:00:00 +0100",
        "1793527200",
        "1793527200.5",
        "1793527200000",
        "1712011200000",
    ],
)
def test_a_time_of_the_last_change_is_read_in_the_forms_that_sources_use(earlier: object) -> None:
    records = ({"job_title": "works"}, earlier), ({**LEFT, "job_title": "left"}, LATER)
    assert counting(*records) == counting(*reversed(records)) == "left"
    assert counting(({"job_title": "old"}, earlier), ({**LEFT, "job_title": "oldest"}, "2023-01-01")) == "old"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("1970-01-01T00:00:00.000001Z", "1970-01-01T00:00:00.000002Z"),
        ("1973-03-03T09:46:39.999Z", "100000000000"),
        ("100000000000", "1973-03-03T09:46:40.001Z"),
        ("2199-12-31T23:59:58Z", "2199-12-31T23:59:59Z"),
    ],
)
def test_up_to_its_ends_every_time_counts(earlier: str, later: str) -> None:
    records = ({"job_title": "works"}, earlier), ({**LEFT, "job_title": "left"}, later)
    assert counting(*records) == counting(*reversed(records)) == "left"


def test_an_older_record_is_no_rival_beside_one_whose_time_nobody_can_read() -> None:
    works, left = {"job_title": "works"}, {**LEFT, "job_title": "left"}
    assert counting((works, EARLIER), (left, LATER), (left, "garbage")) == "left"
    assert counting(({"job_title": "first"}, None), ({"job_title": "last"}, None)) == "last"
