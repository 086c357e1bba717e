"""Plans of mapped people against a directory in memory, and companies that were imported already."""

from copy import deepcopy
from datetime import date
from functools import cache
from typing import Any

from hris_pipeline.change_set.diff import change_rows_schema
from hris_pipeline.change_set.directory import QuarantinedMember
from hris_pipeline.change_set.plan import Plan, PlanContext, make_plan
from hris_pipeline.settings.document import Settings
from hris_pipeline.transform.map_users import mapped_users_schema
from hris_pipeline_tests.kit.mapped_people import METADATA, TODAY, Person, mapped_frame, person, under
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory

__all__ = [
    "BORN",
    "actions",
    "company",
    "conflicts",
    "first_import",
    "held_by",
    "linked",
    "next_import",
    "plan",
    "quarantined",
    "user",
]

BORN = date(1990, 1, 1)


def plan(people: list[Person], directory: MemoryDirectory, changes: dict[str, Any] | None = None, **facts: Any) -> Plan:
    """The plan of the people, with the frames that go in and come out held to their schemas."""
    settings = Settings.model_validate({"metadata": METADATA, **(changes or {})})
    mapped = mapped_frame(under(settings, people))
    mapped_users_schema(settings).validate(mapped)
    planned = make_plan(mapped, directory, PlanContext("acme", TODAY, **({"complete": True} | facts)), settings)
    change_rows_schema().validate(planned.rows)
    return planned


def quarantined(*hris_ids: str) -> tuple[QuarantinedMember, ...]:
    """Members whose rows are bad, known by their hris_id alone."""
    return tuple(QuarantinedMember(hris_id, None, ("last_name: missing",)) for hris_id in hris_ids)


def held_by(planned: Plan) -> list[str]:
    """The guards that tripped."""
    return [guard.name for guard in planned.guards if guard.tripped]


def company(size: int) -> tuple[list[Person], MemoryDirectory]:
    """People who were all imported."""
    directory = MemoryDirectory()
    directory.by_id = deepcopy(_imported(size).by_id)
    return [person(number) for number in range(1, size + 1)], directory


@cache
def _imported(size: int) -> MemoryDirectory:
    directory = MemoryDirectory()
    directory.apply(plan([person(number) for number in range(1, size + 1)], directory).rows)
    return directory


def user(number: int = 1, **values: Any) -> dict[str, Any]:
    """A local user with the EmployeeId of ``person(number)`` and nothing else of them."""
    return {
        "user_id": f"u-{number}",
        "employee_id": f"{number:04}",
        "first_name": "Other",
        "last_name": "Name",
    } | values


def linked(number: int = 1, **values: Any) -> dict[str, Any]:
    """A user linked to the id ``old-<number>``, who is like ``person(number)`` in every way."""
    same = person(number)
    alike = {name: same[name] for name in ("first_name", "last_name", "birth_date", "email")}
    return user(number, **alike) | {"integration_id": "acme", "hris_id": f"old-{number}"} | values


def conflicts(planned: Plan) -> list[tuple[str, str, str]]:
    return list(planned.conflicts[["hris_id", "kind", "user_id"]].itertuples(index=False, name=None))


def actions(planned: Plan) -> list[str]:
    return planned.rows["action"].tolist()


def next_import(stored: dict[str, Any], now: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The user after an import of ``now``, when ``stored`` is what the store holds beside it."""
    people, directory = company(1)
    user_id = directory.by_employee_id("0001")["user_id"]
    directory.edit(user_id, **stored)
    directory.apply(plan([people[0] | person(1, **now)], directory, settings).rows)
    return directory.by_id[user_id]


def first_import(now: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The user a first import makes of ``now``."""
    directory = MemoryDirectory()
    directory.apply(plan([person(1, **now)], directory, settings).rows)
    return next(iter(directory.by_id.values()))
