"""Every statement of a plan, a save and an import, with every trouble before it: what the work says, and what is left.

A trial ends well when the work came to its end, or told in words what stopped it and what to do, without anybody's
data; when it happened wholly or not at all, and what it said about that is so; and when doing it again ends as it
should.
"""

import functools
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import get_args

from hris_pipeline.errors import ImportRunning
from hris_pipeline.operations.services import Services
from hris_pipeline.store.locks import integration_lock
from hris_pipeline_tests.kit.crash_story import Story, by_hris_id, people
from hris_pipeline_tests.kit.crash_work import NAME, NEVER
from hris_pipeline_tests.kit.forked_processes import Child, Processes
from hris_pipeline_tests.kit.kills import history_is_whole, import_is_whole, plan_is_whole, save_is_whole
from hris_pipeline_tests.kit.troubles import TROUBLES, Trouble, WorkName, cut_connections, work_in_trouble

__all__ = ["WORKS", "Cell", "markdown", "statements_of", "try_statements"]

WORKS: tuple[WorkName, ...] = get_args(WorkName)

FREE_WITHIN = 5.0

_PEOPLES_FIELDS = ("last_name", "email", "phone_number", "birth_date")
_REMEDIES = ("Next: ", "`hris ", "`ulimit", "run this again")
_ENDS_OF_SAVE = ("not applied", "all the same", "not known", "cannot be used")
_NO_ANSWERS = ("unexpected", "report it", "Traceback", "psycopg", "sqlite3")

_IS_WHOLE: Mapping[WorkName, Callable[[Services, Story], bool]] = {
    "plan": plan_is_whole,
    "save": save_is_whole,
    "import": import_is_whole,
}


@dataclass
class Cell:
    """What became of the trials of one work in one trouble: how many were ``done`` wholly and ``undone``, how many
    ``explained`` what stopped them, and the statements they were made at."""

    done: int = 0
    undone: int = 0
    explained: int = 0
    statements: list[int] = field(default_factory=list)

    @property
    def trials(self) -> int:
        """All of them."""
        return self.done + self.undone

    def add(self, other: "Cell") -> None:
        """Counts another's trials too."""
        self.done, self.undone, self.explained = (
            self.done + other.done,
            self.undone + other.undone,
            self.explained + other.explained,
        )
        self.statements += other.statements


@functools.cache
def statements_of(story: Story, processes: Processes, work: WorkName) -> int:
    """How many statements the work has when nothing is in its way."""
    with story.copy(story.planned if work == "save" else story.extracted) as services:
        child = _started(story, processes, services, work, "kill", NEVER)
        end, statements = child.heard()[1]
        child.kill()
    assert end == "done", statements
    return int(statements)


def try_statements(
    story: Story, processes: Processes, work: WorkName, trouble: Trouble, statements: Iterable[int]
) -> Cell:
    """One trial before each of the statements.

    Raises:
        AssertionError: something did not hold; the message names the statement.
    """
    cell = Cell()
    for number in statements:
        try:
            _try(story, processes, work, trouble, number, cell)
        except BaseException as error:
            error.add_note(f"{trouble} before statement {number} of {work}")
            raise
        cell.statements.append(number)
    return cell


def _try(story: Story, processes: Processes, work: WorkName, trouble: Trouble, at: int, cell: Cell) -> None:
    with story.copy(story.planned if work == "save" else story.extracted) as services:
        child = _started(story, processes, services, work, trouble, at)
        if trouble == "freeze":
            _frozen(services, story, work, child, cell)
            return
        message = _end_of(child, killed=trouble == "kill")
        child.kill()
        with integration_lock(services.store, NAME, FREE_WITHIN):
            pass
        done = _IS_WHOLE[work](services, story)
        cell.done += done
        cell.undone += not done
        if message is not None:
            cell.explained += 1
            _check_words(message, story, work, done)
        elif trouble != "kill":
            assert done, "it came to its end, and nothing was done"


def _started(
    story: Story, processes: Processes, services: Services, work: WorkName, trouble: Trouble, at: int
) -> Child:
    child = processes.start(work_in_trouble, services.environment, work, story.staged.import_id, trouble, at)
    assert child.heard() == "started"
    return child


def _end_of(child: Child, *, killed: bool = False) -> str | None:
    """What it was told to stop for, if anything; or None where it came to its end, or stands where it is killed."""
    heard = child.heard()
    if killed:
        assert heard == "here", heard
        return None
    assert heard[0] == "done", f"something nobody translated: {heard[1]}"
    end, said = heard[1]
    return str(said) if end == "told" else None


def _frozen(services: Services, story: Story, work: WorkName, child: Child, cell: Cell) -> None:
    """It stands still for long: a server takes it for dead, and somebody else does its work; a file stays locked as
    long as it holds it. Then it goes on."""
    assert child.heard() == "here"
    child.freeze()
    if services.store.dialect == "postgresql":
        cut_connections(services.store.engine.url)
        with integration_lock(services.store, NAME, FREE_WITHIN):
            pass
    overtaken = _is_free(services)
    if overtaken:
        _IS_WHOLE[work](services, story)
    child.thaw()
    message = _end_of(child)
    child.kill()
    cell.explained += message is not None
    if overtaken:
        assert by_hris_id(people(services.store)) == by_hris_id(story.after)
        history_is_whole(services)
        cell.undone += 1
    else:
        assert message is None, message
        assert _IS_WHOLE[work](services, story)
        cell.done += 1


def _is_free(services: Services) -> bool:
    """Whether somebody else can do the work: whoever holds a file's lock is waited for, a minute at most."""
    with suppress(ImportRunning, sqlite3.OperationalError), integration_lock(services.store, NAME, 0):
        if services.store.dialect == "sqlite":
            other = sqlite3.connect(str(services.store.engine.url.database), isolation_level=None, timeout=0)
            with closing(other):
                other.execute("BEGIN IMMEDIATE")
        return True
    return False


def _check_words(message: str, story: Story, work: WorkName, done: bool) -> None:
    """It says what to do, nothing of anybody, and nothing that is not so."""
    assert not any(word in message for word in _NO_ANSWERS), message
    assert any(words in message for words in _REMEDIES), message
    values = {str(user[name]) for user in story.after.values() for name in _PEOPLES_FIELDS if user[name]}
    assert not any(value in message for value in values if len(value) > 3), message
    if work != "plan":
        assert not (done and "not applied" in message), message
        assert done or "applied all the same" not in message, message
    if work == "save":
        assert any(words in message for words in _ENDS_OF_SAVE), message


def markdown(cells: Mapping[tuple[str, WorkName, Trouble], Cell]) -> str:
    """The table of docs/reliability.md: trials by work and trouble, and how they ended."""
    columns = ("database", "work", "statements", *TROUBLES)
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for database, work in dict.fromkeys((database, work) for database, work, _ in cells):
        row = [cells[database, work, trouble] for trouble in TROUBLES]
        figures = (f"{cell.undone} not, {cell.done} wholly" for cell in row)
        lines.append(f"| {database} | {work} | {max(len(cell.statements) for cell in row)} | {' | '.join(figures)} |")
    return "\n".join(lines)
