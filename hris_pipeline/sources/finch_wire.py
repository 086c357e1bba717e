"""The aggregator's shapes, and members as columns. An archived line is ``{id, directory, individual, employment}``,
the last two as their bodies came. Every field may be null; custom fields are known by name, so the name is both id
and label."""

from collections.abc import Iterable, Mapping

import msgspec

from hris_pipeline.sources.decoding import LenientDecoder
from hris_pipeline.sources.protocol import CustomField
from hris_pipeline.sources.raw_columns import ColumnBuilder, chosen_phone, custom_fields_text, pick_emails

__all__ = ["columns", "custom_fields_of"]

Text = str | None


class _Contact(msgspec.Struct, gc=False):
    data: Text = None
    type: Text = None


class _Reference(msgspec.Struct, gc=False):
    id: Text = None


class _Named(msgspec.Struct, gc=False):
    name: Text = None


class _Kind(msgspec.Struct, gc=False):
    type: Text = None
    subtype: Text = None


class _Place(msgspec.Struct, gc=False):
    city: Text = None
    state: Text = None
    country: Text = None


class _Value(msgspec.Struct, gc=False):
    name: Text = None
    value: object = None


class _Directory(msgspec.Struct, gc=False):
    first_name: Text = None
    last_name: Text = None
    manager: _Reference | None = None
    department: _Named | None = None
    is_active: bool | None = None


class _Individual(msgspec.Struct, gc=False):
    first_name: Text = None
    last_name: Text = None
    preferred_name: Text = None
    emails: list[_Contact | None] | None = None
    phone_numbers: list[_Contact | None] | None = None
    dob: Text = None
    residence: _Place | None = None


class _Employment(msgspec.Struct, gc=False):
    first_name: Text = None
    last_name: Text = None
    title: Text = None
    manager: _Reference | None = None
    department: _Named | None = None
    employment: _Kind | None = None
    start_date: Text = None
    end_date: Text = None
    latest_rehire_date: Text = None
    is_active: bool | None = None
    class_code: Text = None
    location: _Place | None = None
    custom_fields: list[_Value | None] | None = None
    source_id: Text = None


class _Line(msgspec.Struct, gc=False):
    id: Text = None
    directory: _Directory | None = None
    individual: _Individual | None = None
    employment: _Employment | None = None


class _Custom(msgspec.Struct, gc=False):
    custom_fields: list[_Value | None] | None = None


_lines = LenientDecoder(_Line)
_customs = LenientDecoder(_Custom)

_DIRECTORY, _INDIVIDUAL, _EMPLOYMENT = _Directory(), _Individual(), _Employment()
_NO_REFERENCE, _NO_NAME, _NO_KIND, _NOWHERE = _Reference(), _Named(), _Kind(), _Place()


def columns(lines: Iterable[bytes]) -> dict[str, list[object]]:
    """Archived members as raw columns: text or None, ``active`` bool or None, custom fields as JSON; never raises."""
    gathered = ColumnBuilder()
    for line in lines:
        gathered.add(_row(_lines.read(line)), None)
    return gathered.done()


def custom_fields_of(employment: Mapping[str, msgspec.Raw]) -> tuple[CustomField, ...]:
    """The custom fields that one employment shows."""
    shown = employment.get("custom_fields")
    values = _customs.read(b'{"custom_fields":%b}' % bytes(shown)).custom_fields if shown is not None else ()
    return tuple(CustomField(value.name, value.name) for value in values or () if value and value.name)


def _row(line: _Line) -> tuple[object, ...]:
    listed = line.directory or _DIRECTORY
    person = line.individual or _INDIVIDUAL
    work = line.employment or _EMPLOYMENT
    email, secondary_email = pick_emails([(e.type, e.data) for e in person.emails or () if e])
    home, office = person.residence or _NOWHERE, work.location or _NOWHERE
    kind = work.employment or _NO_KIND
    return (
        line.id,
        work.source_id,
        (work.manager or listed.manager or _NO_REFERENCE).id,
        person.first_name or work.first_name or listed.first_name,
        person.last_name or work.last_name or listed.last_name,
        person.preferred_name,
        email,
        secondary_email,
        chosen_phone([(p.type, p.data) for p in person.phone_numbers or () if p]),
        person.dob,
        work.start_date,
        work.latest_rehire_date,
        office.country or home.country,
        work.title,
        (work.department or listed.department or _NO_NAME).name,
        kind.type,
        kind.subtype,
        work.class_code,
        home.city,
        home.state,
        home.country,
        office.city,
        office.state,
        office.country,
        custom_fields_text((v.name, v.value) for v in work.custom_fields if v) if work.custom_fields else None,
        work.is_active if work.is_active is not None else listed.is_active,
        work.end_date,
    )
