"""What people see: tables, progress and the JSON document. Answers go to stdout, everything else to stderr.

Whatever is printed may hold what a source or a person wrote, so everything passes ``printable``: what would steer a
terminal is left out of tables and lines, and escaped in JSON."""

import codecs
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from hris_pipeline.cli.tables import FittedTable

__all__ = [
    "PLAIN_SIGNS",
    "CommandResult",
    "cell",
    "error_line",
    "moment",
    "printable",
    "progress",
    "status",
    "table",
    "write",
]

PLAIN_SIGNS = "plain_signs"
"""How a stream writes what its encoding cannot: our own signs as one of ASCII each, anything else by its number."""

_IN_ASCII = str.maketrans("•–—→…·", "*-->.-")


def _write_plain_signs(error: UnicodeError) -> tuple[str | bytes, int]:
    """One ASCII letter for a sign of ours, so that tables keep their columns."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign = error.object[error.start].translate(_IN_ASCII)
    one_sign = UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, error.reason)
    return (sign, error.start + 1) if sign.isascii() else codecs.backslashreplace_errors(one_sign)


codecs.register_error(PLAIN_SIGNS, _write_plain_signs)

WIDTH_IN_FILES = 140
"""How wide lines may get when nobody's window says it."""


STEERING = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
"""What JSON leaves as it is and a terminal might obey: control codes above ASCII, and marks that hide or turn text."""


@dataclass(frozen=True)
class CommandResult:
    """What a command answers: the payload of ``--json``, what a person sees instead, the exit code, and what goes on
    after the answer is given, for commands that serve."""

    payload: Any
    renderables: Iterable[RenderableType] = ()
    exit_code: int = 0
    after: Callable[[], None] | None = None


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH_IN_FILES
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def write(result: CommandResult, *, as_json: bool) -> None:
    """The result on stdout: one JSON document, or what a person sees."""
    if as_json:
        takes_all = sys.stdout.encoding.lower().startswith("utf")
        text = json.dumps(result.payload, ensure_ascii=not takes_all, default=_json_value)
        sys.stdout.write(STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")
    else:
        _print(_console(), result.renderables)
    sys.stdout.flush()


def _print(console: Console, renderables: Iterable[RenderableType]) -> None:
    for renderable in renderables:
        line = cell(renderable) if isinstance(renderable, str) else renderable
        console.print(line, soft_wrap=isinstance(line, Text) and not _breaks_at_blanks(line, console))


def _breaks_at_blanks(line: Text, console: Console) -> bool:
    """Whether the line can be broken between words; an address to copy stays in one piece."""
    return console.is_terminal and all(len(word) <= console.width for word in line.plain.split())


def _json_value(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def status(*renderables: RenderableType) -> None:
    """Part of a conversation, on stderr."""
    _print(_console(stderr=True), renderables)


def error_line(message: str) -> None:
    """One line on stderr about what went wrong."""
    line = printable(" ".join(message.split()))
    _console(stderr=True).print(Text.assemble(("Error: ", "bold red"), line), soft_wrap=True)


def printable(value: str) -> str:
    """Text without what would steer a terminal, hide a part of it or turn its direction."""
    return "".join(letter for letter in value if letter.isprintable())


def cell(value: object, style: str = "") -> Text:
    """One cell or line."""
    return Text("" if value is None else printable(str(value)), style=style)


def table(columns: Iterable[str], rows: Iterable[Sequence[object]]) -> FittedTable:
    """A table of text; a column whose name begins with ``>`` is flush right, with ``!`` never broken over lines."""
    grid = FittedTable(columns)
    for row in rows:
        grid.add_row(*(value if isinstance(value, Text) else cell(value) for value in row))
    return grid


def moment(value: datetime | None, time_zone: str | None = None) -> str:
    """A moment for people: in ``time_zone``, whose short name then stands behind it, or in this machine's."""
    if value is None:
        return ""
    if time_zone is None:
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    return value.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M %Z")


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
