"""A first import and one in which nothing changed, against floors measured in the same run; prints ratios.

Usage: python -m benchmarks.run [PEOPLE …] [--rounds N]     (10 000 and 100 000 people, 3 rounds)

Server, sandbox and each measurement are processes of their own. A round measures every floor and both imports one after
the other, so that a busy machine slows all of them alike; ratios are taken within a round, and their median is told.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import sqlalchemy as sa

from benchmarks.measure import Measured, measured
from benchmarks.servers import Postgres, environment, postgres, sandbox

WRITTEN = ("users", "import_rows", "imports")


class Round(msgspec.Struct, frozen=True):
    """Everything measured once, by name; of each import what the server counted: statements, and rows by table."""

    measured: dict[str, Measured]
    statements: dict[str, int]
    rows: dict[str, dict[str, int]]


def main() -> None:
    """Runs the rounds and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", nargs="*", type=int, default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with postgres() as server:
        for people in chosen.people:
            with sandbox(people) as url:
                rounds = [_round(server, url, f"bench_{people}_{number}") for number in range(chosen.rounds)]
            _print(people, rounds)


def _round(server: Postgres, url: str, database: str) -> Round:
    with tempfile.TemporaryDirectory() as home:
        environ = environment(Path(home), server.created(database), url)
        token = _prepare(environ)
        known = {name: measured("floors", name, url, token, environ=environ) for name in ("fetch", "first")}
        statements: dict[str, int] = {}
        rows: dict[str, dict[str, int]] = {}

        def one_import(name: str) -> None:
            sent, before = server.statements(), _written(server, database)
            known[name] = measured("pipeline", "import", environ=environ)
            statements[name] = server.statements() - sent
            rows[name] = {table: count - before[table] for table, count in _written(server, database).items()}

        one_import("first import")
        known["unchanged"] = measured("floors", "unchanged", url, token, environ=environ)
        one_import("no change")
        server.dropped(database)
    return Round(known, statements, rows)


def _prepare(environ: dict[str, str]) -> str:
    command = [sys.executable, "-m", "benchmarks.pipeline", "prepare"]
    return subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True, text=True).stdout.split()[-1]


def _written(server: Postgres, database: str) -> dict[str, int]:
    """Rows inserted, updated or deleted so far, by table, as the server counts them."""
    engine = sa.create_engine(server.url.set(database=database), poolclass=sa.NullPool)
    counted = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables"
    with engine.connect() as connection:
        found = {row[0]: int(row[1]) for row in connection.execute(sa.text(counted))}
    return {table: found[table] for table in WRITTEN}


def _print(people: int, rounds: Sequence[Round]) -> None:
    print(f"\n{people:,} people, {len(rounds)} rounds; medians")
    print(f"{'':28}{'of fetch':>10}{'of floor':>10}{'floor CPU':>10}{'wall s':>9}{'CPU s':>8}{'peak MB':>9}")
    lines = (
        ("fetch", None),
        ("first", None),
        ("first import", "first"),
        ("unchanged", None),
        ("no change", "unchanged"),
    )
    for name, floor in lines:
        print(_line(rounds, name, floor))
    for name in ("first import", "no change"):
        print(f"\n{name}: statements {sorted({one.statements[name] for one in rounds})}, rows written", end=" ")
        print(", ".join(f"{table} {rounds[-1].rows[name][table]:,}" for table in WRITTEN))
        print("  ", {key: value for key, value in rounds[-1].measured[name].counts.items() if value})
        for step in rounds[-1].measured[name].steps:
            wall, cpu = (statistics.median(found) for found in zip(*_step(rounds, name, step), strict=True))
            print(f"   {step:<25}{wall:>8.2f} s wall{cpu:>8.2f} s CPU")
    print(flush=True)


def _line(rounds: Sequence[Round], name: str, floor: str | None) -> str:
    of_fetch = _median(rounds, lambda one: one.measured[name].wall / one.measured["fetch"].wall)
    title = {"fetch": "fetch alone", "first": "floor: fetch, decode, write", "unchanged": "floor: fetch, decode, keys"}
    ratios = f"{of_fetch:>10.2f}"
    if floor is None:
        ratios += f"{'':>10}{'':>10}"
    else:
        ratios += f"{_median(rounds, lambda one: one.measured[name].wall / one.measured[floor].wall):>10.2f}"
        ratios += f"{_median(rounds, lambda one: one.measured[name].cpu / one.measured[floor].cpu):>10.2f}"
    wall = _median(rounds, lambda one: one.measured[name].wall)
    cpu = _median(rounds, lambda one: one.measured[name].cpu)
    peak = _median(rounds, lambda one: one.measured[name].peak_mb)
    return f"{title.get(name, name):<28}{ratios}{wall:>9.2f}{cpu:>8.2f}{peak:>9.0f}"


def _step(rounds: Sequence[Round], name: str, step: str) -> list[tuple[float, float]]:
    found = (one.measured[name].steps[step] for one in rounds)
    return [(one.wall, one.cpu) for one in found]


def _median(rounds: Sequence[Round], value: Callable[[Round], float]) -> float:
    return statistics.median(value(one) for one in rounds)


if __name__ == "__main__":
    main()
