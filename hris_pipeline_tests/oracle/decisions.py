"""What persons decide about a directory between two imports: the world afterwards."""

from collections.abc import Collection
from dataclasses import replace

from .identity import linked_here
from .model import User, World
from .settings import settings_of

ERASED_KEEP = ("user_id", "employee_id", "integration_id", "hris_id", "protected", "was_managed_link")
"""Ids and marks of a user who was erased: without them the next import would make the person anew."""


def erase(world: World, hris_id: str, through: str) -> World:
    """The person known by that hris_id is erased, through that integration of the directory: a user keeps ids alone,
    archived by a person, and what was decided about the person is forgotten; whoever is none leaves nothing either."""
    person = find_person(world, hris_id, through)
    if person is None:
        return _forgetting(world, {hris_id}, None)
    kept = {name: getattr(person, name) for name in ERASED_KEEP}
    erased = User(**kept, status="archived", archived_by="person")
    ids = {hris_id, person.hris_id, (person.was_managed_link or (None, None))[1]}
    users = tuple(erased if user.user_id == person.user_id else user for user in world.users)
    return replace(_forgetting(world, ids, person.user_id), users=users)


def _forgetting(world: World, hris_ids: Collection[str | None], user_id: str | None) -> World:
    """Nothing of what was decided, or waits to be, about those members and that user."""

    def others(pairs: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        return frozenset(pair for pair in pairs if pair[0] not in hris_ids and pair[1] != user_id)

    decided = (entry for entry in world.resolutions if entry.hris_id not in hris_ids)
    return replace(
        world,
        resolutions=tuple(entry for entry in decided if user_id is None or entry.user_id != user_id),
        waiting=others(world.waiting),
        linking=others(world.linking),
    )


def find_person(world: World, hris_id: str, through: str) -> User | None:
    """Whoever the integration links to that id; else whoever another one does, or a deleted one did."""
    user = linked_here(replace(world, integration_id=through), hris_id)
    by_id = sorted(world.users, key=lambda other: other.user_id)
    linked = [other for other in by_id if other.hris_id == hris_id]
    former = [other for other in by_id if other.was_managed_link and other.was_managed_link[1] == hris_id]
    return next(iter([*([user] if user else []), *linked, *former]), None)


def set_up_anew(world: World) -> World:
    """The integration was deleted, and set up again with the same settings: its users are local ones whose id is on
    record, and nothing of its former life counts."""
    users = tuple(
        replace(user, integration_id=None, hris_id=None, was_managed_link=(world.source, user.hris_id))
        if user.integration_id == world.integration_id and user.hris_id is not None
        else user
        for user in world.users
    )
    named = settings_of(world.settings).do_not_archive
    return World(
        integration_id=world.integration_id,
        source=world.source,
        users=users,
        today=world.today,
        settings=world.settings,
        former=world.former,
        never_archive=frozenset(user.user_id for user in users if user.employee_id in named),
    )
