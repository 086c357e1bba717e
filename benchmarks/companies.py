"""Many small companies, all due at once: Dagster's own launcher and Celery's, on one machine and on two; what it costs.

Usage: python -m benchmarks.companies [--companies 200] [--people 200] [--only default celery-files two-machines]
       [--write]

Two machines get all companies; one machine a fifth and a third of them, which tells as much of a run.

Five of the companies fail (the source refuses three, two have dead tokens) and three are paused. Each way is measured
by the computing of the project's processes; servers and sandbox are in the wall clock alone. Two machines are
two process trees with nothing in common but PostgreSQL, Redis and an S3 server.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import dagster as dg

from benchmarks.companies_report import Figures, write_companies
from benchmarks.servers import Postgres, postgres
from hris_pipeline.environment import Environment
from hris_pipeline.operations.automation import pause
from hris_pipeline.sandbox import running
from hris_pipeline.store.engine import upgrade_store
from hris_pipeline_tests.kit.automatic_companies import Companies, companies_of
from hris_pipeline_tests.kit.celery_machines import redis_server
from hris_pipeline_tests.kit.machine import ENDED, PROJECT, Machine, machine_of
from hris_pipeline_tests.kit.processes import Group, until
from hris_pipeline_tests.kit.s3_servers import bucket_of

FAILING, DEAD, PAUSED = 3, 2, 3
LEAST = 12
SHARES = {"default": 0.2, "celery-files": 0.33, "two-machines": 1.0}
A_COMPANY_SECONDS = 60
SLOTS = 2
STORE, DAGSTER = "hris", "dagster"
PROCESSES = ("daemon", "worker")
"""How the project's processes call themselves to PostgreSQL; what this program itself asks is not counted."""


@dataclass
class Way:
    """One way to run companies: the machine that has the daemon, and the workers, by name."""

    machine: Machine
    workers: dict[str, Group] = field(default_factory=dict)
    server: Postgres | None = None

    def counts(self) -> tuple[Counter[str], Counter[str]]:
        """Statements and sessions so far, by kind of process, where there is a server to count them."""
        return (self.server.statements(), self.server.sessions()) if self.server else (Counter(), Counter())

    def sizes_mb(self) -> tuple[float, float]:
        """What Dagster and the store keep."""
        if self.server:
            return self.server.size_mb(DAGSTER), self.server.size_mb(STORE)
        environment = self.machine.companies.environment
        return _size_mb(environment.dagster_home), _size_mb(environment.home, "store.db*")


def main() -> None:
    """Measures each way, prints what it needed, and writes it into the docs when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=200, help="Of two machines; one machine is given fewer.")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--only", nargs="*", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--write", action="store_true", help="Write table, plot and plan into docs/performance.md.")
    options = parser.parse_args()
    figures = []
    for name in options.only:
        number = max(LEAST, round(options.companies * SHARES[name]))
        figures.append(measure(name, number, options.people))
        print(" | ".join(figures[-1].cells()), flush=True)
    machine = f"{os.cpu_count()} cores at a load of {os.getloadavg()[2]:.0f}, {datetime.now(UTC):%B %Y}"
    write_companies(figures, machine, into_docs=options.write)


def measure(name: str, number: int, people: int) -> Figures:
    """All companies due at once; everything checked that must hold."""
    with tempfile.TemporaryDirectory(prefix="hris-companies-") as folder, WAYS[name](Path(folder)) as way:
        expected = _prepare(way.machine, number, people)
        figures = _run(way, name, number - PAUSED, people)
        _check(way.machine.companies, way.machine, expected)
        return figures


@contextmanager
def default_launcher(folder: Path) -> Iterator[Way]:
    """Dagster's own launcher on SQLite: a process started from nothing for each run."""
    with (
        running(1) as sandbox,
        companies_of(folder / "home", sandbox) as companies,
        machine_of(companies, run_coordinator={"max_concurrent_runs": SLOTS}) as machine,
    ):
        yield Way(machine)


@contextmanager
def celery_on_files(folder: Path) -> Iterator[Way]:
    """Celery on its filesystem broker and SQLite: one worker, no service."""
    with (
        running(1) as sandbox,
        companies_of(folder / "home", sandbox) as companies,
        machine_of(
            companies,
            PROJECT / "deploy" / "celery" / "one-machine.yaml",
            run_coordinator={"max_concurrent_runs": SLOTS},
        ) as machine,
        _worker("worker", companies.environ, folder) as worker,
    ):
        yield Way(machine, {"worker": worker})


