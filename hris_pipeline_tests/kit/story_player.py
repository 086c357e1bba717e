"""Plays a story of the oracle in a real store: every week is previewed, held against the oracle, and saved."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, replace

import sqlalchemy as sa

from hris_pipeline.errors import FrameInvalid, SourceError, UnknownName, UsageError
from hris_pipeline.operations.connection import delete_integration
from hris_pipeline.operations.review_queues import open_conflicts, resolve
from hris_pipeline.operations.settings import set_up
from hris_pipeline.operations.users import erase
from hris_pipeline.store.review_queues import read_unsettled
from hris_pipeline.store.tables import users
from hris_pipeline_tests.kit.judged import Judged, noon
from hris_pipeline_tests.kit.oracle_store import document_of, user_row
from hris_pipeline_tests.oracle.applying import apply
from hris_pipeline_tests.oracle.laws import again_is_nothing, check
from hris_pipeline_tests.oracle.model import Expectation, Resolution, User, World
from hris_pipeline_tests.oracle.observation import Observed
from hris_pipeline_tests.oracle.plan import expect
from hris_pipeline_tests.oracle.strategies import Decision, Story, Week, after_decisions, after_edits

__all__ = ["differing_users", "named_apart", "play"]


ACME = "acme"
"""What stories call the integration."""


def named_apart(world: World, name: str) -> World:
    """The same world with ids of its own, so that one store can hold many."""
    people = tuple(
        replace(
            user,
            user_id=f"{name}-{user.user_id}",
            integration_id=_named(user.integration_id, name) if user.integration_id else None,
        )
        for user in world.users
    )
    return replace(world, integration_id=name, users=people)


def _named(integration_id: str, name: str) -> str:
    return name if integration_id == ACME else f"{name}-{integration_id}"


def play(judged: Judged, world: World, story: Story) -> Iterator[str]:
    """The breaches of every week, each with its number; after a week with breaches nothing can be said any more."""
    for number, week in enumerate(story.weeks):
        judged.acme.clock.time = max(judged.acme.clock.time, noon(week.today))
        edited = after_edits(world, week)
        write_edits(judged, world, edited)
        decided = decide(judged, edited, week)
        breaches = differing_users(decided.users, judged.users())
        if not breaches:
            breaches, world = _play_week(judged, decided, week)
        yield from (f"week {number}: {breach}" for breach in breaches)
        if breaches:
            return


def decide(judged: Judged, world: World, week: Week) -> World:
    """Persons erase people, and delete the integration and set it up again; the world afterwards."""
    services, name = judged.acme.services, judged.acme.name
    named = replace(week, erasures=tuple((hris_id, _named(through, name)) for hris_id, through in week.erasures))
    for hris_id, through in named.erasures:
        with suppress(UnknownName):  # nothing that is kept knows the person
            erase(services, through, hris_id, "lee")
    if week.anew:
        delete_integration(services, name, name)
        set_up(services, name, settings=document_of(world, judged.directory), actor="dana", accept=True)
    return after_decisions(world, named)


def _play_week(judged: Judged, world: World, week: Week) -> tuple[list[str], World]:
    expectation = expect(world, week.reading)
    try:
        summary, observed = judged.preview(world, week.reading)
    except (FrameInvalid, SourceError) as error:
        stopped = expectation.frame_failure is not None or not expectation.complete
        return [] if stopped else [f"stopped ({type(error).__name__}), expected {expectation.status}"], world
    if expectation.frame_failure is not None:
        return [f"went on, expected to stop: {expectation.frame_failure}"], world
    breaches = check(world, week.reading, observed) + differing_relisted(judged, expectation)
    if breaches:
        return breaches, world
    if expectation.status == "held" and week.approve:
        judged.approve(summary)
    saved = expectation.status == "planned" or week.approve
    decided_before = world.linking
    world = decide_conflicts(judged, replace(world, waiting=expectation.waiting), week.decisions)
    if not saved:
        return [], world
    judged.acme.save(summary.import_id)
    after, stored = apply(world, expectation, approved=week.approve), judged.users()
    breaches = differing_users(after.users, stored)
    unsure = {pair for pair in decided_before if pair[0] in expectation.unusable or not expectation.complete}
    world = replace(after, users=stored, linking=frozenset(unsure | (world.linking - decided_before)))
    if not breaches and expectation.status == "planned":
        breaches = _again(judged, world, week, observed)
    return breaches, world


def differing_relisted(judged: Judged, expectation: Expectation) -> list[str]:
    """Whether other integrations are told of the same users that they may work here; an incomplete extract adds."""
    with judged.acme.services.store.read() as connection:
        user_ids = {user_id for _, user_id in read_unsettled(connection, judged.acme.name).relisted}
    same = user_ids == expectation.relisted if expectation.complete else user_ids >= expectation.relisted
    return [] if same else [f"relisted: {sorted(user_ids)}, expected {sorted(expectation.relisted)}"]


def decide_conflicts(judged: Judged, world: World, decisions: tuple[Decision, ...]) -> World:
    """A person decides the first conflicts, as far as the pipeline takes the decision."""
    services, name = judged.acme.services, judged.acme.name
    waiting = sorted(open_conflicts(services, name), key=lambda conflict: (conflict.hris_id, conflict.user_id))
    for conflict, decision in zip(waiting, decisions, strict=False):
        with suppress(UsageError):
            resolve(services, conflict.conflict_id, decision, "lee")
            decided = Resolution(conflict.hris_id, decision, conflict.user_id)
            pair = (conflict.hris_id, conflict.user_id)
            world = replace(
                world,
                resolutions=(decided, *world.resolutions),
                waiting=world.waiting - {pair},
                linking=world.linking | {pair} if decision == "link" else world.linking,
            )
    return world


def _again(judged: Judged, world: World, week: Week, first: Observed) -> list[str]:
    """The same answers once more change nothing."""
    _, again = judged.preview(world, week.reading)
    breaches = [] if "identity_change" in _tripped(again) else again_is_nothing(first, again)
    return [*breaches, *(f"again: {breach}" for breach in check(world, week.reading, again))]


def _tripped(observed: Observed) -> set[str]:
    return {name for name, tripped in observed.guards.items() if tripped}


def differing_users(expected: tuple[User, ...], stored: tuple[User, ...]) -> list[str]:
    """Where the stored users are others than expected: ids and field names. A new user has an id of the store's."""
    by_id = {user.user_id: user for user in stored}
    by_link = {(user.integration_id or "", user.hris_id or ""): user for user in stored if user.hris_id}
    breaches = [] if len(expected) == len(stored) else [f"{len(stored)} users, expected {len(expected)}"]
    for user in expected:
        other = by_id.get(user.user_id) or by_link.get((user.integration_id or "", user.hris_id or ""))
        if other is None:
            breaches.append(f"not stored: {user.user_id}")
            continue
        same_id = replace(other, user_id=user.user_id)
        names = [item.name for item in fields(User) if _plain(user, item.name) != _plain(same_id, item.name)]
        if names:
            breaches.append(f"stored fields of {user.hris_id or user.user_id}: {names}")
    return breaches


def _plain(user: User, name: str) -> object:
    value = getattr(user, name)
    return dict(value) if name == "metadata" else value or None


def write_edits(judged: Judged, before: World, after: World) -> None:
    """What users and persons did between two imports, written as whoever writes users must."""
    stored = {user.user_id: user for user in before.users}
    for user in after.users:
        old = stored.get(user.user_id)
        if old is None or old == user:
            continue
        row = user_row(judged.acme.services, judged.directory, user)
        values = {name: row[name] for name in row if name not in ("user_id", "created_at", "version")}
        with judged.acme.services.store.begin() as connection:
            where = users.c.user_id == user.user_id
            connection.execute(sa.update(users).where(where).values(version=users.c.version + 1, **values))
