"""How the sources spell things: one table of keys by place and meaning, and the words of types. The first spelling that
holds something wins. Reading a member with them is the wires' business; a further spelling is one word here.

The Partner API's inner shapes are assumed, because the vendor publishes none; the aggregator's are documented.
"""

import re
from collections.abc import Mapping
from typing import Any

from hris_pipeline.sources.decoding import as_text

__all__ = [
    "COUNTRY",
    "HOME",
    "MOBILE",
    "NO_DEPARTMENT",
    "PERSONAL",
    "SPELLINGS",
    "WORK",
    "holds_something",
    "keys_of",
    "scalar",
    "spelled",
    "type_word",
]

Object = Mapping[str, Any]

SPELLINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "name": {
        "first": ("given_name",),
        "last": ("family_name",),
        "preferred": ("preferred_name",),
    },
    "email": {
        "type": ("type", "kind"),
        "value": ("email", "address", "value", "data"),
    },
    "phone": {
        "type": ("type", "kind"),
        "value": ("number", "phone", "phone_number", "national_number", "value", "data"),
        "calling_code": ("country_code", "calling_code"),
    },
    "address": {
        "type": ("type", "kind"),
        "city": ("city",),
        "state": ("state",),
        "country": ("country", "country_code"),
    },
    "department": {"id": ("id",), "name": ("name",)},
    "office": {"id": ("id",)},
    "manager": {"id": ("id", "member_id"), "work_id": ("work_id",)},
    "employment": {"subtype": ("employment_type", "type")},
    "period": {"start": ("start_date", "effective_date"), "end": ("end_date",)},
    "custom_value": {"id": ("id", "custom_field_id", "name"), "value": ("values", "value")},
    "option": {"label": ("label", "name", "value")},
}
"""By place and meaning: the keys that may hold it."""

WORK = frozenset({"work", "business", "office", "company"})
PERSONAL = frozenset({"personal", "home", "private"})
MOBILE = frozenset({"mobile", "cell", "cellphone", "cellular"})
HOME = ("home", "residence", "residential", "personal", "mailing")
"""The words of types; those of an address in order of preference."""

NO_DEPARTMENT = "no department"

COUNTRY = re.compile(r"[A-Z]{2,3}")
"""A key that is a country and no word of the wire: alpha-2 or alpha-3."""

_SUFFIX = re.compile(r"_?(?:e?mail|phone|number|telephone|address)$")
_SEPARATOR = re.compile(r"[\s_-]+")


def type_word(value: object) -> str:
    """The word of a type in any case and with any ending: ``work_email``, ``Work Phone`` and ``WORK`` are ``work``."""
    if type(value) is not str:
        return ""
    word = _SEPARATOR.sub("_", value.strip().lower())
    return _SUFFIX.sub("", word) or word


def keys_of(place: str) -> tuple[str, ...]:
    """Every key that is read at a place."""
    return tuple(dict.fromkeys(key for keys in SPELLINGS[place].values() for key in keys))


def spelled(item: Object, keys: tuple[str, ...]) -> str | None:
    """The first text that ``item`` holds under one of the keys."""
    for key in keys:
        if (value := scalar(item.get(key))) is not None:
            return value
    return None


def scalar(value: object) -> str | None:
    """``value`` as text when it is a single one and holds something."""
    if type(value) is str:
        return value if value and not value.isspace() else None
    return None if value is None or isinstance(value, dict | list) else as_text(value)


def holds_something(value: object) -> bool:
    """Whether anything at all stands in ``value``, at whatever depth: an empty text or list is nothing."""
    if isinstance(value, dict):
        return any(map(holds_something, value.values()))
    if isinstance(value, list):
        return any(map(holds_something, value))
    return value is not None and value != ""
