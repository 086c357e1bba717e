"""What a monitoring system is told: numbers from the store, in few statements, and nothing of people."""

import asyncio
import json
import re
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from hris_pipeline.environment import Environment
from hris_pipeline.operations.health import StoreCollector, metrics_app
from hris_pipeline.operations.services import Services
from hris_pipeline.sources.archive import Archive
from hris_pipeline.store.engine import Store
from hris_pipeline.store.tables import imports
from hris_pipeline_tests.kit.many_integrations import AT, add_integrations, counted_statements

DASHBOARD = Path(__file__).parents[2] / "deploy" / "monitoring" / "dashboard.json"
ALERTS = Path(__file__).parents[2] / "deploy" / "monitoring" / "alerts.yaml"


@pytest.fixture
def services(environment: Environment, store: Store) -> Services:
    return Services(environment, store, Archive(environment.files_url), now=lambda: AT)


def samples(services: Services) -> dict[tuple[str, ...], float]:
    metrics = StoreCollector(lambda: services).collect()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value for metric in metrics for sample in metric.samples
    }


def test_the_metrics_say_what_became_of_imports_and_what_waits(services: Services) -> None:
    names = add_integrations(services.store, 3, due=True)
    with services.store.begin() as connection:
        held = imports.c.import_id == f"{names[0]}-0"
        connection.execute(sa.update(imports).where(held).values(status="held", finished_at=None, updated=7))
    with counted_statements(services.store.engine) as statements:
        numbers = samples(services)
    assert numbers["hris_imports_day", "applied", "manual"] == 2
    assert numbers["hris_open_imports", "held"] == 1
    assert numbers["hris_open_imports", "planned"] == 0
    assert numbers["hris_integrations", "connected", "running"] == 3
    assert numbers["hris_oldest_due_seconds",] == 0
    assert numbers["hris_quarantined_values",] == 0
    assert len(statements) <= 7


async def ask(app: object) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://metrics") as client:
        return await client.get("/")


def test_the_application_answers_in_prometheus_text(
    sqlite_environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HRIS_HOME", str(sqlite_environment.home))
    answer = asyncio.run(ask(metrics_app()))
    assert answer.status_code == 200
    assert 'hris_open_imports{status="held"} 0.0' in answer.text


def test_dashboard_and_alerts_name_metrics_that_exist(services: Services) -> None:
    add_integrations(services.store, 1, due=True)
    names = {metric.name for metric in StoreCollector(lambda: services).collect()}
    for text in (DASHBOARD.read_text(), ALERTS.read_text()):
        assert set(re.findall(r"hris_[a-z_]+", text)) <= names
    dashboard = json.loads(DASHBOARD.read_text())
    asked = {target["expr"] for panel in dashboard["panels"] for target in panel["targets"]}
    assert all(any(name in expression for expression in asked) for name in names)
