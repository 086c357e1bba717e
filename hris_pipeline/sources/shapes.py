"""The inner shapes of a Partner API member, each read in every spelling it may have, and where people live and work:
places in objects, and the home among a member's addresses.

Every function gives what it read and whether there was something that could not be read. The described schema gives
addresses no type, so the rules that tell a home from an office are here alone. Which key holds what is the wires'.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hris_pipeline.settings.text import iso_date
from hris_pipeline.sources.decoding import encode
from hris_pipeline.sources.protocol import Office
from hris_pipeline.sources.raw_columns import Contact, WorkId, read_contacts
from hris_pipeline.sources.records import (
    COUNTRY,
    HOME,
    NO_DEPARTMENT,
    SPELLINGS,
    WORK,
    holds_something,
    scalar,
    spelled,
    type_word,
)

__all__ = [
    "EMPLOYMENT_KEYS",
    "NOWHERE",
    "NO_END",
    "Place",
    "Spell",
    "custom_fields_text",
    "employment_start",
    "holds_unknown",
    "home_of",
    "is_an_office",
    "place_in",
    "place_of_office",
    "read_custom_values",
    "read_department",
    "read_employment",
    "read_label",
    "read_manager",
    "read_numbers",
    "read_office",
    "read_office_place",
    "read_spells",
    "real_department",
    "sum_up_spells",
]

_KEYS = SPELLINGS["address"]

_STREET = ("line1", "postal_code")

_UNREAD_IS_FINE = frozenset({*_KEYS["type"], "line1", "line2", "postal_code"})


class Place(NamedTuple):
    """City, state and country as text, each None where it is not given."""

    city: str | None = None
    state: str | None = None
    country: str | None = None


NOWHERE = Place()


def place_in(item: Mapping[str, Any]) -> Place:
    """The place that stands in an object itself."""
    return Place(spelled(item, _KEYS["city"]), spelled(item, _KEYS["state"]), spelled(item, _KEYS["country"]))


def place_of_office(office: Mapping[str, Any]) -> tuple[Place, Mapping[str, Any]]:
    """The place of an office, in ``address``, in ``addresses`` or flat on it, and the object that held it."""
    addresses = office.get("addresses")
    inner = [office.get("address"), *(addresses if isinstance(addresses, list) else [addresses]), office]
    for item in inner:
        if isinstance(item, dict) and (place := place_in(item)) != NOWHERE:
            return place, item
    return NOWHERE, office


def read_office(office: object) -> Office | None:
    """An office of the company; None without an id. It is ``unread`` when it holds an address that cannot be read."""
    if not isinstance(office, dict) or (office_id := spelled(office, ("id",))) is None:
        return None
    place, item = place_of_office(office)
    held = any(isinstance(value, dict | list) and holds_something(value) for value in office.values())
    line1, postal_code = (spelled(item, (key,)) or "" for key in _STREET)
    city, state, country = (text or "" for text in place)
    unread = place == NOWHERE and held
    return Office(office_id, city, state, country, line1=line1, postal_code=postal_code, unread=unread)


def is_an_office(address: object, offices: Iterable[Office]) -> bool:
    """Whether an untyped address is that of an office: equal in all that is known of the office."""
    if not isinstance(address, dict) or type_word(spelled(address, _KEYS["type"])):
        return False
    place = place_in(address)
    lines = [spelled(address, (key,)) or "" for key in _STREET]
    for office in offices:
        office_parts = (office.city, office.state, office.country, office.line1, office.postal_code)
        address_parts = (*(text or "" for text in place), *lines)
        pairs = [(a.casefold(), b.casefold()) for a, b in zip(address_parts, office_parts, strict=True) if b]
        if office.city and all(a == b for a, b in pairs):
            return True
    return False


def home_of(addresses: object, offices: Sequence[Office]) -> tuple[Place, bool]:
    """Where somebody lives, and whether that is unread: the typed home, else the untyped address that is no office's,
    the first of several."""
    items = addresses if isinstance(addresses, list) else [addresses]
    typed: dict[str, list[Mapping[str, Any]]] = {}
    odd = False
    for item in items:
        if isinstance(item, dict):
            typed.setdefault(type_word(spelled(item, _KEYS["type"])), []).append(item)
        else:
            odd = odd or holds_something(item)
    untyped = typed.get("", [])
    if len(untyped) > 1:
        untyped = [item for item in untyped if not is_an_office(item, offices)]
    homes = [item for word in HOME for item in typed.get(word, [])[:1]] + untyped
    for item in homes[:1]:
        place = place_in(item)
        return place, place == NOWHERE and holds_unknown(item)
    strange = [word for word, group in typed.items() if word and word not in WORK and any(map(holds_something, group))]
    return NOWHERE, odd or bool(strange)


def holds_unknown(item: Mapping[str, Any]) -> bool:
    """Whether an address from which no place was read holds something that is no street either."""
    return any(holds_something(value) for key, value in item.items() if key not in _UNREAD_IS_FINE)


EMPLOYMENT_KEYS = ("employment_type", "type", "start_date", "end_date", "country", "country_code")
"""Of an employment: whoever has any of these has an employment that is read."""

NO_END = "9999-"
"""How the end of a spell begins that has none."""

_PHONE = SPELLINGS["phone"]

_CUSTOM = SPELLINGS["custom_value"]

_CUSTOM_KEYS = frozenset({*_CUSTOM["id"], *_CUSTOM["value"], "label", "type", "category", "cardinality", "options"})

_DIGITS = re.compile(r"\+?(\d{1,4})")


class Spell(NamedTuple):
    """One employment of somebody, as ISO dates; without an ``end`` where none is told; ``since``: a later start that
    the same period tells under another key."""

    start: str
    end: str | None
    since: str | None = None


def read_numbers(phones: object) -> list[Contact]:
    """Telephone numbers, with a calling code that stands beside one put in front of it."""
    contacts = read_contacts(phones, _PHONE)
    items = phones if isinstance(phones, list) else [phones]
    objects = [item for item in items if item is not None]
    return [
        contact._replace(text=_add_calling_code(contact.text, item))
        if contact.text and isinstance(item, dict)
        else contact
        for contact, item in zip(contacts, objects, strict=True)
    ]


def _add_calling_code(number: str, item: Mapping[str, Any]) -> str:
    code = spelled(item, _PHONE["calling_code"])
    if code is None or number.lstrip().startswith("+"):
        return number
    import phonenumbers  # noqa: PLC0415 - slow to load, and few sources send a code apart

    digits = _DIGITS.fullmatch(code.strip())
    calling_code = int(digits.group(1)) if digits else phonenumbers.country_code_for_region(code.strip().upper())
    if not calling_code:
        return number
    region = phonenumbers.region_code_for_country_code(calling_code)
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return f"+{calling_code}{number}"
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def read_employment(employment: object) -> tuple[str | None, str | None, bool]:
    """The country somebody is employed in and the employment's subtype, from a map by country, an employment, or a list
    of employments; a country that holds nothing does not count."""
    if not holds_something(employment):
        return None, None, False
    for country, item in _list_employments(employment):
        subtype = spelled(item, SPELLINGS["employment"]["subtype"])
        is_read = subtype is not None or any(holds_something(item.get(key)) for key in EMPLOYMENT_KEYS)
        if country or is_read:
            return country or spelled(item, ("country", "country_code")), subtype, not is_read
    return None, None, True


def _list_employments(employment: object) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    for item in employment if isinstance(employment, list) else [employment]:
        if not isinstance(item, dict):
            continue
        countries = [key for key in item if COUNTRY.fullmatch(key) and isinstance(item[key], dict | list | bool | None)]
        for key in countries:
            inner = item[key][0] if isinstance(item[key], list) and item[key] else item[key]
            if holds_something(inner):
                yield key, inner if isinstance(inner, dict) else {}
        if not countries:
            yield None, item


def read_spells(history: object) -> tuple[tuple[Spell, ...], bool]:
    """The spells in a list of periods, also by country; unread when a period has no start, or a date that is none. A
    period that holds nothing is one without a start beside others, and none where no period holds anything. The starts
    that can be read count nevertheless."""
    spells, broken = [], False
    for period in _flatten_periods(history) if holds_something(history) else ():
        starts, ends = (_period_days(period, key) for key in ("start", "end"))
        if starts and ends is not None:
            spells.append(_build_spell(starts, ends))
        else:
            broken = broken or period not in ({}, "")
    return tuple(spells), broken


def _build_spell(starts: Sequence[str], ends: Sequence[str]) -> Spell:
    """The spell of a period by the ISO dates that it tells, in order of their keys: the first start and the first end
    count, and a later start is kept beside."""
    end = ends[0] if ends and not ends[0].startswith(NO_END) else None
    return Spell(starts[0], end, max(starts) if max(starts) > starts[0] else None)


def _period_days(period: object, key: str) -> list[str] | None:
    """The dates as ISO, in order of their keys; None where there is something that is none."""
    if not isinstance(period, dict):
        return None
    days = []
    for value in map(period.get, SPELLINGS["period"][key]):
        text = scalar(value)
        day = iso_date(text) if text else None
        if day is not None:
            days.append(day)
        elif text or (isinstance(value, dict | list) and holds_something(value)):
            return None
    return days


def employment_start(employment: object) -> str | None:
    """The ISO date at which the present employment began, where it tells one."""
    starts = (_period_days(item, "start") for _, item in _list_employments(employment))
    return max((days[0] for days in starts if days), default=None)


def sum_up_spells(spells: Sequence[Spell], began: str | None, first: str | None) -> tuple[str | None, str | None]:
    """The latest start when it is later than the ``first``; and the spells as text (``SPELLS``), None where they tell
    nothing more than that first start. The present employment is one of them where it ``began`` after all others and
    after the first start. A start told ``since`` is no re-hire, but one that a termination may lie before."""
    first = first and (iso_date(first) or first)
    starts = [spell.start for spell in spells]
    if began and (starts or first) and began > max([*starts, first or ""]):
        spells = (*spells, Spell(began, None))
        starts.append(began)
    later = [Spell(spell.since, spell.end) for spell in spells if spell.since]
    if not later and (not starts or starts == [first]):
        return None, None
    latest, earliest = max(starts), first or min(starts)
    text = " ".join(f"{spell.start}/{spell.end or ''}" for spell in (*spells, *later))
    return latest if latest > earliest else None, text


def _flatten_periods(history: object) -> Iterator[object]:
    if isinstance(history, list):
        for item in history:
            yield from _flatten_periods(item)
    elif isinstance(history, dict) and history and all(COUNTRY.fullmatch(key) for key in history):
        for item in history.values():
            yield from _flatten_periods(item)
    elif history is not None:
        yield history


def read_department(department: object, names: Mapping[str, str]) -> tuple[str | None, bool]:
    """The department's name, its own or the company's for its id."""
    if isinstance(department, list) and len(department) == 1:
        department = department[0]
    if not isinstance(department, dict):
        name = scalar(department)
        return real_department(name), name is None and holds_something(department)
    name = spelled(department, ("name",)) or names.get(spelled(department, ("id",)) or "")
    return real_department(name), name is None and holds_something(department)


def real_department(name: str | None) -> str | None:
    """The name, unless it is the word for having none."""
    return None if name is None or name.strip().lower() == NO_DEPARTMENT else name


def read_office_place(office: object, offices: Mapping[str, Office]) -> tuple[Place, bool]:
    """Where an office stands: by its own address, else by that which the company gives for its id."""
    if isinstance(office, dict):
        place, _ = place_of_office(office)
        if place != NOWHERE:
            return place, False
        office_id = spelled(office, ("id",))
    else:
        office_id = scalar(office)
    theirs = offices.get(office_id or "")
    if theirs is None:
        return NOWHERE, holds_something(office)
    return Place(theirs.city or None, theirs.state or None, theirs.country or None), theirs.unread


def read_manager(manager: object) -> tuple[str | None, bool]:
    """The manager's hris_id, or a ``WorkId``."""
    if not isinstance(manager, dict):
        name = scalar(manager)
        return name, name is None and holds_something(manager)
    if hris_id := spelled(manager, SPELLINGS["manager"]["id"]):
        return hris_id, False
    work_id = spelled(manager, SPELLINGS["manager"]["work_id"])
    return (WorkId(work_id), False) if work_id else (None, holds_something(manager))


