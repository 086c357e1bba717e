"""Killing one process at one moment, and everything that must hold afterwards."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from hris_pipeline.contract import OPEN
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.extraction import extract_members, kept_manifest
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.upkeep import verify
from hris_pipeline.store.locks import integration_lock
from hris_pipeline.store.tables import import_rows, imports, users
from hris_pipeline_tests.kit import crash_work as work
from hris_pipeline_tests.kit.crash_story import Story, by_hris_id, people
from hris_pipeline_tests.kit.crash_work import NAME, NEVER, planned
from hris_pipeline_tests.kit.forked_processes import Child, Processes

__all__ = [
    "Kill",
    "Moment",
    "Tally",
    "at_every_boundary",
    "at_moments",
    "history_is_whole",
    "import_is_whole",
    "kill_extracting",
    "kill_planning",
    "kill_saving",
    "plan_is_whole",
    "save_is_whole",
]

FREE_WITHIN = 5.0
"""Seconds after which the lock of a killed process must be free: a server busy with one of its statements looks every
two seconds whether the client is still there."""

Moment = int | float
"""A boundary's number, or seconds from the start of the work; ``work.NEVER``: after its end."""


@dataclass
class Tally:
    """What several kills came to: how many found the work undone and done, and the longest wait for the lock; of the
    last work that ran to its end, how many boundaries it had and how many seconds it took."""

    undone: int = 0
    done: int = 0
    lock_seconds: float = 0.0
    boundaries: int = 0
    seconds: float = 0.0

    @property
    def kills(self) -> int:
        """All of them."""
        return self.undone + self.done


def kill_saving(story: Story, processes: Processes, moment: Moment, tally: Tally) -> None:
    """Kills a process that applies the staged import; then somebody else applies it."""
    with story.copy(story.planned) as services:
        stop = moment if isinstance(moment, int) else NEVER
        _kill(processes.start(work.save, services.environment, stop, story.staged.import_id), moment, tally)
        _wait_for_lock(services, tally)
        _count(tally, save_is_whole(services, story))


def kill_planning(story: Story, processes: Processes, moment: Moment, tally: Tally) -> None:
    """Kills a process that plans an import while another is open; then somebody else plans and applies it."""
    with story.copy(story.extracted) as services:
        stop = moment if isinstance(moment, int) else NEVER
        _kill(processes.start(work.plan, services.environment, stop), moment, tally)
        _wait_for_lock(services, tally)
        _count(tally, plan_is_whole(services, story))


def kill_extracting(story: Story, processes: Processes, moment: Moment, tally: Tally) -> None:
    """Kills a process that reads members, plans and applies; then somebody else does it all again."""
    with story.copy(story.extracted) as services:
        stop = moment if isinstance(moment, int) else NEVER
        _kill(processes.start(work.extract_and_save, services.environment, stop), moment, tally)
        _wait_for_lock(services, tally)
        _count(tally, import_is_whole(services, story))


def save_is_whole(services: Services, story: Story) -> bool:
    """Whether the staged import, whose save was disturbed, was applied: wholly or not at all; then saves it."""
    present = people(services.store)
    done = present == story.after
    assert done or present == story.before, "the users are neither as before nor as after"
    assert _status(services, story.staged.import_id) == ("applied" if done else "planned")
    assert save_import(services, NAME, story.staged.import_id, actor="tester").status == "applied"
    assert people(services.store) == story.after
    history_is_whole(services)
    return done


def plan_is_whole(services: Services, story: Story) -> bool:
    """Whether the plan that was disturbed was staged: wholly or not at all; then plans and saves."""
    assert people(services.store) == story.before
    done = _staged_wholly(services, story)
    _plan_and_save(services, story)
    return done


def import_is_whole(services: Services, story: Story) -> bool:
    """Whether the import that was disturbed was applied: wholly or not at all; then does it all again."""
    present = by_hris_id(people(services.store))
    done = present == by_hris_id(story.after)
    assert done or present == by_hris_id(story.before), "the users are neither as before nor as after"
    for extract_id in services.archive.extracts(NAME):
        manifest = services.archive.manifest(NAME, extract_id)
        assert manifest.complete or manifest.first_page, "half an extract"
        assert len(set(services.archive.lines(manifest))) >= manifest.records
    if done:
        planned(services, extract_members(services, NAME))
    else:
        extract_members(services, NAME)
        _plan_and_save(services, story)
    assert by_hris_id(people(services.store)) == by_hris_id(story.after)
    history_is_whole(services)
    return done


