"""Automatic imports: which are due, what a failure means, pausing and resuming. Whether an import is due is a question
to the store, so downtime never piles up: after it there is exactly one catch-up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa

from hris_pipeline.errors import UsageError
from hris_pipeline.operations.notification import notify, reset_notification
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.calendar import latest_due, next_due
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.text import local_moment
from hris_pipeline.store.automation import (
    Automation,
    AutomationState,
    advance_due,
    automation,
    automation_states,
    complete_due,
    imports_ahead,
    large_integrations,
    last_good_imports,
    mark_failed_attempt,
    prove_automatic,
    saved_integrations,
    set_automatic,
)
from hris_pipeline.store.imports import CLOCK_TOLERANCE
from hris_pipeline.store.locks import import_running, imports_running

__all__ = [
    "FAILURES_TO_PAUSE",
    "RETRY_HOURS",
    "Due",
    "DueImports",
    "SkippedIntegration",
    "Stalled",
    "attempt_failed",
    "carry_over_due",
    "complete_due_import",
    "due_imports",
    "find_stalled_imports",
    "oldest_due",
    "pause",
    "resume",
    "skip_reason",
    "start_if_configured",
]

RETRY_HOURS = (1, 4, 12)
"""How long after each failed attempt the same due moment is tried again; after the last it counts as a failure."""

LONGEST_RETRY = timedelta(hours=max(RETRY_HOURS))
"""A retry set further ahead than this comes from a clock that was wrong, and does not count."""

FAILURES_TO_PAUSE = 3
"""So many failed due moments in a row pause the integration."""

LARGE_PEOPLE = 200_000
"""An import of more people than these needs gigabytes and all cores for a while."""

GRACE = timedelta(hours=sum(RETRY_HOURS) + 1)
"""How late a due import may be before that is an alarm: as long as its retries take, and an hour."""

CATCH_UP = timedelta(hours=1)
"""A due moment handled later than this is a catch-up."""


@dataclass(frozen=True)
class Due:
    """An import that should start now: for which due moment, and which attempt at it (0 is the first);
    ``large`` when it has so many people that its import needs most of a machine."""

    integration_id: str
    due_at: datetime
    attempt: int
    trigger: Literal["schedule", "catch_up"]
    large: bool = False

    @property
    def key(self) -> str:
        """The same for the same attempt at the same moment."""
        return f"{self.integration_id}:{self.due_at.isoformat()}:{self.attempt}"


@dataclass(frozen=True)
class SkippedIntegration:
    """An integration with a due moment that does not start, and why."""

    integration_id: str
    reason: str


@dataclass(frozen=True)
class DueImports:
    """The imports that are due now, and the integrations that have one due but do not start it."""

    due: tuple[Due, ...]
    left_out: tuple[SkippedIntegration, ...]


@dataclass(frozen=True)
class Stalled:
    """An integration whose last good import is older than its frequency allows, or (``clock_jumped``) whose due moment
    ``due_at`` was handled later than now."""

    integration_id: str
    due_at: datetime
    last_good_at: datetime | None
    clock_jumped: bool = False


def due_imports(services: Services, frequency: str, now: datetime) -> DueImports:
    """The integrations of that frequency with a due moment that was not handled yet, those that wait longest first, and
    why some must wait. The same few statements for one integration and for ten thousand."""
    with services.store.read() as connection:
        states = automation_states(connection, frequency)
        pending = [(state, due_at) for state in states if (due_at := _unhandled_due(state, now)) is not None]
        names = [state.integration_id for state, _ in pending]
        saved = saved_integrations(connection, names) if names else frozenset()
        large = large_integrations(connection, names, LARGE_PEOPLE) if names else frozenset()
    running = imports_running(services.store, names)
    due: list[Due] = []
    left_out: list[SkippedIntegration] = []
    for state, due_at in pending:
        name = state.integration_id
        reason = _find_obstacle(state, now, saved=name in saved) or (_RUNNING if name in running else None)
        if reason:
            left_out.append(SkippedIntegration(name, reason))
        else:
            late = now - due_at > CATCH_UP and not state.attempts
            due.append(Due(name, due_at, state.attempts, "catch_up" if late else "schedule", name in large))
    return DueImports(tuple(sorted(due, key=lambda item: (item.due_at, item.integration_id))), tuple(left_out))


def oldest_due(services: Services, now: datetime) -> datetime | None:
    """The earliest due moment of running automatic imports that was not handled yet; one statement."""
    with services.store.read() as connection:
        states = automation_states(connection)
    moments = (_unhandled_due(state, now) for state in states if state.automatic == "running")
    return min((moment for moment in moments if moment is not None), default=None)


def _unhandled_due(state: AutomationState, now: datetime) -> datetime | None:
    """The due moment that was not handled yet. One handled later than now, by a clock that was wrong, is none."""
    due_at = latest_due(state.calendar, now)
    handled = state.last_due_at is not None and due_at <= state.last_due_at <= now
    return None if handled else due_at


def _find_obstacle(state: AutomationState, now: datetime, *, saved: bool) -> str | None:
    if state.automatic == "paused":
        return _paused_words(state)
    if not saved:
        return f"no saved manual import yet: run `hris import {state.integration_id} --yes`"
    if state.connection != "connected":
        return f"the connection is {state.connection}: run `hris connect {state.integration_id}`"
    if state.retry_at is not None and now < state.retry_at <= now + LONGEST_RETRY:
        return f"failed {state.attempts} times, tried again at {local_moment(state.retry_at, state.calendar.time_zone)}"
    return None


_RUNNING = "an import of it is running"


def _paused_words(state: AutomationState) -> str:
    when = local_moment(state.automatic_at, state.calendar.time_zone) if state.automatic_at else "an unknown time"
    return f"paused by {state.automatic_by} at {when}: {state.automatic_reason}"


def skip_reason(services: Services, integration_id: str) -> str | None:
    """Why an automatic import of the integration that was already queued must be skipped, or None.

    Raises:
        Tampered: whether they run was changed behind the pipeline's back.
    """
    with services.store.read() as connection:
        state = automation(connection, integration_id)
        if not state.decided:
            prove_automatic(connection, integration_id)
    if state.automatic == "running":
        return _RUNNING if import_running(services.store, integration_id) else None
    return _paused_words(state) if state.automatic == "paused" else "automatic imports are off"


def complete_due_import(services: Services, integration_id: str, due_at: datetime) -> None:
    """Marks the due moment as handled: its automatic import was applied, is held, or had nothing to change."""
    with services.store.begin() as connection:
        complete_due(connection, integration_id, due_at)


def attempt_failed(services: Services, integration_id: str, due_at: datetime, attempt: int) -> bool:
    """Records that an attempt at a due moment failed: it is tried again later, or counts as a failure. Gives whether
    the integration was paused, because too many failed in a row. A second call for the same attempt does nothing."""
    with services.store.begin() as connection:
        state = automation(connection, integration_id)
        if attempt != state.attempts or (
            state.last_due_at is not None and due_at <= state.last_due_at <= services.now()
        ):
            return False
        if attempt < len(RETRY_HOURS):
            again_at = services.now() + timedelta(hours=RETRY_HOURS[attempt])
            mark_failed_attempt(connection, integration_id, attempt + 1, again_at)
            return False
        failures = complete_due(connection, integration_id, due_at, failed=True)
        if failures < FAILURES_TO_PAUSE or state.automatic != "running":
            return False
        reason = f"{failures} automatic imports in a row failed"
        set_automatic(connection, integration_id, "paused", by="hris", reason=reason, now=services.now())
    return True


def pause(services: Services, integration_id: str, by: str, reason: str) -> None:
    """Stops new automatic imports at once; manual ones stay possible. Tells whoever the settings name.

    Raises:
        UsageError: no reason is given.
    """
    reason = _required_reason(reason)
    with services.store.begin() as connection:
        automation(connection, integration_id)
        set_automatic(connection, integration_id, "paused", by=by, reason=reason, now=services.now())
    body = f"Automatic imports of {integration_id} were paused: `hris integrations` says by whom, since when and why."
    notify(services, integration_id, "paused", "by hand", body)


def resume(services: Services, integration_id: str, by: str, reason: str) -> None:
    """Starts automatic imports, or starts them again; a due moment missed meanwhile is caught up once.

    Raises:
        UsageError: no reason is given, or no manual import was ever saved.
    """
    reason = _required_reason(reason)
    with services.store.begin() as connection:
        state = automation(connection, integration_id)
        if not state.saved:
            raise UsageError(
                f"Automatic imports of {integration_id} need one saved manual import: "
                f"run `hris import {integration_id} --yes`."
            )
        _start(connection, state, by, reason, services.now())
    reset_notification(services, integration_id, "paused")


def start_if_configured(connection: sa.Connection, integration_id: str, by: str, reason: str, now: datetime) -> None:
    """Starts automatic imports when the settings say so, a manual one was saved, and nobody decided otherwise."""
    state = automation(connection, integration_id)
    if state.automatic == "off" and state.saved and state.settings.start_automatic_imports:
        _start(connection, state, by, reason, now)


def carry_over_due(connection: sa.Connection, state: Automation, settings: Settings, now: datetime) -> None:
    """Moves the handled moment along when ``settings`` take the place of those of the state: where nothing was due
    under the old calendar, nothing is due under the new one before its next moment. Otherwise moving 04:00 to 08:00 at
    noon would import twice that day."""
    if state.last_due_at is not None and now >= state.last_due_at >= latest_due(state.settings, now):
        advance_due(connection, state.integration_id, latest_due(settings, now))


def _start(connection: sa.Connection, state: Automation, by: str, reason: str, now: datetime) -> None:
    set_automatic(connection, state.integration_id, "running", by=by, reason=reason, now=now)
    if state.last_due_at is None or state.last_due_at > now + CLOCK_TOLERANCE:
        complete_due(connection, state.integration_id, latest_due(state.settings, now))


def _required_reason(reason: str) -> str:
    if not reason.strip():
        raise UsageError("Give a reason with --reason: whoever looks later wants to know why.")
    return reason.strip()


def find_stalled_imports(services: Services, now: datetime) -> tuple[Stalled, ...]:
    """Integrations with running automatic imports whose last good import is older than their frequency allows, or of
    which a due moment was handled, or an import made, later than now; the time before they were started, or
    started again, does not count.
    Three statements, however many there are."""
    with services.store.read() as connection:
        running = [state for state in automation_states(connection) if state.automatic == "running"]
        names = [state.integration_id for state in running]
        last_good = last_good_imports(connection, names, now)
        ahead = imports_ahead(connection, names, now)
    findings = (_find_stall(state, last_good, ahead, now) for state in running)
    return tuple(finding for finding in findings if finding is not None)


def _find_stall(
    state: AutomationState, last_good: Mapping[str, datetime], ahead: Mapping[str, datetime], now: datetime
) -> Stalled | None:
    last_good_at = last_good.get(state.integration_id)
    stamped = [moment for moment in (state.last_due_at, ahead.get(state.integration_id)) if moment is not None]
    if stamped and max(stamped) > now + CLOCK_TOLERANCE:
        return Stalled(state.integration_id, max(stamped), last_good_at, clock_jumped=True)
    moments = [moment for moment in (last_good_at, state.automatic_at) if moment is not None and moment <= now]
    due_at = next_due(state.calendar, max(moments)) if moments else latest_due(state.calendar, now)
    return Stalled(state.integration_id, due_at, last_good_at) if now > due_at + GRACE else None
