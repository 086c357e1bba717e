"""A directory after its first import, and what one week of changes makes of it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from ..applying import apply
from ..company import Person, crowd, partner_member, reading_of
from ..model import Expectation, JsonObject, Reading, Row, Source, User, World
from ..plan import expect

TODAY = date(2026, 6, 15)


def empty_world(settings: JsonObject | None = None, source: Source = "justworks") -> World:
    return World(integration_id="acme", source=source, users=(), today=TODAY, settings=settings or {})


def imported(people: Iterable[Person], settings: JsonObject | None = None, source: Source = "justworks") -> World:
    """The world after a first import of these people."""
    world = empty_world(settings, source)
    expectation = expect(world, reading_of(source, people))
    assert expectation.frame_failure is None, expectation.frame_failure
    return apply(world, expectation, approved=True)


def plan(world: World, people: Iterable[Person], *, complete: bool = True) -> Expectation:
    return expect(world, reading_of(world.source, people, complete=complete))


def row_of(expectation: Expectation, hris_id: str) -> Row | None:
    return next((row for row in expectation.rows if row.hris_id == hris_id), None)


def action_of(expectation: Expectation, hris_id: str) -> str | None:
    row = row_of(expectation, hris_id)
    return row.action if row is not None else None


def fields_of(expectation: Expectation, hris_id: str) -> dict[str, object]:
    """Changed fields and their new values."""
    row = row_of(expectation, hris_id)
    return {change.field: change.after for change in row.changes} if row is not None else {}


def tripped(expectation: Expectation) -> set[str]:
    return {name for name, result in expectation.guards.items() if result.tripped}


def changed(people: list[Person], hris_id: str, **fields: object) -> list[Person]:
    return [replace(person, **fields) if person.hris_id == hris_id else person for person in people]  # type: ignore[arg-type]


def without(people: list[Person], *hris_ids: str) -> list[Person]:
    return [person for person in people if person.hris_id not in hris_ids]


def user(world: World, hris_id: str) -> User:
    return next(user for user in world.users if user.hris_id == hris_id)


def with_user(world: World, hris_id: str, **fields: object) -> World:
    users = tuple(
        replace(user, **fields) if user.hris_id == hris_id else user  # type: ignore[arg-type]
        for user in world.users
    )
    return replace(world, users=users)


def add_users(world: World, *users: User) -> World:
    return replace(world, users=(*world.users, *users))


def unlinked(world: World) -> World:
    """The integration was deleted: its users stay, local, and the ids stay on record."""
    users = tuple(
        replace(
            user,
            integration_id=None,
            hris_id=None,
            was_managed_link=(world.source, user.hris_id) if user.hris_id is not None else None,
        )
        for user in world.users
    )
    return replace(world, users=users, import_applied=False, archives=(), quarantined_before=frozenset())


def with_members(count: int, changes: JsonObject, *, of: int = 40, settings: JsonObject | None = None) -> Expectation:
    """The first `count` of the members get these keys as sent."""
    people = crowd(of)
    people = [replace(person, department="Sales", phone="+14155550100", manager="m40") for person in people]
    members = [partner_member(person) for person in people]
    for member in members[:count]:
        member.update(changes)
    return expect(imported(people, settings), Reading(tuple(members)))
