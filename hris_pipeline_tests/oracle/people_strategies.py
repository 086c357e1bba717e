"""People and companies as they may be, odd ones included."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import strategies as st

from .company import Person
from .model import Source

NAMES = (
    "Ann", "Bob", "Zoë", "Zoe\u0308", "Øyvind", "José María", "Anne-Marie", "O'Neil", "李", "Иван", "נועה", "عمر",
    "नेहा", "Nguyễn", "ann", "ANN", "Straße", "de la Cruz",
)  # fmt: skip


DEPARTMENTS = ("Sales", "Engineering", "No Department", None, None, "Ventes & Après-vente")


TITLES = (None, "Chief", "Engineer", "Manager")


PHONES = (None, None, "+14155552671", "4155552671", "ask me", "+49 30 901820")


ODD: Mapping[Source, tuple[tuple[str, object], ...]] = {
    "justworks": (
        ("emails", [{"mail": "x@y.test"}]),
        ("emails", ["a@b.test"]),
        ("emails", [None, {"email": None, "type": "work"}]),
        ("phones", [{"tel": "+14155552671"}]),
        ("phones", [None]),
        ("department", {"title": "Sales"}),
        ("department", "Sales"),
        ("manager", {"ref": "m1"}),
        ("manager", "m1"),
        ("current_employment", {"Narnia": {"employment_type": "full_time"}}),
        ("addresses", [{"street": "Main"}]),
        ("employment_history", [{"from": "2020-01-01"}]),
        ("employment_history", [{"start_date": "2015-01-01"}, {"start_date": ""}]),
        ("employment_history", [{"start_date": "2015-01-01", "effective_date": "2026-01-01"}]),
        ("employment_termination_date", {"on": "2024-01-01"}),
        ("date_of_birth", "31/12/1980"),
        ("employment_start_date", "soon"),
        ("employment_termination_date", "9999-12-31"),
        ("employment_termination_date", "never"),
        ("active", "false"),
        ("active", None),
        ("active", 0),
        ("name", None),
        ("work_id", 7),
        ("work_id", {"number": "0007"}),
        ("work_id", " 0002\u200b"),
    ),
    "finch": (
        ("emails", [{"mail": "x@y.test"}]),
        ("emails", [None, {"data": None, "type": "work"}]),
        ("phone_numbers", [{"tel": "+14155552671"}]),
        ("department", {"title": "Sales"}),
        ("manager", {"ref": "m1"}),
        ("residence", {"street": "Main"}),
        ("dob", "31/12/1980"),
        ("start_date", "soon"),
        ("end_date", "9999-12-31"),
        ("end_date", "never"),
        ("end_date", {"on": "2024-01-01"}),
        ("start_date", {"on": "2024-01-01"}),
        ("is_active", "false"),
        ("is_active", None),
        ("is_active", 0),
        ("is_active", False),
        ("is_active", True),
        ("employment_status", "leave"),
        ("employment_status", "on_leave"),
        ("employment_status", "terminated"),
        ("source_id", 7),
        ("source_id", {"number": "0007"}),
        ("source_id", " 0002\u200b"),
        ("employment", {"kind": "employee"}),
    ),
}
"""Spelled otherwise, or garbled: keys of the wire, and what they may hold."""


CUSTOM: tuple[tuple[tuple[str, object], ...], ...] = (
    (),
    (("Badge", "B-1"),),
    (("Buddy", "0001"), ("Languages", ("en", "fr"))),
    (("Buddy", "nobody"), ("Badge", "")),
    (("Languages", ("de",)),),
)


def dates(first: date = date(1960, 1, 1), last: date = date(2026, 6, 1)) -> st.SearchStrategy[date]:
    return st.dates(min_value=first, max_value=last)


@st.composite
def persons(draw: st.DrawFn, number: int) -> Person:
    """One person, at work on most days."""
    start = draw(dates(date(2010, 1, 1), date(2026, 7, 1)))
    rehired = draw(st.integers(0, 9)) == 0
    end = draw(st.one_of(st.none(), st.none(), st.none(), dates(date(2020, 1, 1), date(2026, 12, 31))))
    return Person(
        hris_id=f"m{number}",
        work_id=f"{number:04d}",
        first_name=draw(st.sampled_from(NAMES)),
        last_name=draw(st.sampled_from(NAMES)),
        preferred_name=draw(st.one_of(st.none(), st.sampled_from(NAMES))),
        email=f"p{number}@acme.test" if draw(st.integers(0, 9)) else None,
        personal_email=f"home{number}@mail.test" if draw(st.booleans()) else None,
        phone=draw(st.sampled_from(PHONES)),
        birth_date=draw(st.one_of(dates(last=date(2005, 1, 1)), dates(last=date(2005, 1, 1)), st.none())),
        start=start,
        rehires=(draw(dates(start + timedelta(days=1), date(2026, 8, 1))),) if rehired else (),
        end=end,
        active=draw(st.integers(0, 9)) > 0,
        title=draw(st.sampled_from(TITLES)),
        department=draw(st.sampled_from(DEPARTMENTS)),
        country=draw(st.sampled_from(("US", "US", "CA", "DE", None))),
        city=draw(st.sampled_from((None, "Köln", "New York"))),
        kind=draw(st.sampled_from(("employee", "employee", "employee", "contractor"))),
        custom=draw(st.sampled_from(CUSTOM)),
    )


@st.composite
def companies(draw: st.DrawFn, min_size: int = 1, max_size: int = 30) -> tuple[Person, ...]:
    """People with managers (also outside, in cycles, themselves), leavers, re-hires, blank and shared work ids."""
    size = draw(st.integers(min_size, max_size))
    people = [draw(persons(number)) for number in range(1, size + 1)]
    managed = []
    for person in people:
        manager = draw(st.one_of(st.none(), st.sampled_from([other.hris_id for other in people]), st.just("outside")))
        managed.append(replace(person, manager=manager))
    if draw(st.integers(0, 4)) == 0:
        place = draw(st.integers(0, size - 1))
        work_id = draw(st.sampled_from((None, "", managed[0].work_id, "AB1", "ab1")))
        managed[place] = replace(managed[place], work_id=work_id)
    return tuple(managed)
