"""The people of a sandbox company: what is known of one, where names come from, and how a plain person is made.

Nothing here knows a wire: ``wire.py`` shows a person as either source would. All is drawn from one seeded generator.
"""

import importlib
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from itertools import accumulate, count
from random import Random
from typing import Any

import msgspec

__all__ = ["CUSTOM_FIELDS", "DEPARTMENTS", "OFFICES", "CustomField", "Office", "People", "Person", "Place", "new_id"]

HOME_LOCALES = {
    "en_US": 58,
    "es_MX": 10,
    "zh_CN": 4,
    "hi_IN": 4,
    "ar_SA": 3,
    "ja_JP": 3,
    "ko_KR": 3,
    "ru_RU": 3,
    "fr_FR": 2,
    "de_DE": 2,
    "el_GR": 2,
    "he_IL": 2,
    "th_TH": 2,
    "tr_TR": 1,
    "ka_GE": 1,
}
"""Weights of the languages that names at home come from."""


@dataclass(frozen=True)
class Place:
    """Where somebody lives, how telephone numbers look there (``#`` is any digit) and the language of names."""

    country: str
    city: str
    state: str
    postal_code: str
    phone: str
    locale: str = ""


@dataclass(frozen=True)
class Office:
    """One office of the company."""

    id: str
    name: str
    city: str
    state: str
    country: str


@dataclass(frozen=True)
class CustomField:
    """A custom field of the company: its options, how many a person may have (``single`` or ``multiple``)."""

    id: str
    label: str
    type: str
    cardinality: str = "single"
    options: tuple[str, ...] = ()


HOME_PLACES = (
    Place("US", "New York", "NY", "10013", "+121255501##"),
    Place("US", "Austin", "TX", "78701", "+151255501##"),
    Place("US", "Chicago", "IL", "60607", "+131255501##"),
    Place("US", "San Francisco", "CA", "94107", "+141555501##"),
    Place("US", "Denver", "CO", "80202", "+130355501##"),
    Place("US", "Seattle", "WA", "98101", "+120655501##"),
)
FOREIGN_PLACES = (
    Place("GB", "London", "", "EC1A 1BB", "+4420794601##", "en_GB"),
    Place("MX", "Guadalajara", "JAL", "44100", "+52331234####", "es_MX"),
    Place("JP", "東京", "", "100-0001", "+813####0100", "ja_JP"),
    Place("IN", "Bengaluru", "KA", "560001", "+91802345####", "hi_IN"),
    Place("DE", "Köln", "NW", "50667", "+49221123####", "de_DE"),
    Place("BR", "São Paulo", "SP", "01310-100", "+55113456####", "pt_BR"),
)
OFFICES = (
    Office("office-nyc", "New York HQ", "New York", "NY", "US"),
    Office("office-aus", "Austin", "Austin", "TX", "US"),
    Office("office-chi", "Chicago", "Chicago", "IL", "US"),
    Office("office-lon", "London", "London", "", "GB"),
)
DEPARTMENTS = {
    "Engineering": ("Software Engineer", "Senior Software Engineer", "Data Engineer", "QA Analyst"),
    "Sales": ("Account Executive", "Sales Manager", "Sales Engineer"),
    "Customer Success": ("Success Manager", "Support Specialist"),
    "Marketing": ("Designer", "Content Writer", "Growth Analyst"),
    "Finance": ("Accountant", "Financial Analyst"),
    "People & Places": ("People Partner", "Recruiter", "Office Manager"),
}
CUSTOM_FIELDS = (
    CustomField("cf-shirt", "T-Shirt Size", "select", options=("XS", "S", "M", "L", "XL")),
    CustomField(
        "cf-languages", "Languages", "select", "multiple", ("English", "Español", "日本語", "العربية", "हिन्दी")
    ),
    CustomField("cf-buddy", "Buddy", "text"),
    CustomField("cf-badge", "Badge Number", "text"),
    CustomField("cf-volunteer", "Volunteer Day", "date"),
)


class Person(msgspec.Struct, kw_only=True, gc=False):
    """What the company knows of one person, whatever the wire; dates are ISO text, so that they can be impossible.

    ``kind`` is the member's ``type``; ``employment_status`` is the aggregator's, by the other fields unless given;
    ``phones`` are (type, number) pairs; ``custom`` is values by custom field id;
    ``secrets`` holds what a client must never keep; ``raw`` replaces whole keys of the member, verbatim.
    """

    id: str
    work_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    preferred_name: str | None = None
    additional_names: tuple[str, ...] = ()
    active: bool = True
    kind: str = "employee"
    employment_status: str | None = None
    employment_type: str | None = "full_time"
    location_type: str | None = "office"
    country: str | None = "US"
    home: Place | None = None
    work_email: str | None = None
    personal_email: str | None = None
    phones: tuple[tuple[str, str], ...] = ()
    birth_date: str | None = None
    start_date: str | None = None
    termination_date: str | None = None
    rehire_dates: tuple[str, ...] = ()
    department: str | None = None
    job_title: str | None = None
    office: str | None = None
    manager: str | None = None
    custom: dict[str, tuple[str, ...]] = {}
    salary: int = 0
    sex: str | None = None
    created_at: str = ""
    updated_at: str = ""
    raw: dict[str, Any] | None = None


