"""A week in a company's life: who is hired, changes, leaves, vanishes and comes back, at rates no default guard minds.

Only people an importer would see change are touched, so every event of a week shows in an import.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from hris_pipeline.sandbox.people import DEPARTMENTS, Person, new_id
from hris_pipeline.sandbox.surprises import SMALLEST, UNTOUCHED

if TYPE_CHECKING:
    from hris_pipeline.sandbox.company import Company

__all__ = ["Event", "pass_week"]

WITH_CONFLICTS = 100
"""From this many people on, a week also re-uses a work id and brings somebody back under a new id."""


@dataclass(frozen=True)
class Event:
    """One thing that happened to one person.

    ``kind`` is hired, started (a future hire's first day came), changed, left (terminated), vanished (gone from the
    list), returned (active again under the same id), rehired (back under a new id) or reused (hired with the work id of
    somebody who vanished); ``field`` is the person's field that changed; ``former_id`` is whose id or work id it was.
    """

    kind: str
    member_id: str
    field: str = ""
    former_id: str = ""


def pass_week(company: "Company", today: date | None = None) -> list[Event]:
    """Lets a week pass up to ``today`` (the company's own today unless given); gives what happened, in order.

    Companies too small for surprises only hire one and change one.
    """
    events = _advance_date(company, today or company.today)
    size = len(company.member_ids)
    settled = _settled_people(company)
    company.random.shuffle(settled)

    def take(share: float, least: int = 1) -> list[Person]:
        return [settled.pop() for _ in range(min(len(settled), max(least, round(share * size))))]

    heads = _head_ids(company)
    events += [_change(company, person, number, heads) for number, person in enumerate(take(0.05))]
    if size >= SMALLEST:
        returning = _find_returning(company, max(1, round(0.004 * size)))
        leavers, vanishing = take(0.01), take(0.004)
        events += [_return(company, person) for person in returning]
        events += [_leave(company, person) for person in leavers]
        events += [_vanish(company, person) for person in vanishing]
        heads = _head_ids(company)
        if size >= WITH_CONFLICTS and len(vanishing) > 1:
            events += [_reuse(company, vanishing[0], heads), *_rehire(company)]
    events += [Event("hired", _hire(company, heads)) for _ in range(max(1, round(0.015 * size)))]
    company.reorder()
    return events


def _settled_people(company: "Company") -> list[Person]:
    """Active people, started, not about to leave, and good enough to be users; never the head of the tree."""
    today, untouched = company.today.isoformat(), company.ids_of(UNTOUCHED)
    return [
        person
        for person in sorted(company.persons(), key=lambda person: person.id)
        if person.active
        and person.manager
        and person.termination_date is None
        and (person.start_date or "") <= today
        and person.id not in untouched
    ]


def _days_ago(company: "Company", latest: int = 1) -> str:
    return company.people.draw_past_date(earliest=6, latest=latest)


def _advance_date(company: "Company", until: date) -> list[Event]:
    """Moves the company's date on: who starts by then, and whose last day is past."""
    before, now = company.today.isoformat(), until.isoformat()
    company.people.today = until
    active = [person for person in company.persons() if person.active]
    started = [person.id for person in active if before < (person.start_date or "") <= now]
    left = [person.id for person in active if person.termination_date and person.termination_date < now]
    for member_id in left:
        company.edit(member_id, active=False)
    return [Event("started", member_id) for member_id in started] + [Event("left", member_id) for member_id in left]


def _draw_title(company: "Company", person: Person, _: list[str]) -> str:
    titles = [title for group in DEPARTMENTS.values() for title in group if title != (person.job_title or "").strip()]
    return company.random.choice(titles)


def _draw_department(company: "Company", person: Person, _: list[str]) -> str:
    return company.random.choice([name for name in DEPARTMENTS if name != person.department])


def _head_ids(company: "Company") -> list[str]:
    """Active people who have reports; anybody, where nobody has."""
    active = {person.id for person in company.persons() if person.active}
    return sorted({p.manager for p in company.persons() if p.manager in active and p.manager != p.id} or active)


def _draw_manager(company: "Company", person: Person, heads: list[str]) -> str:
    """Somebody who already has reports, so that nobody comes to report to their own reports."""
    return company.random.choice([head for head in heads if head not in (person.id, person.manager)])


def _first_half(person: Person) -> str:
    return (person.last_name or "").partition("-")[0]


CHANGES: tuple[tuple[str, Callable[["Company", Person, list[str]], Any]], ...] = (
    ("job_title", _draw_title),
    ("department", _draw_department),
    (
        "work_email",
        lambda company, person, _: company.people.address("new", person.last_name or ""),
    ),
    ("phones", lambda company, _, __: (("mobile", f"+1917555{company.random.randrange(100, 200):04d}"),)),
    ("last_name", lambda company, person, _: f"{_first_half(person)}-{company.people.name('en_US')[1]}"),
    ("manager", _draw_manager),
    ("work_id", lambda company, _, __: company.people.next_work_id()),
    ("preferred_name", lambda company, _, __: f"{company.people.name('en_US')[0]} Jo"),
)
"""What changes in a week, in turn: a field and its new value, given person and heads; small companies see the first."""


def _change(company: "Company", person: Person, number: int, heads: list[str]) -> Event:
    field, draw = CHANGES[number % len(CHANGES)]
    before = value = getattr(person, field)
    while value == before:
        value = draw(company, person, heads)
    company.edit(person.id, **{field: value})
    return Event("changed", person.id, field)


def _leave(company: "Company", person: Person) -> Event:
    company.edit(person.id, active=False, termination_date=_days_ago(company))
    return Event("left", person.id)


def _vanish(company: "Company", person: Person) -> Event:
    company.remove(person.id)
    return Event("vanished", person.id)


def _find_returning(company: "Company", number: int) -> list[Person]:
    """Who comes back: first those an earlier week lost, then the terminated of old."""
    former = {event.former_id for event in company.events}
    lost = [event.member_id for event in company.events if event.kind in ("vanished", "left")]
    old = [*lost, *sorted(company.ids_of(["terminated"]))]
    listed = {person.id: person for person in company.persons()}
    people_by_id = company.gone | listed
    candidates = [people_by_id[id_] for id_ in dict.fromkeys(old) if id_ in people_by_id and id_ not in former]
    return [person for person in candidates if person.id not in listed or not person.active][:number]


def _return(company: "Company", person: Person) -> Event:
    if person.id in company.gone:
        company.add(person)
    else:
        starts = (*person.rehire_dates, _days_ago(company))
        company.edit(person.id, active=True, termination_date=None, rehire_dates=starts)
    return Event("returned", person.id)


def _hire(company: "Company", heads: list[str], **fields: Any) -> str:
    manager = company.random.choice(heads) if heads else None
    person = company.people.plain(manager, start_date=_days_ago(company, latest=0))
    return company.add(person, **fields)


def _reuse(company: "Company", vanished: Person, heads: list[str]) -> Event:
    return Event("reused", _hire(company, heads, work_id=vanished.work_id), "work_id", vanished.id)


def _rehire(company: "Company") -> list[Event]:
    """Somebody who left in an earlier week comes back as a new record, the old one staying terminated."""
    former = {event.former_id for event in company.events}
    left = [event.member_id for event in company.events if event.kind == "left" and event.member_id not in former]
    for person in (company.person(member_id) for member_id in left if member_id in company.member_ids):
        if not person.active:
            again = msgspec.structs.replace(
                person,
                id=new_id(company.random),
                work_id=company.people.next_work_id(),
                active=True,
                start_date=_days_ago(company),
                termination_date=None,
                rehire_dates=(),
                created_at="",
            )
            return [Event("rehired", company.add(again), "id", person.id)]
    return []
