"""The Partner API's shapes: one getter a field, what is kept of a member, and members as columns.

The vendor publishes no inner shapes: what is assumed of them stands in ``records`` (keys and words), ``shapes``
(addresses) and here (what is a list, an object, a map by country). Custom field values come from calls of their own and
are archived inside the member as ``custom_field_values``.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from hris_pipeline.sources.decoding import UNREADABLE_BYTES, encode_sorted
from hris_pipeline.sources.documented import DocumentedReader
from hris_pipeline.sources.justworks_person import COLUMNS_OF, CUSTOM_VALUES_KEY, Member, Person
from hris_pipeline.sources.protocol import Company, CustomField, Office, Record, ShapeReport
from hris_pipeline.sources.raw_columns import (
    UNREAD,
    ColumnBuilder,
    RawColumns,
    WireField,
    blank_columns,
    clean_id,
    kept_members,
    unread_columns,
    unreadable_columns,
    wire_getters,
)
from hris_pipeline.sources.records import (
    MEMBER,
    SINGLE,
    SPELLINGS,
    Pruner,
    Shape,
    UnreadTally,
    holds_something,
    keys_of,
    scalar,
    spelled,
)
from hris_pipeline.sources.shapes import EMPLOYMENT_KEYS, is_an_office, read_label, read_office

__all__ = [
    "CUSTOM_VALUES_KEY",
    "FIELDS",
    "Reception",
    "arrow_columns",
    "read_company",
    "read_custom_fields",
]

_ADDRESS = Shape.of("address", "addresses")
_OFFICE_ADDRESS = Shape.of("address", "office.address")
_OFFICE = Shape.of("office", "office", *keys_of("address"), address=_OFFICE_ADDRESS, addresses=_OFFICE_ADDRESS)
_OPTION = Shape.of("option", "custom_field_values.values")
_NESTED: Mapping[str, Shape] = {
    "name": Shape.of("name", "name"),
    "emails": Shape.of("email", "emails"),
    "phones": Shape.of("phone", "phones"),
    "addresses": _ADDRESS,
    "department": Shape.of("department", "department"),
    "office": _OFFICE,
    "manager": Shape.of("manager", "manager"),
    "current_employment": Shape.of("employment", "current_employment", *EMPLOYMENT_KEYS, by_country=True),
    "employment_history": Shape.of("period", "employment_history", by_country=True),
    CUSTOM_VALUES_KEY: Shape.of("custom_value", CUSTOM_VALUES_KEY, values=_OPTION, value=_OPTION),
}
"""What is kept of the keys that hold a list or an object."""


def _key_field(name: str) -> WireField[Person]:
    return WireField((name,), lambda person: person.member.get(name))


def _name_field(meaning: str) -> WireField[Person]:
    keys = SPELLINGS["name"][meaning]
    return WireField(tuple(f"name.{key}" for key in keys), lambda person: spelled(person.name, keys))


FIELDS: Mapping[str, WireField[Person]] = {
    "hris_id": _key_field("id"),
    "justworks_id": _key_field("work_id"),
    "supervisor_hris_id": WireField(("manager.id",), lambda person: person.supervisor),
    "supervisor_justworks_id": WireField(("manager.id",), None),
    "first_name": _name_field("first"),
    "last_name": _name_field("last"),
    "preferred_first_name": _name_field("preferred"),
    "email": WireField(("emails",), lambda person: person.email),
    "secondary_email": WireField(("emails",), lambda person: person.secondary_email),
    "phone_number": WireField(("phones",), lambda person: person.phone),
    "birth_date": _key_field("date_of_birth"),
    "hire_date": _key_field("employment_start_date"),
    "latest_rehire_date": WireField(("employment_history",), lambda person: person.rehired),
    "country_code": WireField(("current_employment", "addresses"), lambda person: person.country),
    "job_title": _key_field("job_title"),
    "department": WireField(("department.name", "department.id"), lambda person: person.department),
    "employment_type": _key_field("type"),
    "employment_subtype": WireField(("current_employment",), lambda person: person.subtype),
    "is_manager": WireField(("manager.id", "active"), None),
    "residence_city": WireField(("addresses",), lambda person: person.home.city),
    "residence_state": WireField(("addresses",), lambda person: person.home.state),
    "residence_country": WireField(("addresses",), lambda person: person.home.country),
    "employment_city": WireField(("office",), lambda person: person.office.city),
    "employment_state": WireField(("office",), lambda person: person.office.state),
    "employment_country": WireField(("office",), lambda person: person.office.country),
    "custom_fields": WireField((CUSTOM_VALUES_KEY,), lambda person: person.custom),
    "active": WireField(("active",), lambda person: _as_flag(person.member.get("active"))),
    "termination_date": _key_field("employment_termination_date"),
}
"""One getter a field: the only place where an employee column and the Partner API meet."""

_PLAIN = {path for field in FIELDS.values() for path in field.paths if "." not in path and path not in _NESTED}
SHAPE = Shape(MEMBER, {**dict.fromkeys(("updated_at", *sorted(_PLAIN)), SINGLE), **_NESTED})
"""Everything that is kept of a member: what a getter reads, and when it was changed."""

_RESIDENCE = {
    "city": ("residence_city",),
    "state": ("residence_state",),
    "country": ("residence_country", "country_code"),
}
_EMPLOYMENT = {part: (f"employment_{part}",) for part in ("city", "state", "country")}
_PARTS: Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]] = {
    "name": (
        "name",
        {"first": ("first_name",), "last": ("last_name",), "preferred": ("preferred_first_name",)},
    ),
    "addresses": ("address", _RESIDENCE),
    "office": ("address", _EMPLOYMENT),
    "office.address": ("address", _EMPLOYMENT),
    "current_employment": ("employment", {"subtype": ("employment_subtype",)}),
}
_INNER = {
    (place, key): columns
    for place, (spelling, parts) in _PARTS.items()
    for part, columns in parts.items()
    for key in SPELLINGS[spelling][part]
} | {("current_employment", key): ("country_code",) for key in ("country", "country_code")}
"""By place and key of what stands inside a member and holds a single value: the columns read from it."""

_GETTERS = wire_getters("justworks", FIELDS)
_SINGLES = {field.paths[0]: (name,) for name, field in FIELDS.items() if SHAPE.keys.get(field.paths[0], "") is SINGLE}
"""By key of a member that holds a single value: the column read from it."""


class Reception:
    """Takes in the members of one reading: what is kept of each, its raw columns, and what was noticed of their
    shapes."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._offices = _by_id(company)
        self._pruner = Pruner()
        self._tally = UnreadTally()
        self._documented = DocumentedReader(SHAPE, _SINGLES, self._pruner, self._tally, company)

    def record(self, member: object) -> Record:
        """The record of one member; one that is no object gives a record without an id.

        Raises:
            ValueError: it cannot be kept.
        """
        (record,) = self.records([member])
        if record is None:
            raise ValueError("it cannot be kept")
        return record

    def records(self, members: Sequence[object]) -> list[Record | None]:
        """The record of each member, as ``record`` gives it; None for one that cannot be kept."""
        objects = [member for member in members if isinstance(member, dict)]
        readings = iter(self._documented.read(objects))
        records: list[Record | None] = []
        for member in members:
            if not isinstance(member, dict):
                records.append(Record("", "", b"{}", row=_build_row(Person({}, self._company, self._offices))))
            elif (reading := next(readings)) is not None:
                records.append(_build_record(member, *reading, ()))
            else:
                records.append(self._read_or_none(member))
        return records

    def report(self) -> ShapeReport:
        """What was noticed so far."""
        return ShapeReport(*self._pruner.counted(), self._tally.counted())

    def _read_or_none(self, member: Member) -> Record | None:
        try:
            return self._read_tolerantly(member)
        except (ValueError, RecursionError):
            return None

    def _read_tolerantly(self, member: Member) -> Record:
        self._pruner.misfits.clear()
        kept = self._pruner.prune(member, SHAPE)
        self._drop_offices(kept, member)
        unread = self._tally_unread(member, kept)
        line = encode_sorted(kept)
        if UNREADABLE_BYTES in line:
            spoiled = unreadable_columns(_build_row(Person(kept, self._company, self._offices)))
            self._tally.unread(spoiled, None)
            unread.update(spoiled)
        if unread:
            kept |= {UNREAD: sorted(unread)}
            line = encode_sorted(kept)
        return _build_record(kept, line, *_read_kept(kept, line, self._company, self._offices))

    def _drop_offices(self, kept: dict[str, Any], member: Member) -> None:
        """An untyped address that is an office's is told by its street, which is not kept: so it is told here."""
        addresses = member.get("addresses")
        if isinstance(addresses, list) and len(addresses) > 1:
            pairs = zip(addresses, kept["addresses"], strict=True)
            kept["addresses"] = [item for address, item in pairs if not is_an_office(address, self._company.offices)]

    def _tally_unread(self, member: Member, kept: Member) -> set[str]:
        unread: set[str] = set()
        for key, columns in COLUMNS_OF.items():
            if key in member and holds_something(member[key]):
                self._tally.sent(columns)
        for key, columns in _SINGLES.items():
            if holds_something(member.get(key)):
                self._tally.sent(columns)
        for key, columns in Person(member, self._company, self._offices).unread.items():
            self._tally.unread(columns, member[key])
            unread.update(columns)
        for place, key, value in filter(_holds_value, self._pruner.misfits):
            columns = _SINGLES.get(key, ())
            if place != MEMBER:
                row = _build_row(Person(kept, self._company, self._offices))
                columns = tuple(blank_columns(row, _INNER.get((place, key), ())))
            self._tally.unread(columns, value)
            unread.update(columns)
        return unread