@contextmanager
def two_machines(folder: Path) -> Iterator[Way]:
    """Celery on Redis, PostgreSQL and S3: the daemon's machine with a worker, and another one with a worker."""
    with ExitStack() as stack:
        enter = stack.enter_context
        server: Postgres = enter(postgres(durable=False))
        store, dagster = server.created(STORE), server.created(DAGSTER)
        redis, bucket, sandbox = (
            enter(redis_server(folder / "redis")),
            enter(bucket_of(folder / "s3")),
            enter(running(1)),
        )
        common = {
            "HRIS_STORE_URL": store,
            "HRIS_DAGSTER_STORAGE": dagster.replace("+psycopg:", "+psycopg2:"),
            "HRIS_BROKER_URL": redis.url,
            "HRIS_WORKER_SLOTS": str(2 * SLOTS),
            "HRIS_FILES_URL": bucket.url,
            **bucket.environ,
        }
        os.environ.update(common, PGAPPNAME="bench")
        upgrade_store(Environment.read({**common, "HRIS_HOME": str(folder), "HRIS_SECRET_KEY": _KEY}))
        companies = enter(companies_of(folder / "first", sandbox, **common, PGAPPNAME="daemon"))
        machine = enter(machine_of(companies, PROJECT / "deploy" / "celery" / "dagster.yaml"))
        workers = {"worker one": enter(_worker("one", companies.environ, folder))}
        home = folder / "second"
        (home / "dagster").mkdir(parents=True)
        (home / "dagster" / "dagster.yaml").write_bytes(
            (companies.environment.dagster_home / "dagster.yaml").read_bytes()
        )
        second = {**companies.environ, "HRIS_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
        workers["worker two"] = enter(_worker("two", second, folder))
        yield Way(machine, workers, server)


_KEY = "c3RvcmUtdGVzdC1rZXktc3RvcmUtdGVzdC1rZXktMTI="

WAYS: dict[str, Callable[[Path], AbstractContextManager[Way]]] = {
    "default": default_launcher,
    "celery-files": celery_on_files,
    "two-machines": two_machines,
}


@contextmanager
def _worker(name: str, environ: Mapping[str, str], folder: Path) -> Iterator[Group]:
    command = ["hris_pipeline.cli", "worker", "--slots", str(SLOTS), "--name", name]
    group = Group(command, {**environ, "PGAPPNAME": "worker"}, folder / f"{name}.log")
    try:
        until(lambda: " ready." in group.output or not group.alive, 120, what="a worker")
        assert group.alive, group.output[-2000:]
        yield group
    finally:
        group.stop()


def _prepare(machine: Machine, number: int, people: int) -> dict[str, str]:
    """Every company imported once, changed since, and due; gives how the run of each must end ("" for none)."""
    companies = machine.companies
    names = [f"company-{index:03}" for index in range(number)]
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


def _run(way: Way, name: str, runs: int, people: int) -> Figures:
    machine = way.machine
    left = dg.RunsFilter(statuses=[status for status in dg.DagsterRunStatus if status not in ENDED])
    with machine.dev("daily_imports") as dev:
        until(machine.instance.get_runs_count, every=0.05, what="the first run")
        groups = {"daemon and webserver" if way.workers else "all": dev.group, **way.workers}
        before = {kind: group.cpu_seconds() for kind, group in groups.items()}
        counts, sizes, asked = way.counts(), way.sizes_mb(), machine.companies.sandbox.requests.total()

        def over() -> bool:
            print(f"\r{machine.instance.get_runs_count(left)} runs left ", end="", file=sys.stderr, flush=True)
            return machine.instance.get_runs_count() >= runs and not machine.instance.get_runs_count(left)

        until(over, A_COMPANY_SECONDS * runs, every=2.0, what="the end of all runs")
        time.sleep(3)  # the last children are buried
        cpu = {kind: group.cpu_seconds() - before[kind] for kind, group in groups.items()}
        statements, sessions = (
            {name: after[name] - before[name] for name in PROCESSES}
            for after, before in zip(way.counts(), counts, strict=True)
        )
        dagster_mb, store_mb = (after - before for after, before in zip(way.sizes_mb(), sizes, strict=True))
    records = machine.instance.get_run_records()
    ends = [record.end_time for record in records if record.end_time]
    took = [record.end_time - record.start_time for record in records if record.end_time and record.start_time]
    began = min(record.create_timestamp.timestamp() for record in records)
    print(file=sys.stderr)
    return Figures(
        way=name,
        people=people,
        statuses=dict(Counter(record.dagster_run.status.value for record in records)),
        wall=max(ends) - began,
        cpu=cpu,
        run_median=median(took),
        dagster_mb=dagster_mb,
        store_mb=store_mb,
        statements=statements,
        sessions=sessions,
        requests=machine.companies.sandbox.requests.total() - asked,
    )


def _check(companies: Companies, machine: Machine, expected: dict[str, str]) -> None:
    """Each company has its own outcome, in Dagster and in the store."""
    statuses = {name: ",".join(run.status.value for run in machine.runs(name)) for name in expected}
    for name, end in expected.items():
        if statuses[name] != end:
            why = [dict(run.tags) for run in machine.runs(name)]
            print(f"{name} ended {statuses[name] or 'without a run'}, not {end or 'without'}: {why}", flush=True)
    assert statuses == expected
    applied = {"SUCCESS": 1, "FAILURE": 0, "": 0}
    for name, end in expected.items():
        assert companies.automatic_imports(name).count("applied") == applied[end], name


def _size_mb(folder: Path, pattern: str = "*") -> float:
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
