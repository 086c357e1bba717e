"""Partner API members that look as documented, read at once: what is kept of each, and the person. Whoever does not
look so in any detail is left to the tolerant way (``records`` and ``justworks_person``), which reads the same of these
too: that is tested. Every shortcut here is one of time, never of what is accepted, kept or counted.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import NoneType
from typing import Any

from hris_pipeline.sources.justworks_person import CUSTOM_VALUES_KEY, Member, Person
from hris_pipeline.sources.protocol import Office
from hris_pipeline.sources.raw_columns import chosen_phone, pick_emails
from hris_pipeline.sources.records import HOME, SPELLINGS, Plan, Pruner, Shape, scalar, type_word
from hris_pipeline.sources.shapes import (
    NOWHERE,
    Place,
    period_day,
    read_custom_values,
    read_spells,
    real_department,
    rehire_date,
)

__all__ = ["DocumentedReader"]

Kept = dict[str, Any]

_TEXTS = frozenset({str, NoneType})
_SINGLES = frozenset({str, bool, NoneType})
_EMPTY: tuple[object, ...] = ({}, [], None)

_word = lru_cache(maxsize=1024)(type_word)


class _Undocumented(Exception):
    """Something does not look as documented."""


class DocumentedReader:
    """Reads members of one shape; counts, by the keys that hold something, those that it read."""

    def __init__(self, shape: Shape, pruner: Pruner, offices: Mapping[str, Office]) -> None:
        self._shape = shape
        self._pruner = pruner
        self._places = {
            office.id: Place(office.city or None, office.state or None, office.country or None)
            for office in offices.values()
            if not office.unread
        }
        self._met: list[Plan] = []
        self._filled: list[str] = []
        self._began: str | None = None
        self.sent: Counter[tuple[str, ...]] = Counter()
        self._readers: Mapping[str, Callable[[Any, Shape, Person], object]] = {
            "name": self._name,
            "emails": self._emails,
            "phones": self._phones,
            "addresses": self._addresses,
            "department": self._department,
            "office": self._office,
            "manager": self._manager,
            "current_employment": self._employment,
            "employment_history": self._history,
            CUSTOM_VALUES_KEY: self._custom_values,
        }

    def read(self, member: Member) -> tuple[Kept, Person] | None:
        """What is kept, and the person; None when the member does not look as documented. Nothing is counted yet."""
        self._met.clear()
        self._filled.clear()
        try:
            return self._read(member)
        except _Undocumented:
            return None

    def count(self) -> None:
        """Counts the member that was read last: its keys, and what it sent."""
        for plan in self._met:
            plan.count += 1
        self.sent[tuple(self._filled)] += 1

    def _read(self, member: Member) -> tuple[Kept, Person]:
        plan = self._planned(member, self._shape)
        kept = {key: member[key] for key in plan.singles}
        if not _SINGLES.issuperset(map(type, kept.values())):
            raise _Undocumented
        person, self._began = Person.empty(member), None
        for key, shape in plan.compounds:
            value = member[key]
            if value:
                if key not in self._readers:
                    raise _Undocumented
                kept[key] = self._readers[key](value, shape, person)
                self._filled.append(key)
            elif value in _EMPTY:
                kept[key] = self._object(value, shape) if type(value) is dict else value
            else:
                raise _Undocumented
        person.country = person.country or person.home.country
        if (
            self._began
            and self._began != scalar(member.get("employment_start_date"))
            and f"{self._began}/" not in (person.spells or "")
        ):
            raise _Undocumented
        return kept, person

    def _planned(self, item: Any, shape: Shape) -> Plan:
        if type(item) is not dict:
            raise _Undocumented
        keys = tuple(item)
        plan = self._pruner.plans.get((id(shape), keys)) or self._pruner.plan(keys, shape)
        if not plan.lasting:
            raise _Undocumented
        self._met.append(plan)
        return plan

    def _object(self, item: Any, shape: Shape) -> Kept:
        """What is kept of an object that holds texts alone."""
        plan = self._planned(item, shape)
        if plan.compounds:
            raise _Undocumented
        kept: Kept = item if plan.whole else {key: item[key] for key in plan.singles}
        if not _TEXTS.issuperset(map(type, kept.values())):
            raise _Undocumented
        return kept

    def _name(self, value: Any, shape: Shape, person: Person) -> object:
        kept = self._object(value, shape)
        if not any(_text(kept, keys) for keys in _NAMES):
            raise _Undocumented
        person.name = kept
        return kept

    def _contacts(self, value: Any, shape: Shape, keys: tuple[str, ...]) -> tuple[list[Kept], list[Any]]:
        """The items of a list, and of each its word and text as a ``Contact`` has them."""
        items = [self._object(item, shape) for item in _items(value)]
        return items, [(_type(item), _needed(item, keys), False) for item in items]

    def _emails(self, value: Any, shape: Shape, person: Person) -> object:
        items, contacts = self._contacts(value, shape, _EMAIL)
        person.email, person.secondary_email, _ = pick_emails(contacts)
        return items

    def _phones(self, value: Any, shape: Shape, person: Person) -> object:
        items, contacts = self._contacts(value, shape, _NUMBER)
        if any(code in item for item in items for code in _CALLING_CODES):
            raise _Undocumented
        person.phone, _ = chosen_phone(contacts)
        return items

    def _addresses(self, value: Any, shape: Shape, person: Person) -> object:
        items = [self._object(item, shape) for item in _items(value)]
        words = [_type(item) for item in items]
        if len(items) > 1 and "" in words:
            raise _Undocumented
        home = next((words.index(word) for word in (*HOME, "") if word in words), None)
        if home is None:
            raise _Undocumented
        person.home = Place(*(_text(items[home], keys) for keys in _PLACE))
        if person.home == NOWHERE:
            raise _Undocumented
        return items

    def _department(self, value: Any, shape: Shape, person: Person) -> object:
        kept = self._object(value, shape)
        person.department = real_department(_needed(kept, SPELLINGS["department"]["name"]))
        return kept

    def _office(self, value: Any, shape: Shape, person: Person) -> object:
        kept = self._object(value, shape)
        place = self._places.get(_needed(kept, SPELLINGS["office"]["id"]))
        if place is None or any(key in kept for keys in _PLACE for key in keys):
            raise _Undocumented
        person.office = place
        return kept

    def _manager(self, value: Any, shape: Shape, person: Person) -> object:
        kept = self._object(value, shape)
        person.supervisor = _needed(kept, SPELLINGS["manager"]["id"])
        return kept

    def _employment(self, value: Any, shape: Shape, person: Person) -> object:
        plan = self._planned(value, shape)
        if len(plan.compounds) != 1 or len(plan.keys) != 1:
            raise _Undocumented
        country = plan.keys[0]
        inner = self._object(value[country], shape)
        person.subtype = _needed(inner, SPELLINGS["employment"]["subtype"])
        person.country = country
        self._began = period_day(inner, "start")
        return {country: inner}

    def _history(self, value: Any, shape: Shape, person: Person) -> object:
        items = [self._object(item, shape) for item in _items(value)]
        spells, broken = read_spells(value)
        if broken or len(spells) != len(items):
            raise _Undocumented
        person.rehired, person.spells = rehire_date(spells, scalar(person.member.get("employment_start_date")))
        return items

    def _custom_values(self, value: Any, shape: Shape, person: Person) -> object:
        kept = []
        for item in _items(value):
            plan = self._planned(item, shape)
            values = {key: item[key] for key, _ in plan.compounds}
            for inner in values.values():
                if not _TEXTS.issuperset(map(type, inner if type(inner) is list else (inner,))):
                    raise _Undocumented
            singles = {key: item[key] for key in plan.singles}
            if not _TEXTS.issuperset(map(type, singles.values())):
                raise _Undocumented
            kept.append(singles | values)
        person.custom, broken = read_custom_values(value)
        if broken:
            raise _Undocumented
        return kept


_NAMES = tuple(SPELLINGS["name"].values())
_EMAIL = SPELLINGS["email"]["value"]
_NUMBER = SPELLINGS["phone"]["value"]
_CALLING_CODES = SPELLINGS["phone"]["calling_code"]
_PLACE = tuple(SPELLINGS["address"][part] for part in ("city", "state", "country"))
_TYPE = SPELLINGS["address"]["type"]


def _items(value: Any) -> list[Any]:
    if type(value) is not list:
        raise _Undocumented
    return value


def _text(kept: Kept, keys: tuple[str, ...]) -> str | None:
    """The text under the first of the keys; another spelling beside it, or in its place, is not documented."""
    value: str | None = kept.get(keys[0])
    if value and not value.isspace():
        return value
    if any(key in kept for key in keys[1:]):
        raise _Undocumented
    return None


def _needed(kept: Kept, keys: tuple[str, ...]) -> str:
    value = _text(kept, keys)
    if value is None:
        raise _Undocumented
    return value


def _type(kept: Kept) -> str:
    value = _text(kept, _TYPE)
    return "" if value is None else _word(value)
