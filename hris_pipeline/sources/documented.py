"""Partner API members that look as documented, read a page at once and column by column: the line that is kept of each,
and the person. Whoever does not look so in any detail is left to the tolerant way (``records`` and
``justworks_person``), which reads and keeps the same of these too: that is tested. Every shortcut here is one of time,
never of what is accepted, kept or counted.

How a member looks is a type, made of its shape: each kept key a text or null, objects in a list or in a map by country.
msgspec checks it and leaves out all other keys, in C; keys are counted a page at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain
from operator import attrgetter, methodcaller
from types import GenericAlias
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from hris_pipeline.settings.fields import RAW_COLUMNS
from hris_pipeline.settings.text import iso_date
from hris_pipeline.sources.decoding import UNREADABLE_BYTES
from hris_pipeline.sources.justworks_person import COLUMNS_OF, CUSTOM_VALUES_KEY, Member
from hris_pipeline.sources.protocol import Company
from hris_pipeline.sources.raw_columns import SPELLS, WorkId, chosen_phone, pick_emails
from hris_pipeline.sources.records import (
    COUNTRY,
    HOME,
    SINGLE,
    SPELLINGS,
    Pruner,
    Shape,
    UnreadTally,
    scalar,
    type_word,
)
from hris_pipeline.sources.shapes import (
    EMPLOYMENT_KEYS,
    NO_END,
    NOWHERE,
    Place,
    Spell,
    read_custom_values,
    real_department,
    sum_up_spells,
)

__all__ = ["DocumentedReader", "Reading"]

_LISTS = frozenset({"emails", "phones", "addresses", "employment_history", CUSTOM_VALUES_KEY})
_MAPS = frozenset({"current_employment"})
"""The keys of a member that hold a list of objects, or an object for a country."""

_EMAIL, _PHONE, _ADDRESS, _PERIOD = (SPELLINGS[place] for place in ("email", "phone", "address", "period"))
_DEPARTMENT, _MANAGER, _SUBTYPE = SPELLINGS["department"], SPELLINGS["manager"], SPELLINGS["employment"]["subtype"]
_NAMES = tuple(SPELLINGS["name"].values())
_PLACE = tuple(_ADDRESS[part] for part in ("city", "state", "country"))
_BEGAN = tuple(key for key in _PERIOD["start"] if key in EMPLOYMENT_KEYS)
_HOMES = (*HOME, "")

Reading = tuple[bytes, list[object]]
"""The line that is kept of a member, and the raw columns."""

Columns = dict[str, list[Any]]
Odd = set[int]
"""The places among members of those who, in some detail, do not look as documented after all."""

_encode_lines = msgspec.json.Encoder().encode_lines


class DocumentedReader:
    """Reads members of one shape, whose ``singles`` become columns as they are; counts those that it read in ``pruner``
    and ``tally``."""

    def __init__(
        self,
        shape: Shape,
        singles: Mapping[str, tuple[str, ...]],
        pruner: Pruner,
        tally: UnreadTally,
        company: Company,
    ) -> None:
        self._shape = shape
        self._pruner = pruner
        self._tally = tally
        self._type = _member_type(shape)
        self._singles = singles
        self._departments = company.departments
        self._places = {
            office.id: Place(office.city or None, office.state or None, office.country or None)
            for office in company.offices
            if not office.unread
        }
        self._department_of = lru_cache(4096)(self._read_department)
        self._office_of = lru_cache(4096)(self._read_office)
        self._readers: Mapping[str, Callable[[list[Any], Columns, Odd], None]] = {
            "name": _read_names,
            "emails": _read_emails,
            "phones": _read_phones,
            "addresses": _read_addresses,
            "department": self._read_departments,
            "office": self._read_offices,
            "manager": _read_managers,
        }

    def read(self, members: Sequence[Member]) -> list[Reading | None]:
        """Of each member the line that is kept and the raw columns; None for one that does not look as documented."""
        readings: list[Reading | None] = [None] * len(members)
        places, documented = self._convert_members(members)
        members = [members[place] for place in places]
        odd: Odd = set()
        columns: Columns = dict.fromkeys((*RAW_COLUMNS, SPELLS), [None] * len(members))
        for key, (name,) in self._singles.items():
            columns[name] = list(map(methodcaller("get", key), members))
        for key, read in self._readers.items():
            read(list(map(attrgetter(key), documented)), columns, odd)
        _read_work(documented, members, columns, odd)
        if any(item.custom_field_values for item in documented):
            _read_custom_values(members, columns, odd)
        lines = _encode_lines(documented)
        is_readable = UNREADABLE_BYTES not in lines
        read_ones = zip(places, lines.split(b"\n"), zip(*columns.values(), strict=True), strict=False)
        for at, (place, line, row) in enumerate(read_ones):
            if at not in odd and (is_readable or UNREADABLE_BYTES not in line):
                readings[place] = line, list(row)
            else:
                odd.add(at)
        if odd:
            members = [member for at, member in enumerate(members) if at not in odd]
        self._count(members)
        return readings

    def _convert_members(self, members: Sequence[Member]) -> tuple[list[int], list[Any]]:
        """Where those members stand who look as documented, and what is kept of each, typed."""
        places: list[int] = []
        documented: list[Any] = []
        for place, member in enumerate(members):
            try:
                documented.append(msgspec.convert(member, self._type))
            except (msgspec.ValidationError, RecursionError):
                continue
            places.append(place)
        return places, documented

    def _count(self, members: Sequence[Member]) -> None:
        """Counts those who were read, while they are in the processor's cache: their keys, and what they sent."""
        self._pruner.count(members, self._shape)
        for key, names in self._singles.items():
            values = list(map(methodcaller("get", key), members))
            self._tally.sent(names, len(values) - values.count(None) - values.count(""))
        for key, columns in COLUMNS_OF.items():
            values = [value for member in members if (value := member.get(key))]
            self._tally.sent(columns, len(values))
            if key in _LISTS or key in _MAPS:
                values = list(chain.from_iterable(values if key in _LISTS else map(dict.values, values)))
            self._pruner.count(values, self._shape.keys[key])

    def _read_departments(self, departments: list[Any], columns: Columns, odd: Odd) -> None:
        names = [self._department_of(department) if department else None for department in departments]
        columns["department"] = [name and real_department(name) for name in names]
        _note_odd(departments, names, odd)

    def _read_department(self, department: Any) -> str | None:
        name = _pick_text(department, _DEPARTMENT["name"])
        return name or self._departments.get(_pick_text(department, _DEPARTMENT["id"]) or "")

    def _read_offices(self, offices: list[Any], columns: Columns, odd: Odd) -> None:
        places = [self._office_of(office) if office else None for office in offices]
        _set_places(columns, "employment", [place or NOWHERE for place in places])
        _note_odd(offices, places, odd)

    def _read_office(self, office: Any) -> Place | None:
        return self._places.get(_pick_text(office, ("id",)) or "")


