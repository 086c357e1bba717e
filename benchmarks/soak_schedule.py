"""An hour of compressed schedule against a real `dagster dev`: every minute is a day for every integration.

Usage: python -m benchmarks.soak_schedule [--minutes 60] [--companies 8] [--people 30]

Daily, weekly and monthly integrations, companies that change from time to time, one whose source refuses for a while,
one paused and resumed, and somebody who looks at the UI every minute. At the end nothing may be stuck, no due moment
imported twice or left out, and no process may have grown.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import dagster as dg
import yaml

from benchmarks.soak_definitions import told_time
from hris_pipeline.operations.automation import pause, resume
from hris_pipeline.sandbox import running
from hris_pipeline.settings.calendar import latest_due
from hris_pipeline.store.integrations import current_settings
from hris_pipeline_tests.kit.automatic_companies import automatic_settings, companies_of
from hris_pipeline_tests.kit.machine import ENDED, Machine, Webserver, machine_of
from hris_pipeline_tests.kit.processes import Group, until

Number = TypeVar("Number", int, float)

FREQUENCIES = ("daily", "daily", "daily", "weekly", "daily", "monthly")
REFUSED, ON_AND_OFF = 1, 2
"""Which company's source refuses in the second quarter of the time, and which is paused in the third."""

PARTS = {
    "daemon": "dagster._daemon run",
    "webserver": "dagster_webserver",
    "code server": "dagster api grpc",
}
"""The processes that live as long as the machine, and what their command lines contain."""

MOST_GROWTH_MB, MOST_GROWTH_FILES = 60.0, 20
"""What a process may have grown from a fifth of the time to its end; caches fill in the beginning."""

LOOK = """{
  runsOrError(limit: 25) { ... on Runs { results { runId status tags { key value } stats { __typename } } } }
  assetNodes { assetKey { path } assetMaterializations(limit: 5) { timestamp partition } }
  sensorsOrError(repositorySelector: {
    repositoryName: "__repository__", repositoryLocationName: "hris_pipeline"
  }) { ... on Sensors { results { name sensorState { ticks(limit: 5) { status skipReason } } } } }
}"""
"""What the pages of runs, assets and sensors ask for."""


@dataclass
class Samples:
    """Memory (MB) and open files of each part, by minute; and when everything was paused in the end."""

    memory: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in PARTS})
    files: dict[str, list[int]] = field(default_factory=lambda: {part: [] for part in PARTS})
    over: float = 0.0

    def take(self, group: Group) -> None:
        """One look; between runs."""
        for part, of in PARTS.items():
            self.memory[part].append(group.memory_mb(of))
            self.files[part].append(group.open_files(of))


def main() -> None:
    """Soaks, then checks everything that must hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--companies", type=int, default=8)
    parser.add_argument("--people", type=int, default=30)
    options = parser.parse_args()
    began = datetime.now(UTC).replace(second=0, microsecond=0)
    with (
        TemporaryDirectory(prefix="hris-soak-") as folder,
        running(1) as sandbox,
        companies_of(Path(folder) / "home", sandbox) as companies,
        machine_of(companies, run_monitoring={"poll_interval_seconds": 10}) as machine,
    ):
        companies.environ = {**companies.environ, "HRIS_SOAK_BEGAN": str(began.timestamp())}
        machine.workspace = _workspace(Path(folder))
        names = [f"company-{number}" for number in range(options.companies)]
        for number, name in enumerate(names):
            frequency = FREQUENCIES[number % len(FREQUENCIES)]
            companies.add(name, options.people, seed=number, settings=automatic_settings(frequency=frequency))
        machine.know()
        with machine.dev() as dev:
            samples = _live(machine, dev, names, options.minutes)
        _tell(machine, samples, names)
        _check(machine, samples, names, began)


def _workspace(folder: Path) -> Path:
    module = {"module_name": "benchmarks.soak_definitions", "attribute": "defs", "location_name": "hris_pipeline"}
    path = folder / "workspace.yaml"
    path.write_text(yaml.safe_dump({"load_from": [{"python_module": module}]}))
    return path


def _live(machine: Machine, dev: Webserver, names: list[str], minutes: int) -> Samples:
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
        assert dev.group.alive, dev.group.output[-2000:]
        dev.ask(LOOK)
        at += 60
        time.sleep(max(0.0, at - time.monotonic()))
        samples.take(dev.group)
    time.sleep((90 - time.time() % 60) % 60)  # half a minute past: no tick is just looking who is due
    samples.over = time.time()
    for name in names:
        pause(companies.services, name, "soak", "over")
    left = dg.RunsFilter(statuses=[status for status in dg.DagsterRunStatus if status not in ENDED])
    until(lambda: not machine.instance.get_runs_count(left), 300, what="the end of all runs: one is stuck")
    return samples


def _tell(machine: Machine, samples: Samples, names: list[str]) -> None:
    home = machine.companies.environment.home
    runs = machine.runs()
    ends = Counter(run.status.value for run in runs)
    minutes = len(samples.memory["daemon"])
    print(f"soak: schedule: {minutes} minutes (days), {len(names)} companies, {len(runs)} runs {dict(ends)}")
    for part, memory in samples.memory.items():
        files = samples.files[part]
        print(
            f"soak: schedule: {part}: {_early(memory):.0f} MB early, {memory[-1]:.0f} MB at the end, "
            f"{max(memory):.0f} MB at most; open files {_early(files)}, {files[-1]}, {max(files)}"
        )
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
        failed = [run.run_id for run in runs if run.status is dg.DagsterRunStatus.FAILURE]
        assert not failed or name == names[REFUSED], f"{name}: runs failed: {failed}"
    for number, name in enumerate(names):
        if number not in (REFUSED, ON_AND_OFF):
            missed = _due(machine, name, began, samples.over) - {run.tags["hris/due"] for run in machine.runs(name)}
            assert not missed, f"{name}: due moments were left out: {sorted(missed)}"
    for part, memory in samples.memory.items():
        growth, files = memory[-1] - _early(memory), samples.files[part][-1] - _early(samples.files[part])
        assert growth < MOST_GROWTH_MB, f"the {part} grew by {growth:.0f} MB"
        assert files < MOST_GROWTH_FILES, f"the {part} has {files} more files open"


def _early(values: Sequence[Number]) -> Number:
    return values[len(values) // 5]


def _due(machine: Machine, name: str, began: datetime, over: float) -> set[str]:
    """The due moments that the schedule's ticks met, after the one that was past when the company was made and before
    all were paused."""
    with machine.companies.services.store.read() as connection:
        settings = current_settings(connection, name).settings
    ticks = machine.ticks(f"{settings.frequency}_imports")
    times = [told_time(began, datetime.fromtimestamp(tick.timestamp, UTC)) for tick in ticks if tick.timestamp < over]
    latest = latest_due(settings, began + timedelta(minutes=1))
    return {due.isoformat() for due in (latest_due(settings, time) for time in times) if due > latest}


if __name__ == "__main__":
    main()
