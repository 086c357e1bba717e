"""An integration's beginning and end: what the guided setup tells (the terms, what each permission is used for) and
which of its questions were answered, connecting to the company, keeping the connection alive, disconnecting,
deleting, and letting go of what retention no longer allows to keep.

An answer of the setup that is the default leaves no other trace than the progress, which is kept on this machine for
the command line and the console. Settings are ``settings``'.
"""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from hris_pipeline.errors import ConnectionInvalid, HrisError, SourceRefused, UsageError
from hris_pipeline.operations.extraction import look_at_fields
from hris_pipeline.operations.services import Services
from hris_pipeline.sources.oauth import Tokens
from hris_pipeline.sources.pacing import uninterrupted
from hris_pipeline.sources.protocol import Company
from hris_pipeline.store.integrations import current_settings, get_integration
from hris_pipeline.store.integrations import delete_integration as remove_integration
from hris_pipeline.store.keyring import load_keyring
from hris_pipeline.store.locks import integration_lock
from hris_pipeline.store.tables import connections, integrations
from hris_pipeline.store.tokens import granted_permissions

__all__ = [
    "PERMISSIONS",
    "QUESTIONS",
    "RENEW_BEFORE",
    "RETENTION",
    "TERMS",
    "SetupProgress",
    "connect",
    "connections_due",
    "consent_url",
    "delete_integration",
    "disconnect",
    "fields_refused",
    "is_own_state",
    "new_state",
    "purge_old",
    "refresh_connection",
    "refusal_words",
    "refused_permissions",
]

RENEW_BEFORE = timedelta(days=20)
"""A refresh token with less left than this is renewed: of its 30 days, it is never older than ten, however rare the
imports, and there are twenty days to notice a connection that died."""

STATE_LIVES = timedelta(hours=1)
"""How long after a consent link was shown its answer is taken."""

CLOCKS_DIFFER = timedelta(minutes=1)

FOR_EVER = timedelta(days=36500)
"""A credential entered at the aggregator does not end by itself."""


def consent_url(services: Services, integration_id: str, *, redirect_uri: str, state: str) -> str:
    """Where an administrator logs in and agrees."""
    oauth = services.oauth(integration_id)
    try:
        return oauth.consent_url(
            redirect_uri=redirect_uri, state=state, verifier=_code_verifier(services, integration_id)
        )
    finally:
        oauth.close()


def new_state(services: Services, integration_id: str) -> str:
    """What a consent link carries and the answer must bring back: only this installation can make it, for this
    integration, and it is good for an hour. So an answer can be told from a foreign one in another process, later."""
    issued = str(int(services.now().timestamp()))
    nonce = secrets.token_urlsafe(12)
    message = _message_to_seal("state", integration_id, issued, nonce)
    return f"{issued}.{nonce}.{load_keyring(services.environment).seal(message)}"


def is_own_state(services: Services, integration_id: str, state: str) -> bool:
    """Whether ``new_state`` gave it, for this integration and within the hour."""
    issued, _, rest = state.partition(".")
    nonce, _, seal = rest.partition(".")
    if not (issued.isascii() and issued.isdigit() and len(issued) < 12):
        return False
    message = _message_to_seal("state", integration_id, issued, nonce)
    age = services.now().timestamp() - int(issued)
    is_ours = load_keyring(services.environment).is_seal(seal, message)
    return is_ours and -CLOCKS_DIFFER.total_seconds() <= age <= STATE_LIVES.total_seconds()


def _code_verifier(services: Services, integration_id: str) -> str:
    """What only this installation can show for a code that its consent link asked for (PKCE)."""
    return load_keyring(services.environment).seal(_message_to_seal("pkce", integration_id))


def _message_to_seal(*parts: str) -> bytes:
    return "/".join(("connection", *parts)).encode()


def connect(services: Services, integration_id: str, code: str, *, redirect_uri: str) -> Company:
    """Connects with the code that an administrator's consent gave (or, for the aggregator, with the access token that
    the provider's log-in gave), and gives the company, so that a person sees the right one was connected.

    Raises:
        SourceRefused: the code or the token is not accepted; what was connected stays so.
        SourceError: the source cannot be reached or refuses.
    """
    with services.store.read() as connection:
        get_integration(connection, integration_id)
        source_name = current_settings(connection, integration_id).settings.source
    code = code.strip()
    if not code:
        raise UsageError("The code is empty: copy it from the address the browser was sent back to.")
    if source_name == "finch":
        return _connect_with_token(services, integration_id, code)
    return _connect_with_code(services, integration_id, code, redirect_uri)


