"""How a person and the company look on the two wires: the Justworks Partner API and the aggregator with Finch's shape.

Justworks omits single values and objects that are empty and always sends arrays; Finch sends null.
Everything assumed about inner shapes of the Partner API is in this file.
"""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from hris_pipeline.sandbox.people import CUSTOM_FIELDS, DEPARTMENTS, OFFICES, Office, Person

__all__ = [
    "custom_fields",
    "custom_values",
    "finch_company",
    "finch_employment",
    "finch_id",
    "finch_individual",
    "finch_listed",
    "member",
    "profile",
]

Json = dict[str, Any]

DEPARTMENT_IDS = {name: f"department-{number}" for number, name in enumerate(DEPARTMENTS, start=1)}
OFFICES_BY_ID: Mapping[str | None, Office] = {office.id: office for office in OFFICES}


def _drop_empty(**pairs: Any) -> Json:
    return {key: value for key, value in pairs.items() if value not in (None, "", {})}


def _home_address(person: Person) -> Json:
    place = person.home
    if place is None:
        return {}
    return _drop_empty(
        line1="12 Example Street",
        city=place.city,
        state=place.state,
        postal_code=place.postal_code,
        country=place.country,
    )


def _describe_employment(person: Person, manager_work_id: str | None) -> Json:
    starts = [start for start in (person.start_date, *person.rehire_dates) if start]
    ends = [*starts[1:], person.termination_date]
    return _drop_empty(
        type=person.kind,
        employment_location_type=person.location_type,
        current_employment=_drop_empty(
            **{
                person.country or "US": _drop_empty(
                    employment_type=person.employment_type, start_date=starts[-1] if starts else None
                )
            }
        )
        if person.active
        else None,
        employment_history=[
            _drop_empty(start_date=start, end_date=end) for start, end in zip(starts, ends, strict=True)
        ],
        employment_start_date=person.start_date,
        employment_termination_date=person.termination_date,
        job_title=person.job_title,
        department={"id": DEPARTMENT_IDS.get(person.department, "department-other"), "name": person.department}
        if person.department
        else None,
        office={"id": person.office, "name": OFFICES_BY_ID[person.office].name} if person.office else None,
        manager=_drop_empty(id=person.manager, work_id=manager_work_id) if person.manager else None,
        current_pay={"amount": person.salary, "currency": "USD"},
        current_pay_frequency="semi_monthly",
        pay_history=[_drop_empty(amount=person.salary, start_date=person.start_date)],
    )


def member(
    person: Person,
    company_id: str,
    manager_work_id: str | None,
    *,
    birth_date: bool = True,
    employment: bool = True,
) -> Json:
    """The member as the Partner API sends it; ``birth_date`` and ``employment`` say what the scopes allow.

    ``manager_work_id`` is known when the manager is listed. Pay, tax and sex are in it: clients must drop them.
    """
    home = _home_address(person)
    sent = _drop_empty(
        id=person.id,
        company_id=company_id,
        work_id=person.work_id,
        name=_drop_empty(
            given_name=person.first_name,
            family_name=person.last_name,
            preferred_name=person.preferred_name,
            full_preferred_name=f"{person.preferred_name} {person.last_name}" if person.preferred_name else None,
            additional_names=list(person.additional_names),
        ),
        active=person.active,
        addresses=[{"type": "home", **home}] if home else [],
        emails=[
            {"type": type_, "email": address}
            for type_, address in (("work", person.work_email), ("personal", person.personal_email))
            if address
        ],
        phones=[{"type": type_, "number": number} for type_, number in person.phones],
        date_added_to_justworks=person.start_date,
        date_of_birth=person.birth_date if birth_date else None,
        employment_history=[],
        pay_history=[],
        sex_assigned_at_birth=person.sex,
        tax_withholding={"filing_status": "single", "allowances": 1},
        created_at=person.created_at,
        updated_at=person.updated_at,
    )
    if employment:
        sent |= _describe_employment(person, manager_work_id)
    return sent | (person.raw or {})


def profile(company_id: str, display_name: str) -> Json:
    """The company as the Partner API sends it."""
    return {
        "id": company_id,
        "display_name": display_name,
        "legal_name": f"{display_name}, Inc.",
        "addresses": [],
        "departments": [{"id": id_, "name": name} for name, id_ in DEPARTMENT_IDS.items()],
        "offices": [
            {
                "id": office.id,
                "name": office.name,
                "address": _drop_empty(
                    line1="1 Sample Avenue", city=office.city, state=office.state, country=office.country
                ),
            }
            for office in OFFICES
        ],
        "phones": [],
        "country_data": {"US": {}},
    }