def _kill(child: Child, moment: Moment, tally: Tally) -> None:
    """Kills it at a boundary, or so many seconds after it started its work."""
    assert child.heard() == "started"
    started_at = time.monotonic()
    if isinstance(moment, float):
        time.sleep(moment)
    else:
        heard = child.heard()
        if moment == NEVER:
            assert heard[0] == "done", heard
            tally.boundaries, tally.seconds = heard[1], time.monotonic() - started_at
        else:
            assert heard == "here", heard
    child.kill()


def _wait_for_lock(services: Services, tally: Tally) -> None:
    killed_at = time.monotonic()
    with integration_lock(services.store, NAME, FREE_WITHIN):
        tally.lock_seconds = max(tally.lock_seconds, time.monotonic() - killed_at)


def _count(tally: Tally, done: bool) -> None:
    tally.done += done
    tally.undone += not done


def _status(services: Services, import_id: str) -> str:
    with services.store.read() as connection:
        return str(connection.execute(sa.select(imports.c.status).where(imports.c.import_id == import_id)).scalar_one())


def _staged_wholly(services: Services, story: Story) -> bool:
    """Whether the open import is this week's, with all its rows; otherwise it is still last week's."""
    with services.store.read() as connection:
        row = connection.execute(sa.select(imports).where(imports.c.status.in_(OPEN))).one()
        select = sa.select(sa.func.count()).select_from(import_rows).where(import_rows.c.import_id == row.import_id)
        rows = connection.execute(select).scalar_one()
    assert rows == row.created + row.updated + row.archived + row.restored
    return bool(row.digest == story.staged.digest)


def _plan_and_save(services: Services, story: Story) -> None:
    again = planned(services, kept_manifest(services, NAME))
    assert again.digest == story.staged.digest
    save_import(services, NAME, again.import_id, actor="tester")
    assert by_hris_id(people(services.store)) == by_hris_id(story.after)
    history_is_whole(services)


def history_is_whole(services: Services) -> None:
    """Every user's applied rows count its versions from 1 without a hole or a double; no row is without its import."""
    verification = verify(services, NAME)
    assert verification.ok, verification.first
    with services.store.read() as connection:
        applied = import_rows.join(imports, imports.c.import_id == import_rows.c.import_id)
        rows = sa.select(import_rows.c.user_id, import_rows.c.base_version).select_from(applied)
        written: dict[str, list[int]] = {}
        for user_id, base_version in connection.execute(rows.where(imports.c.status == "applied")):
            written.setdefault(user_id, []).append((base_version or 0) + 1)
        versions = {row.user_id: row.version for row in connection.execute(sa.select(users.c.user_id, users.c.version))}
        orphans = (
            sa.select(sa.func.count())
            .select_from(import_rows)
            .where(import_rows.c.import_id.not_in(sa.select(imports.c.import_id)))
        )
        assert connection.execute(orphans).scalar_one() == 0
    assert {key: list(range(1, version + 1)) for key, version in versions.items()} == {
        key: sorted(paths) for key, paths in written.items()
    }


Kill = Callable[[Story, Processes, Moment, Tally], None]


def at_every_boundary(kill: Kill, story: Story, processes: Processes, every: int = 1) -> Tally:
    """One uninterrupted run, then one killed at each of its boundaries, or at each ``every``-th."""
    tally = Tally()
    kill(story, processes, NEVER, tally)
    for number in range(1, tally.boundaries + 1, every):
        kill(story, processes, number, tally)
    return tally


def at_moments(kill: Kill, story: Story, processes: Processes, moments: Iterable[float]) -> Tally:
    """One killed at each of the moments."""
    tally = Tally()
    for moment in moments:
        kill(story, processes, moment, tally)
    return tally
