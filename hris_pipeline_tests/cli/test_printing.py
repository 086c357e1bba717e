"""Masks and cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.cli.printing import cell
from hris_pipeline.operations.review_rows import mask


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (None, None),
        ("", ""),
        ("M", "•"),
        ("US", "••"),
        ("Ana", "A••"),
        ("ana.lim@acme.example", "a••.•••@••••.•••••••"),
        ("1990-02-28", "1•••-••-••"),
        ("Łukasz Ōno", "Ł••••• •••"),
    ],
)
def test_a_mask_shows_the_first_letter_and_the_punctuation(value: str | None, masked: str | None) -> None:
    assert mask(value) == masked


@given(st.text())
def test_a_mask_never_shows_a_second_letter_or_digit(value: str) -> None:
    hidden = mask(value) or ""
    assert len(hidden) == len(value)
    assert not any(letter.isalnum() for letter in hidden[1:])


@given(st.text())
def test_a_cell_never_steers_the_terminal(value: str) -> None:
    assert all(letter.isprintable() for letter in cell(value).plain)
