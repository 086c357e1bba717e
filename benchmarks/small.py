"""A small company at the command line: computing of whole processes, against that of importing the libraries, in turn;
beside it a run of as many empty assets and checks, which is what Dagster needs for itself.

Usage: python -m benchmarks.small [--people 200] [--rounds N] [--write]
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.report import tell
from benchmarks.servers import environment, sandbox

LIBRARIES = "import dagster, pandas, pandera.pandas, sqlalchemy, httpx"
EMPTY_RUN = """
import dagster as dg
names = [f"a{number}" for number in range(8)]
assets = [
    dg.asset(name=name, deps=names[place - 1 : place], check_specs=[
        dg.AssetCheckSpec(f"c{check}", asset=name) for check in range(1 + (place < 5))
    ])(lambda context: dg.MaterializeResult(check_results=[
        dg.AssetCheckResult(passed=True, check_name=key.name) for key in context.selected_asset_check_keys
    ]))
    for place, name in enumerate(names)
]
job = dg.Definitions(assets=assets, jobs=[dg.define_asset_job("all")]).resolve_job_def("all")
with dg.DagsterInstance.get() as instance:
    job.execute_in_process(instance=instance)
"""
COMMANDS: Mapping[str, Sequence[str]] = {
    "the libraries": ("-c", LIBRARIES),
    "a run of eight empty assets with thirteen checks": ("-c", EMPTY_RUN),
    "`hris import`": ("-m", "hris_pipeline.cli", "import", "acme", "--yes"),
    "`hris preview`": ("-m", "hris_pipeline.cli", "preview", "acme"),
    "`hris integrations`": ("-m", "hris_pipeline.cli", "integrations"),
    "`hris history`": ("-m", "hris_pipeline.cli", "history", "acme"),
    "`hris settings show`": ("-m", "hris_pipeline.cli", "settings", "show", "acme"),
}
"""What is measured; the first is what all are measured against."""

TARGETS = {"`hris import`": 1.7, "`hris integrations`": 0.4, "`hris history`": 0.4, "`hris settings show`": 0.4}


def main() -> None:
    """Measures in turn and prints, or writes, the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="Write the table into docs/performance.md.")
    options = parser.parse_args()
    with sandbox(options.people) as url, tempfile.TemporaryDirectory() as home:
        environ = environment(Path(home), f"sqlite:///{home}/store.db", url) | {"DAGSTER_HOME": f"{home}/dagster"}
        for arguments in (("-m", "benchmarks.pipeline", "prepare"), COMMANDS["`hris import`"]):
            _computing(arguments, environ)
        rounds = [
            {name: _computing(arguments, environ) for name, arguments in COMMANDS.items()}
            for _ in range(options.rounds)
        ]
    tell(_lines(rounds, options.people), "small", into_docs=options.write)


def _computing(arguments: Sequence[str], environ: Mapping[str, str]) -> float:
    """CPU seconds of a process of its own, from its start to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], env=dict(environ), stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _lines(rounds: Sequence[Mapping[str, float]], people: int) -> Iterator[str]:
    yield f"A company of {people} people, SQLite; medians of {len(rounds)} rounds, with the range in brackets."
    yield from ("", "| whole process | CPU seconds | of the libraries' | target |", "|---|---|---|---|")
    base = next(iter(COMMANDS))
    for name in COMMANDS:
        seconds = statistics.median(computing[name] for computing in rounds)
        ratios = [computing[name] / computing[base] for computing in rounds]
        times = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        yield f"| {name} | {seconds:.2f} | {times} | {TARGETS.get(name, '')} |"


if __name__ == "__main__":
    main()
