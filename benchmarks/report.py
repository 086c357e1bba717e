"""Measurements as tables and plots: printed, or written between the marks of docs/performance.md."""

import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.measure import Measured

__all__ = ["PAGE", "PICTURES", "Result", "Round", "tell", "write_report"]

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
PICTURES = PAGE.with_name("pictures")

TARGETS: tuple[tuple[str, str, int, float], ...] = (
    ("first import", "floor: first", 100_000, 1.7),
    ("first import", "floor: first", 10_000, 2.5),
    ("no change", "floor: no change", 100_000, 1.5),
    ("no change", "floor: no change", 10_000, 2.5),
)
"""What is measured, its floor, at how many people, and how many times the floor it may take."""

PEER_TARGETS: tuple[tuple[str, str, float], ...] = (
    ("first import", "dlt documented: first", 7),
    ("first import", "dlt best: first", 3),
    ("no change", "dlt documented: no change", 10),
    ("no change", "dlt best: no change", 4),
)
"""What is measured, the peer, and how many times faster than it."""

MEMORY_TARGETS: Mapping[int, int] = {100_000: 350, 1_000_000: 1500}
"""MB at so many people."""

UNWRITTEN = ("users", "import_rows")
"""The tables into which an import without changes writes nothing."""


class Round(msgspec.Struct, frozen=True):
    """Everything measured once, by name; of each import the statements and rows by table that the server counted."""

    measured: dict[str, Measured]
    statements: dict[str, int]
    rows: dict[str, dict[str, int]]


class Result(msgspec.Struct, frozen=True):
    """The rounds at one size on one database; ``latency`` is what each ``slow`` answer of the source took longer, in
    seconds."""

    people: int
    database: str
    rounds: Sequence[Round]
    latency: float = 0.0
    slow: str = "a page"


def write_report(results: Sequence[Result], machine: str, *, into_docs: bool) -> None:
    """Prints the tables, or puts them and the plots into the docs."""
    tell(_lines(results, machine), "measured", into_docs=into_docs)
    if into_docs:
        _plot(results)


def tell(lines: Iterable[str], mark: str, *, into_docs: bool) -> None:
    """Prints the lines, or puts them into the docs, between the comments ``<!-- mark: begin -->`` and its end."""
    text = "\n".join(lines)
    if not into_docs:
        sys.stdout.write(text + "\n")
        return
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    page = PAGE.read_text(encoding="utf-8")
    head, tail = page.partition(begin)[0], page.partition(end)[2]
    PAGE.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def _lines(results: Sequence[Result], machine: str) -> Iterator[str]:
    yield f"Measured on {machine}. Medians of {len(results[0].rounds)} rounds, with the range in brackets."
    yield from ("", "### Targets", "", "| what | people | target | measured |", "|---|---|---|---|")
    quick = [result for result in results if not result.latency]
    yield from _target_rows(quick)
    for result in quick:
        yield from ("", f"### {result.people:,} people on {result.database}", "")
        yield from _table(result)
    slow = [result for result in results if result.latency]
    if slow:
        yield from (
            "",
            "### A slow source",
            "",
            "| slower by | people | reading, of fetching alone | first import | no change |",
            "|---|---|---|---|---|",
        )
        for result in slow:
            reading = _ratio(
                result, "no change", "fetch", lambda measured: measured.steps.get("extract", measured).wall
            )
            first, again = (_ratio(result, name, "fetch") for name in ("first import", "no change"))
            slower = f"{result.latency * 1000:.0f} ms {result.slow}"
            yield f"| {slower} | {result.people:,} | {reading} | {first} | {again} |"


def _target_rows(results: Sequence[Result]) -> Iterator[str]:
    for name, floor, people, most in TARGETS:
        for result in _of(results, people, "postgresql"):
            times = f"{_ratio(result, name, floor)}; computing {_ratio(result, name, floor, _cpu)}"
            yield f"| {name}, of its floor | {people:,} | at most {most} | {times} |"
    for name, peer, least in PEER_TARGETS:
        for result in _of(results, 100_000, "postgresql"):
            if peer in result.rounds[0].measured:
                times = _ratio(result, peer, name)
                yield f"| {name}, faster than {peer.split(':')[0]} | 100,000 | at least {least:g} | {times} |"
    for people, most_mb in MEMORY_TARGETS.items():
        for result in _of(results, people, "postgresql"):
            peak = max(
                _median(result, lambda measured: measured.peak_mb, name) for name in ("first import", "no change")
            )
            yield f"| peak memory | {people:,} | at most {most_mb:,} MB | {peak:,.0f} MB |"
    for result in results:
        written = result.rounds[-1].rows.get("no change")
        if written:
            rows = sum(written[table] for table in UNWRITTEN)
            yield f"| users and changes written when nothing changed | {result.people:,} | 0 | {rows} |"
    yield from _growth(results)


