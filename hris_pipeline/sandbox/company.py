"""A deterministic company: its people, what happens to them, and what a source would send of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from threading import RLock
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from hris_pipeline.errors import UnknownName
from hris_pipeline.sandbox import wire
from hris_pipeline.sandbox.people import People, Person, new_id
from hris_pipeline.sandbox.surprises import apply_anomaly
from hris_pipeline.sandbox.week import Event, pass_week

__all__ = ["Company"]

REPORTS = 8
"""How many people report to one manager."""

HOME = ZoneInfo("America/New_York")
"""Where the people live, whose today it is: the time zone that settings have unless they say otherwise."""


class Company:
    """``employees`` listed people, drawn from ``seed`` as of ``today``: equal arguments give an equal company.

    ``surprises`` names the people each surprise of the real data struck; ``events`` is what has happened since, oldest
    first; ``gone`` is who was taken off the list, by id. Safe to use from a server and a test at once. Methods taking
    a member id raise UnknownName for one that is not listed.
    """

    def __init__(self, employees: int, seed: int = 0, today: date | None = None, display_name: str = "Acme") -> None:
        today = today or datetime.now(HOME).date()
        self.display_name = display_name
        self.random: Random = Random(seed)
        self.id = new_id(self.random)
        self.people: People = People(
            self.random, today, f"{display_name.lower().replace(' ', '-')}.example", max(4, len(str(employees)) + 1)
        )
        self.events: list[Event] = []
        self.gone: dict[str, Person] = {}
        self.lock = RLock()
        self._encoder = msgspec.json.Encoder()
        self._encoded: dict[tuple[str, bool, bool], bytes] = {}
        self._order: list[str] = []
        self._by_finch_id: dict[str, Person] = {}
        self._clock = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(days=30)
        members, managers = self._draw(employees)
        self.surprises = apply_anomaly(members, managers, self.people)
        self._listed = {person.id: person for person in members}
        self._order = list(self._listed)
        for person in members:
            person.created_at = person.updated_at = self._next_timestamp()

    def _draw(self, employees: int) -> tuple[list[Person], int]:
        """The org tree, breadth first: everyone, and how many of them, from the first on, have reports."""
        members: list[Person] = []
        for number in range(employees):
            head = members[(number - 1) // REPORTS] if number else None
            department = head.department if head and head.manager else None
            members.append(self.people.plain(head.id if head else None, department))
        return members, max(0, employees - 2) // REPORTS + 1

    def _next_timestamp(self) -> str:
        self._clock += timedelta(seconds=1)
        return self._clock.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def today(self) -> date:
        """The company's own date; ``week`` moves it."""
        return self.people.today

    @property
    def order(self) -> Sequence[str]:
        """Everyone listed, in the list's order: the list itself, to be read under ``lock``."""
        return self._order

    @property
    def member_ids(self) -> list[str]:
        """Everyone listed, in the list's order."""
        return list(self._order)

    def person(self, member_id: str) -> Person:
        """What the company knows of one listed person; change it through ``edit``."""
        try:
            return self._listed[member_id]
        except KeyError:
            raise UnknownName(
                f"No member {member_id[:40]!r} in the sandbox company: take one of its member_ids."
            ) from None

    def persons(self) -> list[Person]:
        """Everyone listed, in the list's order."""
        with self.lock:
            return [self._listed[member_id] for member_id in self._order]

    def member(self, member_id: str) -> dict[str, Any]:
        """The member with every key the source has, those a client must drop included."""
        with self.lock:
            person = self.person(member_id)
            return wire.member(person, self.id, self._manager_work_id(person))

    def members(self) -> list[dict[str, Any]]:
        """Every listed member with every key, in the list's order: the ground truth."""
        return [self.member(member_id) for member_id in self.member_ids]

    def encoded(self, member_id: str, *, birth_date: bool = True, employment: bool = True) -> bytes:
        """The member's JSON as the scopes allow it, kept until somebody changes."""
        key = (member_id, birth_date, employment)
        with self.lock:
            if key not in self._encoded:
                person = self.person(member_id)
                sent = wire.member(
                    person, self.id, self._manager_work_id(person), birth_date=birth_date, employment=employment
                )
                self._encoded[key] = self._encoder.encode(sent)
            return self._encoded[key]

    def _manager_work_id(self, person: Person) -> str | None:
        manager = self._listed.get(person.manager or "")
        return manager.work_id if manager else None

    def by_finch_id(self) -> Mapping[str, Person]:
        """Everyone listed, by the aggregator's id; made once, until somebody comes or goes."""
        with self.lock:
            if len(self._by_finch_id) != len(self._listed):
                self._by_finch_id = {wire.finch_id(member_id): person for member_id, person in self._listed.items()}
            return self._by_finch_id

    def page(self, offset: int, limit: int) -> tuple[list[Person], int]:
        """Some people in the list's order, and how many there are in all."""
        with self.lock:
            return [self._listed[member_id] for member_id in self._order[offset : offset + limit]], len(self._order)

    def edit(self, member_id: str, **changes: Any) -> None:
        """Changes fields of ``Person`` (so ``job_title=…``, ``work_email=None``, ``raw={"name": 5}``).

        Raises:
            UnknownName: no such member, or no such field.
        """
        with self.lock:
            person = self.person(member_id)
            if unknown := set(changes) - set(Person.__struct_fields__):
                raise UnknownName(f"A sandbox person has no field {min(unknown)!r}.")
            for field, value in changes.items():
                setattr(person, field, value)
            person.updated_at = self._next_timestamp()
            if "work_id" in changes:
                self._encoded.clear()
            self._forget(member_id)

    def add(self, person: Person | None = None, **fields: Any) -> str:
        """Lists a person: the given one, or a plain new one hired today; gives the id."""
        with self.lock:
            person = person or self.people.plain(
                self._order[0] if self._order else None, start_date=self.today.isoformat()
            )
            if person.id not in self._listed:
                self._order.append(person.id)
            self._listed[person.id] = person
            self._by_finch_id = {}
            self.gone.pop(person.id, None)
            person.created_at = person.created_at or self._next_timestamp()
            self.edit(person.id, **fields)
            return person.id

    def remove(self, member_id: str) -> Person:
        """Takes a person off the list, as if never there; ``add`` brings the person given back."""
        with self.lock:
            person = self.person(member_id)
            del self._listed[member_id]
            self._by_finch_id = {}
            self._order.remove(member_id)
            self._encoded.clear()
            self.gone[member_id] = person
            return person

    def terminate(self, member_id: str, last_day: date) -> None:
        """Ends an employment: at once when the last day is past, else scheduled (still active)."""
        self.edit(member_id, termination_date=last_day.isoformat(), active=last_day >= self.today)

    def renew_ids(self) -> dict[str, str]:
        """Gives everyone a new id, as when the company connects another way; gives new ids by old."""
        with self.lock:
            renewed = {member_id: new_id(self.random) for member_id in self._order}
            for person in self._listed.values():
                person.id = renewed[person.id]
                person.manager = renewed.get(person.manager or "", person.manager)
            self._listed = {person.id: person for person in self._listed.values()}
            self._by_finch_id = {}
            self._order = [renewed[member_id] for member_id in self._order]
            self._encoded.clear()
            return renewed

    def reorder(self) -> None:
        """Shuffles the list: its order is nothing to rely on."""
        with self.lock:
            self.random.shuffle(self._order)

    def week(self, today: date | None = None) -> list[Event]:
        """A week passes, up to ``today`` when given; gives what happened, in order (see week.py)."""
        with self.lock:
            events = pass_week(self, today)
            self.events.extend(events)
            return events

    def _forget(self, member_id: str) -> None:
        for birth_date in (True, False):
            for employment in (True, False):
                self._encoded.pop((member_id, birth_date, employment), None)

    def ids_of(self, surprises: Iterable[str]) -> set[str]:
        """Everyone struck by any of the named surprises."""
        return {member_id for name in surprises for member_id in self.surprises.get(name, ())}