def custom_fields() -> list[Json]:
    """The definitions of the custom fields."""
    return [
        {
            "id": field.id,
            "label": field.label,
            "type": field.type,
            "options": list(field.options),
            "cardinality": field.cardinality,
            "category": "member",
        }
        for field in CUSTOM_FIELDS
    ]


def custom_values(person: Person) -> list[Json]:
    """The custom values of one person."""
    return [{"id": id_, "values": list(values)} for id_, values in person.custom.items()]


def finch_id(member_id: str) -> str:
    """The aggregator's own id for a person: stable, and never the member's."""
    return str(uuid.UUID(bytes=hashlib.blake2b(member_id.encode(), digest_size=16).digest(), version=4))


def _finch_names(person: Person) -> Json:
    return {
        "id": finch_id(person.id),
        "first_name": person.first_name,
        "middle_name": " ".join(person.additional_names) or None,
        "last_name": person.last_name,
    }


def _finch_work(person: Person) -> Json:
    return {
        "manager": {"id": finch_id(person.manager)} if person.manager else None,
        "department": {"name": person.department} if person.department else None,
        "is_active": person.active and person.employment_status != "leave",
    }


def _finch_location(**parts: str) -> Json:
    empty: Json = dict.fromkeys(("line1", "line2", "city", "state", "postal_code", "country"))
    return empty | {key: value for key, value in parts.items() if value}


def finch_listed(person: Person) -> Json:
    """One entry of the aggregator's directory."""
    return _finch_names(person) | _finch_work(person)


def finch_individual(person: Person) -> Json:
    """The body of one individual."""
    emails = (("work", person.work_email), ("personal", person.personal_email))
    kinds = {"mobile": "personal", "home": "personal", "work": "work"}
    phones: list[Any] = [{"data": number, "type": kinds.get(type_)} for type_, number in person.phones]
    return _finch_names(person) | {
        "preferred_name": person.preferred_name,
        "emails": [{"data": address, "type": type_} for type_, address in emails if address],
        "phone_numbers": phones or [None],
        "dob": person.birth_date,
        "gender": {"F": "female", "M": "male"}.get(person.sex or "", "other"),
        "ethnicity": "decline_to_specify",
        "residence": _finch_location(**_home_address(person)) if person.home else None,
    }


def finch_employment(person: Person, today: str) -> Json:
    """The body of one employment, as of ``today`` (ISO)."""
    office = OFFICES_BY_ID.get(person.office)
    contractor = "contractor" in person.kind
    status = "active" if person.active else "terminated"
    if person.active and (person.start_date or "") > today:
        status = "prehire"
    status = person.employment_status or status
    return (
        _finch_names(person)
        | _finch_work(person)
        | {
            "title": person.job_title,
            "employment": {
                "type": "contractor" if contractor else "employee",
                "subtype": "individual_contractor" if contractor else person.employment_type,
            },
            "employment_status": status,
            "start_date": person.start_date,
            "end_date": person.termination_date,
            "latest_rehire_date": max(person.rehire_dates, default=None),
            "class_code": None,
            "location": _finch_location(city=office.city, state=office.state, country=office.country)
            if office
            else _finch_location(country=person.country or ""),
            "income": {"amount": person.salary * 100, "currency": "usd", "unit": "yearly", "effective_date": None},
            "income_history": [],
            "custom_fields": [
                {"name": field.label, "value": list(values) if field.cardinality == "multiple" else values[0]}
                for field in CUSTOM_FIELDS
                if (values := person.custom.get(field.id))
            ],
            "source_id": person.work_id,
        }
    )


def finch_company(company_id: str, display_name: str) -> Json:
    """The company as the aggregator sends it."""
    return {
        "id": finch_id(company_id),
        "legal_name": f"{display_name}, Inc.",
        "entity": {"type": "corporation", "subtype": "c_corporation"},
        "primary_email": None,
        "primary_phone_number": None,
        "departments": [{"name": name, "parent": None} for name in DEPARTMENT_IDS],
        "ein": None,
        "locations": [
            _finch_location(city=office.city, state=office.state, country=office.country) for office in OFFICES
        ],
        "accounts": [],
    }