def _object_type(shape: Shape, **types: Any) -> Any:
    """The type of documented objects of that shape, with ``types`` by key: others hold a text or null, or, where there
    are objects in them, nothing."""
    text = str | None | UnsetType
    kinds = {key: text if kind is SINGLE else UnsetType for key, kind in sorted(shape.keys.items())} | types
    return msgspec.defstruct("Documented", [(key, kind, UNSET) for key, kind in kinds.items()], frozen=True, gc=False)


@cache
def _member_type(shape: Shape) -> Any:
    texts = list[str | None] | str | None | UnsetType
    inner: Mapping[str, Mapping[str, Any]] = {
        CUSTOM_VALUES_KEY: {"values": texts, "value": texts},
        "office": dict.fromkeys(chain.from_iterable(_PLACE), UnsetType),  # it stands where the company says it does
        "phones": dict.fromkeys(_PHONE["calling_code"], UnsetType),
    }
    types: dict[str, Any] = {"active": bool | None | UnsetType}
    for key in COLUMNS_OF:
        item = _object_type(shape.keys[key], **inner.get(key, {}))
        kind = GenericAlias(list, item) if key in _LISTS else GenericAlias(dict, (str, item)) if key in _MAPS else item
        types[key] = kind | None | UnsetType
    return _object_type(shape, **types)


