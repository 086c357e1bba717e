"""Machines that share nothing but PostgreSQL, a broker and a bucket: one is lost, one is cut off and comes back."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from hris_pipeline.operations.upkeep import verify
from hris_pipeline.sandbox import running
from hris_pipeline_tests.kit.automatic_companies import companies_of
from hris_pipeline_tests.kit.celery_machines import needs_redis, redis_server
from hris_pipeline_tests.kit.machine import PROJECT, Machine, machine_of
from hris_pipeline_tests.kit.processes import Group, until
from hris_pipeline_tests.kit.s3_servers import Bucket, bucket_of, needs_s3

pytestmark = [needs_redis, needs_s3]

NAME, OTHER = "alpha", "beta"


@dataclass
class Site:
    """The first machine, with the daemon; where the workers' machines have their homes; the bucket."""

    machine: Machine
    root: Path
    bucket: Bucket

    def worker(self, name: str) -> Group:
        """A worker on a machine of its own: another home, and its sessions named after it."""
        home = self.root / name
        (home / "dagster").mkdir(parents=True)
        config = self.machine.companies.environment.dagster_home / "dagster.yaml"
        (home / "dagster" / "dagster.yaml").write_bytes(config.read_bytes())
        environ = {"HRIS_HOME": str(home), "DAGSTER_HOME": str(home / "dagster"), "PGAPPNAME": name, "HOME": str(home)}
        command = ["hris_pipeline.cli", "worker", "--slots", "1", "--name", name]
        group = Group(command, {**self.machine.companies.environ, **environ}, self.root / f"{name}.log")
        until(lambda: " ready." in group.output or not group.alive, 90, what="a worker")
        assert group.alive, group.output[-3000:]
        return group

    def started(self, name: str) -> dg.DagsterRun:
        """The run of a company, once it reads from the source."""
        sandbox = self.machine.companies.sandbox
        asked = sandbox.requests.total()
        until(lambda: sandbox.requests.total() > asked, 400, what="a request of the run")
        return next(run for run in self.machine.runs(name) if run.status is dg.DagsterRunStatus.STARTED)

    def give_up_on(self, name: str) -> None:
        """The server's sessions of a machine end, as when nothing answers its keepalives."""
        engine = self.machine.companies.services.store.engine
        ended = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name")
        with engine.connect() as connection:
            connection.execute(ended, {"name": name})

    def check(self, name: str) -> None:
        """The due import of the company happened once, wholly, after one retry."""
        companies = self.machine.companies
        assert companies.automatic_imports(name).count("applied") == 1
        assert verify(companies.services, name).ok
        assert companies.state(name)["last_due_at"] == companies.due_at(name)
        retries = [run for run in self.machine.runs(name) if run.parent_run_id is not None]
        assert [run.status for run in retries] == [dg.DagsterRunStatus.SUCCESS]


@pytest.fixture
def site(empty_postgres: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with (
        redis_server(tmp_path / "redis") as redis,
        bucket_of(tmp_path / "s3") as bucket,
        running(1) as sandbox,
    ):
        common = {
            "HRIS_STORE_URL": postgres_url,
            "HRIS_DAGSTER_STORAGE": empty_postgres.replace("+psycopg:", "+psycopg2:"),
            "HRIS_BROKER_URL": redis.url,
            "HRIS_WORKER_SLOTS": "2",
            "HRIS_FILES_URL": bucket.url,
            **bucket.environ,
        }
        for key, value in common.items():
            monkeypatch.setenv(key, value)
        with (
            companies_of(tmp_path / "first", sandbox, **common) as companies,
            machine_of(
                companies,
                PROJECT / "deploy" / "celery" / "dagster.yaml",
                run_monitoring={"poll_interval_seconds": 2},
            ) as machine,
        ):
            for key, value in companies.environ.items():
                monkeypatch.setenv(key, value)
            yield Site(machine, tmp_path, bucket)


def test_a_machine_that_is_lost_and_one_that_is_cut_off_lead_to_one_import_each(site: Site) -> None:
    machine, companies = site.machine, site.machine.companies
    for name in (NAME, OTHER):
        companies.add(name).week()
    machine.know()
    companies.make_due(NAME)
    companies.sandbox.fault("slow", path="/v1", seconds=20.0, times=1, username=NAME)
    lost = site.worker("lost")
    with machine.daemon("daily_imports"):
        site.started(NAME)
        lost.kill()
        companies.sandbox.clear_faults()
        cut_off = site.worker("cut-off")
        machine.ended(2, NAME)
        site.check(NAME)

        companies.make_due(OTHER)
        companies.sandbox.fault("slow", path="/v1", seconds=15.0, times=1, username=OTHER)
    with machine.daemon("daily_imports"):
        run = site.started(OTHER)
        process = pid_of(machine, run)
        os.kill(process, signal.SIGSTOP)
        site.give_up_on("cut-off")
        other = site.worker("other")
        until(lambda: machine.runs(OTHER)[-1].status is dg.DagsterRunStatus.SUCCESS, 180, what="the retry")
        os.kill(process, signal.SIGCONT)
        until(lambda: not Path(f"/proc/{process}").exists(), 120, what="the end of the run that was cut off")
        site.check(OTHER)
    cut_off.stop()
    other.stop()
    nothing_is_left_on(site)


def pid_of(machine: Machine, run: dg.DagsterRun) -> int:
    """The process that works on the run."""
    texts = [record.message for record in machine.instance.all_logs(run.run_id)]
    (line,) = (text for text in texts if "Started process for run (pid: " in text)
    return int(line.partition("(pid: ")[2].partition(")")[0])


def nothing_is_left_on(site: Site) -> None:
    """What is worth keeping is in the bucket; a machine's own folders may be lost."""
    names = site.bucket.names()
    for part in ("/extracts/alpha/", "/frames/employees/alpha.parquet", "/frames/justworks_members/", "/compute_logs/"):
        assert any(part in name for name in names), part
    for name in ("lost", "cut-off", "other"):
        files = [path for path in (site.root / name).rglob("*") if path.is_file()]
        assert {path.name for path in files} <= {"dagster.yaml", ".telemetry", "id.yaml", "opening.lock"}, files
