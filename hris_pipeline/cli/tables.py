"""Tables that fit the terminal they are printed on: no id, address or field name is broken where it can be helped.
Where a terminal is too narrow for all columns side by side, each row is told as a block of lines."""

from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

__all__ = ["FittedTable"]

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
        widths = fit_columns(self._texts(), options.max_width, self._whole)
        if widths is None:
            yield from self._blocks()
        else:
            yield self._grid(widths)

    def _texts(self) -> list[list[str]]:
        """What each column holds, its name first."""
        return [[name, *(row[place].plain for row in self._rows)] for place, name in enumerate(self._names)]

    def _grid(self, widths: Sequence[int]) -> Table:
        grid = Table(header_style="bold", box=None, pad_edge=False, show_header=any(self._names))
        for name, right, width in zip(self._names, self._right, widths, strict=True):
            grid.add_column(name, justify="right" if right else "left", overflow="fold", width=width)
        for row in self._rows:
            grid.add_row(*row)
        return grid

    def _blocks(self) -> Iterator[RenderableType]:
        for first, *others in self._rows:
            yield Text(first.plain, style="bold")
            lines = Table.grid(padding=(0, GAP, 0, 0))
            lines.add_column(style="dim", no_wrap=True)
            lines.add_column(overflow="fold")
            for name, cell in zip(self._names[1:], others, strict=True):
                if cell.plain not in ("", "–"):
                    lines.add_row(name, cell)
            yield Padding(lines, (0, 0, 0, GAP))


def fit_columns(columns: Sequence[Sequence[str]], width: int, whole: Sequence[bool] = ()) -> tuple[int, ...] | None:
    """How wide each column is to be, so that all fit into ``width`` cells; None when they do not.

    Args:
        columns: What each column holds.
        width: Cells of the terminal, with ``GAP`` of them between two columns.
        whole: Which columns are never broken; by default none.
    """
    room = width - GAP * (len(columns) - 1)
    natural = [max((cell_len(line) for text in column for line in text.splitlines()), default=0) for column in columns]
    if sum(natural) <= room:
        return tuple(natural)
    words = [max((cell_len(word) for text in column for word in text.split()), default=0) for column in columns]
    for longest in LONGEST_WORDS:
        least = [
            full if unbroken else min(word, longest)
            for word, full, unbroken in zip(words, natural, whole or [False] * len(words), strict=True)
        ]
        if sum(least) <= room:
            return _share(least, natural, room - sum(least))
    return None


def _share(least: Sequence[int], natural: Sequence[int], room: int) -> tuple[int, ...]:
    """What is left goes to the columns that lack most, in proportion."""
    lacking = [full - low for full, low in zip(natural, least, strict=True)]
    return tuple(low + room * lack // max(1, sum(lacking)) for low, lack in zip(least, lacking, strict=True))
