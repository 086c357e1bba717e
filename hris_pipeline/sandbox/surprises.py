"""What real data does to you: one table of surprises, each with how often it strikes and what it does to its people.

Companies below ``SMALLEST`` people have none. Nobody is struck twice, so every surprise can be told from its people.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from hris_pipeline.sandbox.people import People, Person, new_id

__all__ = [
    "SMALLEST",
    "SURPRISES",
    "UNTOUCHED",
    "Surprise",
    "apply_anomaly",
]

SMALLEST = 40


@dataclass(frozen=True)
class Surprise:
    """One kind of surprise: it strikes ``share`` of a company of ``smallest`` or more, and ``at_least`` so many.

    ``among_managers`` picks from the people who have reports. ``apply`` changes those struck.
    """

    name: str
    apply: Callable[[list[Person], People], None]
    share: float = 0.0
    at_least: int = 1
    smallest: int = SMALLEST
    among_managers: bool = False

    def size(self, employees: int) -> int:
        """How many people of a company this large are struck."""
        return max(self.at_least, round(self.share * employees)) if employees >= self.smallest else 0


Change = Callable[[Person, People], None]


def _change_each(change: Change) -> Callable[[list[Person], People], None]:
    def apply(struck: list[Person], people: People) -> None:
        for person in struck:
            change(person, people)

    return apply


def _days_from_today(people: People, days: int) -> str:
    return (people.today + timedelta(days=days)).isoformat()


def _service_account(person: Person, people: People) -> None:
    person.first_name, person.last_name, person.preferred_name = "3rd Party", "Admin", None
    person.job_title, person.department, person.office, person.manager = "Service Account", None, None, None
    person.birth_date, person.home, person.phones, person.custom = None, None, (), {}
    person.work_email, person.personal_email, person.work_id = f"integrations@{people.domain}", None, None


def _overlong_last_name(person: Person, _: People) -> None:
    person.last_name = "-".join(["Featherstonehaugh", "Cholmondeley", "Wolfeschlegelstein", "Marjori"]).ljust(60, "x")


def _impossible_date(person: Person, _: People) -> None:
    person.start_date = "2019-02-31"


def _missing_last_name(person: Person, _: People) -> None:
    person.last_name = None


def _shared_work_id(struck: list[Person], _: People) -> None:
    for person in struck[1:]:
        person.work_id = struck[0].work_id


def _terminated_person(person: Person, people: People) -> None:
    person.active = False
    person.start_date = people.draw_past_date(earliest=9 * 365, latest=3 * 365)
    person.termination_date = people.draw_past_date(earliest=2 * 365, latest=10)
    if people.random.random() < 0.6:
        person.work_email = None


def _new_id_rehire(struck: list[Person], people: People) -> None:
    before, after = struck
    _terminated_person(before, people)
    for name in ("first_name", "last_name", "preferred_name", "birth_date", "home", "phones", "personal_email"):
        setattr(after, name, getattr(before, name))
    after.start_date = people.draw_past_date(earliest=300, latest=30)
    before.work_email, before.termination_date = None, people.draw_past_date(earliest=2 * 365, latest=400)


def _future_termination(person: Person, people: People) -> None:
    person.termination_date = _days_from_today(people, people.random.randint(5, 60))


def _future_hire(person: Person, people: People) -> None:
    person.start_date = _days_from_today(people, people.random.randint(3, 45))
    person.work_email = None


def _domestic_contractor(person: Person, _: People) -> None:
    person.kind, person.employment_type, person.department = "contractor", None, None


def _international_contractor(person: Person, people: People) -> None:
    people.move_abroad(person)
    person.kind, person.employment_type, person.work_email = "international_contractor", None, None


def _international_employee(person: Person, people: People) -> None:
    people.move_abroad(person)
    person.kind = people.random.choice(("international_employee", "employee_eor"))


def _rehired_person(person: Person, people: People) -> None:
    person.start_date = people.draw_past_date(earliest=9 * 365, latest=4 * 365)
    person.rehire_dates = (people.draw_past_date(earliest=3 * 365, latest=60),)


def _no_work_email(person: Person, _: People) -> None:
    person.work_email = None


def _no_email(person: Person, _: People) -> None:
    person.work_email = person.personal_email = None


def _manager_outside(person: Person, people: People) -> None:
    person.manager = new_id(people.random)


def _own_manager(person: Person, _: People) -> None:
    person.manager = person.id


def _managers_in_a_circle(struck: list[Person], _: People) -> None:
    for person, manager in zip(struck, [*struck[1:], struck[0]], strict=True):
        person.manager = manager.id


def _hyphenated_name(person: Person, people: People) -> None:
    person.last_name = f"{people.name('es_MX')[1]}-{people.name('en_US')[1]}"


def _several_given_names(person: Person, people: People) -> None:
    first, second = people.name("es_MX")[0], people.name("fr_FR")[0]
    person.first_name, person.additional_names = f"{first} {second}", (people.name("es_MX")[0],)


def _untidy_text(person: Person, _: People) -> None:
    person.first_name, person.job_title = f"  {person.first_name} ", f"{person.job_title}\t"


def _nothing_optional(person: Person, _: People) -> None:
    person.department, person.job_title, person.office, person.location_type = None, None, None, None
    person.home, person.phones, person.custom, person.birth_date = None, (), {}, None


def _bare_phone(person: Person, _: People) -> None:
    person.phones = tuple((type_, number.removeprefix("+1")) for type_, number in person.phones)


def _free_text_phone(person: Person, people: People) -> None:
    text = people.random.choice(("ask at the front desk", "(212) 555-0142 ext. 9", "mornings only: 512.555.0177"))
    person.phones = (("work", text),)


def _two_phones(person: Person, _: People) -> None:
    person.phones = (("home", "+12125550100"), *person.phones)


SURPRISES: tuple[Surprise, ...] = (
    Surprise("manager_circle", _managers_in_a_circle, at_least=2, among_managers=True),
    Surprise("terminated_manager", _change_each(_terminated_person), share=0.002, among_managers=True),
    Surprise("service_account", _change_each(_service_account)),
    Surprise("overlong_last_name", _change_each(_overlong_last_name)),
    Surprise("impossible_date", _change_each(_impossible_date)),
    Surprise("missing_last_name", _change_each(_missing_last_name)),
    Surprise("shared_work_id", _shared_work_id, at_least=2, smallest=100),
    Surprise("rehired_under_new_id", _new_id_rehire, at_least=2, smallest=100),
    Surprise("terminated", _change_each(_terminated_person), share=0.08, at_least=2),
    Surprise("future_termination", _change_each(_future_termination), share=0.01),
    Surprise("future_hire", _change_each(_future_hire), share=0.01),
    Surprise("contractor", _change_each(_domestic_contractor), share=0.03),
    Surprise("international_contractor", _change_each(_international_contractor), share=0.02),
    Surprise("international_employee", _change_each(_international_employee), share=0.02),
    Surprise("rehired", _change_each(_rehired_person), share=0.03),
    Surprise("no_work_email", _change_each(_no_work_email), share=0.02),
    Surprise("no_email", _change_each(_no_email), share=0.005),
    Surprise("manager_outside", _change_each(_manager_outside), share=0.004),
    Surprise("own_manager", _change_each(_own_manager)),
    Surprise("hyphens", _change_each(_hyphenated_name), share=0.03),
    Surprise("several_given_names", _change_each(_several_given_names), share=0.03),
    Surprise("untidy_text", _change_each(_untidy_text), share=0.005),
    Surprise("nothing_optional", _change_each(_nothing_optional), share=0.005),
    Surprise("two_phones", _change_each(_two_phones), share=0.03),
    Surprise("free_text_phone", _change_each(_free_text_phone), share=0.01),
    Surprise("bare_phone", _change_each(_bare_phone), share=0.2),
)

UNTOUCHED = (
    "service_account",
    "overlong_last_name",
    "impossible_date",
    "missing_last_name",
    "shared_work_id",
    "future_hire",
)
"""Surprises whose people nothing happens to in a week, because nobody would see it: they are no users."""


def apply_anomaly(members: list[Person], managers: int, people: People) -> dict[str, tuple[str, ...]]:
    """Strikes a company whose first ``managers`` people have reports; gives the ids of those struck, by surprise.

    The first person, at the head of the tree, is always spared.
    """
    leaves, heads = members[managers:], members[1:managers]
    people.random.shuffle(leaves)
    waiting: dict[bool, Iterator[Person]] = {True: iter(heads), False: iter(leaves)}
    struck: dict[str, tuple[str, ...]] = {}
    for surprise in SURPRISES:
        people_struck = list(islice(waiting[surprise.among_managers], surprise.size(len(members))))
        if people_struck:
            surprise.apply(people_struck, people)
            struck[surprise.name] = _person_ids(people_struck)
    return struck


def _person_ids(people_struck: Iterable[Person]) -> tuple[str, ...]:
    return tuple(person.id for person in people_struck)
