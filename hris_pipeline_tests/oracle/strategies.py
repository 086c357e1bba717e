"""Made-up companies, settings and weeks for hypothesis."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal

from hypothesis import strategies as st

from .company import Person, reading_of
from .decisions import erase, set_up_anew
from .events import EVENTS
from .model import JsonObject, Reading, Resolution, Source, User, World
from .people_strategies import companies

MONDAY = date(2026, 6, 15)


Decision = Literal["link", "create", "ignore"]
DECISIONS: tuple[Decision, ...] = ("link", "create", "ignore")


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
