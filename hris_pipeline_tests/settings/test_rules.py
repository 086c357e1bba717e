"""Which rule leaves an employee out: each operator on each kind of field, and against a slow oracle."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.settings.values import Condition, Rule
from hris_pipeline.transform.eligibility import match_condition, match_rule, match_rules
from hris_pipeline_tests.kit.settings_strategies import conditions


def series(values: list[Any], kind: pa.DataType | None = None) -> pd.Series:
    return pd.Series(values, dtype=pd.ArrowDtype(kind or pa.string()))


COLUMNS: dict[str, pd.Series] = {
    "hris_id": series(["a", "b", "c", "d", "e"]),
    "justworks_id": series(["0001", "0002", "A1", "a1", None]),
    "department": series(["Sales", " sales ", "Pre-Sales", "Vertriebsbüro", None]),
    "job_title": series(["5", "10", "-3.5", "x", ""]),
    "hire_date": series([date(2023, 12, 31), date(2024, 1, 1), date(2024, 6, 1), date(2025, 1, 1), None], pa.date32()),
    "is_manager": series([True, False, True, False, None], pa.bool_()),
    "custom:Level": series(["7", "Senior", "2024-05-01", "  ", None]),
    "custom:Sites": series(["NYC, LA", "la", "LA", "", None]),
}

CASES: list[tuple[str, str, Any, str]] = [
    ("department", "equals", "SALES", "ab"),
    ("department", "equals", " sales", "ab"),
    ("department", "not_equals", "sales", "cde"),
    ("department", "in", ["sales", "vertriebsBÜRO"], "abd"),
    ("department", "not_in", ["sales", "pre-sales"], "de"),
    ("department", "contains", "SALE", "abc"),
    ("department", "contains", ".", ""),
    ("department", "starts_with", "pre", "c"),
    ("department", "ends_with", "sales", "abc"),
    ("department", "is_empty", None, "e"),
    ("department", "is_not_empty", None, "abcd"),
    ("justworks_id", "equals", "a1", "d"),
    ("justworks_id", "equals", "1", ""),
    ("justworks_id", "in", ["0001", "A1"], "ac"),
    ("justworks_id", "starts_with", "a", "d"),
    ("justworks_id", "at_most", 1, "a"),
    ("job_title", "at_least", 5, "ab"),
    ("job_title", "at_most", 5.5, "ac"),
    ("job_title", "is_empty", None, "e"),
    ("hire_date", "equals", "2024-01-01", "b"),
    ("hire_date", "not_equals", "2024-01-01", "acde"),
    ("hire_date", "in", ["2024-01-01", "2025-01-01"], "bd"),
    ("hire_date", "not_in", ["2024-01-01"], "acde"),
    ("hire_date", "before", "2024-01-01", "a"),
    ("hire_date", "after", "2024-01-01", "cd"),
    ("hire_date", "at_least", "2024-01-01", "bcd"),
    ("hire_date", "at_most", "2024-01-01", "ab"),
    ("hire_date", "is_empty", None, "e"),
    ("is_manager", "equals", True, "ac"),
    ("is_manager", "equals", False, "bd"),
    ("is_manager", "not_equals", True, "bde"),
    ("is_manager", "is_empty", None, "e"),
    ("custom:Level", "at_least", 5, "a"),
    ("custom:Level", "at_least", "2024-01-01", "c"),
    ("custom:Level", "before", "2025-01-01", "c"),
    ("custom:Level", "equals", "7", "a"),
    ("custom:Level", "is_empty", None, "de"),
    ("custom:Sites", "equals", "la", "bc"),
    ("custom:Sites", "contains", "la", "abc"),
]


def names(matches: pd.Series) -> str:
    return "".join(COLUMNS["hris_id"][matches])


def rule(name: str, group: str, *asked: tuple[str, str, Any]) -> Rule:
    return Rule.model_validate(
        {
            "name": name,
            group: [{"field": field, "operator": operator, "value": value} for field, operator, value in asked],
        }
    )


@pytest.mark.parametrize(("field", "operator", "value", "matching"), CASES)
def test_an_operator_matches_exactly(field: str, operator: str, value: Any, matching: str) -> None:
    assert names(match_rule(rule("R", "all", (field, operator, value)), COLUMNS.__getitem__)) == matching


def test_all_asks_for_every_condition_and_any_for_one() -> None:
    asked = [("department", "contains", "sales"), ("is_manager", "equals", True)]
    assert names(match_rule(rule("R", "all", *asked), COLUMNS.__getitem__)) == "ac"
    assert names(match_rule(rule("R", "any", *asked), COLUMNS.__getitem__)) == "abc"


def test_the_first_rule_that_matches_gives_the_name() -> None:
    rules = (
        rule("Managers", "all", ("is_manager", "equals", True)),
        rule("Sales", "all", ("department", "contains", "sales")),
    )
    matched = match_rules(rules, COLUMNS.__getitem__)
    assert matched.fillna("-").tolist() == ["Managers", "Sales", "Managers", "-", "-"]
    assert matched.dtype == pd.ArrowDtype(pa.string())


def test_without_rules_nobody_matches() -> None:
    assert match_rules((), COLUMNS.__getitem__).isna().all()


def test_the_index_of_the_employees_is_kept() -> None:
    shuffled = {name: column.iloc[[3, 1]] for name, column in COLUMNS.items()}
    matched = match_rules([rule("R", "all", ("department", "equals", "sales"))], shuffled.__getitem__)
    assert matched.fillna("-").to_dict() == {3: "-", 1: "R"}


def test_a_company_without_employees_has_no_matches() -> None:
    empty = {name: column.iloc[:0] for name, column in COLUMNS.items()}
    assert len(match_rules([rule("R", "any", ("department", "equals", "x"))], empty.__getitem__)) == 0


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    seen = "".join(character for character in folded if unicodedata.category(character) != "Cf")
    return unicodedata.normalize("NFKC", seen)


_ORACLE: dict[str, Callable[[str, list[str]], bool]] = {
    "equals": lambda text, values: text == values[0],
    "not_equals": lambda text, values: text != values[0],
    "in": lambda text, values: text in values,
    "not_in": lambda text, values: text not in values,
    "contains": lambda text, values: values[0] in text,
    "starts_with": lambda text, values: text.startswith(values[0]),
    "ends_with": lambda text, values: text.endswith(values[0]),
    "is_empty": lambda text, values: False,
    "is_not_empty": lambda text, values: True,
}
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "before": lambda value, limit: value < limit,
    "after": lambda value, limit: value > limit,
    "at_least": lambda value, limit: value >= limit,
    "at_most": lambda value, limit: value <= limit,
}


def oracle(condition: Condition, text: str | None) -> bool:
    if text is None or not text.strip():
        return condition.operator in ("is_empty", "not_equals", "not_in")
    if condition.operator in _ORDERED:
        compare = _ORDERED[condition.operator]
        if isinstance(condition.value, str):
            dated = re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip())
            return dated is not None and compare(text.strip(), condition.value)
        numeric = re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", text.strip())
        return numeric is not None and compare(float(text), condition.value)
    given_values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    values = [_fold(str(value).strip()) for value in given_values]
    return _ORACLE[condition.operator](_fold(text.strip()), values)


_ascii = st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=6)
_texts = (
    st.none() | _ascii | st.dates().map(str) | st.integers(-99, 99).map(str) | st.sampled_from(["Sales", "ΣΊΣΥΦΟΣ"])
)


@given(conditions(st.sampled_from(["department", "custom:Level"])), st.lists(_texts, max_size=8), st.data())
def test_any_condition_on_any_texts_answers_as_the_oracle(
    asked: dict[str, Any], texts: list[str | None], data: st.DataObject
) -> None:
    if isinstance(asked["value"], str) and texts and asked["operator"] in ("equals", "contains", "starts_with"):
        near = data.draw(st.sampled_from(texts))
        asked |= {"value": near.swapcase() if near and near.strip() else "x"}
    condition = Condition.model_validate(asked)
    if not str(condition.value).isascii():
        condition = Condition(field=condition.field, operator="is_empty")
    answers = match_condition(condition, series(texts)).to_pylist()
    assert answers == [oracle(condition, text) for text in texts]