def _pick_text(item: Any, keys: tuple[str, ...]) -> str | None:
    """The first text under one of the keys that holds something."""
    for key in keys:
        value: str = getattr(item, key)
        if value and not value.isspace():
            return value
    return None


def _pick_texts(items: Sequence[Any], keys: tuple[str, ...]) -> list[str | None]:
    """``_pick_text`` of each object; None where there is no object."""
    texts: list[str | None] = [None] * len(items)
    for key in keys:
        values = [getattr(item, key) if item else None for item in items]
        texts = [
            text or (value if value and not value.isspace() else None)
            for text, value in zip(texts, values, strict=True)
        ]
        if None not in texts:
            break
    return texts


def _note_odd(items: Sequence[Any], readings: Sequence[Any], odd: Odd) -> None:
    """Where there is something of which nothing was read."""
    odd.update(at for at, (item, reading) in enumerate(zip(items, readings, strict=True)) if item and reading is None)


def _set_places(columns: Columns, which: str, places: Sequence[Place]) -> None:
    cities, states, countries = zip(*places, strict=True) if places else ((), (), ())
    for part, values in (("city", cities), ("state", states), ("country", countries)):
        columns[f"{which}_{part}"] = list(values)


def _read_names(names: list[Any], columns: Columns, odd: Odd) -> None:
    parts = [_pick_texts(names, keys) for keys in _NAMES]
    columns["first_name"], columns["last_name"], columns["preferred_first_name"] = parts
    _note_odd(names, [True if any(texts) else None for texts in zip(*parts, strict=True)], odd)


@lru_cache(maxsize=1024)
def _pick_type_word(kind: str, other_kind: str) -> str:
    return type_word(next((text for text in (kind, other_kind) if text and not text.isspace()), None))


Choice = Callable[[tuple[str, ...]], tuple[int | None, ...]]


def _make_choice(choose: Callable[[list[tuple[str, str | None, bool]]], Sequence[Any]], columns: int) -> Choice:
    """Which of a person's contacts ``choose`` takes for each of the columns, by the words of their types alone."""

    @lru_cache(maxsize=4096)
    def places(words: tuple[str, ...]) -> tuple[int | None, ...]:
        texts = choose([(word, str(at), False) for at, word in enumerate(words)])
        return tuple(text if text is None else int(text) for text in texts[:columns])

    return places


_email_places, _phone_places = _make_choice(pick_emails, 2), _make_choice(chosen_phone, 1)


def _read_contacts(
    groups: list[Any], keys: tuple[str, ...], choice: Choice, names: tuple[str, ...], columns: Columns, odd: Odd
) -> None:
    """The chosen contacts of each person; odd is who has one without a text."""
    items = list(chain.from_iterable(group for group in groups if group))
    texts = _pick_texts(items, keys)
    words = [_pick_type_word(item.type, item.kind) for item in items]
    rows: list[tuple[str | None, ...]] = []
    nothing = (None,) * len(names)
    start = 0
    for at, group in enumerate(groups):
        if not group:
            rows.append(nothing)
            continue
        end = start + len(group)
        theirs = texts[start:end]
        if None in theirs:
            odd.add(at)
        places = choice(tuple(words[start:end]))
        rows.append(tuple(None if place is None else theirs[place] for place in places))
        start = end
    for name, values in zip(names, zip(*rows, strict=True), strict=False):
        columns[name] = list(values)


def _read_emails(emails: list[Any], columns: Columns, odd: Odd) -> None:
    _read_contacts(emails, _EMAIL["value"], _email_places, ("email", "secondary_email"), columns, odd)


def _read_phones(phones: list[Any], columns: Columns, odd: Odd) -> None:
    _read_contacts(phones, _PHONE["value"], _phone_places, ("phone_number",), columns, odd)


def _read_addresses(addresses: list[Any], columns: Columns, odd: Odd) -> None:
    places = [_read_home(group) if group else NOWHERE for group in addresses]
    _note_odd(addresses, [None if place is NOWHERE else place for place in places], odd)
    _set_places(columns, "residence", places)
    columns["country_code"] = list(columns["residence_country"])