@cache
def _name_pool(locale: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Given names and family names of a locale, in Faker's own order; reading them once is what makes people cheap."""
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    return tuple(provider.first_names), tuple(provider.last_names)


def new_id(random: Random) -> str:
    """The next identifier of a seeded generator."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def _latin_letters(text: str) -> str:
    """The letters a-z in a name, accents removed; '' for most scripts."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in plain if letter.isalpha())


@dataclass
class People:
    """Makes plain people, one after the other: complete records without anything odd in them."""

    random: Random
    today: date
    domain: str
    width: int
    made: int = 0
    _addresses: set[str] = field(default_factory=set)
    _locales: tuple[str, ...] = tuple(HOME_LOCALES)
    _weights: tuple[int, ...] = tuple(accumulate(HOME_LOCALES.values()))

    def name(self, locale: str = "") -> tuple[str, str]:
        """A given and a family name, of the locale or of one drawn by weight."""
        locale = locale or self.random.choices(self._locales, cum_weights=self._weights)[0]
        first, last = _name_pool(locale)
        return self.random.choice(first), self.random.choice(last)

    def address(self, first: str, last: str) -> str:
        """A work address nobody else has."""
        stem = ".".join(part for part in (_latin_letters(first), _latin_letters(last)) if part) or f"person{self.made}"
        numbers = count(self.made)
        local = stem
        while local in self._addresses:
            local = f"{stem}{next(numbers)}"
        self._addresses.add(local)
        return f"{local}@{self.domain}"

    def phone(self, place: Place) -> str:
        """A valid international number; at home one of those reserved for fiction."""
        return "".join(str(self.random.randrange(10)) if sign == "#" else sign for sign in place.phone)

    def next_work_id(self) -> str:
        """A work id never given before."""
        self.made += 1
        return str(self.made).zfill(self.width)

    def draw_past_date(self, *, earliest: int, latest: int) -> str:
        """A day between ``earliest`` and ``latest`` days before today."""
        return (self.today - timedelta(days=self.random.randint(latest, earliest))).isoformat()

    def plain(self, manager: str | None, department: str | None = None, *, start_date: str | None = None) -> Person:
        """The next person: active, started, with every usual field filled."""
        random = self.random
        work_id = self.next_work_id()
        first, last = self.name()
        place = random.choice(HOME_PLACES)
        department = department or random.choice(tuple(DEPARTMENTS))
        email = self.address(first, last)
        born = self.today - timedelta(days=random.randint(20 * 365, 64 * 365))
        return Person(
            id=new_id(random),
            work_id=work_id,
            first_name=first,
            last_name=last,
            preferred_name=self.name()[0] if random.random() < 0.1 else None,
            home=place,
            work_email=email,
            personal_email=f"{email.partition('@')[0]}.{self.made}@home.example" if random.random() < 0.6 else None,
            phones=(("mobile", self.phone(place)),),
            birth_date=born.isoformat(),
            start_date=start_date or self.draw_past_date(earliest=12 * 365, latest=30),
            department=department,
            job_title=random.choice(DEPARTMENTS[department]),
            office=random.choice(OFFICES).id if random.random() < 0.85 else None,
            manager=manager,
            custom=self._draw_custom_fields(),
            salary=random.randrange(50_000, 180_000, 500),
            sex=random.choice(("F", "M", "X")),
        )

    def move_abroad(self, person: Person) -> None:
        """Moves a person abroad, with a name and a number of the place."""
        place = self.random.choice(FOREIGN_PLACES)
        person.first_name, person.last_name = self.name(place.locale)
        person.home, person.country, person.office = place, place.country, None
        person.phones = (("mobile", self.phone(place)),)

    def _draw_custom_fields(self) -> dict[str, tuple[str, ...]]:
        random = self.random
        values: dict[str, Sequence[str]] = {
            "cf-badge": [str(random.randrange(100_000)).zfill(6)],
            "cf-shirt": random.choices(CUSTOM_FIELDS[0].options) if random.random() < 0.8 else (),
            "cf-languages": random.sample(CUSTOM_FIELDS[1].options, random.choice((0, 1, 1, 2, 3))),
            "cf-buddy": [str(random.randint(1, self.made)).zfill(self.width)] if random.random() < 0.2 else (),
            "cf-volunteer": [self.draw_past_date(earliest=0, latest=-300)] if random.random() < 0.1 else (),
        }
        return {id_: tuple(items) for id_, items in values.items() if items}
