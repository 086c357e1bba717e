"""Which rule of ``do_not_import`` leaves an employee out, over whole columns.

How values compare is said in ``conditions.COMPARISON``.
"""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.settings.conditions import Condition, Operator, Rule
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS
from hris_pipeline.settings.text import clean_value, fold_case

__all__ = ["match_condition", "match_rule", "match_rules", "matches_everybody"]

_IDS = frozenset(
    field.name for field in EMPLOYEE_FIELDS if field.reference or field.name in ("hris_id", "justworks_id")
)
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_NUMBER = r"^[-+]?[0-9]+(\.[0-9]+)?$"

Columns = Callable[[str], pd.Series]
"""Gives the column of a source (an employee column or ``custom:Label``): text, date or flag, null where missing."""


def match_rules(rules: Sequence[Rule], columns: Columns) -> pd.Series:
    """The name of the first rule each employee matches, null for none; indexed like ``columns("hris_id")``."""
    index = columns("hris_id").index
    names: pa.Array = pa.nulls(len(index), pa.string())
    for rule in reversed(rules):
        names = pc.if_else(_rule(rule, columns), pa.scalar(rule.name), names)
    return pd.Series(names, index=index, dtype=pd.ArrowDtype(pa.string()))


def match_rule(rule: Rule, columns: Columns) -> pd.Series:
    """Whether each employee matches ``rule``; never null."""
    return pd.Series(_rule(rule, columns), index=columns("hris_id").index, dtype=pd.ArrowDtype(pa.bool_()))


def matches_everybody(rule: Rule, columns: Columns) -> bool:
    """Whether there are people, and the rule matches all of them."""
    matches = match_rule(rule, columns)
    return bool(len(matches) and matches.all())


def _rule(rule: Rule, columns: Columns) -> pa.Array:
    combine = pc.and_ if rule.all else pc.or_
    matches, *others = (match_condition(condition, columns(condition.field)) for condition in rule.conditions)
    for other in others:
        matches = combine(matches, other)
    return matches


def match_condition(condition: Condition, column: pd.Series) -> pa.Array:
    """Whether each value of ``column`` answers the condition with yes; never null."""
    exact = condition.field in _IDS
    text = _comparable(pa.array(column, from_pandas=True), exact=exact)
    given = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    values = _comparable(pa.array([_as_text(value) for value in given], pa.string()), exact=exact)
    answer = _ANSWERS[condition.operator](text, values)
    return pc.fill_null(answer, condition.operator in ("not_equals", "not_in"))


def _as_text(value: object) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _comparable(values: pa.Array | pa.ChunkedArray, *, exact: bool) -> pa.Array:
    """Any column as trimmed text, without letter case (``text.fold_case``) unless ``exact``; blanks are null."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    text = pc.utf8_trim_whitespace(pc.cast(whole, pa.string()))
    text = pc.if_else(pc.equal(text, ""), None, text)
    unusual = pc.fill_null(pc.invert(pc.string_is_ascii(text)), False)
    if pc.any(unusual).as_py():
        alike = [clean_value(value, "id") if exact else fold_case(value) for value in text.filter(unusual).to_pylist()]
        text = pc.replace_with_mask(text, unusual, pa.array(alike, pa.string()))
    return text if exact else pc.ascii_lower(text)


def _ordered(compare: Callable[[pa.Array, pa.Scalar], pa.Array]) -> Callable[[pa.Array, pa.Array], pa.Array]:
    def answer(text: pa.Array, values: pa.Array) -> pa.Array:
        if pc.match_substring_regex(values, _DATE)[0].as_py():
            return compare(_only(text, _DATE), values[0])
        return compare(pc.cast(_only(text, _NUMBER), pa.float64()), pc.cast(values, pa.float64())[0])

    return answer


def _only(text: pa.Array, pattern: str) -> pa.Array:
    return pc.if_else(pc.match_substring_regex(text, pattern), text, None)


def _is_in(text: pa.Array, values: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_valid(text), pc.is_in(text, value_set=values), None)


_ANSWERS: Mapping[Operator, Callable[[pa.Array, pa.Array], pa.Array]] = {
    "equals": _is_in,
    "not_equals": lambda text, values: pc.invert(_is_in(text, values)),
    "in": _is_in,
    "not_in": lambda text, values: pc.invert(_is_in(text, values)),
    "contains": lambda text, values: pc.match_substring(text, values[0].as_py()),
    "starts_with": lambda text, values: pc.starts_with(text, values[0].as_py()),
    "ends_with": lambda text, values: pc.ends_with(text, values[0].as_py()),
    "is_empty": lambda text, _: pc.is_null(text),
    "is_not_empty": lambda text, _: pc.is_valid(text),
    "before": _ordered(pc.less),
    "after": _ordered(pc.greater),
    "at_least": _ordered(pc.greater_equal),
    "at_most": _ordered(pc.less_equal),
}
"""Each operator over comparable text and the condition's values; null where a missing value leaves it open."""
