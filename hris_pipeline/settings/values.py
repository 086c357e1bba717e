"""The kinds of values a setting can have, each with its check and its place in the JSON Schema; and the conditions of
``do_not_import``: which question may be asked of which field, and with what value.

Which settings there are is ``document``'s; how conditions are asked of people is ``transform.eligibility``'s.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hris_pipeline.contract import SLUG
from hris_pipeline.settings.fields import CUSTOM_PREFIX, EMPLOYEE_FIELDS_BY_NAME, USER_FIELD_NAMES, Kind, MetadataName
from hris_pipeline.settings.text import clean_value, nearest_or_all, suggestion

__all__ = [
    "COMPARISON",
    "OPERATORS",
    "SOURCE_COLUMNS",
    "AppriseUrl",
    "CallingCountry",
    "Condition",
    "EmployeeId",
    "Label",
    "MetadataLabel",
    "OnOff",
    "Operator",
    "QuarterHour",
    "Rule",
    "Slug",
    "SourceName",
    "StrictModel",
    "UserFieldName",
    "ZoneName",
    "custom_label",
    "is_date",
    "is_number",
    "list_of",
    "matching_everybody",
    "source_kind",
]

SOURCE_COLUMNS: tuple[str, ...] = tuple(
    name for name, field in EMPLOYEE_FIELDS_BY_NAME.items() if field.kind != "custom"
)
"""The employee columns that a mapping, a metadata field or a rule may name."""


_QUARTER_HOUR = r"(?:[01][0-9]|2[0-3]):(?:00|15|30|45)"

_SWITCH_WORDS = {"on": True, "yes": True, "off": False, "no": False}


class StrictModel(BaseModel):
    """A part of the settings document: immutable, strictly typed, without unknown keys; errors never repeat values."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


def custom_label(source: str) -> str | None:
    """The label of the custom field that ``source`` names (``custom:Label``); None for an employee column."""
    return source.removeprefix(CUSTOM_PREFIX) if source.startswith(CUSTOM_PREFIX) else None


def source_kind(source: str) -> Kind:
    """``text``, ``date``, ``flag`` or ``custom`` of a valid source."""
    return "custom" if custom_label(source) is not None else EMPLOYEE_FIELDS_BY_NAME[source].kind


