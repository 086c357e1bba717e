"""The Partner API's shapes, and members as columns.

Assumed, because the vendor publishes no inner shapes; this module is the only place that knows them:

- an email's address stands in ``email``, ``address`` or ``value``; a number in ``number``, ``phone`` or ``value``;
  their type in ``type`` or ``kind`` (``work``, ``personal``/``home``, ``mobile``/``cell``); the first spelling that
  is there wins;
- the home address is the one typed ``home``, else ``residence``, else ``mailing``, else a lone one without a type;
- ``department`` and ``office`` are ``{id, name}``, ``manager`` is ``{id}``; an office's address is found by id in the
  company;
- ``current_employment`` is a map by country code whose entries hold ``employment_type`` (or ``type``);
- ``employment_history`` lists ``start_date``s; the latest after the first start of employment is a rehire;
- custom field values are ``{id, values: [text]}`` and are archived inside the member as ``custom_field_values``.
"""

from collections.abc import Iterable

import msgspec

from hris_pipeline.sources.decoding import LenientDecoder
from hris_pipeline.sources.protocol import Company, CustomField, Office
from hris_pipeline.sources.raw_columns import ColumnBuilder, chosen_phone, custom_fields_text, pick_emails

__all__ = [
    "CUSTOM_VALUES_KEY",
    "columns",
    "read_company",
    "read_custom_fields",
]

CUSTOM_VALUES_KEY = "custom_field_values"
"""Where a member's custom field values stand in its archived line."""

HOME = ("home", "residence", "mailing")

Text = str | None


class _Name(msgspec.Struct, gc=False):
    given_name: Text = None
    family_name: Text = None
    preferred_name: Text = None


class _Address(msgspec.Struct, gc=False):
    city: Text = None
    type: Text = None
    kind: Text = None
    state: Text = None
    country: Text = None


class _Email(msgspec.Struct, gc=False):
    email: Text = None
    address: Text = None
    value: Text = None
    type: Text = None
    kind: Text = None


class _Phone(msgspec.Struct, gc=False):
    number: Text = None
    phone: Text = None
    value: Text = None
    type: Text = None
    kind: Text = None


class _Named(msgspec.Struct, gc=False):
    name: Text = None
    id: Text = None


class _Reference(msgspec.Struct, gc=False):
    id: Text = None


class _Employment(msgspec.Struct, gc=False):
    employment_type: Text = None
    type: Text = None


class _EmploymentPeriod(msgspec.Struct, gc=False):
    start_date: Text = None


class _Values(msgspec.Struct, gc=False):
    id: Text = None
    values: object = None


class _Member(msgspec.Struct, gc=False):
    id: Text = None
    work_id: Text = None
    name: _Name | None = None
    active: bool | None = None
    type: Text = None
    addresses: list[_Address | None] | None = None
    emails: list[_Email | None] | None = None
    phones: list[_Phone | None] | None = None
    current_employment: dict[str, _Employment | None] | None = None
    employment_history: list[_EmploymentPeriod | None] | None = None
    date_of_birth: Text = None
    department: _Named | None = None
    office: _Reference | None = None
    manager: _Reference | None = None
    employment_start_date: Text = None
    employment_termination_date: Text = None
    job_title: Text = None
    custom_field_values: list[_Values | None] | None = None
    updated_at: Text = None


class _Place(msgspec.Struct):
    id: Text = None
    address: _Address | None = None


class _Company(msgspec.Struct):
    id: Text = None
    display_name: Text = None
    legal_name: Text = None
    offices: list[_Place | None] | None = None


class _Definition(msgspec.Struct):
    id: Text = None
    label: Text = None
    type: Text = None
    options: list[Text] | None = None


_members = LenientDecoder(_Member)
_companies = LenientDecoder(_Company)
_definitions = LenientDecoder(_Definition)

_NO_NAME = _Name()
_NO_OFFICE = Office("")


def columns(lines: Iterable[bytes], company: Company) -> dict[str, list[object]]:
    """Archived members as raw columns: text or None, ``active`` bool or None, custom fields as JSON; never raises."""
    offices = {office.id: office for office in company.offices}
    gathered = ColumnBuilder()
    read, add = _members.read, gathered.add
    for line in lines:
        member = read(line)
        add(_row(member, offices), member.updated_at)
    return gathered.done()


def read_company(body: bytes, custom_fields: tuple[CustomField, ...] = ()) -> Company:
    """The company, with the offices whose address is known."""
    company = _companies.read(body)
    offices = tuple(
        Office(place.id, *((place.address.city or "", place.address.state or "", place.address.country or "")))
        for place in company.offices or ()
        if place and place.id and place.address
    )
    return Company(company.id or "", company.display_name or company.legal_name or "", offices, custom_fields)


def read_custom_fields(items: Iterable[bytes]) -> tuple[CustomField, ...]:
    """The definitions that have an id; a field without a label is called by its id."""
    read = (_definitions.read(item) for item in items)
    return tuple(
        CustomField(field.id, field.label or field.id, field.type or "", tuple(filter(None, field.options or ())))
        for field in read
        if field.id
    )


def _row(member: _Member, offices: dict[str, Office]) -> tuple[object, ...]:
    name = member.name or _NO_NAME
    email, secondary_email = pick_emails(
        [(e.type or e.kind, e.email or e.address or e.value) for e in member.emails or () if e]
    )
    home = _home(member.addresses)
    country, subtype = _employment(member)
    office = offices.get(member.office.id or "", _NO_OFFICE) if member.office else _NO_OFFICE
    return (
        member.id,
        member.work_id,
        member.manager.id if member.manager else None,
        name.given_name,
        name.family_name,
        name.preferred_name,
        email,
        secondary_email,
        chosen_phone([(p.type or p.kind, p.number or p.phone or p.value) for p in member.phones or () if p]),
        member.date_of_birth,
        member.employment_start_date,
        _rehire_date(member),
        country or (home.country if home else None),
        member.job_title,
        member.department.name if member.department else None,
        member.type,
        subtype,
        None,  # the Partner API has no class code
        home.city if home else None,
        home.state if home else None,
        home.country if home else None,
        office.city or None,
        office.state or None,
        office.country or None,
        custom_fields_text((v.id, v.values) for v in member.custom_field_values if v)
        if member.custom_field_values
        else None,
        member.active,
        member.employment_termination_date,
    )


def _home(addresses: list[_Address | None] | None) -> _Address | None:
    typed: dict[str, _Address] = {}
    for address in addresses or ():
        if address:
            typed.setdefault((address.type or address.kind or "").lower(), address)
    for kind in HOME:
        if kind in typed:
            return typed[kind]
    return typed.get("") if len(typed) == 1 else None


def _employment(member: _Member) -> tuple[str | None, str | None]:
    """The country someone is employed in and the employment's subtype."""
    for country, employment in (member.current_employment or {}).items():
        subtype = (employment.employment_type or employment.type) if employment else None
        return (country if len(country) == 2 else None), subtype
    return None, None


def _rehire_date(member: _Member) -> str | None:
    """ISO dates order as text; what is no date is passed on for validation to see."""
    starts = [spell.start_date for spell in member.employment_history or () if spell and spell.start_date]
    latest, first = max(starts, default=None), member.employment_start_date or min(starts, default=None)
    return latest if latest and first and latest > first else None
