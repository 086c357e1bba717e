"""Many small companies, all due at once, through `dagster dev`: its schedule, queue and launcher; prints the cost.

Usage: python -m benchmarks.companies [--companies 200] [--people 200] [--default-companies 20]

Five of the companies fail (the source refuses three, two have dead tokens) and three are paused. The same is
then done with fewer companies on Dagster's own launcher, which starts a process from nothing for each run.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import dagster as dg

from hris_pipeline.operations.automation import pause
from hris_pipeline.sandbox import running
from hris_pipeline_tests.kit.automatic_companies import Companies, companies_of
from hris_pipeline_tests.kit.machine import ENDED, PROJECT, Machine, machine_of
from hris_pipeline_tests.kit.processes import memory_watched, until

FAILING, DEAD, PAUSED = 3, 2, 3
A_COMPANY_SECONDS = 30


@dataclass(frozen=True)
class Figures:
    """What one launcher needed; ``overhead`` is the computing of ``dagster dev`` before the first run."""

    launcher: str
    statuses: dict[str, int]
    wall: float
    cpu: float
    overhead: float
    run_median: float
    peak_mb: float
    database_mb: float

    @property
    def runs(self) -> int:
        return sum(self.statuses.values())

    @property
    def a_minute(self) -> float:
        return 60 * self.runs / self.wall

    @property
    def cpu_a_run(self) -> float:
        return self.cpu / self.runs


def main() -> None:
    """Measures both launchers and prints them and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=200)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--default-companies", type=int, default=20)
    chosen = parser.parse_args()
    warm = measure("warm", chosen.companies, chosen.people)
    found = [warm]
    if chosen.default_companies:
        found.append(measure("default", chosen.default_companies, chosen.people, run_launcher=None))
    print(f"\n{'launcher':10}{'runs':>6}{'wall s':>9}{'a minute':>10}{'CPU s a run':>13}{'run s':>8}", end="")
    print(f"{'peak MB':>9}{'Dagster MB':>12}{'MB a run':>10}   ends")
    for one in found:
        print(
            f"{one.launcher:10}{one.runs:>6}{one.wall:>9.1f}{one.a_minute:>10.1f}{one.cpu_a_run:>13.2f}"
            f"{one.run_median:>8.2f}{one.peak_mb:>9.0f}{one.database_mb:>12.1f}{one.database_mb / one.runs:>10.2f}"
            f"   {one.statuses}"
        )
    if len(found) > 1:
        rate, cpu = warm.a_minute / found[1].a_minute, found[1].cpu_a_run / warm.cpu_a_run
        print(f"\nwarm launcher: {rate:.1f} times the runs a minute, {cpu:.1f} times less computing a run")


def measure(launcher: str, number: int, people: int, **changes: None) -> Figures:
    """All companies due at once; everything checked that must hold."""
    with (
        tempfile.TemporaryDirectory(prefix="hris-companies-") as folder,
        running(1) as sandbox,
        companies_of(Path(folder) / "home", sandbox) as companies,
        machine_of(companies, PROJECT / "dagster.yaml", **changes) as machine,
    ):
        expected = _prepare(machine, number, people)
        figures = _run(machine, launcher, number - PAUSED)
        _check(companies, machine, expected)
        return figures


def _prepare(machine: Machine, number: int, people: int) -> dict[str, str]:
    """Every company imported once, changed since, and due; gives how the run of each must end ("" for none)."""
    companies = machine.companies
    names = [f"company-{one:03}" for one in range(number)]
    for seed, name in enumerate(names):
        companies.add(name, people, seed=seed)
        companies.by_name[name].week()
        print(f"\rcompanies: {seed + 1} of {number} ready", end="", file=sys.stderr, flush=True)
    machine.know()
    companies.make_due()
    ends = dict.fromkeys(names, "SUCCESS")
    for name in names[:FAILING]:
        companies.sandbox.fault("server_error", status=400, path="/v1/members", username=name)
        ends[name] = "FAILURE"
    for name in names[FAILING : FAILING + DEAD]:
        companies.sandbox.fault("expired_refresh", username=name)
        ends[name] = "FAILURE"
    for name in names[-PAUSED:]:
        pause(companies.services, name, "bench", "must not run")
        ends[name] = ""
    print(file=sys.stderr)
    return ends


def _run(machine: Machine, launcher: str, runs: int) -> Figures:
    with machine.dev("daily_imports") as dev, memory_watched(dev.group) as peak:
        until(machine.instance.get_runs_count, every=0.05, what="the first run")
        overhead = dev.group.cpu_seconds()
        machine.tick("daily_imports", A_COMPANY_SECONDS * runs, every=2.0)
        left = dg.RunsFilter(statuses=[status for status in dg.DagsterRunStatus if status not in ENDED])

        def over() -> bool:
            print(
                f"\rcompanies: {machine.instance.get_runs_count(left)} runs left ", end="", file=sys.stderr, flush=True
            )
            return machine.instance.get_runs_count() >= runs and not machine.instance.get_runs_count(left)

        until(over, A_COMPANY_SECONDS * runs, every=1.0, what="the end of all runs")
        time.sleep(3)  # the last children are buried
        cpu, largest = dev.group.cpu_seconds() - overhead, peak()
    records = machine.instance.get_run_records()
    ends = [record.end_time for record in records if record.end_time]
    took = [record.end_time - record.start_time for record in records if record.end_time and record.start_time]
    began = min(record.create_timestamp.timestamp() for record in records)
    print(file=sys.stderr)
    return Figures(
        launcher=launcher,
        statuses=dict(Counter(record.dagster_run.status.value for record in records)),
        wall=max(ends) - began,
        cpu=cpu,
        overhead=overhead,
        run_median=median(took),
        peak_mb=largest,
        database_mb=_size_mb(machine.companies.environment.dagster_home),
    )


def _check(companies: Companies, machine: Machine, expected: dict[str, str]) -> None:
    """Each company has its own outcome, in Dagster and in the store."""
    found = {name: ",".join(run.status.value for run in machine.runs(name)) for name in expected}
    for name, end in expected.items():
        if found[name] != end:
            why = [dict(run.tags) for run in machine.runs(name)]
            print(
                f"companies: {name} ended {found[name] or 'without a run'}, not {end or 'without'}: {why}", flush=True
            )
    assert found == expected
    applied = {"SUCCESS": 1, "FAILURE": 0, "": 0}
    for name, end in expected.items():
        assert companies.automatic_imports(name).count("applied") == applied[end], name


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