def is_date(value: object) -> bool:
    """Whether ``value`` is the text of a calendar date, YYYY-MM-DD."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _check_source(value: str) -> str:
    label = custom_label(value)
    if label is not None:
        if not label.strip() or label != label.strip():
            raise ValueError(f"a custom field is written {CUSTOM_PREFIX}Label, without blanks around the label")
    elif value == "custom_fields":
        raise ValueError(f"name one custom field, as {CUSTOM_PREFIX}Label")
    elif value not in SOURCE_COLUMNS:
        hint = nearest_or_all(value, SOURCE_COLUMNS)
        raise ValueError(f"no employee column {value!r}; use one of them or {CUSTOM_PREFIX}Label.{hint}")
    return value


def _user_field(value: str) -> str:
    if value not in USER_FIELD_NAMES:
        raise ValueError(f"no user field {value!r}.{nearest_or_all(value, USER_FIELD_NAMES)}")
    return value


def _employee_id(value: str) -> str:
    """As the store keeps it, so that it is found however somebody wrote it."""
    return _check_label(clean_value(value, "id"))


def _check_label(value: str) -> str:
    if not value.strip() or value != value.strip():
        raise ValueError("must not be blank nor have blanks around it")
    if len(value) > 100:
        raise ValueError("must not be longer than 100 characters")
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise ValueError("must not hold control characters")
    return value


def _calling_country(value: str) -> str:
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 (slow to import, and most settings have no country)

    country = value.strip().upper()
    if country not in SUPPORTED_REGIONS:
        raise ValueError("must be a country that has phone numbers, as its two letters (ISO 3166-1), such as US or GB")
    return country


def _check_slug(value: str) -> str:
    if not re.fullmatch(SLUG, value):
        raise ValueError("must be a slug: lower-case letters, digits and hyphens, at most 63, no hyphen first")
    return value


def _check_time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, KeyError, OSError):
        hint = suggestion(value, available_timezones())
        raise ValueError(f"no such time zone; use a name like America/New_York.{hint}") from None
    return value


def _quarter_hour(value: str) -> str:
    if not re.fullmatch(_QUARTER_HOUR, value):
        raise ValueError("must be a quarter hour of the day as HH:MM, such as 04:00, 04:15, 04:30 or 04:45")
    return value


def _apprise_url(value: str) -> str:
    try:
        scheme = urlsplit(value).scheme
    except ValueError:
        scheme = ""
    if not scheme or not value.startswith(f"{value[: len(scheme)]}://") or len(value) <= len(scheme) + 3:
        raise ValueError("must be an apprise URL, scheme://…, such as mailto://… or slack://…")
    return value


def _read_switch(value: Any) -> Any:
    return _SWITCH_WORDS.get(value.lower(), value) if isinstance(value, str) else value


def _require_list(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise PydanticCustomError("list_type", "must be a list")
    return value


list_of = (BeforeValidator(_require_list), Strict(False))
"""For ``Annotated[tuple[X, ...], *Items]``: a list is a tuple; anything else is refused."""

OnOff = Annotated[
    bool,
    BeforeValidator(_read_switch),
    WithJsonSchema({"title": "on or off", "anyOf": [{"type": "boolean"}, {"enum": list(_SWITCH_WORDS)}]}),
]
"""true or false; the words on, off, yes and no are understood."""

Label = Annotated[
    str, AfterValidator(_check_label), WithJsonSchema({"title": "text", "type": "string", "maxLength": 100})
]

EmployeeId = Annotated[
    str, AfterValidator(_employee_id), WithJsonSchema({"title": "text", "type": "string", "maxLength": 100})
]

MetadataLabel = Annotated[
    MetadataName,
    AfterValidator(lambda value: MetadataName(_check_label(value))),
    WithJsonSchema({"title": "text", "type": "string", "maxLength": 100}),
]

Slug = Annotated[
    str, AfterValidator(_check_slug), WithJsonSchema({"title": "slug", "type": "string", "pattern": f"^{SLUG}$"})
]

CallingCountry = Annotated[
    str,
    AfterValidator(_calling_country),
    WithJsonSchema({"title": "country", "type": "string", "pattern": "^[A-Za-z]{2}$"}),
]

ZoneName = Annotated[str, AfterValidator(_check_time_zone), WithJsonSchema({"title": "time zone", "type": "string"})]

QuarterHour = Annotated[
    str,
    AfterValidator(_quarter_hour),
    WithJsonSchema({"title": "HH:MM", "type": "string", "pattern": f"^{_QUARTER_HOUR}$"}),
]

AppriseUrl = Annotated[
    str,
    AfterValidator(_apprise_url),
    WithJsonSchema({"title": "apprise URL", "type": "string", "pattern": "^[^:/]+://.+"}),
]

SourceName = Annotated[
    str,
    AfterValidator(_check_source),
    WithJsonSchema(
        {
            "title": "source",
            "anyOf": [{"enum": list(SOURCE_COLUMNS)}, {"type": "string", "pattern": f"^{CUSTOM_PREFIX}\\S.*$"}],
        }
    ),
]

UserFieldName = Annotated[
    str, AfterValidator(_user_field), WithJsonSchema({"title": "user field", "enum": list(USER_FIELD_NAMES)})
]

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


def is_number(value: object) -> bool:
    """Whether it is a number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_tuple_of(holds: Callable[[object], bool], value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and all(holds(item) for item in value)


_VALUES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "nothing": (lambda value: value is None, "takes no value"),
    "text": (_is_text, f"needs a text (to ask for a blank, use is_empty){_QUOTE_IT}"),
    "texts": (lambda value: _is_tuple_of(_is_text, value), f"needs a list of texts{_QUOTE_IT}"),
    "date": (is_date, "needs a date, YYYY-MM-DD"),
    "dates": (lambda value: _is_tuple_of(is_date, value), "needs a list of dates, YYYY-MM-DD"),
    "flag": (lambda value: isinstance(value, bool), "needs true or false"),
    "number": (is_number, "needs a number"),
    "number or date": (lambda value: is_number(value) or is_date(value), "needs a number or a date, YYYY-MM-DD"),
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
    def _check_condition(self) -> Self:
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
    archive_existing: OnOff = Field(
        False,
        description="on: an existing user who matches is archived, unless a field of the rule is unread for them, or "
        "nobody in the extract has it; off: left alone.",
    )

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
