"""The rules of ``do_not_import`` as data: which question may be asked of which field, and with what value."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from hris_pipeline.settings.fields import Kind
from hris_pipeline.settings.values import Label, OnOff, SourceName, StrictModel, is_date, list_of, source_kind

__all__ = ["COMPARISON", "OPERATORS", "Condition", "Operator", "Rule", "matching_everybody"]

Operator = Literal[
    "equals",
    "not_equals",
    "in",
    "not_in",
    "contains",
    "starts_with",
    "ends_with",
    "is_empty",
    "is_not_empty",
    "before",
    "after",
    "at_least",
    "at_most",
]

OPERATORS: Mapping[Operator, Mapping[Kind, str]] = {
    "equals": {"text": "text", "custom": "text", "date": "date", "flag": "flag"},
    "not_equals": {"text": "text", "custom": "text", "date": "date", "flag": "flag"},
    "in": {"text": "texts", "custom": "texts", "date": "dates"},
    "not_in": {"text": "texts", "custom": "texts", "date": "dates"},
    "contains": {"text": "text", "custom": "text"},
    "starts_with": {"text": "text", "custom": "text"},
    "ends_with": {"text": "text", "custom": "text"},
    "is_empty": {"text": "nothing", "custom": "nothing", "date": "nothing", "flag": "nothing"},
    "is_not_empty": {"text": "nothing", "custom": "nothing", "date": "nothing", "flag": "nothing"},
    "before": {"custom": "date", "date": "date"},
    "after": {"custom": "date", "date": "date"},
    "at_least": {"text": "number", "custom": "number or date", "date": "date"},
    "at_most": {"text": "number", "custom": "number or date", "date": "date"},
}
"""Each operator, the kinds of field it can be asked of, and the value it then takes."""

COMPARISON: tuple[str, ...] = (
    "Blanks around a text never count, and a text that is only blanks is missing.",
    "Letter case never counts, nor do full-width letters, except in ids (`hris_id`, `justworks_id` and the "
    "supervisors'): those compare exactly.",
    "Dates compare as dates; a custom field is a date where its text is YYYY-MM-DD.",
    "`at_least` and `at_most` compare as numbers when their value is a number, else as dates; a text that is not one "
    "matches neither. They include the value itself, `before` and `after` do not.",
    "A missing value matches only `is_empty`, `not_equals` and `not_in`.",
    'A custom field with several values is one text, joined with ", "; ask it with `contains`.',
)
"""How values compare, as people are told."""

_QUOTE_IT = "; put numbers in quotes, because a bare number loses its leading zeros"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _all(holds: Callable[[object], bool], value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and all(holds(item) for item in value)


_VALUES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "nothing": (lambda value: value is None, "takes no value"),
    "text": (_is_text, f"needs a text (to ask for a blank, use is_empty){_QUOTE_IT}"),
    "texts": (lambda value: _all(_is_text, value), f"needs a list of texts{_QUOTE_IT}"),
    "date": (is_date, "needs a date, YYYY-MM-DD"),
    "dates": (lambda value: _all(is_date, value), "needs a list of dates, YYYY-MM-DD"),
    "flag": (lambda value: isinstance(value, bool), "needs true or false"),
    "number": (_is_number, "needs a number"),
    "number or date": (lambda value: _is_number(value) or is_date(value), "needs a number or a date, YYYY-MM-DD"),
}


def _one_way(value: Any) -> Any:
    """A list as a tuple, a whole number as an int: equal conditions are written, and digested, alike."""
    if isinstance(value, dict):
        raise ValueError("must be one value or a list of values")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return tuple(value) if isinstance(value, list) else value


Value = Annotated[
    str | bool | int | float | tuple[str | int | float | bool, ...] | None,
    BeforeValidator(_one_way),
]


class Condition(StrictModel):
    """One question about one field: ``field operator value``."""

    field: SourceName = Field(description="An employee column, or a custom field as custom:Label.")
    operator: Operator = Field(description="The question; which ones fit depends on the kind of field.")
    value: Value = Field(
        None, description="A text, a date as YYYY-MM-DD, a number, true or false, or a list for in and not_in."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        kind = source_kind(self.field)
        values = OPERATORS[self.operator]
        if kind not in values:
            fitting = ", ".join(operator for operator, kinds in OPERATORS.items() if kind in kinds)
            raise ValueError(f"{self.operator} cannot be asked of the {kind} field {self.field}; use one of: {fitting}")
        holds, expected = _VALUES[values[kind]]
        if not holds(self.value):
            raise ValueError(f"{self.operator} on {self.field} {expected}")
        return self


class Rule(StrictModel):
    """Leaves out the employees who meet all, or any, of its conditions."""

    name: Label = Field(description="Shown as the reason why somebody is left out; unique.")
    all: Annotated[tuple[Condition, ...], *list_of] = Field((), description="Matches who meets every one of these.")
    any: Annotated[tuple[Condition, ...], *list_of] = Field((), description="Matches who meets at least one of these.")
    archive_existing: OnOff = Field(False, description="on: an existing user who matches is archived; off: left alone.")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions, whether all or any of them are asked for."""
        return self.all or self.any

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if bool(self.all) == bool(self.any):
            raise ValueError("a rule has either `all` or `any`, with at least one condition")
        return self


def matching_everybody(rule: Rule) -> str:
    """What is wrong with a rule that matches everybody, in an administrator's words."""
    return f"rule {rule.name!r} matches everybody; nobody would be imported"
