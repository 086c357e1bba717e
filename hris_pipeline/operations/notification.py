"""Telling people, once per change of state, in counts and ids only. One that cannot be sent fails nothing."""

import json
import logging
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from hris_pipeline.contract import APPLIED_WORDS
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.document import Event
from hris_pipeline.store.imports import Import
from hris_pipeline.store.in_values import in_values
from hris_pipeline.store.settings_versions import current_settings
from hris_pipeline.store.tables import integration_settings, notifications

__all__ = [
    "Sender",
    "notify",
    "notify_import",
    "reset_notification",
    "send_with_apprise",
    "untold",
]

log = logging.getLogger(__name__)

Sender = Callable[[str, str, str], bool]
"""Sends to one apprise URL a title and a body; says whether it went out."""

REVIEW_QUEUES = {"conflict": "conflicts", "quarantined": "quarantined rows"}
"""What an import leaves for a person to look at, by its reason in ``diagnostics``."""


def send_with_apprise(url: str, title: str, body: str) -> bool:
    """Sends over whatever the URL names: mail, chat, webhook."""
    import apprise  # noqa: PLC0415 - a third of a second that commands without notifications need not pay

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it would log the address, which holds secrets
    channel = apprise.Apprise()
    return bool(channel.add(url)) and bool(channel.notify(title=title, body=body))


def notify(
    services: Services,
    integration_id: str,
    event: Event,
    state: str,
    body: str,
    *,
    send: Sender = send_with_apprise,
) -> bool:
    """Tells everybody whom the settings name for the event, unless ``state`` was the last thing told of it.

    Gives whether it went out anywhere; if not, it is told again next time. Never raises: whatever goes wrong is logged,
    without the address.
    """
    try:
        channels = _channels(services, integration_id, event)
        if not channels or _last_state(services, integration_id, event) == state:
            return False
        title = f"HR sync of {integration_id}: {event}"
        sent = [_sent(url, title, body, send) for url in channels]
        if any(sent):
            _remember(services, integration_id, event, state)
        return any(sent)
    except Exception as failure:
        log.warning("Nobody could be told of %s for %s: %s", event, integration_id, type(failure).__name__)
        return False


def untold(services: Services, event: Event, states: Mapping[str, str]) -> tuple[str, ...]:
    """Of the integrations those whose settings name somebody to be told of anything, and who were not told of
    ``states`` (by integration) yet, in order of name; one statement, however many."""
    newer, document = integration_settings.alias(), integration_settings.c.document
    told = sa.and_(
        notifications.c.integration_id == integration_settings.c.integration_id, notifications.c.event == event
    )
    select = (
        sa.select(integration_settings.c.integration_id, notifications.c.state)
        .outerjoin(notifications, told)
        .where(
            sa.func.coalesce(document["notify"].as_string(), "[]") != "[]",
            ~sa.exists().where(
                newer.c.integration_id == integration_settings.c.integration_id,
                newer.c.version > integration_settings.c.version,
            ),
        )
        .order_by(integration_settings.c.integration_id)
    )
    with services.store.read() as connection:
        rows = connection.execute(select.where(in_values(connection, integration_settings.c.integration_id, [*states])))
        return tuple(name for name, state in rows if state != states[name])


def reset_notification(services: Services, integration_id: str, *events: Event) -> None:
    """What was wrong is over: should it come back, it is told again. Never raises."""
    try:
        with services.store.begin() as connection:
            connection.execute(sa.delete(notifications).where(_key(integration_id, *events)))
    except Exception as failure:
        log.warning("What was told of %s could not be forgotten: %s", integration_id, type(failure).__name__)


def notify_import(services: Services, summary: Import, *, send: Sender = send_with_apprise) -> None:
    """Tells how an import ended: done with the breakdown, or held; and, of a planned one too, of new conflicts and a
    growing quarantine. Never raises."""
    name, import_id = summary.integration_id, summary.import_id
    counted = ", ".join(f"{summary.counts[count]} {word}" for count, word in APPLIED_WORDS.items())
    if summary.status == "applied":
        reset_notification(services, name, "failed", "stalled", "held")
        if summary.changes:
            notify(services, name, "done", import_id, f"Import {import_id}: {counted}.", send=send)
    if summary.status == "held":
        why = "; ".join(f"{guard.name}: {guard.sentence}" for guard in summary.tripped)
        body = (
            f"Import {import_id} is held and nothing of it was applied ({why}). It would bring {counted}. "
            f"Look at it with `hris show {import_id}`; `hris approve` lets it through."
        )
        notify(services, name, "held", summary.digest, body, send=send)
    _notify_open_ends(services, summary, send)


def _notify_open_ends(services: Services, summary: Import, send: Sender) -> None:
    """Tells when somebody is in conflict or quarantined who was not when it was last told."""
    name = summary.integration_id
    now = {reason: sorted(summary.diagnostics.get(reason, ())) for reason in REVIEW_QUEUES}
    if not any(now.values()):
        reset_notification(services, name, "conflict")
        return
    try:
        before = json.loads(_last_state(services, name, "conflict") or "{}")
    except Exception as failure:
        log.warning("What was told of %s could not be read: %s", name, type(failure).__name__)
        return
    if all(set(ids) <= set(before.get(reason, ())) for reason, ids in now.items()):
        return
    counted = ", ".join(f"{len(ids)} {REVIEW_QUEUES[reason]}" for reason, ids in now.items() if ids)
    body = f"Import {summary.import_id} left {counted}: `hris conflicts {name}`, `hris show {summary.import_id}`."
    notify(services, name, "conflict", json.dumps(now), body, send=send)


def _channels(services: Services, integration_id: str, event: Event) -> list[str]:
    with services.store.read() as connection:
        settings = current_settings(connection, integration_id).settings
    return [entry.to for entry in settings.notify if event in entry.on]


def _last_state(services: Services, integration_id: str, event: Event) -> str | None:
    with services.store.read() as connection:
        return connection.execute(sa.select(notifications.c.state).where(_key(integration_id, event))).scalar()


def _remember(services: Services, integration_id: str, event: Event, state: str) -> None:
    line = {"integration_id": integration_id, "event": event, "state": state, "sent_at": services.now()}
    with services.store.begin() as connection:
        connection.execute(sa.delete(notifications).where(_key(integration_id, event)))
        connection.execute(sa.insert(notifications), line)


def _key(integration_id: str, *events: Event) -> sa.ColumnElement[bool]:
    return sa.and_(notifications.c.integration_id == integration_id, notifications.c.event.in_(events))


def _sent(url: str, title: str, body: str, send: Sender) -> bool:
    try:
        went = send(url, title, body)
    except Exception as failure:
        log.warning("A notification over %s failed: %s", url.partition(":")[0], type(failure).__name__)
        return False
    if not went:
        log.warning("A notification over %s was not accepted.", url.partition(":")[0])
    return went
