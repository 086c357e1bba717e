"""An hour of compressed schedule against the real daemon: every minute is a day for every integration.

Usage: python -m benchmarks.soak_schedule [--minutes 60] [--companies 8] [--people 30]

Daily, weekly and monthly integrations, companies that change from time to time, one whose source refuses for a while,
one paused and resumed. At the end nothing may be stuck, no due moment imported twice or left out, and the daemon must
not have grown.
"""

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import yaml

from benchmarks.soak_definitions import told_time
from hris_pipeline.operations.automatic import pause, resume
from hris_pipeline.sandbox import running
from hris_pipeline.settings.calendar import latest_due
from hris_pipeline.store.registry import current_settings
from hris_pipeline_tests.automation.companies import automatic_settings, companies_of
from hris_pipeline_tests.automation.machine import ENDED, Machine, machine_of
from hris_pipeline_tests.automation.processes import Group, until

FREQUENCIES = ("daily", "daily", "daily", "weekly", "daily", "monthly")
REFUSED, ON_AND_OFF = 1, 2
"""Which company's source refuses in the second quarter of the time, and which is paused in the third."""

MOST_GROWTH_MB = 60.0
"""What the daemon may have grown from a tenth of the time to its end; caches fill in the beginning."""


@dataclass
class Samples:
    """Memory of the first process and of all without runs, by minute; in MB."""

    daemon: list[float] = field(default_factory=list)
    group: list[float] = field(default_factory=list)

    def take(self, group: Group) -> None:
        """One look."""
        self.daemon.append(group.memory_mb(first=True))
        self.group.append(group.memory_mb())


def main() -> None:
    """Soaks, then checks everything that must hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--companies", type=int, default=8)
    parser.add_argument("--people", type=int, default=30)
    chosen = parser.parse_args()
    began = datetime.now(UTC).replace(second=0, microsecond=0)
    with (
        TemporaryDirectory(prefix="hris-soak-") as folder,
        running(1) as sandbox,
        companies_of(Path(folder) / "home", sandbox) as companies,
        machine_of(companies, run_monitoring={"poll_interval_seconds": 10}) as machine,
    ):
        companies.environ = {**companies.environ, "HRIS_SOAK_BEGAN": str(began.timestamp())}
        machine.workspace = _workspace(Path(folder))
        names = [f"company-{number}" for number in range(chosen.companies)]
        for number, name in enumerate(names):
            frequency = FREQUENCIES[number % len(FREQUENCIES)]
            companies.add(name, chosen.people, seed=number, settings=automatic_settings(frequency=frequency))
        machine.know()
        with machine.daemon() as daemon:
            samples = _live(machine, daemon, names, chosen.minutes)
        _tell(machine, samples, names)
        _check(machine, samples, names, began)


def _workspace(folder: Path) -> Path:
    module = {"module_name": "benchmarks.soak_definitions", "attribute": "defs", "location_name": "hris_pipeline"}
    path = folder / "workspace.yaml"
    path.write_text(yaml.safe_dump({"load_from": [{"python_module": module}]}))
    return path


def _live(machine: Machine, daemon: Group, names: list[str], minutes: int) -> Samples:
    """The given time passes; every few minutes something happens to the companies."""
    companies, samples = machine.companies, Samples()
    at = time.monotonic()
    for minute in range(minutes):
        if minute == minutes // 4:
            companies.sandbox.fault("server_error", status=400, path="/v1/members", username=names[REFUSED])
        if minute == minutes // 2:
            companies.sandbox.clear_faults()
            pause(companies.services, names[ON_AND_OFF], "soak", "half time")
        if minute == minutes * 3 // 4:
            resume(companies.services, names[ON_AND_OFF], "soak", "go on")
        company = companies.by_name[names[minute % len(names)]]
        company.edit(company.member_ids[minute % len(company.member_ids)], job_title=f"Title {minute}")
        assert daemon.alive, daemon.output[-2000:]
        at += 60
        time.sleep(max(0.0, at - time.monotonic()))
        samples.take(daemon)
    for name in names:
        pause(companies.services, name, "soak", "over")
    left = dg.RunsFilter(statuses=[status for status in dg.DagsterRunStatus if status not in ENDED])
    until(lambda: not machine.instance.get_runs_count(left), 300, what="the end of all runs: one is stuck")
    return samples


def _tell(machine: Machine, samples: Samples, names: list[str]) -> None:
    home = machine.companies.environment.home
    runs = machine.runs()
    ends = Counter(run.status.value for run in runs)
    print(
        f"soak: schedule: {len(samples.daemon)} minutes (days), {len(names)} companies, {len(runs)} runs {dict(ends)}"
    )
    for what, values in (("daemon", samples.daemon), ("all processes", samples.group)):
        print(
            f"soak: schedule: {what} {values[len(values) // 10]:.0f} MB early, {values[-1]:.0f} MB at the end", end=""
        )
        print(f", {max(values):.0f} MB at most")
    dagster = sum(path.stat().st_size for path in (home / "dagster").rglob("*") if path.is_file()) / 1e6
    store = sum(path.stat().st_size for path in home.glob("store.db*")) / 1e6
    print(f"soak: schedule: Dagster {dagster:.1f} MB ({dagster / max(1, len(runs)):.2f} a run), store {store:.1f} MB")


def _check(machine: Machine, samples: Samples, names: list[str], began: datetime) -> None:
    companies = machine.companies
    for name in names:
        runs = machine.runs(name)
        well = [run.tags["hris/due"] for run in runs if "hris/applied" in run.tags]
        assert max(Counter(well).values(), default=0) <= 1, f"{name}: a due moment was imported twice"
        assert companies.automatic_imports(name).count("applied") == len(well), f"{name}: store and Dagster differ"
        assert not companies.imports(name, status="planned"), f"{name}: a change set was left open"
    for number, name in enumerate(names):
        if number not in (REFUSED, ON_AND_OFF):
            missed = _due(machine, name, began) - {run.tags["hris/due"] for run in machine.runs(name)}
            assert not missed, f"{name}: due moments were left out: {sorted(missed)}"
    growth = samples.daemon[-1] - samples.daemon[len(samples.daemon) // 10]
    assert growth < MOST_GROWTH_MB, f"the daemon grew by {growth:.0f} MB"


def _due(machine: Machine, name: str, began: datetime) -> set[str]:
    """The due moments that the schedule's ticks met, after the one that was past when the company was made."""
    with machine.companies.services.store.read() as connection:
        settings = current_settings(connection, name).settings
    ticks = machine.ticks(f"{settings.frequency}_imports")
    times = [told_time(began, datetime.fromtimestamp(tick.timestamp, UTC)) for tick in ticks]
    known = latest_due(settings, began + timedelta(minutes=1))
    return {due.isoformat() for due in (latest_due(settings, time) for time in times) if due > known}


if __name__ == "__main__":
    main()
