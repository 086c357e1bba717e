"""What Dagster keeps of a run, and what the job ``prune`` takes away of it, on SQLite and on PostgreSQL.

Usage: python -m benchmarks.pruning [--runs 20] [--people 200]

One company is imported so many times; then everything but the latest materializations is old enough to go. SQLite keeps
a file a run, which goes at once; PostgreSQL keeps the room for its next rows, so its tables are told after VACUUM FULL.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import sqlalchemy as sa

from benchmarks.servers import postgres
from hris_pipeline.defs.jobs import PruneConfig, prune_runs
from hris_pipeline.environment import Environment
from hris_pipeline.running import open_instance, run_job
from hris_pipeline.sandbox import running
from hris_pipeline_tests.kit.automatic_companies import Companies, companies_of
from hris_pipeline_tests.kit.machine import PROJECT

TABLES = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"


def main() -> None:
    """Prints a line for each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--people", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _measure("SQLite", Path(folder) / "sqlite", options.runs, options.people, "")
    with tempfile.TemporaryDirectory() as folder, postgres(durable=False) as server:
        storage = server.created("dagster").replace("+psycopg:", "+psycopg2:")
        _measure("PostgreSQL", Path(folder) / "postgresql", options.runs, options.people, storage)


def _measure(name: str, home: Path, runs: int, people: int, storage: str) -> None:
    with running(1) as sandbox, companies_of(home, sandbox) as companies, _instance(companies, storage) as instance:
        company = companies.add("acme", people)
        for number in range(runs):
            company.week()
            run_id = run_job("import_users", "acme", actor="bench", instance=instance).run_id
            if not number:
                first = _size_mb(home, storage)
        events = len(instance.all_logs(run_id))
        before = _size_mb(home, storage)
        deleted = prune_runs(instance, PruneConfig(), datetime.now(UTC) + timedelta(days=90))
        after = _size_mb(home, storage)
    a_run = (before - first) / (runs - 1)
    print(
        f"{name}: {events} events and {a_run:.2f} MB a run; {before:.1f} MB of {runs} runs, "
        f"{after:.1f} MB after prune deleted {deleted}",
        flush=True,
    )


@contextmanager
def _instance(companies: Companies, storage: str) -> Iterator[dg.DagsterInstance]:
    os.environ.update(companies.environ, HRIS_DAGSTER_STORAGE=storage)
    if storage:
        companies.environment.dagster_home.mkdir(parents=True)
        text = (PROJECT / "deploy" / "dagster.yaml").read_text()
        (companies.environment.dagster_home / "dagster.yaml").write_text(text)
    with open_instance(Environment.read()) as instance:
        yield instance


def _size_mb(home: Path, storage: str) -> float:
    if not storage:
        return sum(path.stat().st_size for path in (home / "dagster").rglob("*") if path.is_file()) / 1e6
    with sa.create_engine(storage, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("VACUUM FULL")
        return int(connection.exec_driver_sql(TABLES).scalar() or 0) / 1e6


if __name__ == "__main__":
    main()