def _connect_with_code(services: Services, integration_id: str, code: str, redirect_uri: str) -> Company:
    """A code serves once: what it gives is stored before anything else, and an interrupt does not come between."""
    keeper = services.tokens(integration_id)
    oauth = services.oauth(integration_id)
    try:
        verifier = _code_verifier(services, integration_id)
        uninterrupted(lambda: keeper.save(oauth.exchange(code, redirect_uri, verifier), now=services.now()))
    finally:
        oauth.close()
    with services.store.read() as connection:
        source = services.open_source(connection, integration_id, "justworks")
    try:
        company = source.company()
        keeper.save(keeper.current(), company.display_name, services.now())  # renewed by the source, perhaps
        look_at_fields(services, integration_id, source, company)
    except SourceRefused:
        keeper.delete()
        raise
    finally:
        source.close()
    return company


def _connect_with_token(services: Services, integration_id: str, token: str) -> Company:
    """A token can be tried before it takes the place of another."""
    source = services.finch(integration_id, token)
    try:
        company = source.company()
    except ConnectionInvalid as refusal:
        raise SourceRefused(
            f"The HRIS aggregator does not accept this access token for {integration_id}, and nothing was changed "
            f"({refusal}): copy it anew from where the provider shows it."
        ) from None
    finally:
        source.close()
    tokens = Tokens(access=token, expires_at=services.now() + FOR_EVER)
    services.tokens(integration_id).save(tokens, company.display_name, services.now())
    return company


def connections_due(services: Services, now: datetime) -> tuple[str, ...]:
    """The connected integrations whose refresh token should be renewed now, those that end first first; one statement,
    however many."""
    due = (
        sa.select(connections.c.integration_id)
        .join(integrations, integrations.c.integration_id == connections.c.integration_id)
        .where(integrations.c.connection == "connected", connections.c.refresh_expires_at < now + RENEW_BEFORE)
        .order_by(connections.c.refresh_expires_at, connections.c.integration_id)
    )
    with services.store.read() as connection:
        return tuple(connection.execute(due).scalars())


def refresh_connection(services: Services, integration_id: str) -> None:
    """Renews the tokens now.

    Raises:
        ConnectionInvalid: the connection is dead; it is recorded as expired.
        SourceUnavailable: the source cannot be reached.
    """
    keeper = services.tokens(integration_id)
    oauth = services.oauth(integration_id)
    try:
        keeper.refresh(keeper.current(), oauth.refresh)
    finally:
        oauth.close()


def disconnect(services: Services, integration_id: str) -> bool:
    """Revokes the token at the source and forgets it; gives whether the source confirmed (true without a token). It is
    forgotten in any case: nothing of ours can use it any more."""
    with services.store.read() as connection:
        state = get_integration(connection, integration_id).connection
        source = current_settings(connection, integration_id).settings.source
    if state in ("none", "disconnected"):
        return True
    keeper = services.tokens(integration_id)
    try:
        revoked = source == "finch" or _revoke(services, integration_id)
    except HrisError:  # keys, client or source do not serve: no reason to stop
        revoked = False
    keeper.delete()
    return revoked


def _revoke(services: Services, integration_id: str) -> bool:
    tokens = services.tokens(integration_id).current()
    oauth = services.oauth(integration_id)
    try:
        oauth.revoke(tokens)
    finally:
        oauth.close()
    return True


RETENTION = timedelta(days=90)
"""How long extracts, frames, quarantined values and discarded plans are kept."""


