"""Connecting an integration to its company, keeping the connection alive, and ending it."""

import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa

from hris_pipeline.errors import ConnectionInvalid, HrisError, SourceRefused, UsageError
from hris_pipeline.operations.services import Services
from hris_pipeline.sources.oauth import Tokens
from hris_pipeline.sources.protocol import Company
from hris_pipeline.sources.threads import uninterrupted
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.keyring import load_keyring
from hris_pipeline.store.settings_versions import current_settings
from hris_pipeline.store.tables import connections, integrations

__all__ = [
    "RENEW_BEFORE",
    "connect",
    "connections_due",
    "consent_url",
    "disconnect",
    "is_own_state",
    "new_state",
    "refresh_connection",
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
    message = _message("state", integration_id, issued, nonce)
    return f"{issued}.{nonce}.{load_keyring(services.environment).seal(message)}"


def is_own_state(services: Services, integration_id: str, state: str) -> bool:
    """Whether ``new_state`` gave it, for this integration and within the hour."""
    issued, _, rest = state.partition(".")
    nonce, _, seal = rest.partition(".")
    if not (issued.isascii() and issued.isdigit() and len(issued) < 12):
        return False
    message = _message("state", integration_id, issued, nonce)
    age = services.now().timestamp() - int(issued)
    is_ours = load_keyring(services.environment).is_seal(seal, message)
    return is_ours and -CLOCKS_DIFFER.total_seconds() <= age <= STATE_LIVES.total_seconds()


def _code_verifier(services: Services, integration_id: str) -> str:
    """What only this installation can show for a code that its consent link asked for (PKCE)."""
    return load_keyring(services.environment).seal(_message("pkce", integration_id))


def _message(*parts: str) -> bytes:
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
    source = services.open_source(integration_id)
    try:
        company = source.company()
    except SourceRefused:
        keeper.forget()
        raise
    finally:
        source.close()
    keeper.save(keeper.current(), company.display_name, services.now())  # renewed by the source, perhaps
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
    keeper.forget()
    return revoked


def _revoke(services: Services, integration_id: str) -> bool:
    tokens = services.tokens(integration_id).current()
    oauth = services.oauth(integration_id)
    try:
        oauth.revoke(tokens)
    finally:
        oauth.close()
    return True
