"""What stands and what does not: the store, the keys, the connections, how old good imports are, and disk space.

Each finding is about ids and times, never about people. The daemon is Dagster's to know, and is asked by the faces.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from hris_pipeline.environment import Environment
from hris_pipeline.errors import EnvironmentInvalid, HrisError
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.calendar import next_due
from hris_pipeline.store.automation import AutomationState, automation_states, last_good_imports
from hris_pipeline.store.keyring import load_keyring
from hris_pipeline.store.tables import connections

__all__ = ["STORE_STANDS", "Finding", "Verdict", "examine", "examine_environment", "needs_daemon"]

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
        yield _disk(environment.home)
        return
    try:
        load_keyring(environment)
        yield Finding("keys", "ok", "usable")
    except EnvironmentInvalid as error:
        yield Finding("keys", "failed", str(error))
    yield _disk(environment.home)


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
        yield _connection(services, name, state.connection, tokens.get(name), now)
        yield _imports(state, last_good.get(name), now)


def needs_daemon(services: Services) -> bool:
    """Whether some integration imports automatically."""
    with services.store.read() as connection:
        return any(state.automatic == "running" for state in automation_states(connection))


def _connection(
    services: Services, name: str, state: str, tokens: "sa.Row[tuple[object, ...]] | None", now: datetime
) -> Finding:
    what = f"connection of {name}"
    if state != "connected" or tokens is None:
        verdict: Verdict = "failed" if state == "expired" else "warning"
        return Finding(what, verdict, f"{state}: connect it with `hris connect {name}`")
    try:
        keyring = load_keyring(services.environment)
        for secret in (tokens.access_token, tokens.refresh_token):
            if secret:
                keyring.decrypt(secret)
    except HrisError as error:
        return Finding(what, "failed", str(error))
    age = _age(now - tokens.updated_at)
    until = tokens.refresh_expires_at
    if until is not None and until <= now:
        return Finding(what, "failed", f"expired {_age(now - until)} ago: connect it with `hris connect {name}`")
    if until is not None and until - now < EXPIRES_SOON:
        return Finding(what, "warning", f"refreshed {age} ago, and expires in {_age(until - now)}")
    return Finding(what, "ok", f"refreshed {age} ago" + (f", good for {_age(until - now)}" if until else ""))


def _imports(state: AutomationState, last: datetime | None, now: datetime) -> Finding:
    """How old the newest good import is, against when the next was due after it."""
    name = state.integration_id
    what = f"imports of {name}"
    if last is None:
        return Finding(what, "ok" if state.automatic != "running" else "warning", "no import was applied yet")
    detail = f"the newest good one is {_age(now - last)} old"
    if last > now:
        return Finding(what, "failed", "the newest good one is later than now: the clock of this machine jumped")
    if state.automatic == "paused":
        return Finding(
            what, "warning", f"{detail}; automatic imports are paused ({state.automatic_reason or 'no reason'})"
        )
    if state.automatic == "running" and now > next_due(state.calendar, last) + LATE_AFTER:
        return Finding(what, "failed", f"{detail}, and a later one was due: `hris history {name}` tells what failed")
    return Finding(what, "ok", detail)


def _disk(home: Path) -> Finding:
    folder = next(path for path in (home, *home.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    verdict: Verdict = "failed" if free < TOO_LITTLE_SPACE else "warning" if free < LITTLE_SPACE else "ok"
    return Finding("disk", verdict, f"{free / (1 << 30):.1f} GiB free where HRIS_HOME is")


def _age(span: timedelta) -> str:
    """A span in the one unit that says enough."""
    seconds = span.total_seconds()
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
