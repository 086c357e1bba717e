"""The kinds of values a setting can have, each with its check and its place in the JSON Schema."""

import re
import unicodedata
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Strict, WithJsonSchema
from pydantic_core import PydanticCustomError

from hris_pipeline.settings.fields import CUSTOM_PREFIX, EMPLOYEE_FIELDS, USER_FIELD_NAMES, Kind, MetadataName
from hris_pipeline.settings.suggestion import suggestion
from hris_pipeline.settings.text import clean_value

__all__ = [
    "SOURCE_COLUMNS",
    "AppriseUrl",
    "CallingCountry",
    "EmployeeId",
    "Label",
    "MetadataLabel",
    "OnOff",
    "QuarterHour",
    "Slug",
    "SourceName",
    "StrictModel",
    "UserFieldName",
    "ZoneName",
    "custom_label",
    "is_date",
    "list_of",
    "source_kind",
]

SOURCE_COLUMNS: tuple[str, ...] = tuple(field.name for field in EMPLOYEE_FIELDS if field.kind != "custom")
"""The employee columns that a mapping, a metadata field or a rule may name."""

_KINDS: dict[str, Kind] = {field.name: field.kind for field in EMPLOYEE_FIELDS if field.kind != "custom"}
_SLUG = r"[a-z0-9][a-z0-9-]{0,62}"
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
    return "custom" if custom_label(source) is not None else _KINDS[source]


def is_date(value: object) -> bool:
    """Whether ``value`` is the text of a calendar date, YYYY-MM-DD."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _source(value: str) -> str:
    label = custom_label(value)
    if label is not None:
        if not label.strip() or label != label.strip():
            raise ValueError(f"a custom field is written {CUSTOM_PREFIX}Label, without blanks around the label")
    elif value == "custom_fields":
        raise ValueError(f"name one custom field, as {CUSTOM_PREFIX}Label")
    elif value not in _KINDS:
        raise ValueError(
            f"no employee column {value!r}; use one of them or {CUSTOM_PREFIX}Label.{suggestion(value, SOURCE_COLUMNS)}"
        )
    return value


def _user_field(value: str) -> str:
    if value not in USER_FIELD_NAMES:
        raise ValueError(f"no user field {value!r}.{suggestion(value, USER_FIELD_NAMES)}")
    return value


def _employee_id(value: str) -> str:
    """As the store keeps it, so that it is found however somebody wrote it."""
    return _label(clean_value(value, "id"))


def _label(value: str) -> str:
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


def _slug(value: str) -> str:
    if not re.fullmatch(_SLUG, value):
        raise ValueError("must be a slug: lower-case letters, digits and hyphens, at most 63, no hyphen first")
    return value


def _zone(value: str) -> str:
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


def _switch(value: Any) -> Any:
    return _SWITCH_WORDS.get(value.lower(), value) if isinstance(value, str) else value


def _items(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise PydanticCustomError("list_type", "must be a list")
    return value


list_of = (BeforeValidator(_items), Strict(False))
"""For ``Annotated[tuple[X, ...], *Items]``: a list is a tuple; anything else is refused."""

OnOff = Annotated[
    bool,
    BeforeValidator(_switch),
    WithJsonSchema({"title": "on or off", "anyOf": [{"type": "boolean"}, {"enum": list(_SWITCH_WORDS)}]}),
]
"""true or false; the words on, off, yes and no are understood."""

Label = Annotated[str, AfterValidator(_label), WithJsonSchema({"title": "text", "type": "string", "maxLength": 100})]
EmployeeId = Annotated[
    str, AfterValidator(_employee_id), WithJsonSchema({"title": "text", "type": "string", "maxLength": 100})
]
MetadataLabel = Annotated[
    MetadataName,
    AfterValidator(lambda value: MetadataName(_label(value))),
    WithJsonSchema({"title": "text", "type": "string", "maxLength": 100}),
]
Slug = Annotated[
    str, AfterValidator(_slug), WithJsonSchema({"title": "slug", "type": "string", "pattern": f"^{_SLUG}$"})
]
CallingCountry = Annotated[
    str,
    AfterValidator(_calling_country),
    WithJsonSchema({"title": "country", "type": "string", "pattern": "^[A-Za-z]{2}$"}),
]
ZoneName = Annotated[str, AfterValidator(_zone), WithJsonSchema({"title": "time zone", "type": "string"})]
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
    AfterValidator(_source),
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
