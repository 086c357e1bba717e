"""The aggregator's shapes: one getter a field, what is kept of a person, and people as columns. An archived line is
``{id, directory, individual, employment}``. Every field may be null; custom fields are known by name, so the name is
both id and label."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from hris_pipeline.sources.decoding import UNREADABLE_BYTES, as_text, encode
from hris_pipeline.sources.protocol import CustomField, Record, ShapeReport
from hris_pipeline.sources.raw_columns import (
    UNREAD,
    ColumnBuilder,
    RawColumns,
    WireField,
    blank_columns,
    chosen_phone,
    clean_id,
    kept_members,
    pick_emails,
    read_contacts,
    unread_columns,
    unreadable_columns,
    wire_getters,
)
from hris_pipeline.sources.records import (
    ANY,
    MEMBER,
    SINGLE,
    SPELLINGS,
    Pruner,
    Shape,
    UnreadTally,
    holds_something,
    scalar,
    spelled,
)
from hris_pipeline.sources.shapes import NOWHERE, Place, custom_fields_text, holds_unknown, place_in

__all__ = ["FIELDS", "Reception", "arrow_columns", "is_called_employed", "is_of_another"]

Part = Mapping[str, Any]

NOT_EMPLOYED = frozenset({"terminated", "retired", "deceased"})
EMPLOYED = frozenset({"active", "leave", "onboarding", "prehire"})

_PLACE = ("city", "state", "country")
_REFERENCE = ("id",)
_NAMED = ("name",)
_NAMES = ("first_name", "last_name")


def _make_shape(place: str, *singles: str, **more: Any) -> Shape:
    return Shape(place, {**dict.fromkeys(singles, SINGLE), **more})


SHAPE = Shape(
    MEMBER,
    {
        "id": SINGLE,
        "directory": _make_shape(
            "directory",
            *_NAMES,
            "is_active",
            manager=_make_shape("directory.manager", *_REFERENCE),
            department=_make_shape("directory.department", *_NAMED),
        ),
        "individual": _make_shape(
            "individual",
            *_NAMES,
            "preferred_name",
            "dob",
            emails=Shape.of("email", "individual.emails"),
            phone_numbers=Shape.of("phone", "individual.phone_numbers"),
            residence=_make_shape("individual.residence", *_PLACE),
        ),
        "employment": _make_shape(
            "employment",
            *(*_NAMES, "title", "start_date", "end_date", "latest_rehire_date", "is_active", "employment_status"),
            *("class_code", "source_id"),
            manager=_make_shape("employment.manager", *_REFERENCE),
            department=_make_shape("employment.department", *_NAMED),
            employment=_make_shape("employment.employment", "type", "subtype"),
            location=_make_shape("employment.location", *_PLACE),
            custom_fields=_make_shape("employment.custom_fields", "name", value=ANY),
        ),
    },
)
"""Everything that is kept of a person."""

COLUMNS_OF: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("individual", "emails"): ("email", "secondary_email"),
    ("individual", "phone_numbers"): ("phone_number",),
    ("individual", "residence"): ("residence_city", "residence_state", "residence_country"),
    ("employment", "location"): ("employment_city", "employment_state", "employment_country"),
    ("employment", "department"): ("department",),
    ("employment", "manager"): ("supervisor_hris_id", "supervisor_justworks_id"),
    ("employment", "employment"): ("employment_type", "employment_subtype"),
    ("employment", "custom_fields"): ("custom_fields",),
}
"""By part and key that holds a list or an object: the columns that are unread when nothing can be read there."""


class Person:
    """A person as read; ``unread`` names, by part and key, the columns of which there was something that could not be
    read."""

    __slots__ = (
        *("custom", "department", "directory", "email", "employment", "home", "individual", "kind", "line"),
        *("office", "phone", "secondary_email", "supervisor", "unread"),
    )

    def __init__(self, line: Part) -> None:
        self.line = line
        self.directory, self.individual, self.employment = (
            _as_part(line.get(name)) for name in ("directory", "individual", "employment")
        )
        self.unread: dict[tuple[str, str], tuple[str, ...]] = {}
        individual, employment = self.individual, self.employment
        self.email, self.secondary_email, unread = pick_emails(
            read_contacts(individual.get("emails"), SPELLINGS["email"])
        )
        if unread:
            self.unread["individual", "emails"] = unread
        self.phone, no_phone = chosen_phone(read_contacts(individual.get("phone_numbers"), SPELLINGS["phone"]))
        self._note(no_phone, "individual", "phone_numbers")
        self.home, self.office = _read_place(individual.get("residence")), _read_place(employment.get("location"))
        self._note(_is_unread(individual.get("residence"), self.home), "individual", "residence")
        self._note(_is_unread(employment.get("location"), self.office), "employment", "location")
        self.department = self._read_inner_text("department", "name")
        self.supervisor = self._read_inner_text("manager", "id")
        self.kind = _as_part(employment.get("employment"))
        kinds = (spelled(self.kind, ("type",)), spelled(self.kind, ("subtype",)))
        self._note(kinds == (None, None), "employment", "employment")
        self.custom, no_custom = _custom_fields(employment.get("custom_fields"))
        self._note(no_custom, "employment", "custom_fields")

    def _read_inner_text(self, key: str, inner: str) -> str | None:
        value = spelled(_as_part(self.employment.get(key)), (inner,)) or spelled(
            _as_part(self.directory.get(key)), (inner,)
        )
        self._note(value is None, "employment", key)
        return value

    def _note(self, is_unread: bool, part: str, key: str) -> None:
        parts: Mapping[str, Part] = {"individual": self.individual, "employment": self.employment}
        if is_unread and _is_filled(parts[part].get(key)):
            self.unread[part, key] = COLUMNS_OF[part, key]


def _part_field(part: str, key: str) -> WireField[Person]:
    return WireField((f"{part}.{key}",), lambda person: getattr(person, part).get(key))


def _first_part_field(key: str, *parts: str) -> WireField[Person]:
    return WireField(
        (f"individual.{key}",),
        lambda person: next((value for part in parts if (value := getattr(person, part).get(key))), None),
    )


FIELDS: Mapping[str, WireField[Person]] = {
    "hris_id": WireField(("id",), lambda person: person.line.get("id")),
    "justworks_id": _part_field("employment", "source_id"),
    "supervisor_hris_id": WireField(
        ("employment.manager.id", "directory.manager.id"), lambda person: person.supervisor
    ),
    "supervisor_justworks_id": WireField(("employment.manager.id", "directory.manager.id"), None),
    "first_name": _first_part_field("first_name", "individual", "employment", "directory"),
    "last_name": _first_part_field("last_name", "individual", "employment", "directory"),
    "preferred_first_name": _part_field("individual", "preferred_name"),
    "email": WireField(("individual.emails",), lambda person: person.email),
    "secondary_email": WireField(("individual.emails",), lambda person: person.secondary_email),
    "phone_number": WireField(("individual.phone_numbers",), lambda person: person.phone),
    "birth_date": _part_field("individual", "dob"),
    "hire_date": _part_field("employment", "start_date"),
    "latest_rehire_date": _part_field("employment", "latest_rehire_date"),
    "country_code": WireField(
        ("employment.location.country", "individual.residence.country"),
        lambda person: person.office.country or person.home.country,
    ),
    "job_title": _part_field("employment", "title"),
    "department": WireField(
        ("employment.department.name", "directory.department.name"), lambda person: person.department
    ),
    "employment_type": WireField(("employment.employment.type",), lambda person: person.kind.get("type")),
    "employment_subtype": WireField(("employment.employment.subtype",), lambda person: person.kind.get("subtype")),
    "is_manager": WireField(("employment.manager.id", "employment.is_active"), None),
    "class_code": _part_field("employment", "class_code"),
    "residence_city": WireField(("individual.residence.city",), lambda person: person.home.city),
    "residence_state": WireField(("individual.residence.state",), lambda person: person.home.state),
    "residence_country": WireField(("individual.residence.country",), lambda person: person.home.country),
    "employment_city": WireField(("employment.location.city",), lambda person: person.office.city),
    "employment_state": WireField(("employment.location.state",), lambda person: person.office.state),
    "employment_country": WireField(("employment.location.country",), lambda person: person.office.country),
    "custom_fields": WireField(("employment.custom_fields",), lambda person: person.custom),
    "active": WireField(
        ("employment.is_active", "employment.employment_status", "directory.is_active"),
        lambda person: is_called_employed(person.employment, person.directory),
    ),
    "termination_date": _part_field("employment", "end_date"),
}
"""One getter a field: the only place where an employee column and the aggregator meet."""

_GETTERS = wire_getters("finch", FIELDS)
_SINGLES = {
    place: (name,)
    for name, field in FIELDS.items()
    for path in field.paths
    if path.count(".") == 1 and (place := tuple(path.split("."))) not in COLUMNS_OF
}
"""By part and key that holds a single value: the column read from it."""

_INNER: Mapping[tuple[str, str], tuple[str, ...]] = {
    **{("individual.residence", key): (f"residence_{key}",) for key in ("city", "state")},
    **{("employment.location", key): (f"employment_{key}",) for key in ("city", "state")},
    ("individual.residence", "country"): ("residence_country", "country_code"),
    ("employment.location", "country"): ("employment_country", "country_code"),
    **{("employment.employment", key): (f"employment_{key}",) for key in ("type", "subtype")},
}
"""By place and key of what stands deeper and holds a single value: the columns read from it."""


def is_called_employed(employment: Part, directory: Part = {}) -> bool | None:  # noqa: B006 (never changed)
    """Whether the source calls somebody employed: ``is_active``, but on leave is employed and so is who has not started
    yet (the start date tells); without ``is_active`` by the status, and without either by the directory. False only
    when nothing that the source says speaks against it. None when nothing tells, or what tells contradicts itself."""
    status, is_active, listed = _read_status(employment), employment.get("is_active"), directory.get("is_active")
    if is_active is True:
        return True
    if _is_filled(is_active) and is_active is not False:
        return None
    if status == "leave" or (status == "prehire" and scalar(employment.get("start_date"))):
        return True
    if is_active is not False and (status in EMPLOYED - {"prehire"} or (not status and listed is True)):
        return True
    has_left = status in NOT_EMPLOYED or (not status and (is_active is False or listed is False))
    return False if has_left and (listed is False or not _is_filled(listed)) else None


def is_of_another(body: Part, hris_id: str) -> bool:
    """Whether a body names somebody else than the person it came for; without an id it names nobody."""
    ids = [body[key] for key in ("id", "individual_id") if _is_filled(body.get(key))]
    return any(clean_id(scalar(value)) != hris_id for value in ids)


class Reception:
    """Takes in the people of one reading: what is kept of each, and what was noticed of their shapes; ``custom_fields``
    are those met so far, by name."""

    def __init__(self) -> None:
        self._pruner = Pruner()
        self._tally = UnreadTally()
        self.custom_fields: dict[str, CustomField] = {}

    def record(self, hris_id: object, directory: Part, individual: Part, employment: Part) -> Record:
        """The record of one person.

        Raises:
            ValueError: it cannot be kept.
        """
        line = {"id": hris_id, "directory": directory, "individual": individual, "employment": employment}
        self._pruner.misfits.clear()
        kept = self._pruner.prune(line, SHAPE)
        unread = self._tally_unread(line, kept)
        encoded = encode(kept)
        if UNREADABLE_BYTES in encoded:
            spoiled = unreadable_columns(_build_row(Person(kept)))
            self._tally.unread(spoiled, None)
            unread.update(spoiled)
        if unread:
            kept |= {UNREAD: sorted(unread)}
            encoded = encode(kept)
        for item in kept["employment"].get("custom_fields") or ():
            if isinstance(item, dict) and (name := scalar(item.get("name"))):
                self.custom_fields.setdefault(name, CustomField(name, name))
        row, columns = _read_kept(kept, encoded)
        return Record(
            clean_id(hris_id), "", encoded, is_called_employed(employment, directory) is True, row, tuple(columns)
        )

    def report(self) -> ShapeReport:
        """What was noticed so far."""
        return ShapeReport(*self._pruner.counted(), self._tally.counted())

    def _tally_unread(self, line: Part, kept: Part) -> set[str]:
        unread: set[str] = set()
        for (part, key), columns in COLUMNS_OF.items():
            if _is_filled(line[part].get(key)):
                self._tally.sent(columns)
        self._tally.sent(
            {name for (part, key), names in _SINGLES.items() if _is_filled(line[part].get(key)) for name in names}
        )
        for (part, key), columns in Person(line).unread.items():
            self._tally.unread(columns, line[part][key])
            unread.update(columns)
        for place, key, value in self._pruner.misfits:
            names: tuple[str, ...] = _SINGLES.get((place, key), ())
            names = names or tuple(blank_columns(_build_row(Person(kept)), _INNER.get((place, key), ())))
            if holds_something(value):
                self._tally.unread(names, value)
                unread.update(names)
        return unread


def arrow_columns(lines: Iterable[bytes], on: date = date.max) -> RawColumns:
    """Archived people as raw columns, ``spells`` and ``unread``, who is listed twice as on the day; never raises."""
    builder = ColumnBuilder(on)
    for kept, line in kept_members(lines):
        builder.append(*_read_kept(kept, line), None)
    return builder.finish()


def _read_kept(kept: Part, line: bytes) -> tuple[list[object], Sequence[str]]:
    """The raw columns of what was kept of a person, and which of them are unread."""
    person = Person(kept)
    row = _build_row(person)
    return row, unread_columns(kept, person.unread, row, line)


def _build_row(person: Person) -> list[object]:
    return [*(getter(person) for getter in _GETTERS), None]


def _as_part(value: object) -> Part:
    return value if isinstance(value, dict) else {}


def _read_status(employment: Part) -> str:
    """The status as a word; one that is none, of whatever kind, is a word that nobody knows."""
    status = employment.get("employment_status")
    if not _is_filled(status):
        return ""
    return clean_id(scalar(status)).casefold() or ("" if isinstance(status, str) else "unreadable")


def _is_filled(value: object) -> bool:
    return value is not None and holds_something(value)


def _is_unread(value: object, place: Place) -> bool:
    return place == NOWHERE and (holds_unknown(value) if isinstance(value, dict) else True)


def _read_place(value: object) -> Place:
    return place_in(value) if isinstance(value, dict) else NOWHERE


def _custom_fields(items: object) -> tuple[str | None, bool]:
    if not holds_something(items):
        return None, False
    listed = items if isinstance(items, list) else [items]
    objects = [item for item in listed if isinstance(item, dict)]
    values = [(spelled(item, ("name",)), _list_texts(item.get("value"))) for item in objects]
    broken = any(holds_something(item) for item in listed if not isinstance(item, dict)) or any(
        (name is None and texts) or (not texts and _holds_other(item))
        for item, (name, texts) in zip(objects, values, strict=True)
    )
    return (None, True) if broken else (custom_fields_text(values), False)


def _holds_other(field: Part) -> bool:
    """Whether a custom field without a value holds something that may be one under another key."""
    return any(holds_something(value) for key, value in field.items() if key not in ("id", "name", "type", "value"))


def _list_texts(value: object) -> list[str]:
    return [text for part in (value if isinstance(value, list) else [value]) if (text := as_text(part))]
