"""Every pair of commands at once on one company and one home, by real processes: each does its work, waits, or says in
words why not; and what is left agrees with its history.

Usage: python -m benchmarks.soak_pairs [--people 25] [--only COMMAND …] [--every 1]

What did not hold is printed with its pair, and the exit code is 1.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from hris_pipeline.environment import VARIABLES, Environment
from hris_pipeline.operations.overview import history
from hris_pipeline.operations.services import open_services
from hris_pipeline.sandbox import running
from hris_pipeline.store.tables import users
from hris_pipeline_tests.kit import command_pairs
from hris_pipeline_tests.kit.command_pairs import COMMANDS, PAIRS, Home
from hris_pipeline_tests.kit.forked_processes import processes

__all__ = ["main"]


def main() -> int:
    """Tries them all; gives 1 when something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=25)
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=())
    parser.add_argument("--every", type=int, default=1, help="only each so-manyth pair")
    options = parser.parse_args()
    for variable in VARIABLES:
        os.environ.pop(variable.name, None)
    pairs = [pair for pair in PAIRS if not options.only or set(pair) & set(options.only)][:: options.every]
    began, ends, failures = time.monotonic(), Counter[int](), 0
    with (
        processes(command_pairs.__name__) as mother,
        running(options.people, seed=3) as sandbox,
        tempfile.TemporaryDirectory(prefix="hris-pairs-") as folder,
    ):
        home = Home(Path(folder) / "home", sandbox, mother, {})
        home.run_at_once("setup acme --accept-terms --code {code}")
        home.run_at_once("import")
        sandbox.week_passes()
        home.run_at_once("preview")
        home = Home(home.path, sandbox, mother, _words(home.path))
        for number, pair in enumerate(pairs):
            with home.copied(Path(folder) / str(number)) as copy:
                both = copy.run_at_once(*pair)
                (verified,) = copy.run_at_once("verify")
            ends.update(end.exit_code for end in both)
            if not all(end.is_told for end in both) or (verified.exit_code and "delete" not in pair):
                failures += 1
                print(f"soak: {' and '.join(pair)}: {both}, then {verified}", file=sys.stderr, flush=True)
    counted = ", ".join(f"{number} with {code}" for code, number in sorted(ends.items()))
    seconds = time.monotonic() - began
    print(f"soak: {len(pairs)} pairs, commands ended {counted}; {failures} pairs that did not hold, {seconds:.0f} s")
    return 1 if failures else 0


def _words(home: Path) -> Mapping[str, str]:
    """Import ids and a person of the home, as commands name them."""
    services = open_services(Environment.read({"HRIS_HOME": str(home)}))
    try:
        ids = {record.status: record.import_id for record in history(services, "acme") if record.changes}
        with services.store.read() as connection:
            person = connection.execute(sa.select(sa.func.min(users.c.employee_id))).scalar_one()
    finally:
        services.close()
    return {"newest": ids["applied"], "open": ids["planned"], "person": person}


if __name__ == "__main__":
    sys.exit(main())
