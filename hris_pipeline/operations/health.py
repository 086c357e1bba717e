"""What stands and what does not, for probes, people and monitoring systems: the store, the keys, the connections, how
old good imports are, disk space; and Prometheus metrics, read from the store when they are asked for.

Each finding is about ids, times and numbers, never about people. The daemon is Dagster's to know, and is asked by
the faces. Metrics need the extra ``metrics``; ``metrics_app`` is an ASGI application of its own, to be mounted or
served; it opens the store for each answer and keeps nothing, so any number of processes may serve it.
"""

import shutil
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, make_asgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hris_pipeline.environment import Environment
from hris_pipeline.errors import EnvironmentInvalid, HrisError
from hris_pipeline.operations.automation import oldest_due
from hris_pipeline.operations.services import Services, open_services
from hris_pipeline.settings.calendar import next_due
from hris_pipeline.store.automation import AutomationState, automation_states, last_good_imports
from hris_pipeline.store.keyring import load_keyring
from hris_pipeline.store.tables import connections, imports, integrations, quarantine

__all__ = [
    "STORE_STANDS",
    "Finding",
    "StoreCollector",
    "Verdict",
    "examine",
    "examine_environment",
    "metrics_app",
    "needs_daemon",
]

Verdict = Literal["ok", "warning", "failed"]

EXPIRES_SOON = timedelta(days=5)
"""A refresh token that lives no longer than this should have been refreshed by now."""

LATE_AFTER = timedelta(days=1)
"""How long after its next due moment a good import is late: its retries take most of a day."""

LITTLE_SPACE, TOO_LITTLE_SPACE = 2 << 30, 200 << 20
"""Free bytes."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``failed`` needs somebody now, a ``warning`` soon."""

    what: str
    verdict: Verdict
    detail: str


STORE_STANDS = Finding("store", "ok", "reachable, and of this version")


def examine_environment(environment: Environment) -> Iterator[Finding]:
    """What needs no store: the keys and the disk."""
    if environment.embedded and not environment.home.exists():
        yield Finding("keys", "ok", "none yet: the first `hris setup` makes one")
        yield _check_disk(environment.home)
        return
    try:
        load_keyring(environment)
        yield Finding("keys", "ok", "usable")
    except EnvironmentInvalid as error:
        yield Finding("keys", "failed", str(error))
    yield _check_disk(environment.home)


def examine(services: Services) -> Iterator[Finding]:
    """What the store says: whether the keys open every token, how the connections are, how old good imports are."""
    yield STORE_STANDS
    with services.store.read() as connection:
        states = automation_states(connection, with_off=True)
        names = [state.integration_id for state in states]
        tokens = {row.integration_id: row for row in connection.execute(sa.select(connections))}
        last_good = last_good_imports(connection, names)
    now = services.now()
    for state in states:
        name = state.integration_id
        yield _check_connection(services, name, state.connection, tokens.get(name), now)
        yield _check_imports(state, last_good.get(name), now)


def needs_daemon(services: Services) -> bool:
    """Whether some integration imports automatically."""
    with services.store.read() as connection:
        return any(state.automatic == "running" for state in automation_states(connection))


def _check_connection(
    services: Services, name: str, state: str, tokens: "sa.Row[tuple[object, ...]] | None", now: datetime
) -> Finding:
    subject = f"connection of {name}"
    if state != "connected" or tokens is None:
        verdict: Verdict = "failed" if state == "expired" else "warning"
        return Finding(subject, verdict, f"{state}: connect it with `hris connect {name}`")
    try:
        keyring = load_keyring(services.environment)
        for secret in (tokens.access_token, tokens.refresh_token):
            if secret:
                keyring.decrypt(secret)
    except HrisError as error:
        return Finding(subject, "failed", str(error))
    age = _age_words(now - tokens.updated_at)
    until = tokens.refresh_expires_at
    if until is not None and until <= now:
        return Finding(
            subject, "failed", f"expired {_age_words(now - until)} ago: connect it with `hris connect {name}`"
        )
    if until is not None and until - now < EXPIRES_SOON:
        return Finding(subject, "warning", f"refreshed {age} ago, and expires in {_age_words(until - now)}")
    return Finding(subject, "ok", f"refreshed {age} ago" + (f", good for {_age_words(until - now)}" if until else ""))


def _check_imports(state: AutomationState, last: datetime | None, now: datetime) -> Finding:
    """How old the newest good import is, against when the next was due after it."""
    name = state.integration_id
    subject = f"imports of {name}"
    if last is None:
        return Finding(subject, "ok" if state.automatic != "running" else "warning", "no import was applied yet")
    detail = f"the newest good one is {_age_words(now - last)} old"
    if last > now:
        return Finding(subject, "failed", "the newest good one is later than now: the clock of this machine jumped")
    if state.automatic == "paused":
        return Finding(
            subject, "warning", f"{detail}; automatic imports are paused ({state.automatic_reason or 'no reason'})"
        )
    if state.automatic == "running" and now > next_due(state.calendar, last) + LATE_AFTER:
        return Finding(subject, "failed", f"{detail}, and a later one was due: `hris history {name}` tells what failed")
    return Finding(subject, "ok", detail)


def _check_disk(home: Path) -> Finding:
    folder = next(path for path in (home, *home.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    verdict: Verdict = "failed" if free < TOO_LITTLE_SPACE else "warning" if free < LITTLE_SPACE else "ok"
    return Finding("disk", verdict, f"{free / (1 << 30):.1f} GiB free where HRIS_HOME is")


def _age_words(span: timedelta) -> str:
    """A span in the one unit that says enough."""
    seconds = span.total_seconds()
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


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
                    *_recent_imports(connection, now - WINDOW),
                    _open_imports(connection),
                    _count_integrations(connection),
                    _count_quarantined(connection),
                    _measure_expiry(connection, now),
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


def _recent_imports(connection: sa.Connection, since: datetime) -> Iterator[Metric]:
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
    yield _measure_durations(connection, since)


def _measure_durations(connection: sa.Connection, since: datetime) -> Metric:
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


def _count_integrations(connection: sa.Connection) -> Metric:
    rows = connection.execute(
        sa.select(integrations.c.automatic, integrations.c.connection, sa.func.count())
        .where(integrations.c.deleted_at.is_(None))
        .group_by(integrations.c.automatic, integrations.c.connection)
    )
    metric = GaugeMetricFamily("hris_integrations", "Integrations by state", labels=("automatic", "connection"))
    for automatic, connected, count in rows:
        metric.add_metric((automatic, connected), count)
    return metric


def _count_quarantined(connection: sa.Connection) -> Metric:
    rows = sa.select(sa.func.count()).select_from(quarantine)
    return GaugeMetricFamily(
        "hris_quarantined_values", "Values kept in quarantine", connection.execute(rows).scalar_one()
    )


def _measure_expiry(connection: sa.Connection, now: datetime) -> Metric:
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