def _growth(results: Sequence[Result]) -> Iterator[str]:
    """From the least to the most people: seconds a person, as a multiple."""
    series = sorted((result for result in results if result.database == "postgresql"), key=lambda result: result.people)
    series = [result for result in series if result.people >= 10_000]
    if len(series) < 2:
        return
    least, most = series[0], series[-1]
    for name in ("first import", "no change"):
        a_person = [_median(result, _wall, name) / result.people for result in (least, most)]
        times = f"{a_person[1] / a_person[0]:.2f}"
        yield f"| {name}: seconds a person, of those at {least.people:,} | {most.people:,} | 0.85 to 1.15 | {times} |"


def _of(results: Sequence[Result], people: int, database: str) -> list[Result]:
    return [result for result in results if (result.people, result.database) == (people, database)]


def _table(result: Result) -> Iterator[str]:
    yield "| | wall s | CPU s | peak MB | people a second | by step (wall s) | statements | rows written |"
    yield "|---|---|---|---|---|---|---|---|"
    last = result.rounds[-1]
    for name, measure in last.measured.items():
        wall = _median(result, _wall, name)
        cells = (
            name,
            _spread(result, _wall, name),
            f"{_median(result, _cpu, name):.2f}",
            f"{_median(result, lambda measured: measured.peak_mb, name):.0f}",
            f"{result.people / wall:,.0f}" if wall else "",
            ", ".join(f"{step} {value.wall:.2f}" for step, value in measure.steps.items())
            if len(measure.steps) > 1
            else "",
            str(last.statements.get(name, "")),
            ", ".join(f"{table} {count:,}" for table, count in last.rows.get(name, {}).items()),
        )
        yield f"| {' | '.join(cells)} |"


def _median(result: Result, value: Callable[[Measured], float], name: str) -> float:
    return statistics.median(value(round_.measured[name]) for round_ in result.rounds)


def _spread(result: Result, value: Callable[[Measured], float], name: str) -> str:
    values = [value(round_.measured[name]) for round_ in result.rounds]
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _wall(measured: Measured) -> float:
    return measured.wall


def _cpu(measured: Measured) -> float:
    return measured.cpu


def _ratio(result: Result, name: str, base: str, value: Callable[[Measured], float] = _wall) -> str:
    values = [value(round_.measured[name]) / value(round_.measured[base]) for round_ in result.rounds]
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _plot(results: Sequence[Result]) -> None:
    """Scaling, memory, and where the time of the largest goes."""
    import matplotlib  # noqa: PLC0415 - of the bench extra, and only for this

    matplotlib.use("svg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, (wall, memory, steps) = pyplot.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    for database in dict.fromkeys(result.database for result in results):
        series = sorted(
            (result for result in results if result.database == database and not result.latency),
            key=lambda result: result.people,
        )
        people = [result.people for result in series]
        for name in ("first import", "no change"):
            walls = [_median(result, _wall, name) for result in series]
            peaks = [_median(result, lambda measured: measured.peak_mb, name) for result in series]
            wall.loglog(people, walls, marker="o", label=f"{name}, {database}")
            memory.semilogx(people, peaks, marker="o", label=f"{name}, {database}")
    largest = max((result for result in results if not result.latency), key=lambda result: result.people)
    bottom = [0.0, 0.0]
    for step in largest.rounds[-1].measured["first import"].steps:
        values = [largest.rounds[-1].measured[name].steps[step].wall for name in ("first import", "no change")]
        steps.bar(("first import", "no change"), values, bottom=bottom, label=step)
        bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    for axes, title, unit in (
        (wall, "How long", "seconds"),
        (memory, "Peak memory", "MB"),
        (steps, f"Where the time goes, {largest.people:,} people", "seconds"),
    ):
        axes.set_title(title)
        axes.set_ylabel(unit)
        axes.legend(fontsize="x-small")
    for axes in (wall, memory):
        axes.set_xlabel("people")
    PICTURES.mkdir(exist_ok=True)
    figure.savefig(PICTURES / "performance.svg", metadata={"Date": None})
