"""A made-up company: people as they really are, and what a source says about them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from .model import Answer, Reading, Source, User

JSON_HEADERS = {"Content-Type": "application/json"}


CUSTOM_FIELDS = (
    {"id": "cf1", "label": "Badge", "type": "text", "cardinality": "one"},
    {"id": "cf2", "label": "Buddy", "type": "text", "cardinality": "one"},
    {"id": "cf3", "label": "Languages", "type": "select", "cardinality": "many"},
)


@dataclass(frozen=True)
class Person:
    """One person, and how the source shows them."""

    hris_id: str
    work_id: str | None
    first_name: str = "Jane"
    last_name: str = "Doe"
    preferred_name: str | None = None
    email: str | None = None
    personal_email: str | None = None
    phone: str | None = None
    birth_date: date | None = None
    start: date | None = date(2020, 1, 1)
    rehires: tuple[date, ...] = ()
    end: date | None = None
    active: bool = True
    manager: str | None = None
    title: str | None = None
    department: str | None = None
    country: str | None = "US"
    state: str | None = None
    city: str | None = None
    kind: str = "employee"
    listed: bool = True
    details_fail: bool = False
    custom: tuple[tuple[str, object], ...] = ()  # values by label of CUSTOM_FIELDS
    odd: tuple[tuple[Source, str, object], ...] = ()  # keys of the wire that hold something else
    lookup: str = "not_found"  # when not listed: not_found, inactive, active, error, other_id, html, none

    def __repr__(self) -> str:
        return f"Person({self.hris_id})"


def works(person: Person, today: date) -> bool:
    """The truth: whether this person is employed on that day."""
    if not person.active:
        return False
    starts = [day for day in (person.start, *person.rehires) if day is not None]
    begun = [day for day in starts if day <= today]
    if starts and not begun:
        return False
    if person.end is None or person.end >= today:
        return True
    return bool(begun) and (person.end < max(begun) or person.end == max(begun) > min(starts))


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None


def _without_empty(holder: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in holder.items() if value is not None and value != {}}


def partner_member(person: Person) -> dict[str, object]:
    """Empty single values are left out, lists are always there."""
    emails = [("work", person.email), ("personal", person.personal_email)]
    place = _without_empty({"city": person.city, "state": person.state, "country": person.country})
    history = [{"start_date": _iso(day)} for day in person.rehires]
    member = _without_empty(
        {
            "id": person.hris_id,
            "company_id": "company",
            "work_id": person.work_id,
            "name": _without_empty(
                {
                    "given_name": person.first_name,
                    "family_name": person.last_name,
                    "preferred_name": person.preferred_name,
                }
            ),
            "active": person.active,
            "type": person.kind,
            "addresses": [{"type": "home", **place}] if place else [],
            "emails": [{"type": kind, "email": text} for kind, text in emails if text is not None],
            "phones": [{"type": "mobile", "number": person.phone}] if person.phone is not None else [],
            "current_employment": {person.country: {"employment_type": "full_time"}} if person.country else {},
            "employment_history": history,
            "date_of_birth": _iso(person.birth_date),
            "department": {"id": "d", "name": person.department} if person.department else {},
            "manager": {"id": person.manager} if person.manager else {},
            "employment_start_date": _iso(person.start),
            "employment_termination_date": _iso(person.end),
            "job_title": person.title,
            "updated_at": "2026-01-01T00:00:00Z",
        }
    )
    return {**member, **{key: value for source, key, value in person.odd if source == "justworks"}}


def custom_items(person: Person) -> list[dict[str, object]]:
    """Partner API: the values of the custom fields this person has."""
    ids = {str(field["label"]): field["id"] for field in CUSTOM_FIELDS}
    return [
        {"id": ids[label], "values": list(value) if isinstance(value, tuple) else [value]}
        for label, value in person.custom
    ]


def finch_member(person: Person) -> dict[str, object]:
    """Directory entry and the responses of the two detail calls."""
    emails = [("work", person.email), ("personal", person.personal_email)]
    individual: dict[str, object] = {
        "id": person.hris_id,
        "first_name": person.first_name,
        "middle_name": None,
        "last_name": person.last_name,
        "preferred_name": person.preferred_name,
        "emails": [{"data": text, "type": kind} for kind, text in emails if text is not None],
        "phone_numbers": [{"data": person.phone, "type": "mobile"}] if person.phone is not None else [None],
        "dob": _iso(person.birth_date),
        "residence": {"city": person.city, "state": person.state, "country": person.country},
    }
    employment: dict[str, object] = {
        "id": person.hris_id,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "title": person.title,
        "manager": {"id": person.manager} if person.manager else None,
        "department": {"name": person.department} if person.department else None,
        "employment": {"type": "contractor" if person.kind == "contractor" else "employee", "subtype": "full_time"},
        "employment_status": "active" if person.active else "terminated",
        "start_date": _iso(person.start),
        "end_date": _iso(person.end),
        "latest_rehire_date": _iso(max(person.rehires, default=None)),
        "is_active": person.active,
        "location": None,
        "custom_fields": [
            {"name": label, "value": list(value) if isinstance(value, tuple) else value}
            for label, value in person.custom
        ],
        "source_id": person.work_id,
    }
    for source, key, value in person.odd:
        body = individual if key in individual else employment
        if source == "finch":
            body[key] = value
    failed = {"individual_id": person.hris_id, "code": 500, "body": {"message": "try again"}}
    return {
        "directory": {
            "id": person.hris_id,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "manager": {"id": person.manager} if person.manager else None,
            "department": {"name": person.department} if person.department else None,
            "is_active": person.active,
        },
        "individual": {"individual_id": person.hris_id, "code": 200, "body": individual},
        "employment": failed
        if person.details_fail
        else {"individual_id": person.hris_id, "code": 200, "body": employment},
    }


def member(source: Source, person: Person) -> dict[str, object]:
    return partner_member(person) if source == "justworks" else finch_member(person)


def json_answer(status: int, body: object) -> Answer:
    return Answer(status, json.dumps(body).encode(), JSON_HEADERS)


def record(source: Source, hris_id: str, active: object) -> object:
    """The body of a single answer about a person."""
    if source == "justworks":
        return {"id": hris_id, "company_id": "company", "active": active}
    body = {"id": hris_id, "is_active": active, "employment_status": "active" if active is True else "terminated"}
    return {"responses": [{"individual_id": hris_id, "code": 200, "body": body}]}


def not_found(source: Source, hris_id: str) -> Answer:
    if source == "justworks":
        return json_answer(404, {"error": "not found"})
    failed = {"individual_id": hris_id, "code": 404, "body": {"message": "no such individual"}}
    return json_answer(200, {"responses": [failed]})


def lookup_answer(source: Source, person: Person) -> Answer | None:
    """What the source answers about somebody whom the list leaves out."""
    if person.lookup == "not_found":
        return not_found(source, person.hris_id)
    if person.lookup == "inactive":
        return json_answer(200, record(source, person.hris_id, False))
    if person.lookup == "active":
        return json_answer(200, record(source, person.hris_id, True))
    if person.lookup == "other_id":
        return json_answer(200, record(source, person.hris_id + "-other", False))
    if person.lookup == "html":
        return Answer(404, b"<html>not here</html>", {"Content-Type": "text/html"})
    if person.lookup == "error":
        return json_answer(500, {"error": "oops"})
    return None


def custom_answer(person: Person) -> Answer:
    """Partner API: what the call for this person's custom values answers."""
    if person.details_fail:
        return json_answer(403, {"error": "not for you"})
    return json_answer(200, {"items": custom_items(person)})