def _holds_value(misfit: tuple[str, str, object]) -> bool:
    return holds_something(misfit[2])


def _build_record(kept: Member, line: bytes, row: list[object], unread: Sequence[str]) -> Record:
    updated_at = scalar(kept.get("updated_at")) or ""
    return Record(clean_id(kept.get("id")), updated_at, line, kept.get("active") is True, row, tuple(unread))


def arrow_columns(lines: Iterable[bytes], company: Company, on: date = date.max) -> RawColumns:
    """Archived members as raw columns, ``spells`` and ``unread``, who is listed twice as on the day; never raises."""
    offices = _by_id(company)
    builder = ColumnBuilder(on)
    for kept, line in kept_members(lines):
        builder.append(*_read_kept(kept, line, company, offices), scalar(kept.get("updated_at")))
    return builder.finish()


def _read_kept(
    kept: Member, line: bytes, company: Company, offices: Mapping[str, Office]
) -> tuple[list[object], Sequence[str]]:
    """The raw columns of what was kept of a member, and which of them are unread."""
    person = Person(kept, company, offices)
    row = _build_row(person)
    return row, unread_columns(kept, person.unread, row, line)


def _build_row(person: Person) -> list[object]:
    return [*[getter(person) for getter in _GETTERS], person.spells]


def read_company(body: object, custom_fields: tuple[CustomField, ...] = ()) -> Company:
    """The company, with its offices and the names of its departments."""
    company: Member = body if isinstance(body, dict) else {}
    offices = (read_office(office) for office in _as_list(company.get("offices")))
    departments = (item for item in _as_list(company.get("departments")) if isinstance(item, dict))
    names = ((spelled(item, ("id",)), spelled(item, ("name",))) for item in departments)
    return Company(
        scalar(company.get("id")) or "",
        spelled(company, ("display_name", "legal_name")) or "",
        tuple(office for office in offices if office),
        {key: name for key, name in names if key and name},
        custom_fields,
    )


def read_custom_fields(items: Iterable[object]) -> tuple[CustomField, ...]:
    """The definitions that have an id; a field without a label is called by its id."""
    objects = [item for item in items if isinstance(item, dict)]
    return tuple(
        CustomField(
            field_id,
            spelled(item, ("label", "name")) or field_id,
            spelled(item, ("type",)) or "",
            tuple(filter(None, map(read_label, _as_list(item.get("options"))))),
        )
        for item in objects
        if (field_id := spelled(item, ("id", "custom_field_id")))
    )


def _as_list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _as_flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _by_id(company: Company) -> dict[str, Office]:
    return {office.id: office for office in company.offices}
