"""Text: how one value is cleaned by what it is, and how it compares where letter case does not count."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.settings.fields import TextRule
from hris_pipeline.settings.text import clean_value, fold_case

RULES: tuple[TextRule, ...] = ("free", "name", "id", "email", "phone", "country")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (" x-1 ", "x-1"),
        ("x-1\u00a0", "x-1"),
        ("a\tb", "a b"),
        ("a\r\nb", "a b"),
        ("a\u2028b", "a b"),
        ("a\x00\x1bb", "ab"),
        ("\u200b", ""),
        ("\ufeffx-1", "x-1"),
        ("x-1\u200b ", "x-1"),
        ("Jose\u0301", "José"),
    ],
)
def test_every_text_is_trimmed_composed_and_free_of_what_cannot_be_seen(rule: TextRule, sent: str, kept: str) -> None:
    assert clean_value(sent, rule) == kept


@pytest.mark.parametrize("rule", ["id", "email", "phone", "country"])
@pytest.mark.parametrize(
    ("sent", "kept"),
    [("x\u200b-1", "x-1"), ("x\u200d1", "x1"), ("\u202a+1 212\u202c", "+1 212"), ("a\u00adb@x.org", "ab@x.org")],
)
def test_format_characters_go_from_ids_addresses_and_numbers(rule: TextRule, sent: str, kept: str) -> None:
    assert clean_value(sent, rule) == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
        ("\u200cمی", "می"),
        ("می\u200d", "می"),
        ("می \u200cخواهم", "می خواهم"),
        ("A\u200bda", "Ada"),
        ("\u202bمحمد\u202c", "محمد"),
        ("Zoe\u200b\u0308", "Zoë"),
    ],
)
def test_a_name_keeps_only_the_joiners_inside_a_word(sent: str, kept: str) -> None:
    assert clean_value(sent, "name") == kept


def test_a_free_text_keeps_what_belongs_to_it() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert clean_value(f" {family} ", "free") == family


@given(st.text(), st.sampled_from(RULES))
def test_cleaning_twice_changes_nothing_more_and_leaves_no_control_character(text: str, rule: TextRule) -> None:
    kept = clean_value(text, rule)
    assert clean_value(kept, rule) == kept
    assert unicodedata.is_normalized("NFC", kept)
    assert kept == kept.strip()
    unwanted = {"Cc"} if rule in ("free", "name") else {"Cc", "Cf"}
    assert not unwanted & {unicodedata.category(character) for character in kept}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("ADA@X.ORG", "ada@x.org"),
        ("STRASSE", "straße"),
        ("\uff21\uff44\uff41", "ada"),
        ("ﬁ", "FI"),
        ("Jose\u0301", "JOSÉ"),
        ("A\u200bda", "ada"),
        ("ΣΑΣ", "σας"),
    ],
)
def test_what_differs_in_letter_case_or_width_alone_compares_equal(left: str, right: str) -> None:
    assert fold_case(left) == fold_case(right)


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold_case(fold_case(text)) == fold_case(text)