def _read_home(addresses: list[Any]) -> Place:
    """Where somebody lives; ``NOWHERE`` also where only the tolerant way tells homes from offices."""
    if len(addresses) == 1:
        word, place = _read_address(addresses[0])
        homes = {word: place}
    else:
        homes = dict(map(_read_address, reversed(addresses)))
        if "" in homes:
            return NOWHERE
    place = next((homes[word] for word in _HOMES if word in homes), NOWHERE)
    return NOWHERE if place == NOWHERE else place


@lru_cache(maxsize=4096)
def _read_address(address: Any) -> tuple[str, Place]:
    """The word of its type, and the place."""
    return _pick_type_word(address.type, address.kind), Place(*(_pick_text(address, keys) for keys in _PLACE))


def _read_managers(managers: list[Any], columns: Columns, odd: Odd) -> None:
    supervisors: list[str | None] = _pick_texts(managers, _MANAGER["id"])
    if None in supervisors:
        work_ids = _pick_texts(managers, _MANAGER["work_id"])
        pairs = zip(supervisors, work_ids, strict=True)
        supervisors = [hris_id or (work_id and WorkId(work_id)) for hris_id, work_id in pairs]
    columns["supervisor_hris_id"] = supervisors
    _note_odd(managers, supervisors, odd)


def _read_custom_values(members: Sequence[Member], columns: Columns, odd: Odd) -> None:
    readings = [read_custom_values(member.get(CUSTOM_VALUES_KEY)) for member in members]
    columns["custom_fields"] = [text for text, _ in readings]
    odd.update(at for at, (_, is_broken) in enumerate(readings) if is_broken)


def _read_work(documented: list[Any], members: Sequence[Member], columns: Columns, odd: Odd) -> None:
    """The present employment, the history, and the spells that both come to."""
    nothing: list[str | None] = [None] * len(members)
    columns["employment_subtype"] = subtypes = nothing.copy()
    columns["latest_rehire_date"] = rehired = nothing.copy()
    columns[SPELLS] = texts = nothing.copy()
    countries = columns["country_code"]
    for at, (item, first) in enumerate(zip(documented, columns["hire_date"], strict=True)):
        began = None
        if item.current_employment:
            employments = members[at]["current_employment"]
            [(country, employment), *others] = item.current_employment.items()
            reading = _read_employment(employment)
            if others or reading is None or not _is_country(country) or _has_country(tuple(employments[country])):
                odd.add(at)
                continue
            countries[at] = country
            began, subtypes[at] = reading
        if not item.employment_history:
            if began is not None and began != first:
                rehired[at], texts[at] = sum_up_spells((), began, scalar(first))
            continue
        spells = list(filter(None, map(_read_spell, item.employment_history)))
        if len(spells) < len(item.employment_history) or any(
            map(_has_country, map(tuple, members[at]["employment_history"]))
        ):
            odd.add(at)
        elif len(spells) > 1 or spells[0].start != first or began not in (None, first):
            rehired[at], texts[at] = sum_up_spells(spells, began, scalar(first))


@lru_cache(maxsize=8192)
def _read_employment(employment: Any) -> tuple[str | None, str | None] | None:
    """Start and subtype of an employment; None when it tells neither."""
    start, subtype = _pick_text(employment, _BEGAN), _pick_text(employment, _SUBTYPE)
    return (start and iso_date(start), subtype) if start or subtype else None


_starts_of = attrgetter(*_PERIOD["start"])


@lru_cache(maxsize=8192)
def _read_spell(period: Any) -> Spell | None:
    """A period of the history; None when it does not tell one start, or a date that is none."""
    starts = [start for start in _starts_of(period) if start]
    end = _pick_text(period, _PERIOD["end"])
    began, ended = iso_date(starts[0]) if len(starts) == 1 else None, end and iso_date(end)
    if not began or (end and not ended):
        return None
    return Spell(began, None if ended and ended.startswith(NO_END) else ended)


@lru_cache(maxsize=1024)
def _is_country(key: str) -> bool:
    return COUNTRY.fullmatch(key) is not None


@lru_cache(maxsize=1024)
def _has_country(keys: tuple[str, ...]) -> bool:
    return any(map(_is_country, keys))