def reading_of(source: Source, people: Iterable[Person], *, complete: bool = True) -> Reading:
    people = list(people)
    answers = {person.hris_id: lookup_answer(source, person) for person in people if not person.listed}
    return Reading(
        members=tuple(member(source, person) for person in people if person.listed),
        complete=complete,
        custom_definitions=CUSTOM_FIELDS if source == "justworks" else (),
        custom_values={person.hris_id: custom_answer(person) for person in people if person.listed},
        lookups={hris_id: answer for hris_id, answer in answers.items() if answer is not None},
    )


def user_of(person: Person, *, integration_id: str | None = "acme", manager: str | None = None) -> User:
    """The user this person would be after an import with the default settings, without metadata."""
    email = person.email or person.personal_email
    return User(
        user_id=f"u-{person.hris_id}",
        employee_id=person.work_id or "",
        integration_id=integration_id,
        hris_id=person.hris_id if integration_id is not None else None,
        supervisor_id=manager,
        first_name=person.first_name,
        preferred_first_name=person.preferred_name,
        last_name=person.last_name,
        email=email,
        secondary_email=person.personal_email if person.email else None,
        phone_number=person.phone,
        birth_date=person.birth_date,
        hire_date=person.start,
        latest_rehire_date=max(person.rehires, default=None),
        country_code=person.country,
    )


def crowd(number: int, *, first: int = 1) -> list[Person]:
    """So many different people."""
    return [
        Person(
            hris_id=f"m{index}",
            work_id=f"{index:04d}",
            first_name=f"First{index}",
            last_name=f"Last{index}",
            email=f"p{index}@acme.test",
            birth_date=date(1980, 1, 1) + timedelta(days=index % 9000),
        )
        for index in range(first, first + number)
    ]
