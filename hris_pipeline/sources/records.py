"""From a source's answer to records that may be kept: of each member only the keys that a mapping can read, everything
else dropped and counted by name; and how the sources spell things: one table of keys by place and meaning, and the
words of types.

What is kept is an allow-list, at every depth; values of other keys never leave here. The first spelling that holds
something wins. Reading a member with them is the wires' business; a further spelling is one word here. The Partner
API's inner shapes are assumed, because the vendor publishes none; the aggregator's are documented.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hris_pipeline.sources.decoding import as_text
from hris_pipeline.sources.protocol import UnreadColumn

__all__ = [
    "ANY",
    "COUNTRY",
    "HOME",
    "MEMBER",
    "MOBILE",
    "NO_DEPARTMENT",
    "PERSONAL",
    "SINGLE",
    "SPELLINGS",
    "WORK",
    "Plan",
    "Pruner",
    "Shape",
    "UnreadTally",
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


SINGLE = None
"""A kept key that holds a single value."""

MEMBER = "member"
"""The place that is the member itself."""

ANY = object()
"""A kept key whose value is kept as it is: a custom field's."""

_MOST_SHAPES = 2000

_MOST_NAMES = 300

_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]{0,63}")

_TYPE = re.compile(r"[A-Za-z][A-Za-z_ -]{0,29}")

_ODD = "(unusual)"

_MORE = "(more)"

_COMPOUND = frozenset({dict, list})

_TYPE_KEYS = ("type", "kind")

_DEEP = 4


@dataclass(frozen=True, eq=False)
class Shape:
    """What is kept of one kind of object, known as ``place``: its keys, each with ``SINGLE``, ``ANY`` or the shape of
    the objects in it. With ``by_country`` a key that is a country holds the same shape again."""

    place: str
    keys: Mapping[str, Any]
    by_country: bool = False

    @classmethod
    def of(cls, spelling: str, place: str, *singles: str, by_country: bool = False, **more: Any) -> "Shape":
        """The shape of the keys that ``SPELLINGS`` has for ``spelling``, and more."""
        return cls(place, {**dict.fromkeys((*keys_of(spelling), *singles), SINGLE), **more}, by_country)


@dataclass(slots=True, eq=False)
class Plan:
    """What to do with objects of one shape that have the same keys: those that are kept, as single values and with the
    shape of what is in them. Met ``count`` times, unless it is not ``lasting``, because there were too many."""

    shape: Shape
    keys: tuple[str, ...]
    singles: tuple[str, ...]
    compounds: tuple[tuple[str, Shape], ...]
    lasting: bool
    count: int = 0