def delete_integration(
    services: Services, integration_id: str, confirm: str, *, remove_frames: Callable[[str], None] = lambda _: None
) -> int:
    """Revokes the token at the source and removes settings, credentials, stored extracts, frames and open plans. Users
    and their import history stay, unlinked and local; gives how many.

    Args:
        services: The store and the archive.
        integration_id: The integration.
        confirm: Its name, typed again.
        remove_frames: Removes its frames, wherever they are kept.

    Raises:
        UsageError: the name was not typed again.
        ImportRunning: an import of it is under way.
    """
    from hris_pipeline.store.review_queues import forget_people  # noqa: PLC0415 - its frames take long to load

    with services.store.read() as connection:
        get_integration(connection, integration_id)
    if confirm != integration_id:
        raise UsageError(f"To delete {integration_id}, type its name again: --confirm {integration_id}.")
    with integration_lock(services.store, integration_id, 0.0):
        disconnect(services, integration_id)
        with services.store.begin() as connection:
            kept = remove_integration(connection, integration_id, services.now())
            forget_people(connection, integration_id)
        services.archive.delete(integration_id)
        remove_frames(integration_id)
    return kept


def purge_old(services: Services) -> int:
    """Removes extracts, quarantined values and discarded plans older than the retention, and ends open imports that
    nobody saved; gives the number of extracts that went."""
    from hris_pipeline.store.review_queues import end_outdated, purge  # noqa: PLC0415

    before = services.now() - RETENTION
    with services.store.begin() as connection:
        end_outdated(connection, services.now())
        purge(connection, before)
    return services.archive.purge(before)


TERMS = (
    "You may give this company's employment data to this pipeline: the company has agreed, and its people know.",
    "What is read: names, work and personal emails, phones, birth and hire dates, jobs, departments, places,"
    " supervisors, and the custom fields you map. Pay, tax data and sex are never kept.",
    "It is kept in the store and the files that this installation names, readable by their owner; tokens are encrypted."
    " Logs, run metadata and notifications hold counts and ids only.",
    "Extracts and quarantined records go after 90 days. At any time one person can be erased for good, the connection"
    " ended, or the whole integration deleted.",
)
"""What an administrator agrees to."""

PERMISSIONS: Mapping[str, str] = {
    "company.detail:read": "the company's name, offices and custom fields: where people work, what can be mapped",
    "member.detail:read": "names, emails, phones, addresses and custom values: who the users are",
    "member.employment:read": "jobs, departments, supervisors, hire and end dates: who is active, who reports to whom",
    "member.dob:read": "birth dates: to recognise people, and for birthdays; you may leave its box unticked",
}
"""Each permission that is asked for, and what for."""

_FIELD_OF_PERMISSION = {"member.dob:read": "birth_date"}
"""The employee column that is empty for everybody without a permission; without the others nobody can be read."""


def refused_permissions(services: Services, integration_id: str) -> tuple[str, ...]:
    """The permissions that were asked for and not granted; none where nothing is connected, or none is named."""
    with services.store.read() as connection:
        granted = granted_permissions(connection, integration_id)
    return tuple(name for name in PERMISSIONS if granted and name not in granted)


def fields_refused(services: Services, integration_id: str) -> frozenset[str]:
    """The employee columns that the consent does not let be read."""
    refused = refused_permissions(services, integration_id)
    return frozenset(_FIELD_OF_PERMISSION[name] for name in refused if name in _FIELD_OF_PERMISSION)


def refusal_words(integration_id: str, permission: str) -> str:
    """That a permission was not granted: what is not read, what becomes of it, and the remedy."""
    return (
        f"Not granted: {permission} ({PERMISSIONS[permission].partition(':')[0]}). What is stored of that stays as it "
        f"is; `hris connect {integration_id}` asks again."
    )


QUESTIONS = ("archive", "emails", "schedule")
"""Every question whose answer may be the default, in the order in which they are asked."""


@dataclass(frozen=True)
class SetupProgress:
    """The answered questions of one integration's setup."""

    services: Services
    integration_id: str

    @property
    def _path(self) -> Path:
        return self.services.environment.home / "setup" / f"{self.integration_id}.json"

    def answered(self) -> list[str]:
        """The questions that were answered, in the order of answering."""
        try:
            noted = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return []
        return [str(question) for question in noted] if isinstance(noted, list) else []

    def note(self, question: str) -> None:
        """Remembers that the question was answered."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        draft.write_text(json.dumps([*dict.fromkeys([*self.answered(), question])]))
        draft.replace(self._path)

    def clear(self) -> None:
        """Forgets what was answered: of an earlier integration of that name, or because all is done."""
        self._path.unlink(missing_ok=True)
