"""The processes of production, as docs/operating.md starts them: code server, webserver and daemon, on PostgreSQL."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from hris_pipeline.sandbox import running
from hris_pipeline_tests.kit.automatic_companies import companies_of
from hris_pipeline_tests.kit.graphql import Ui
from hris_pipeline_tests.kit.machine import PROJECT, Machine, Webserver, machine_of
from hris_pipeline_tests.kit.processes import Group

NAMES = ("north",)
PORT = "4266"
RELOAD = 'mutation { reloadRepositoryLocation(repositoryLocationName: "hris_pipeline") { __typename } }'


@dataclass
class Production:
    """The machine and its processes."""

    machine: Machine
    daemon: Group
    webserver: Webserver


def code_server_command() -> str:
    """As the docs have it."""
    lines = (PROJECT / "docs" / "operating.md").read_text().splitlines()
    (command,) = (line.strip() for line in lines if line.strip().startswith("dagster code-server start"))
    return command


@pytest.fixture
def production(
    empty_postgres: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Production]:
    """Two companies that are due, and everything started; only the port is another."""
    storage = empty_postgres.replace("+psycopg:", "+psycopg2:")
    workspace = tmp_path / "workspace.yaml"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    workspace.write_text((PROJECT / "deploy" / "workspace.yaml").read_text().replace(PORT, port))
    monkeypatch.setenv("HRIS_DAGSTER_STORAGE", storage)
    with (
        running(1) as sandbox,
        companies_of(
            tmp_path / "home", sandbox, HRIS_STORE_URL=postgres_url, HRIS_DAGSTER_STORAGE=storage
        ) as companies,
        machine_of(companies, PROJECT / "deploy" / "dagster.yaml") as machine,
    ):
        machine.workspace = workspace
        for name in NAMES:
            companies.add(name).week()
        machine.know()
        companies.make_due()
        with (
            machine.code_server(code_server_command().replace(PORT, port)),
            machine.daemon("daily_imports") as daemon,
            machine.webserver() as webserver,
        ):
            yield Production(machine, daemon, webserver)


def test_production_imports_on_schedule_and_after_its_code_was_reloaded(production: Production) -> None:
    machine = production.machine
    assert [run.status for run in machine.ended(len(NAMES))] == [dg.DagsterRunStatus.SUCCESS] * len(NAMES)
    assert [machine.companies.automatic_imports(name) for name in NAMES] == [["applied"]] * len(NAMES)
    assert production.webserver.ask(RELOAD)["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry"
    run = Ui(machine, production.webserver).launch("import_users", NAMES[0])
    assert run.status is dg.DagsterRunStatus.SUCCESS