class Pruner:
    """Cuts members down to their shape; counts the names of keys. ``misfits`` are the kept keys of the last member, by
    place, under which a list or an object stood where a single value belongs: those are dropped too."""

    def __init__(self) -> None:
        self._plans: dict[tuple[int, tuple[str, ...]], Plan] = {}
        self._overflow: Counter[tuple[str, str, bool]] = Counter()
        self.misfits: list[tuple[str, str, object]] = []

    def prune(self, item: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
        """What is kept of one object."""
        plan = self._count_objects(tuple(item), shape)
        kept = {key: item[key] for key in plan.singles}
        if not _COMPOUND.isdisjoint(map(type, kept.values())):
            self._drop_compounds(kept, shape)
        for key, inner in plan.compounds:
            kept[key] = self._prune_value(item[key], inner) if key in shape.keys else self._in_country(item[key], inner)
        return kept

    def count(self, items: Iterable[Object], shape: Shape) -> None:
        """Counts the keys of objects that somebody else cuts down."""
        for keys, count in Counter(map(tuple, items)).items():
            self._count_objects(keys, shape, count)

    def counted(self) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
        """Keys that are read, by place; and all others, by dotted name."""
        read: dict[str, Counter[str]] = {}
        other: Counter[str] = Counter()
        for (place, key, is_kept), count in self._list_key_counts():
            if is_kept:
                read.setdefault(place, Counter())[key] += count
            else:
                name = _plain_name(key) if place == MEMBER else f"{place}.{_plain_name(key)}"
                other[name if name in other or len(other) < _MOST_NAMES else _MORE] += count
        return {place: dict(keys) for place, keys in sorted(read.items())}, dict(sorted(other.items()))

    def _list_key_counts(self) -> Iterable[tuple[tuple[str, str, bool], int]]:
        for plan in self._plans.values():
            countries = {key for key, _ in plan.compounds if key not in plan.shape.keys}
            for key in plan.keys:
                if key not in countries:
                    yield (plan.shape.place, key, key in plan.shape.keys), plan.count
        yield from self._overflow.items()

    def _count_objects(self, keys: tuple[str, ...], shape: Shape, count: int = 1) -> Plan:
        """What to do with so many objects that have those keys."""
        plan = self._plans.get((id(shape), keys)) or self._make_plan(shape, keys)
        plan.count += count
        if not plan.lasting:
            for key in keys:
                is_kept = key in shape.keys
                self._overflow[shape.place, key if is_kept else _ODD, is_kept] += count
        return plan

    def _make_plan(self, shape: Shape, keys: tuple[str, ...]) -> Plan:
        singles, compounds = [], []
        for key in keys:
            kind = shape.keys.get(key, self)
            if kind is SINGLE or kind is ANY:
                singles.append(key)
            elif isinstance(kind, Shape):
                compounds.append((key, kind))
            elif shape.by_country and COUNTRY.fullmatch(key):
                compounds.append((key, shape))
        lasting = len(self._plans) < _MOST_SHAPES
        plan = Plan(shape, keys, tuple(singles), tuple(compounds), lasting)
        if lasting:
            self._plans[id(shape), keys] = plan
        return plan

    def _drop_compounds(self, kept: dict[str, Any], shape: Shape) -> None:
        for key, value in list(kept.items()):
            if isinstance(value, dict | list) and shape.keys[key] is not ANY:
                self.misfits.append((shape.place, key, value))
                del kept[key]

    def _in_country(self, value: object, shape: Shape) -> object:
        """What is kept of a country: objects alone; True when it counts, though nothing of it is read."""
        if isinstance(value, list):
            kept: object = [self.prune(item, shape) for item in value if isinstance(item, dict)]
        else:
            kept = self.prune(value, shape) if isinstance(value, dict) else None
        return kept if holds_something(kept) or not holds_something(value) else True

    def _prune_value(self, value: object, shape: Shape) -> object:
        if type(value) is dict:
            return self.prune(value, shape)
        if type(value) is list:
            return [self._prune_value(item, shape) for item in value]
        return value


def _plain_name(key: str) -> str:
    """The key, when it looks like a name and not like somebody's data."""
    return key if _NAME.fullmatch(key) else _ODD


@dataclass
class UnreadTally:
    """Counts, by employee column, who sent something and for whom it could not be read."""

    _sent: Counter[str] = field(default_factory=Counter)
    _unread: Counter[str] = field(default_factory=Counter)
    _keys: dict[str, set[str]] = field(default_factory=dict)
    _types: dict[str, set[str]] = field(default_factory=dict)

    def sent(self, columns: Iterable[str], people: int = 1) -> None:
        """So many people sent something for the columns."""
        for column in columns:
            self._sent[column] += people

    def unread(self, columns: Iterable[str], value: object) -> None:
        """Of what somebody sent for the columns, ``value``, nothing could be read."""
        keys: set[str] = set()
        types: set[str] = set()
        _gather(value, keys, types, _DEEP)
        for column in columns:
            self._unread[column] += 1
            self._keys.setdefault(column, set()).update(keys)
            self._types.setdefault(column, set()).update(types)

    def counted(self) -> dict[str, UnreadColumn]:
        """By employee column, those alone of which anything was unread."""
        return {
            column: UnreadColumn(
                count=count,
                of=max(count, self._sent[column]),
                keys=tuple(sorted(self._keys[column])[:_MOST_NAMES]),
                types=tuple(sorted(self._types[column])[:_MOST_NAMES]),
            )
            for column, count in sorted(self._unread.items())
        }


def _gather(value: object, keys: set[str], types: set[str], depth: int) -> None:
    if isinstance(value, list):
        for item in value:
            _gather(item, keys, types, depth)
    elif isinstance(value, dict) and depth:
        for key, item in value.items():
            keys.add(_plain_name(key))
            if key in _TYPE_KEYS and isinstance(item, str) and _TYPE.fullmatch(item):
                types.add(item)
            _gather(item, keys, types, depth - 1)
