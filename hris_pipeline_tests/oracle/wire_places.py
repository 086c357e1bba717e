"""Homes, offices and departments on the wires."""

from .countries import country
from .model import JsonObject
from .text import key
from .wire_values import (
    OFFICE,
    RESIDENCE,
    Notes,
    as_list,
    as_object,
    first_text,
    is_empty,
    read_text,
    scalar,
    type_word,
)

ADDRESS_KEYS = ("line1", "line2", "city", "state", "postal_code", "country")


def is_address(holder: JsonObject) -> bool:
    return any(name in holder for name in ADDRESS_KEYS)


def read_place(holder: JsonObject, columns: tuple[str, ...], notes: Notes) -> dict[str, str | None]:
    """City, state and country of an address that was found."""
    city, state, land = columns
    values = {
        city: read_text(holder, "city", city, notes),
        state: read_text(holder, "state", state, notes),
        land: read_text(holder, "country", land, notes, is_id=True),
    }
    if values[land] is not None:
        alpha_2 = country(values[land])
        if alpha_2 is None:
            notes.could_not_read(land)
        values[land] = alpha_2
    return values


def _same_address(left: JsonObject, right: JsonObject) -> bool:
    def parts(holder: JsonObject) -> list[str]:
        return [key(scalar(holder.get(name)) or "") for name in ADDRESS_KEYS]

    return parts(left) == parts(right) and any(parts(left))


def find_home(value: object, offices: list[JsonObject], notes: Notes) -> JsonObject | None:
    """The home address among the addresses of a member."""
    if is_empty(value):
        return None
    notes.sent.update(RESIDENCE)
    addresses = [as_object(item) for item in as_list(value) if is_address(as_object(item))]
    if not addresses:
        notes.could_not_read(*RESIDENCE)
        return None
    for holder in addresses:
        if type_word(holder) in ("home", "residence", "mailing"):
            return holder
    for holder in addresses:
        if not type_word(holder) and not any(_same_address(holder, office) for office in offices):
            return holder
    return None


def find_by_id(items: object, holder_id: object) -> JsonObject:
    for item in as_list(items):
        holder = as_object(item)
        if holder.get("id") is not None and holder.get("id") == holder_id:
            return holder
    return {}


def _office_address(holder: JsonObject) -> JsonObject | None:
    inner = as_object(holder.get("address"))
    if is_address(inner):
        return inner
    if is_address(holder):
        return holder
    for item in as_list(holder.get("addresses")):
        if is_address(as_object(item)):
            return as_object(item)
    return None


def find_offices(member: JsonObject, company: JsonObject) -> list[JsonObject]:
    holders = [as_object(member.get("office"))] + [as_object(item) for item in as_list(company.get("offices"))]
    return [address for address in map(_office_address, holders) if address is not None]


def find_office(member: JsonObject, company: JsonObject, notes: Notes) -> JsonObject | None:
    value = member.get("office")
    if is_empty(value):
        return None
    notes.sent.update(OFFICE)
    holder = as_object(value)
    address = _office_address(holder) or _office_address(find_by_id(company.get("offices"), holder.get("id")))
    if address is None and "id" not in holder and "name" not in holder:
        notes.could_not_read(*OFFICE)
    return address


def read_department(value: object, company: JsonObject, notes: Notes) -> str | None:
    if is_empty(value):
        return None
    notes.sent.add("department")
    if isinstance(value, str):
        return scalar(value)
    holder = as_object(value)
    name, seen = first_text(holder, ("name",), is_id=False)
    if name is None and not seen:
        name, seen = first_text(find_by_id(company.get("departments"), holder.get("id")), ("name",), is_id=False)
    if name is None and not seen:
        notes.could_not_read("department")
    return name


def unless_no_department(name: str | None) -> str | None:
    """The Partner API's word for none."""
    return None if name is not None and key(name) == "no department" else name
