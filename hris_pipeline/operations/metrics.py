"""What a monitoring system is told: Prometheus metrics, read from the store when they are asked for. Numbers only,
nothing of people.

Needs the extra ``metrics``. ``metrics_app`` is an ASGI application of its own, to be mounted or served; it opens the
store for each answer and keeps nothing, so any number of processes may serve it.
"""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, make_asgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hris_pipeline.operations.automation import oldest_due
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.store.tables import connections, imports, integrations, quarantine

__all__ = ["StoreCollector", "metrics_app"]

WINDOW = timedelta(hours=24)
"""Imports are counted over the last day: the store is asked, so no process has to count since it started."""

AsgiApp = Callable[[MutableMapping[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Any]


class StoreCollector(Collector):
    """The metrics of one store, a handful of statements whatever the number of integrations."""

    def __init__(self, open_store: Callable[[], Services] = open_services) -> None:
        self._open = open_store

    def describe(self) -> list[Metric]:
        """Nothing: registering must not open the store."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric as it is now."""
        services = self._open()
        try:
            now = services.now()
            with services.store.read() as connection:
                metrics = [
                    *_imports(connection, now - WINDOW),
                    _open_imports(connection),
                    _integrations(connection),
                    _quarantined(connection),
                    _expiring(connection, now),
                ]
            metrics.append(_due_age(services, now))
        finally:
            services.close()
        yield from metrics


def metrics_app() -> AsgiApp:
    """The ASGI application that answers every path with the metrics."""
    registry = CollectorRegistry()
    registry.register(StoreCollector())
    return make_asgi_app(registry)


def _imports(connection: sa.Connection, since: datetime) -> Iterator[Metric]:
    """By how they ended: how many imports, how many people they changed, and the longest seconds from plan to end."""
    changed = imports.c.created + imports.c.updated + imports.c.archived + imports.c.restored
    recent = (
        sa.select(imports.c.status, imports.c.trigger, imports.c.planned_at, imports.c.finished_at, changed.label("n"))
        .where(imports.c.finished_at >= since)
        .subquery()
    )
    rows = connection.execute(
        sa.select(recent.c.status, recent.c.trigger, sa.func.count(), sa.func.sum(recent.c.n)).group_by(
            recent.c.status, recent.c.trigger
        )
    ).all()
    ended = GaugeMetricFamily("hris_imports_day", "Imports that ended in the last day", labels=("status", "trigger"))
    people = GaugeMetricFamily(
        "hris_import_changes_day",
        "Users changed by imports of the last day",
        labels=("status", "trigger"),
    )
    for status, trigger, count, changes in rows:
        ended.add_metric((status, trigger), count)
        people.add_metric((status, trigger), int(changes or 0))
    yield ended
    yield people
    yield _durations(connection, since)


def _durations(connection: sa.Connection, since: datetime) -> Metric:
    times = sa.select(imports.c.planned_at, imports.c.finished_at).where(
        imports.c.status == "applied", imports.c.trigger != "manual", imports.c.finished_at >= since
    )
    seconds = sorted((row.finished_at - row.planned_at).total_seconds() for row in connection.execute(times))
    metric = GaugeMetricFamily(
        "hris_apply_seconds",
        "Seconds from plan to applied, automatic imports of the last day",
        labels=("quantile",),
    )
    for quantile in (0.5, 0.95, 1.0):
        if seconds:
            metric.add_metric((str(quantile),), seconds[min(len(seconds) - 1, int(quantile * len(seconds)))])
    return metric


def _open_imports(connection: sa.Connection) -> Metric:
    rows = connection.execute(
        sa.select(imports.c.status, sa.func.count())
        .where(imports.c.status.in_(("planned", "held")))
        .group_by(imports.c.status)
    )
    counts = {"planned": 0, "held": 0} | {row[0]: row[1] for row in rows}
    metric = GaugeMetricFamily("hris_open_imports", "Imports that wait for a person", labels=("status",))
    for status, count in counts.items():
        metric.add_metric((status,), count)
    return metric


def _integrations(connection: sa.Connection) -> Metric:
    rows = connection.execute(
        sa.select(integrations.c.automatic, integrations.c.connection, sa.func.count())
        .where(integrations.c.deleted_at.is_(None))
        .group_by(integrations.c.automatic, integrations.c.connection)
    )
    metric = GaugeMetricFamily("hris_integrations", "Integrations by state", labels=("automatic", "connection"))
    for automatic, connected, count in rows:
        metric.add_metric((automatic, connected), count)
    return metric


def _quarantined(connection: sa.Connection) -> Metric:
    rows = sa.select(sa.func.count()).select_from(quarantine)
    return GaugeMetricFamily(
        "hris_quarantined_values", "Values kept in quarantine", connection.execute(rows).scalar_one()
    )


def _expiring(connection: sa.Connection, now: datetime) -> Metric:
    oldest = sa.select(sa.func.min(connections.c.refresh_expires_at)).join(
        integrations, integrations.c.integration_id == connections.c.integration_id
    )
    expires = connection.execute(oldest.where(integrations.c.connection == "connected")).scalar()
    metric = GaugeMetricFamily("hris_connection_seconds_left", "Until the first living connection ends unless renewed")
    if expires is not None:
        metric.add_metric((), (expires - now).total_seconds())
    return metric


def _due_age(services: Services, now: datetime) -> Metric:
    """How long the import that waits longest has been due: the age of the queue in the calendar's eyes."""
    due_at = oldest_due(services, now)
    age = (now - due_at).total_seconds() if due_at else 0.0
    return GaugeMetricFamily("hris_oldest_due_seconds", "Since the longest waiting import was due", age)
