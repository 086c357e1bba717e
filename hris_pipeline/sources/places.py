"""Where people live and work, as the Partner API may send it: places in objects, and the home among a member's
addresses. The described schema gives addresses no type, so the rules that tell a home from an office are here alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hris_pipeline.sources.protocol import Office
from hris_pipeline.sources.spellings import HOME, SPELLINGS, WORK, holds_something, spelled, type_word

__all__ = ["NOWHERE", "Place", "holds_unknown", "home_of", "is_an_office", "place_in", "place_of_office", "read_office"]

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
    given = [spelled(address, (key,)) or "" for key in _STREET]
    for office in offices:
        theirs = (office.city, office.state, office.country, office.line1, office.postal_code)
        mine = (*(text or "" for text in place), *given)
        pairs = [(a.casefold(), b.casefold()) for a, b in zip(mine, theirs, strict=True) if b]
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
