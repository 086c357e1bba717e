"""What many companies cost, as a table, a plot, and a plan on paper for ten thousand: printed, or written between the
marks of docs/performance.md. What is measured stands in ``companies``."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.report import PICTURES, tell

__all__ = ["Figures", "plan_lines", "write_companies"]

PICTURE = PICTURES / "companies.svg"

COMPANIES, SECONDS = 10_000, 3600
BUSY = 0.7
"""So much of a core is planned for; the rest is for what comes unevenly."""
APPLICATION_REQUESTS_PER_SECOND = 100
"""The default ceiling on calls of all companies together (docs/operating.md)."""
POSTGRES_SESSIONS = 300
OTHER_SESSIONS = 60
"""What console, code server, metrics and people need."""


@dataclass(frozen=True)
class Figures:
    """What one way needed: ``cpu`` in seconds, ``statements`` and ``sessions`` by kind of process; ``requests`` to the
    source; sizes in MB that were added."""

    way: str
    statuses: dict[str, int]
    people: int
    wall: float
    cpu: dict[str, float]
    run_median: float
    dagster_mb: float
    store_mb: float
    statements: Mapping[str, int]
    sessions: Mapping[str, int]
    requests: int

    @property
    def runs(self) -> int:
        """How many runs there were, of whatever outcome."""
        return sum(self.statuses.values())

    @property
    def daemon_cpu(self) -> float:
        """CPU seconds a run of what is there once."""
        return sum(seconds for name, seconds in self.cpu.items() if name.startswith("daemon")) / self.runs

    @property
    def worker_cpu(self) -> float:
        """CPU seconds a run of what executes runs."""
        return sum(self.cpu.values()) / self.runs - self.daemon_cpu

    def cells(self) -> tuple[str, ...]:
        """One row of the table."""
        computing = ", ".join(f"{name} {seconds / self.runs:.2f}" for name, seconds in self.cpu.items())
        outcomes = ", ".join(f"{number} {status.lower()}" for status, number in sorted(self.statuses.items()))
        return (
            f"`{self.way}`",
            f"{self.runs} of {self.people} people: {outcomes}",
            f"{60 * self.runs / self.wall:.1f}",
            f"{self.daemon_cpu + self.worker_cpu:.2f} ({computing})",
            f"{self.run_median:.1f}",
            self._a_run(self.sessions),
            self._a_run(self.statements),
            f"{self.dagster_mb / self.runs:.2f}, {self.store_mb / self.runs:.2f}",
        )

    def _a_run(self, counts: Mapping[str, int]) -> str:
        if not any(counts.values()):
            return "none: SQLite"
        by_process = ", ".join(f"{name} {count / self.runs:.1f}" for name, count in sorted(counts.items()))
        return f"{sum(counts.values()) / self.runs:.1f} ({by_process})"


HEAD = (
    "way",
    "runs",
    "runs a minute",
    "CPU seconds a run",
    "seconds a run, median",
    "sessions a run",
    "statements a run",
    "MB a run of Dagster's, of the store's",
)


def write_companies(figures: Sequence[Figures], machine: str, *, into_docs: bool) -> None:
    """Prints the table and the plan, or puts them, and the plot, into the docs."""
    tell(_lines(figures, machine), "companies", into_docs=into_docs)
    if into_docs:
        _plot(figures)


def _lines(figures: Sequence[Figures], machine: str) -> Iterator[str]:
    yield f"Measured on {machine}. Servers and source run on the same cores; their computing is in the minutes alone."
    yield from ("", _row(HEAD), _row(["---"] * len(HEAD)))
    yield from (_row(measured.cells()) for measured in figures)
    for measured in figures:
        if any(measured.sessions.values()):
            yield from plan_lines(measured)


def plan_lines(measured: Figures) -> Iterator[str]:
    """From one company's cost to ten thousand in an hour: what is needed, and what of it ends first."""
    rate = COMPANIES / SECONDS
    slots = math.ceil(rate * measured.run_median / BUSY)
    a_slot = sum(count for name, count in measured.sessions.items() if name != "daemon") / measured.runs
    cores = math.ceil(rate * measured.worker_cpu / BUSY)
    sessions = slots * math.ceil(a_slot) + OTHER_SESSIONS
    statements = rate * sum(measured.statements.values()) / measured.runs
    requests = measured.requests / measured.runs
    most = {
        "one daemon (a core makes and launches all runs)": SECONDS / measured.daemon_cpu,
        f"the ceiling of {APPLICATION_REQUESTS_PER_SECOND} calls a second for all companies": (
            SECONDS * APPLICATION_REQUESTS_PER_SECOND / requests
        ),
        f"{POSTGRES_SESSIONS} sessions of PostgreSQL": (
            (POSTGRES_SESSIONS - OTHER_SESSIONS) / math.ceil(a_slot) * SECONDS * BUSY / measured.run_median
        ),
    }
    first = min(most, key=lambda name: most[name])
    yield from (
        "",
        f"Ten thousand companies of {measured.people} people in an hour, computed from `{measured.way}`:",
        "",
    )
    yield from (_row(("what", "needed, or at most")), _row(("---", "---")))
    yield _row(("runs a second", f"{rate:.1f}"))
    yield _row(("worker slots", f"{slots}: {measured.run_median:.1f} s a run, {BUSY:.0%} busy"))
    yield _row(("worker cores", f"{cores}: {measured.worker_cpu:.2f} CPU seconds a run, {BUSY:.0%} busy"))
    yield _row(("daemon", f"{rate * measured.daemon_cpu:.2f} of one core"))
    yield _row(
        ("sessions of PostgreSQL at once", f"{sessions}: {math.ceil(a_slot)} a slot and {OTHER_SESSIONS} others")
    )
    yield _row(("statements a second", f"{statements:,.0f}"))
    yield _row(("calls to the source a second", f"{rate * requests:.0f}: {requests:.1f} a company"))
    yield _row(("Dagster's database, a night", f"{COMPANIES * measured.dagster_mb / measured.runs / 1000:.1f} GB"))
    yield from (_row((f"at most with {name}", f"{number:,.0f} companies an hour")) for name, number in most.items())
    yield from ("", f"What saturates first: {first}.")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plot(figures: Sequence[Figures]) -> None:
    """Computing by kind of process, and how many a minute."""
    import matplotlib  # noqa: PLC0415 - of the bench extra, and only for this

    matplotlib.use("svg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, (computing, minutes) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    names = [measured.way for measured in figures]
    daemon = [measured.daemon_cpu for measured in figures]
    computing.bar(names, daemon, label="daemon")
    computing.bar(names, [measured.worker_cpu for measured in figures], bottom=daemon, label="workers")
    computing.set_title("CPU seconds a run")
    computing.legend(fontsize="x-small")
    minutes.bar(names, [60 * measured.runs / measured.wall for measured in figures])
    minutes.set_title("Runs a minute")
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})
