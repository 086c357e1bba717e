"""Partner API members that look as documented, read at once: the line that is kept of each, and the person. Whoever
does not look so in any detail is left to the tolerant way (``records`` and ``justworks_person``), which reads and keeps
the same of these too: that is tested. Every shortcut here is one of time, never of what is accepted, kept or counted.

How a member looks is a type, made of its shape: each kept key a text or null, objects in a list or in a map by country.
msgspec checks it and leaves out all other keys, in C; keys are counted many members at a time.
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from itertools import chain
from operator import attrgetter
from types import GenericAlias
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from hris_pipeline.settings.fields import RAW_COLUMNS
from hris_pipeline.settings.text import iso_date
from hris_pipeline.sources.decoding import UNREADABLE_BYTES, encode
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

__all__ = ["DocumentedReader"]

_BATCH = 500
"""So many members are counted at once."""

_LISTS = frozenset({"emails", "phones", "addresses", "employment_history", CUSTOM_VALUES_KEY})
_MAPS = frozenset({"current_employment"})
"""The keys of a member that hold a list of objects, or an object for a country."""

_EMAIL, _PHONE, _ADDRESS, _PERIOD = (SPELLINGS[place] for place in ("email", "phone", "address", "period"))
_DEPARTMENT, _MANAGER, _SUBTYPE = SPELLINGS["department"], SPELLINGS["manager"], SPELLINGS["employment"]["subtype"]
_NAMES = tuple(SPELLINGS["name"].values())
_PLACE = tuple(_ADDRESS[part] for part in ("city", "state", "country"))
_BEGAN = tuple(key for key in _PERIOD["start"] if key in EMPLOYMENT_KEYS)
_HOMES = (*HOME, "")

Row = dict[str, Any]
_NO_ROW: Row = dict.fromkeys((*RAW_COLUMNS, SPELLS))


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
        self._keys = tuple(singles)
        self._columns = tuple(column for columns in singles.values() for column in columns)
        self._departments = company.departments
        self._places = {
            office.id: Place(office.city or None, office.state or None, office.country or None)
            for office in company.offices
            if not office.unread
        }
        self._uncounted: list[Member] = []
        self._readers: Mapping[str, Callable[[Any, Row], bool]] = {
            "name": _read_name,
            "emails": _read_emails,
            "phones": _read_phones,
            "addresses": _read_addresses,
            "department": self._read_department,
            "office": self._read_office,
            "manager": _read_manager,
        }

    def read(self, member: Member) -> tuple[bytes, list[object]] | None:
        """The line that is kept, and the raw columns; None when the member does not look as documented."""
        try:
            documented = msgspec.convert(member, self._type)
        except msgspec.ValidationError:
            return None
        row = _NO_ROW.copy()
        row.update(zip(self._columns, map(member.get, self._keys), strict=True))
        for key, read in self._readers.items():
            value = getattr(documented, key)
            if value and not read(value, row):
                return None
        if not _read_work(documented, member, row):
            return None
        if documented.custom_field_values and not _read_custom_values(member, row):
            return None
        line = encode(documented)
        if UNREADABLE_BYTES in line:
            return None
        self._uncounted.append(member)
        if len(self._uncounted) == _BATCH:
            self.count()
        return line, list(row.values())

    def count(self) -> None:
        """Counts whom it read since the last time: their keys, and what they sent."""
        members, self._uncounted = self._uncounted, []
        self._pruner.count(members, self._shape)
        for key, names in self._singles.items():
            self._tally.sent(names, len([1 for member in members if member.get(key) not in (None, "")]))
        for key, columns in COLUMNS_OF.items():
            values: list[Any] = [value for member in members if (value := member.get(key))]
            self._tally.sent(columns, len(values))
            if key in _LISTS or key in _MAPS:
                values = list(chain.from_iterable(values if key in _LISTS else map(dict.values, values)))
            self._pruner.count(values, self._shape.keys[key])

    def _read_department(self, department: Any, row: Row) -> bool:
        name = _text(department, _DEPARTMENT["name"])
        name = name or self._departments.get(_text(department, _DEPARTMENT["id"]) or "")
        row["department"] = real_department(name)
        return name is not None

    def _read_office(self, office: Any, row: Row) -> bool:
        place = self._places.get(_text(office, ("id",)) or "")
        row["employment_city"], row["employment_state"], row["employment_country"] = place or NOWHERE
        return place is not None


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


def _text(item: Any, keys: tuple[str, ...]) -> str | None:
    """The first text under one of the keys that holds something."""
    for key in keys:
        value: str = getattr(item, key)
        if value and not value.isspace():
            return value
    return None


def _read_name(name: Any, row: Row) -> bool:
    row["first_name"], row["last_name"], row["preferred_first_name"] = names = [_text(name, keys) for keys in _NAMES]
    return any(names)


@lru_cache(maxsize=1024)
def _word(kind: str, other_kind: str) -> str:
    return type_word(next((text for text in (kind, other_kind) if text and not text.isspace()), None))


def _contacts(items: Any, keys: tuple[str, ...]) -> list[tuple[str, str | None, bool]]:
    """Of each item its word and text, as a ``Contact`` has them; of none when there is one without a text."""
    contacts: list[tuple[str, str | None, bool]] = []
    for item in items:
        text = _text(item, keys)
        if text is None:
            return []
        contacts.append((_word(item.type, item.kind), text, False))
    return contacts


def _read_emails(emails: Any, row: Row) -> bool:
    contacts = _contacts(emails, _EMAIL["value"])
    row["email"], row["secondary_email"], _ = pick_emails(contacts)
    return bool(contacts)


def _read_phones(phones: Any, row: Row) -> bool:
    contacts = _contacts(phones, _PHONE["value"])
    row["phone_number"], _ = chosen_phone(contacts)
    return bool(contacts)


def _read_addresses(addresses: Any, row: Row) -> bool:
    homes = dict(map(_read_address, reversed(addresses)))
    if len(addresses) > 1 and "" in homes:  # only the tolerant way tells homes from offices
        return False
    place = next((homes[word] for word in _HOMES if word in homes), NOWHERE)
    row["residence_city"], row["residence_state"], row["residence_country"] = place
    row["country_code"] = place.country
    return place != NOWHERE


@lru_cache(maxsize=4096)
def _read_address(address: Any) -> tuple[str, Place]:
    """The word of its type, and the place."""
    return _word(address.type, address.kind), Place(*(_text(address, keys) for keys in _PLACE))


def _read_manager(manager: Any, row: Row) -> bool:
    hris_id, work_id = _text(manager, _MANAGER["id"]), _text(manager, _MANAGER["work_id"])
    row["supervisor_hris_id"] = supervisor = hris_id or (work_id and WorkId(work_id))
    return supervisor is not None


def _read_custom_values(member: Member, row: Row) -> bool:
    row["custom_fields"], is_broken = read_custom_values(member[CUSTOM_VALUES_KEY])
    return not is_broken


def _read_work(documented: Any, member: Member, row: Row) -> bool:
    """The present employment, the history, and the spells that both come to."""
    began = None
    if documented.current_employment:
        [(country, employment), *others] = documented.current_employment.items()
        start, subtype = _text(employment, _BEGAN), _text(employment, _SUBTYPE)
        if others or not (start or subtype) or not _is_country(country):
            return False
        if _has_country(tuple(member["current_employment"][country])):
            return False
        row["country_code"], row["employment_subtype"], began = country, subtype, start and iso_date(start)
    periods = documented.employment_history or ()
    spells = list(filter(None, map(_spell, periods)))
    if len(spells) < len(periods) or (spells and any(map(_has_country, map(tuple, member["employment_history"])))):
        return False
    first = scalar(member.get("employment_start_date"))
    row["latest_rehire_date"], row[SPELLS] = sum_up_spells(spells, began, first)
    return True


_starts_of = attrgetter(*_PERIOD["start"])


@lru_cache(maxsize=8192)
def _spell(period: Any) -> Spell | None:
    """A period of the history; None when it does not tell one start, or a date that is none."""
    starts, end = list(filter(None, _starts_of(period))), _text(period, _PERIOD["end"])
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
