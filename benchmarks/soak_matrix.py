"""The matrix of troubles: before every statement of a plan, a save and a whole import, on both databases, a cut, a
kill, a freeze, a full disk, a lock and a store that may only be read.

Usage: python -m benchmarks.soak_matrix [--people 40] [--every 1] [--only DATABASE] [--work WORK …] [--trouble …]

Prints the table of docs/reliability.md. What did not hold is printed with its place, and the exit code is 1.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.servers import postgres
from hris_pipeline.sandbox import running
from hris_pipeline_tests.kit import crash_work
from hris_pipeline_tests.kit.crash_databases import Databases, PostgresDatabases, SqliteFiles
from hris_pipeline_tests.kit.crash_story import Story, tell_story
from hris_pipeline_tests.kit.forked_processes import Processes, processes
from hris_pipeline_tests.kit.trouble_matrix import WORKS, Cell, markdown, statements_of, try_statements
from hris_pipeline_tests.kit.troubles import TROUBLES, Trouble, WorkName

Cells = dict[tuple[str, WorkName, Trouble], Cell]


def main() -> int:
    """Tries them all, prints the table; gives 1 when something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--every", type=int, default=1, help="only each so-manyth statement")
    parser.add_argument("--work", nargs="+", choices=WORKS, default=WORKS)
    parser.add_argument("--trouble", nargs="+", choices=TROUBLES, default=TROUBLES)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    began, cells, failures = time.monotonic(), Cells(), 0
    with processes(crash_work.__name__) as mother, tempfile.TemporaryDirectory(prefix="hris-soak-") as folder:
        for database, databases in _databases(Path(folder), options.only):
            with running(options.people, seed=7) as sandbox:
                story = tell_story(databases, Path(folder) / database, sandbox)
                for work in options.work:
                    statements = range(1, statements_of(story, mother, work) + 1, options.every)
                    for trouble in options.trouble:
                        cell, failed = _try(database, story, mother, work, trouble, statements)
                        cells[database, work, trouble] = cell
                        failures += failed
    if set(options.trouble) == set(TROUBLES):
        print(markdown(cells))
    trials, explained = (sum(getattr(cell, name) for cell in cells.values()) for name in ("trials", "explained"))
    seconds = time.monotonic() - began
    print(
        f"soak: {trials} troubles, {explained} told in words, {failures} that did not hold, {seconds:.0f} s", flush=True
    )
    return 1 if failures else 0


def _databases(folder: Path, only: str | None) -> Iterator[tuple[str, Databases]]:
    if only != "postgresql":
        (folder / "stores").mkdir()
        yield "sqlite", SqliteFiles(folder / "stores")
    if only != "sqlite":
        with postgres(durable=False) as server:
            yield "postgresql", PostgresDatabases(server.url)


def _try(
    database: str, story: Story, mother: Processes, work: WorkName, trouble: Trouble, statements: range
) -> tuple[Cell, int]:
    total, failed = Cell(), 0
    for number in statements:
        try:
            cell = try_statements(story, mother, work, trouble, [number])
        except Exception as error:
            failed += 1
            where = f"{database}, {work}, {trouble}, statement {number}"
            print(f"soak: {where}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            continue
        total.add(cell)
    print(f"soak: {database}, {work}, {trouble}: {total.undone} not, {total.done} wholly", file=sys.stderr, flush=True)
    return total, failed


if __name__ == "__main__":
    sys.exit(main())
