"""Made-up companies, settings and weeks for hypothesis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal

from hypothesis import strategies as st

from .company import Person, crowd, reading_of
from .decisions import erase, set_up_anew
from .model import JsonObject, Reading, Resolution, Source, User, World

MONDAY = date(2026, 6, 15)
NAMES = (
    "Ann", "Bob", "Zoë", "Zoe\u0308", "Øyvind", "José María", "Anne-Marie", "O'Neil", "李", "Иван", "נועה", "عمر",
    "नेहा", "Nguyễn", "ann", "ANN", "Straße", "de la Cruz",
)  # fmt: skip
DEPARTMENTS = ("Sales", "Engineering", "No Department", None, None, "Ventes & Après-vente")
TITLES = (None, "Chief", "Engineer", "Manager")
PHONES = (None, None, "+14155552671", "4155552671", "ask me", "+49 30 901820")
LOOKUPS = ("not_found", "not_found", "inactive", "active", "error", "other_id", "html", "none")


Decision = Literal["link", "create", "ignore"]
DECISIONS: tuple[Decision, ...] = ("link", "create", "ignore")

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


@dataclass(frozen=True)
class Week:
    """One import: the day, what the source says, and what users and persons did before it."""

    today: date
    people: tuple[Person, ...]
    reading: Reading
    edits: tuple[tuple[str, str, object], ...] = ()  # (hris_id of the user, field, value)
    resolutions: tuple[Resolution, ...] = ()
    decisions: tuple[Decision, ...] = ()  # what a person decides of this week's conflicts, one after the other
    approve: bool = False
    erasures: tuple[tuple[str, str], ...] = ()  # (hris_id, integration of the directory through which it was asked)
    anew: bool = False  # the integration was deleted and set up again before


@dataclass(frozen=True)
class Story:
    """A directory with an integration, and the weeks that follow."""

    world: World
    weeks: tuple[Week, ...]

    def __repr__(self) -> str:
        people = len(self.weeks[0].people) if self.weeks else 0
        return f"Story({self.world.source}, {people} people, {len(self.weeks)} weeks, {dict(self.world.settings)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """For hypothesis, which else would print every person of a failing story."""
        printer.text(repr(self))


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


RULES: tuple[JsonObject, ...] = (
    {"name": "Contractors", "all": [{"field": "employment_type", "operator": "equals", "value": "contractor"}]},
    {
        "name": "Germans",
        "all": [{"field": "country_code", "operator": "in", "value": ["DE"]}],
        "archive_existing": True,
    },
    {"name": "No department", "any": [{"field": "department", "operator": "is_empty"}]},
    {"name": "New", "all": [{"field": "hire_date", "operator": "after", "value": "2025-01-01"}]},
    {"name": "Managers", "all": [{"field": "is_manager", "operator": "equals", "value": True}]},
    {"name": "Badges", "all": [{"field": "custom:Badge", "operator": "starts_with", "value": "b-"}]},
)

METADATA: tuple[list[JsonObject], ...] = (
    [],
    [{"name": "Title", "source": "job_title", "type": "default"}],
    [
        {"name": "Dept", "source": "department", "type": "hidden"},
        {"name": "Second", "source": "supervisor_hris_id", "type": "associated"},
    ],
    [
        {"name": "Badge", "source": "custom:Badge", "type": "hidden"},
        {"name": "Buddy", "source": "custom:Buddy", "type": "associated"},
        {"name": "Languages", "source": "custom:Languages", "type": "default"},
    ],
)


@st.composite
def settings_documents(draw: st.DrawFn) -> JsonObject:
    """Mostly empty, as people write them."""
    document: dict[str, object] = {}
    options: dict[str, st.SearchStrategy[object]] = {
        "archive_employees": st.sampled_from((True, True, False)),
        "override_emails": st.booleans(),
        "hire_date_priority": st.sampled_from(("original", "latest")),
        "override_hire_date": st.booleans(),
        "add_plus_to_phone_numbers": st.booleans(),
        "default_calling_country": st.sampled_from(("US", "DE")),
        "do_not_import": st.lists(st.sampled_from(RULES), max_size=2, unique_by=lambda rule: str(rule["name"])),
        "do_not_archive": st.lists(st.sampled_from(("0001", "0002", "9999")), max_size=2, unique=True),
        "exclude_fields": st.lists(
            st.sampled_from(("birth_date", "phone_number", "secondary_email", "JobTitle")), max_size=2, unique=True
        ),
        "import_days_before_start": st.sampled_from((0, 7, 30)),
        "mapping": st.sampled_from(
            (
                {},
                {"preferred_first_name": "first_name"},
                {"email": "secondary_email"},
                {"supervisor_id": "supervisor_justworks_id"},
                {"preferred_first_name": "custom:Badge"},
            )
        ),
        "metadata": st.sampled_from(METADATA),
    }
    for name, strategy in options.items():
        if draw(st.integers(0, 3)) == 0:
            document[name] = draw(strategy)
    if "metadata" in document and "exclude_fields" in document:
        excluded = document["exclude_fields"]
        assert isinstance(excluded, list)
        document["exclude_fields"] = [name for name in excluded if name != "JobTitle"]  # no such metadata then
    return document


# Weeks

Fields = dict[str, object]


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

EDITS: tuple[tuple[str, object], ...] = (
    ("email", "own@home.test"),
    ("email", None),
    ("protected", True),
    ("status", "archived"),
    ("hire_date", date(2000, 1, 1)),
    ("phone_number", "+15005550006"),
)


def after_edits(world: World, week: Week) -> World:
    """The world on the day of that week, after what users and persons did in between."""
    users = list(world.users)
    for hris_id, name, value in week.edits:
        for place, user in enumerate(users):
            if user.hris_id == hris_id:
                users[place] = _edited(user, name, value)
    resolutions = (*week.resolutions, *world.resolutions)
    return replace(world, users=tuple(users), today=week.today, resolutions=resolutions)


def after_decisions(world: World, week: Week) -> World:
    """The world after people were erased, and after the integration was deleted and set up again."""
    for hris_id, through in week.erasures:
        world = erase(world, hris_id, through)
    return set_up_anew(world) if week.anew else world


def _edited(user: User, name: str, value: object) -> User:
    fields: dict[str, object] = {name: value}
    if name == "email":
        fields["email_edited_by_user"] = True
    if name == "status":
        fields["archived_by"] = "person"
    return replace(user, **fields)  # type: ignore[arg-type]


@st.composite
def _local_users(draw: st.DrawFn, person: Person, source: Source) -> User:
    archived = draw(st.integers(0, 2)) == 0
    former: tuple[tuple[Source, str] | None, ...] = (None, None, (source, person.hris_id), (source, "gone"))
    return User(
        user_id=f"local-{person.hris_id}",
        employee_id=person.work_id or f"none-{person.hris_id}",
        first_name=person.first_name,
        last_name=person.last_name,
        email=draw(st.sampled_from((person.email, None, f"like-{person.hris_id}@acme.test"))),
        birth_date=draw(st.sampled_from((person.birth_date, None))),
        status="archived" if archived else "active",
        archived_by=("import" if draw(st.booleans()) else "person") if archived else None,
        was_managed_link=draw(st.sampled_from(former)),
        protected=draw(st.integers(0, 9)) == 0,
    )


@st.composite
def _sibling_users(draw: st.DrawFn, person: Person | None) -> User:
    """A user of another integration of the directory: alike one of these people, or their manager elsewhere."""
    if person is None:
        return User("u-outside", "9001", "other", "outside", first_name="Boss", last_name="Outside")
    return User(
        user_id=f"other-{person.hris_id}",
        employee_id=draw(st.sampled_from((person.work_id or "none", f"x-{person.hris_id}"))),
        integration_id="other",
        hris_id=draw(st.sampled_from((person.hris_id, f"o-{person.hris_id}"))),
        first_name=person.first_name,
        last_name=person.last_name,
        email=draw(st.sampled_from((person.email, None, f"other-{person.hris_id}@acme.test"))),
        birth_date=draw(st.sampled_from((person.birth_date, None))),
    )


@st.composite
def worlds(draw: st.DrawFn, people: tuple[Person, ...], source: Source = "justworks") -> World:
    """A directory before its first import: empty, or with local users who are some of these people, or like them."""
    users = []
    if draw(st.booleans()):
        users = [draw(_local_users(person, source)) for person in people if draw(st.integers(0, 3)) == 0]
    if draw(st.integers(0, 3)) == 0:
        users += [
            draw(_sibling_users(people[place])) for place in draw(st.lists(st.integers(0, len(people) - 1), max_size=3))
        ]
        users += [draw(_sibling_users(None))]
    ids: set[str] = set()
    emails: set[str] = set()
    unique = []
    for user in users:
        taken = {user.employee_id, user.user_id} & ids
        if not taken and user.email not in emails:
            unique.append(user)
            ids |= {user.employee_id, user.user_id}
            emails |= {user.email} if user.email is not None else set()
    return World(
        integration_id="acme", source=source, users=tuple(unique), today=MONDAY, settings=draw(settings_documents())
    )


@st.composite
def stories(
    draw: st.DrawFn, source: Source = "justworks", max_people: int = 20, max_weeks: int = 4, max_events: int = 4
) -> Story:
    """A company, its directory, and some weeks of hires, leavers, vanishings, swaps, edits, erasures and new lives."""
    people = list(draw(companies(3, max_people)))
    world = draw(worlds(tuple(people), source))
    siblings = sorted({user.integration_id for user in world.users if user.integration_id})
    fresh = 1000
    weeks = []
    today = MONDAY
    for number in range(draw(st.integers(min(2, max_weeks), max_weeks))):
        edits: list[tuple[str, str, object]] = []
        erasures: list[tuple[str, str]] = []
        if number > 0:
            if draw(st.integers(0, 3)) == 0:
                through = draw(st.sampled_from((world.integration_id, *siblings)))
                erasures.append((draw(st.sampled_from([person.hris_id for person in people])), through))
            for event in draw(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=max_events)):
                people = event(draw, people, today, fresh)
                fresh += 1
            for name, value in draw(st.lists(st.sampled_from(EDITS), max_size=1)):
                edited = draw(st.sampled_from([person.hris_id for person in people]))
                edits.append((edited, name, f"{edited}-{value}" if name == "email" and value else value))
        complete = draw(st.integers(0, 9)) > 0
        shuffled = [people[place] for place in draw(st.permutations(range(len(people))))]
        weeks.append(
            Week(
                today=today,
                people=tuple(people),
                reading=reading_of(source, shuffled, complete=complete),
                edits=tuple(edits),
                approve=draw(st.booleans()),
                decisions=tuple(draw(st.lists(st.sampled_from(DECISIONS), max_size=2))),
                erasures=tuple(erasures),
                anew=number > 0 and draw(st.integers(0, 7)) == 0,
            )
        )
        people = [replace(person, details_fail=False) for person in people]
        today += timedelta(days=draw(st.sampled_from((1, 5, 8))))  # never exactly the seven days of slow_bleed
    return Story(world, tuple(weeks))
