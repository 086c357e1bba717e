"""What happens to a company from one week to the next."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import strategies as st

from .company import Person, crowd
from .model import Source
from .people_strategies import ODD, persons

Fields = dict[str, object]

LOOKUPS = ("not_found", "not_found", "inactive", "active", "error", "other_id", "html", "none")


def _hire(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    return [*people, replace(draw(persons(fresh)), active=True, end=None, start=today)]


def _leave(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    place = draw(st.integers(0, len(people) - 1))
    options: tuple[Fields, ...] = ({"active": False}, {"end": today - timedelta(days=1)}, {"end": today})
    fields = draw(st.sampled_from(options))
    return _with(people, place, **fields)


def _vanish(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    place = draw(st.integers(0, len(people) - 1))
    return _with(people, place, listed=False, lookup=draw(st.sampled_from(LOOKUPS)))


def _return_on_the_last_day(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    place = draw(st.integers(0, len(people) - 1))
    last = today - timedelta(days=draw(st.integers(0, 3)))
    return _with(people, place, active=True, end=last, rehires=(*people[place].rehires, last))


def _spell_history_otherwise(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    """Of everybody, and many have a termination date of an earlier spell."""
    odd: tuple[tuple[Source, str, object], ...] = (
        ("justworks", "employment_history", [{"from": "2020-01-01"}]),
        ("finch", "start_date", {"on": "2020-01-01"}),
    )
    ended = draw(st.integers(1, 3))
    return [
        replace(person, odd=odd, end=today - timedelta(days=30) if place % ended == 0 else person.end)
        for place, person in enumerate(people)
    ]


def _return(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    place = draw(st.integers(0, len(people) - 1))
    person = people[place]
    return _with(people, place, listed=True, active=True, end=None, rehires=(*person.rehires, today))


def _rehire_under_a_new_id(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    place = draw(st.integers(0, len(people) - 1))
    person = people[place]
    people = _with(people, place, active=False)
    options: tuple[Fields, ...] = ({}, {"email": None}, {"birth_date": None}, {"work_id": f"{fresh:04d}"})
    returned = replace(person, hris_id=f"m{fresh}", active=True, end=None, listed=True)
    return [*people, *_with([returned], 0, **draw(st.sampled_from(options)))]


def _swap_work_ids(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    left, right = draw(st.integers(0, len(people) - 1)), draw(st.integers(0, len(people) - 1))
    left_id, right_id = people[left].work_id, people[right].work_id
    return _with(_with(people, left, work_id=right_id), right, work_id=left_id)


def _re_use_work_id(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    place = draw(st.integers(0, len(people) - 1))
    stranger = replace(draw(persons(fresh)), active=True, end=None, start=today, work_id=people[place].work_id)
    return [*_with(people, place, active=False), stranger]


def _take_address(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    giver, taker = draw(st.integers(0, len(people) - 1)), draw(st.integers(0, len(people) - 1))
    return _with(people, taker, email=people[giver].email)


def _change(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    place = draw(st.integers(0, len(people) - 1))
    other = draw(persons(fresh))
    name = draw(
        st.sampled_from(
            ("first_name", "last_name", "email", "phone", "birth_date", "title", "department", "start", "country")
        )
    )
    return _with(people, place, **{name: getattr(other, name)})


def _blank(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    place = draw(st.integers(0, len(people) - 1))
    options: tuple[Fields, ...] = ({"work_id": None}, {"last_name": ""}, {"first_name": "x" * 101}, {"work_id": "0001"})
    fields = draw(st.sampled_from(options))
    return _with(people, place, **fields)


def _move_manager(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    place = draw(st.integers(0, len(people) - 1))
    manager = draw(st.one_of(st.none(), st.sampled_from([person.hris_id for person in people]), st.just("outside")))
    return _with(people, place, manager=manager)


def _many(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    """The same happens to many at once, so that guards have something to do."""
    what = draw(st.sampled_from(("new_id", "vanish", "leave", "email", "work_id", "blank_title", "bad_name", "hire")))
    number = draw(st.integers(2, max(2, len(people))))
    if what == "hire":
        return [*people, *(replace(person, start=today) for person in crowd(number * 2, first=fresh * 100))]
    changed = []
    for place, person in enumerate(people):
        if place >= number:
            changed.append(person)
        elif what == "new_id":
            changed += [replace(person, hris_id=f"{person.hris_id}-{fresh}"), replace(person, listed=False)]
        else:
            options: dict[str, Fields] = {
                "vanish": {"listed": False},
                "leave": {"active": False},
                "email": {"email": f"e{fresh}-{place}@acme.test"},
                "work_id": {"work_id": f"w{fresh}-{place}"},
                "blank_title": {"title": None},
                "bad_name": {"last_name": ""},
            }
            changed += _with([person], 0, **options[what])
    return changed


def _fail_details(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    """Of one person: they fail, or (the aggregator) are somebody else's."""
    how: Fields = draw(st.sampled_from(({"details_fail": True}, {"odd": (("finch", "id", "another"),)})))
    return _with(people, draw(st.integers(0, len(people) - 1)), **how)


def _spell_otherwise(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    """Of one person, or of many at once: something the source never sent before."""
    odd = tuple((source, *draw(st.sampled_from(options))) for source, options in ODD.items())
    number = draw(st.sampled_from((1, 1, 1, len(people))))
    first = draw(st.integers(0, len(people) - 1))
    places = {(first + step) % len(people) for step in range(number)}
    return [replace(person, odd=odd) if place in places else person for place, person in enumerate(people)]


def _spell_plainly(draw: st.DrawFn, people: list[Person], today: date, fresh: int) -> list[Person]:
    return [replace(person, odd=()) for person in people]


def _with(people: list[Person], place: int, **fields: object) -> list[Person]:
    changed = replace(people[place], **fields)  # type: ignore[arg-type]
    return [*people[:place], changed, *people[place + 1 :]]


Event = Callable[[st.DrawFn, list[Person], date, int], list[Person]]


EVENTS: tuple[Event, ...] = (
    _hire, _leave, _vanish, _return, _rehire_under_a_new_id, _swap_work_ids, _re_use_work_id, _take_address,
    _change, _change, _return_on_the_last_day, _spell_history_otherwise, _blank, _move_manager, _fail_details, _many,
    _spell_otherwise, _spell_plainly,
)  # fmt: skip
