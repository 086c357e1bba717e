"""What people see: tables, masks, progress and the JSON document. Answers go to stdout, everything else to stderr."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

__all__ = [
    "CommandResult",
    "cell",
    "error_line",
    "mask",
    "moment",
    "progress",
    "status",
    "table",
    "write",
]

WIDTH_IN_FILES = 140
"""How wide lines may get when nobody's window says it."""


@dataclass(frozen=True)
class CommandResult:
    """What a command answers: the document for ``--json``, what a person sees instead, the exit code, and what goes on
    after the answer is given, for commands that serve."""

    document: Any
    shown: Sequence[RenderableType] = ()
    exit_code: int = 0
    then: Callable[[], None] | None = None


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH_IN_FILES
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def write(answer: CommandResult, *, as_json: bool) -> None:
    """The answer on stdout: one JSON document, or what a person sees."""
    if as_json:
        sys.stdout.write(json.dumps(answer.document, ensure_ascii=False, default=_json_value) + "\n")
    else:
        console = _console()
        for part in answer.shown:
            console.print(part, soft_wrap=isinstance(part, str | Text))
    sys.stdout.flush()


def _json_value(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def status(*parts: RenderableType) -> None:
    """Part of a conversation, on stderr."""
    console = _console(stderr=True)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str | Text))


def error_line(message: str) -> None:
    """One line on stderr about what went wrong."""
    line = " ".join(message.split())
    _console(stderr=True).print(Text.assemble(("Error: ", "bold red"), line), soft_wrap=True)


def cell(value: object, style: str = "") -> Text:
    """One cell or line; what would steer the terminal is left out."""
    shown = "" if value is None else str(value)
    return Text("".join(letter for letter in shown if letter.isprintable()), style=style)


def table(columns: Iterable[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table of text; columns whose name begins with ``>`` are flush right."""
    names = list(columns)
    made = Table(header_style="bold", box=None, pad_edge=False)
    made.show_header = any(name.removeprefix(">") for name in names)
    for name in names:
        made.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left", overflow="fold")
    for row in rows:
        made.add_row(*(value if isinstance(value, Text) else cell(value) for value in row))
    return made


def mask(value: str | None) -> str | None:
    """A value of which only the shape can be read: its first letter and its punctuation."""
    if value is None:
        return None
    hidden = "".join("•" if letter.isalnum() or not letter.isascii() else letter for letter in value)
    return value[0] + hidden[1:] if len(value) > 2 else hidden


def moment(value: datetime | None) -> str:
    """A moment in this machine's time zone, for people."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M") if value else ""


@contextmanager
def progress(what: str, unit: str = "") -> Iterator[Callable[[int], None]]:
    """A progress line on stderr that is told how many so far; nothing at all when stderr is no terminal."""
    console = _console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[done]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task(what, total=None, done="")
        yield lambda number: progress.update(task, done=f"{number:,} {unit}".strip())
