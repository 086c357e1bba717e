"""A look at ten thousand companies: what the clock, the command line, the console and Dagster's UI need for it.

Usage: python -m benchmarks.ten_thousand [--companies 10000] [--imports 30] [--only sqlite postgresql]

Each company has so many imports on record. Seconds of the wall clock and computing of the asking process, the better of
two; ``hris integrations`` is a process of its own, start-up included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dagster as dg
import httpx

from benchmarks.servers import SECRET_KEY, postgres
from hris_pipeline.environment import Environment
from hris_pipeline.operations.automation import due_imports, find_stalled_imports
from hris_pipeline.operations.connection import connections_due
from hris_pipeline.operations.overview import overview_page
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.store.engine import upgrade_store
from hris_pipeline_tests.kit.browser import serve
from hris_pipeline_tests.kit.machine import PROJECT
from hris_pipeline_tests.kit.many_integrations import AT, add_integrations, counted_statements
from hris_pipeline_tests.kit.processes import Group, until

MATERIALIZED = 200
"""So many partitions have a materialization: Dagster takes its time to store one."""

TICKS = 20
"""So many ticks are asked one after the other, for the memory that they leave behind."""

KEYS = 'query { assetNodes(assetKeys: [{path: ["applied_changes"]}]) { partitionKeysByDimension { partitionKeys } } }'
STATES = """query { assetNodes(assetKeys: [{path: ["applied_changes"]}]) { assetPartitionStatuses {
  ... on DefaultPartitionStatuses { materializedPartitions failedPartitions unmaterializedPartitions } } } }"""


def main() -> None:
    """Measures each database and prints a line a question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=10_000)
    parser.add_argument("--imports", type=int, default=30)
    parser.add_argument("--only", nargs="*", choices=["sqlite", "postgresql"], default=["sqlite", "postgresql"])
    options = parser.parse_args()
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix="hris-many-") as folder, _environ(name, Path(folder)) as environ:
            measure(name, environ, options.companies, options.imports)


@contextmanager
def _environ(name: str, home: Path) -> Iterator[dict[str, str]]:
    """A fresh store with its tables."""
    environ = {"PATH": os.environ["PATH"], "HRIS_HOME": str(home / "home"), "HRIS_SECRET_KEY": SECRET_KEY}
    if name == "sqlite":
        upgrade_store(Environment.read(environ))
        yield environ
        return
    with postgres() as server:
        environ["HRIS_STORE_URL"] = server.created("hris")
        upgrade_store(Environment.read(environ))
        yield environ


def measure(name: str, environ: dict[str, str], companies: int, imports: int) -> None:
    """Everything that is asked of very many companies, on one store."""
    services = open_services(Environment.read(environ))
    try:
        names = add_integrations(services.store, companies, due=True, imports_each=imports)
        with services.store.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
        _of_the_store(name, services)
        _of_processes(name, environ, names)
    finally:
        services.close()


def _of_the_store(name: str, services: Services) -> None:
    page = serve(services).browser()
    questions: dict[str, Callable[[], object]] = {
        "a tick, nothing due": lambda: due_imports(services, "daily", AT - timedelta(hours=1)),
        "a tick, all due": lambda: due_imports(services, "daily", AT),
        "stalled": lambda: find_stalled_imports(services, AT + timedelta(days=2)),
        "connections to renew": lambda: connections_due(services, AT),
        "overview_page": lambda: overview_page(services),
        "the console's first page": lambda: page.get("/").raise_for_status(),
        "those that wait for a person": lambda: page.get("/?show=waiting").raise_for_status(),
    }
    for question, ask in questions.items():
        with counted_statements(services.store.engine) as statements:
            ask()
        _tell(name, question, ask, f"{len(statements)} statements")
    ticks = [_resident_mb(questions["a tick, all due"]) for _ in range(TICKS)]
    print(f"{name:11}{TICKS} ticks with all due: {ticks[2]:.0f} MB after the third, {ticks[-1]:.0f} after the last")


def _resident_mb(ask: Callable[[], object]) -> float:
    """What the process has in memory after a question."""
    ask()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _of_processes(name: str, environ: dict[str, str], names: list[str]) -> None:
    command = [sys.executable, "-m", "hris_pipeline.cli", "integrations", "--json"]

    def list_all() -> None:
        listed = subprocess.run(command, env=environ, capture_output=True, check=True).stdout
        assert len(json.loads(listed)["integrations"]) == len(names)

    _tell(name, "hris integrations --json, whole process", list_all)
    home = Environment.read(environ).dagster_home
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_bytes((PROJECT / "dagster.yaml").read_bytes())
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.add_dynamic_partitions("integration", names)
        for integration_id in names[:MATERIALIZED]:
            instance.report_runless_asset_event(dg.AssetMaterialization("applied_changes", partition=integration_id))
    with _webserver(environ, home) as url, httpx.Client(timeout=120) as client:
        for question, query in (("Dagster's partitions", KEYS), ("Dagster's partitions with their states", STATES)):

            def ask(query: str = query) -> None:
                answer = client.post(f"{url}/graphql", json={"query": query}).json()
                assert "errors" not in answer, answer

            ask()
            _tell(name, question, ask)


@contextmanager
def _webserver(environ: dict[str, str], home: Path) -> Iterator[str]:
    command = ["dagster_webserver", "-h", "127.0.0.1", "-p", "3977", "-w", str(PROJECT / "workspace.yaml")]
    group = Group(command, environ, home / "webserver.log")
    url = "http://127.0.0.1:3977"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/server_info", timeout=10).is_success
        except httpx.TransportError:
            return False

    try:
        until(answers, 120, 0.5, what="the webserver")
        yield url
    finally:
        group.stop()


def _tell(name: str, question: str, ask: Callable[[], object], note: str = "") -> None:
    """The better of two."""
    best = min(_timed(ask) for _ in range(2))
    print(f"{name:11}{question:42}{best[0]:>7.2f} s {best[1]:>7.2f} CPU s  {note}", flush=True)


def _timed(ask: Callable[[], object]) -> tuple[float, float]:
    before, computing = time.perf_counter(), sum(os.times()[:4])
    ask()
    return time.perf_counter() - before, sum(os.times()[:4]) - computing


if __name__ == "__main__":
    main()