def read_custom_values(items: object) -> tuple[str | None, bool]:
    """Custom field values as JSON, see ``custom_fields_text``; unread when there is one whose id or value cannot be."""
    if not holds_something(items):
        return None, False
    values, broken = [], False
    for item in items if isinstance(items, list) else [items]:
        if not isinstance(item, dict):
            broken = broken or holds_something(item)
            continue
        field = spelled(item, _CUSTOM["id"])
        value = next((item[key] for key in _CUSTOM["value"] if holds_something(item.get(key))), None)
        texts = [label for part in (value if isinstance(value, list) else [value]) if (label := read_label(part))]
        strange = any(holds_something(item[key]) for key in item if key not in _CUSTOM_KEYS)
        broken = broken or (not texts and (strange or value is not None)) or (field is None and bool(texts))
        values.append((field, texts))
    return (None, True) if broken else (custom_fields_text(values), False)


def read_label(option: object) -> str | None:
    return spelled(option, SPELLINGS["option"]["label"]) if isinstance(option, dict) else scalar(option)


def custom_fields_text(values: Iterable[tuple[str | None, list[str]]]) -> str | None:
    """JSON of field id to text, or to a list of texts when there are several; None when nobody filled in any."""
    filled = {field: texts[0] if len(texts) == 1 else texts for field, texts in values if field and texts}
    return encode(filled).decode() if filled else None
