"""Hundreds of kills: a process that saves, plans or does a whole import dies at every boundary and at random moments.

Usage: python -m benchmarks.soak [--kills 200] [--people 600] [--seed N]

Each kill starts from the same store and ends with everything that must hold (``hris_pipeline_tests.kit.kills``); the
first that does not hold stops the soak with its moment.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.servers import postgres
from hris_pipeline.sandbox import running
from hris_pipeline_tests.kit import crash_work
from hris_pipeline_tests.kit.crash_databases import Databases, PostgresDatabases, SqliteFiles
from hris_pipeline_tests.kit.crash_story import Story, tell_story
from hris_pipeline_tests.kit.crash_work import NEVER
from hris_pipeline_tests.kit.forked_processes import Processes, processes
from hris_pipeline_tests.kit.kills import (
    Kill,
    Moment,
    Tally,
    kill_extracting,
    kill_planning,
    kill_saving,
)

SHARES: tuple[tuple[str, Kill, float], ...] = (
    ("saving", kill_saving, 0.6),
    ("planning", kill_planning, 0.2),
    ("whole imports", kill_extracting, 0.2),
)


def main() -> None:
    """Kills on both databases, and prints one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    with processes(crash_work.__name__) as started, tempfile.TemporaryDirectory(prefix="hris-soak-") as folder:
        for name, databases in _databases(Path(folder)):
            with running(options.people, seed=7) as sandbox:
                story = tell_story(databases, Path(folder) / name, sandbox)
                _soak(name, story, started, options.kills, random.Random(options.seed), options.seed)


def _databases(folder: Path) -> Iterator[tuple[str, Databases]]:
    (folder / "stores").mkdir()
    yield "sqlite", SqliteFiles(folder / "stores")
    with postgres(durable=False) as server:
        yield "postgresql", PostgresDatabases(server.url)


def _soak(name: str, story: Story, started: Processes, kills: int, chance: random.Random, seed: int) -> None:
    began = time.monotonic()
    lines, tallies = [], []
    for what, kill, share in SHARES:
        tally = Tally()
        kill(story, started, NEVER, tally)
        tally.undone = tally.done = 0
        for moment in _moments(tally, round(kills * share), chance):
            with _told(f"{name}, {what}, moment {moment}, seed {seed}"):
                kill(story, started, moment, tally)
        tallies.append(tally)
        lines.append(f"{tally.kills} {what} ({tally.undone} not at all, {tally.done} wholly)")
        print(f"soak: {name}: {lines[-1]}, {tally.boundaries} boundaries", file=sys.stderr, flush=True)
    print(
        f"soak: {name}: {sum(tally.kills for tally in tallies)} kills, all wholly or not at all and all recovered: "
        f"{', '.join(lines)}; lock free within {max(tally.lock_seconds for tally in tallies):.2f} s; "
        f"{time.monotonic() - began:.0f} s, seed {seed}",
        flush=True,
    )


def _moments(tally: Tally, kills: int, chance: random.Random) -> Iterator[Moment]:
    """Half of them boundaries, spread over all there are; half of them any moment of the work."""
    half = kills // 2
    yield from (1 + place * tally.boundaries // half for place in range(half))
    yield from (chance.uniform(0.0, tally.seconds) for _ in range(kills - half))


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        print(f"soak: failed at {where}", file=sys.stderr, flush=True)
        raise


if __name__ == "__main__":
    main()
