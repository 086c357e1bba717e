"""Normalise: what a source sent becomes clean employee columns, still text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS
from hris_pipeline.transform.columns import TEXT
from hris_pipeline.transform.normalise import normalise
from hris_pipeline_tests.kit.frames import columns, member, values


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


@settings(deadline=None)
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
