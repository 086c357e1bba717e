"""Measures the review of a large import, page by page: `.venv/bin/python -m benchmarks.review [--rows 100000]`.

The rows are staged directly, and nothing is read from a source. On PostgreSQL where HRIS_STORE_URL names an empty store
made for this (after `hris store upgrade`), else on SQLite in a folder that is thrown away. Parallel workers of
PostgreSQL are not counted: PGOPTIONS="-c max_parallel_workers_per_gather=0" turns them off.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hris_pipeline.environment import Environment
from hris_pipeline.operations.review import Filters, review
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline_tests.kit import store_builders as build
from hris_pipeline_tests.kit.many_integrations import counted_statements

__all__ = ["main"]

PAGES: dict[str, dict[str, Any]] = {
    "first": {},
    "second": {"page": 2},
    "1,000th": {"page": 1000},
    "last": {"page": -1},
    "by name": {"sort": "name"},
    "by name, 1,000th": {"sort": "name", "page": 1000},
    "by EmployeeId": {"sort": "employee_id"},
    "by EmployeeId, 1,000th": {"sort": "employee_id", "page": 1000},
    "the archived": {"filters": Filters(action="archive")},
    "whose EmployeeId changes": {"filters": Filters(field="employee_id")},
    "the same, 1,000th": {"filters": Filters(field="employee_id"), "page": 1000},
    "text that some have": {"filters": Filters(text="L77")},
    "text that many have, 1,000th": {"filters": Filters(text="example"), "page": 1000},
    "text that nobody has": {"filters": Filters(text="nobody at all")},
}
PAGE_SIZE = 50
TRIALS = 3
"""The quickest of so many, because the machine may be busy with other work."""


def change(number: int) -> dict[str, Any]:
    """One of ten comes, one leaves, four get another email, four another EmployeeId and supervisor."""
    before = build.state(number, first_name=f"F{number % 977}", last_name=f"L{number % 4999}")
    kind = number % 10
    if kind == 0:
        return build.create(number)
    if kind == 1:
        return build.archive(number, before)
    if kind < 6:
        return build.update(number, before, email=f"new{number}@example.com")
    return build.update(number, before, employee_id=f"N{number}", supervisor_id="1")


def measure(services: Services, rows: int) -> None:
    """Stages the import and prints a line a page, the quickest of its trials: wall clock, statements, fitting rows."""
    build.integration(services.store)
    import_id = build.stage(services.store, *map(change, range(rows))).import_id
    review(services, import_id, page_size=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, asked in PAGES.items():
        page = asked | {"page": rows // PAGE_SIZE} if asked.get("page") == -1 else asked
        took, computed, statements, total = min(measure_page(services, import_id, page) for _ in range(TRIALS))
        sys.stdout.write(
            f"{name:26} {took:6.2f} s, {computed:5.2f} s computing, {statements} statements, {total:,} fit\n"
        )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    sys.stdout.write(f"memory grew by {grown / 1024:.1f} MB meanwhile\n")


def measure_page(services: Services, import_id: str, asked: dict[str, Any]) -> tuple[float, float, int, int]:
    """Seconds of wall clock and of computing (here, and by the database's own processes on this machine), statements,
    and rows that fit."""
    pids = database_processes(services)
    with counted_statements(services.store.engine) as statements:
        began, computing = time.perf_counter(), time.process_time() + seconds_of(pids)
        page = review(services, import_id, page_size=PAGE_SIZE, reveal=True, **asked)
        took, computed = time.perf_counter() - began, time.process_time() + seconds_of(pids) - computing
    return took, computed, len(statements), page.total


def database_processes(services: Services) -> list[int]:
    """Who serves this store's connections: none with SQLite."""
    if services.store.engine.dialect.name != "postgresql":
        return []
    with services.store.read() as connection:
        return list(connection.scalars(sa.text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")))


def seconds_of(pids: Iterable[int]) -> float:
    """How long the processes have computed; those of another machine count nothing."""
    paths = [path for pid in pids if (path := Path(f"/proc/{pid}/stat")).exists()]
    ticks = sum(sum(map(int, path.read_text().rpartition(")")[2].split()[11:13])) for path in paths)
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Runs it once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        services = open_services(Environment.read(os.environ | {"HRIS_HOME": home}), create=True)
        try:
            measure(services, arguments.rows)
        finally:
            services.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
