"""What people see: tables that fit their terminal, progress and the JSON document. Answers go to stdout, everything
else to stderr.

Whatever is printed may hold what a source or a person wrote, so everything passes ``printable``: what would steer a
terminal is left out of tables and lines, and escaped in JSON. No id, address or field name is broken where it can be
helped; where a terminal is too narrow for all columns side by side, each row is told as a block of lines.
"""

import codecs
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from hris_pipeline.settings.text import local_moment

__all__ = [
    "PLAIN_SIGNS",
    "CommandResult",
    "FittedTable",
    "cell",
    "error_line",
    "moment",
    "printable",
    "progress",
    "status",
    "table",
    "write",
]

LONGEST_WORDS = (40, 24)
"""Words up to this long are kept whole; where that leaves no room, up to the next."""

GAP = 2


class FittedTable:
    """Columns by name, flush right where the name begins with ``>``, never broken over lines where with ``!``; and rows
    of text."""

    def __init__(self, columns: Iterable[str]) -> None:
        names = tuple(columns)
        self._names = tuple(name.lstrip(">!") for name in names)
        self._right = tuple(name.startswith(">") for name in names)
        self._whole = tuple(name.startswith("!") for name in names)
        self._rows: list[tuple[Text, ...]] = []

    def add_row(self, *cells: Text) -> None:
        """One row, a cell a column."""
        self._rows.append(cells)

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """As rich asks for it."""
        widths = fit_columns(self._column_texts(), options.max_width, self._whole)
        if widths is None:
            yield from self._render_blocks()
        else:
            yield self._render_grid(widths)

    def _column_texts(self) -> list[list[str]]:
        """The texts of each column, its name first."""
        return [[name, *(row[place].plain for row in self._rows)] for place, name in enumerate(self._names)]

    def _render_grid(self, widths: Sequence[int]) -> Table:
        grid = Table(header_style="bold", box=None, pad_edge=False, show_header=any(self._names))
        for name, right, width in zip(self._names, self._right, widths, strict=True):
            grid.add_column(name, justify="right" if right else "left", overflow="fold", width=width)
        for row in self._rows:
            grid.add_row(*row)
        return grid

    def _render_blocks(self) -> Iterator[RenderableType]:
        for first, *others in self._rows:
            yield Text(first.plain, style="bold")
            lines = Table.grid(padding=(0, GAP, 0, 0))
            lines.add_column(style="dim", no_wrap=True)
            lines.add_column(overflow="fold")
            for name, cell in zip(self._names[1:], others, strict=True):
                if cell.plain not in ("", "–"):
                    lines.add_row(name, cell)
            yield Padding(lines, (0, 0, 0, GAP))


def fit_columns(columns: Sequence[Sequence[str]], width: int, unbroken: Sequence[bool] = ()) -> tuple[int, ...] | None:
    """How wide each column is to be, so that all fit into ``width`` cells; None when they do not.

    Args:
        columns: What each column holds.
        width: Cells of the terminal, with ``GAP`` of them between two columns.
        unbroken: Which columns are never broken; by default none.
    """
    room = width - GAP * (len(columns) - 1)
    natural = [max((cell_len(line) for text in column for line in text.splitlines()), default=0) for column in columns]
    if sum(natural) <= room:
        return tuple(natural)
    words = [max((cell_len(word) for text in column for word in text.split()), default=0) for column in columns]
    for longest in LONGEST_WORDS:
        least = [
            full if stays else min(word, longest)
            for word, full, stays in zip(words, natural, unbroken or [False] * len(words), strict=True)
        ]
        if sum(least) <= room:
            return _share(least, natural, room - sum(least))
    return None


def _share(least: Sequence[int], natural: Sequence[int], room: int) -> tuple[int, ...]:
    """Divides the width that is left over among the columns in proportion to what each lacks."""
    shortfalls = [full - low for full, low in zip(natural, least, strict=True)]
    return tuple(
        low + room * shortfall // max(1, sum(shortfalls)) for low, shortfall in zip(least, shortfalls, strict=True)
    )


PLAIN_SIGNS = "plain_signs"
"""How a stream writes what its encoding cannot: our own signs as one of ASCII each, anything else by its number."""

_IN_ASCII = str.maketrans("•–—→…·", "*-->.-")


def _write_plain_signs(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encodes each of our signs as one ASCII letter, so that tables keep their columns."""
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


def _open_console(*, stderr: bool = False) -> Console:
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
        _print(_open_console(), result.renderables)
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
    _print(_open_console(stderr=True), renderables)


def error_line(message: str) -> None:
    """One line on stderr about what went wrong."""
    line = printable(" ".join(message.split()))
    _open_console(stderr=True).print(Text.assemble(("Error: ", "bold red"), line), soft_wrap=True)


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
    return local_moment(value, time_zone)


@contextmanager
def progress(title: str, unit: str = "") -> Iterator[Callable[[int], None]]:
    """A progress line on stderr that is told how many so far; nothing at all when stderr is no terminal."""
    console = _open_console(stderr=True)
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
        task = progress.add_task(title, total=None, done="")
        yield lambda number: progress.update(task, done=f"{number:,} {unit}".strip())
