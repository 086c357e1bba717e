"""Telling people, once per change of state, in counts and ids only. One that cannot be sent fails nothing."""

import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import sqlalchemy as sa

from hris_pipeline.contract import APPLIED_COUNTS
from hris_pipeline.errors import Tampered
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.document import Event, Settings
from hris_pipeline.store.conditions import are_in_force, in_values
from hris_pipeline.store.imports import Import
from hris_pipeline.store.integrations import settings_to_replace
from hris_pipeline.store.stored_json import read_json, read_object, sound_object
from hris_pipeline.store.tables import integration_settings, notifications

__all__ = [
    "Sender",
    "forget_notifications",
    "notify",
    "notify_import",
    "reset_notification",
    "send_with_apprise",
    "untold_integrations",
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
        return _notify(services, _read_sent(services, integration_id), event, state, body, send)
    except Exception as failure:
        log.warning("Nobody could be told of %s for %s: %s", event, integration_id, type(failure).__name__)
        return False


def untold_integrations(services: Services, event: Event, states: Mapping[str, str]) -> tuple[str, ...]:
    """Of the integrations those whose settings name somebody to be told of anything, and who were not told of
    ``states`` (by integration) yet, in order of name; one statement, however many."""
    document = sound_object(services.store.dialect, integration_settings.c.document)
    same_event = sa.and_(
        notifications.c.integration_id == integration_settings.c.integration_id, notifications.c.event == event
    )
    select = (
        sa.select(integration_settings.c.integration_id, notifications.c.state)
        .outerjoin(notifications, same_event)
        .where(
            sa.func.coalesce(document["notify"].as_string(), "[]") != "[]",
            are_in_force(),
        )
        .order_by(integration_settings.c.integration_id)
    )
    with services.store.read() as connection:
        rows = connection.execute(select.where(in_values(connection, integration_settings.c.integration_id, [*states])))
        return tuple(name for name, state in rows if state != states[name])


def reset_notification(services: Services, integration_id: str, *events: Event) -> None:
    """Forgets what was sent of the events, because they are over: when they come back they are told again. Never
    raises."""
    try:
        _forget(services, integration_id, events)
    except Exception as failure:
        log.warning("What was told of %s could not be forgotten: %s", integration_id, type(failure).__name__)


def notify_import(services: Services, summary: Import, *, send: Sender = send_with_apprise) -> None:
    """Tells how an import ended: done with the breakdown, or held; and, of a planned one too, of new conflicts and a
    growing quarantine. Never raises. Nothing is read where the settings, as they were read last, name nobody."""
    name = summary.integration_id
    in_force = services.settings.last(name)
    if in_force is not None and not in_force.settings.notify:
        return
    try:
        sent = _read_sent(services, name)
        ended = {"failed", "stalled", "held"} & sent.states.keys() if summary.status == "applied" else set()
        if not _review_queues(summary):
            ended |= {"conflict"} & sent.states.keys()
        if ended:
            _forget(services, name, ended)
        for event, state, body in chain(_outcome_messages(summary), _new_in_queues(summary, sent)):
            _notify(services, sent, event, state, body, send)
    except Exception as failure:
        log.warning("Nobody could be told of import %s of %s: %s", summary.import_id, name, type(failure).__name__)


@dataclass(frozen=True)
class _Sent:
    """The settings, which name whom to tell, and the last state that was sent of each event."""

    integration_id: str
    settings: Settings
    states: Mapping[str, str]


_Message = tuple[Event, str, str]
"""The event, its state, and what is said of it."""


def _outcome_messages(summary: Import) -> Iterator[_Message]:
    import_id = summary.import_id
    counted = ", ".join(f"{summary.counts[count]} {count}" for count in APPLIED_COUNTS)
    if summary.status == "applied" and summary.changes:
        yield "done", import_id, f"Import {import_id}: {counted}."
    if summary.status == "held":
        why = "; ".join(f"{guard.name}: {guard.sentence}" for guard in summary.tripped)
        body = (
            f"Import {import_id} is held and nothing of it was applied ({why}). It would bring {counted}. "
            f"Look at it with `hris show {import_id}`; `hris approve` lets it through."
        )
        yield "held", summary.digest, body


def _review_queues(summary: Import) -> dict[str, list[str]]:
    queues = {reason: sorted(summary.diagnostics.get(reason, ())) for reason in REVIEW_QUEUES}
    return queues if any(queues.values()) else {}


def _new_in_queues(summary: Import, sent: _Sent) -> Iterator[_Message]:
    """Told when somebody is in conflict or quarantined who was not when it was last told."""
    queues, before = _review_queues(summary), read_object(read_json(sent.states.get("conflict") or "{}"))
    if all(set(ids) <= set(before.get(reason, ())) for reason, ids in queues.items()):
        return
    counted = ", ".join(f"{len(ids)} {REVIEW_QUEUES[reason]}" for reason, ids in queues.items() if ids)
    name, import_id = summary.integration_id, summary.import_id
    body = f"Import {import_id} left {counted}: `hris conflicts {name}`, `hris show {import_id}`."
    yield "conflict", json.dumps(queues), body


def _read_sent(services: Services, integration_id: str) -> _Sent:
    """What was sent of every event, in one transaction."""
    of_integration = notifications.c.integration_id == integration_id
    with services.store.read() as connection:
        settings = _settings_to_tell(services, connection, integration_id)
        rows = connection.execute(sa.select(notifications.c.event, notifications.c.state).where(of_integration))
        return _Sent(integration_id, settings, {row.event: row.state for row in rows})


def _settings_to_tell(services: Services, connection: sa.Connection, integration_id: str) -> Settings:
    """The settings in force; where they were tampered with, the newest intact ones, because somebody must hear of
    it."""
    try:
        return services.settings.read(connection, integration_id).settings
    except Tampered:
        return settings_to_replace(connection, integration_id) or Settings()


def _notify(services: Services, sent: _Sent, event: Event, state: str, body: str, send: Sender) -> bool:
    channels = [entry.to for entry in sent.settings.notify if event in entry.on]
    if not channels or sent.states.get(event) == state:
        return False
    title = f"HR sync of {sent.integration_id}: {event}"
    accepted = [_send(url, title, body, send) for url in channels]
    if any(accepted):
        _remember(services, sent.integration_id, event, state)
    return any(accepted)


def forget_notifications(connection: sa.Connection, integration_id: str) -> None:
    """Forgets all that was sent, as the settings name nobody any more: who is named later hears of what still holds."""
    connection.execute(sa.delete(notifications).where(notifications.c.integration_id == integration_id))


def _forget(services: Services, integration_id: str, events: Collection[str]) -> None:
    with services.store.begin() as connection:
        connection.execute(sa.delete(notifications).where(_match_events(integration_id, *events)))


def _remember(services: Services, integration_id: str, event: Event, state: str) -> None:
    line = {"integration_id": integration_id, "event": event, "state": state, "sent_at": services.now()}
    with services.store.begin() as connection:
        connection.execute(sa.delete(notifications).where(_match_events(integration_id, event)))
        connection.execute(sa.insert(notifications), line)


def _match_events(integration_id: str, *events: str) -> sa.ColumnElement[bool]:
    return sa.and_(notifications.c.integration_id == integration_id, notifications.c.event.in_(events))


def _send(url: str, title: str, body: str, send: Sender) -> bool:
    try:
        went = send(url, title, body)
    except Exception as failure:
        log.warning("A notification over %s failed: %s", url.partition(":")[0], type(failure).__name__)
        return False
    if not went:
        log.warning("A notification over %s was not accepted.", url.partition(":")[0])
    return went
