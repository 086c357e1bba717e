"""Connecting an integration to its company, keeping the connection alive, and ending it."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from hris_pipeline.errors import HrisError, SourceRefused, UsageError
from hris_pipeline.operations.services import Services
from hris_pipeline.sources.oauth import Tokens
from hris_pipeline.sources.protocol import Company
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.settings_versions import current_settings
from hris_pipeline.store.tables import connections, integrations

__all__ = ["RENEW_BEFORE", "connect", "connections_due", "consent_url", "disconnect", "refresh_connection"]

RENEW_BEFORE = timedelta(days=20)
"""A refresh token with less left than this is renewed: of its 30 days, it is never older than ten, however rare the
imports, and there are twenty days to notice a connection that died."""

FOR_EVER = timedelta(days=36500)
"""A credential entered at the aggregator does not end by itself."""


def consent_url(services: Services, integration_id: str, *, redirect_uri: str, state: str) -> str:
    """Where an administrator logs in and agrees."""
    oauth = services.oauth(integration_id)
    try:
        return oauth.consent_url(redirect_uri=redirect_uri, state=state)
    finally:
        oauth.close()


def connect(services: Services, integration_id: str, code: str, *, redirect_uri: str) -> Company:
    """Connects with the code that an administrator's consent gave (or, for the aggregator, with the access token that
    the provider's log-in gave), and gives the company, so that a person sees the right one was connected.

    Raises:
        ConnectionInvalid: the code is wrong, used or too old.
        SourceError: the source cannot be reached or refuses.
    """
    with services.store.read() as connection:
        get_integration(connection, integration_id)
        source_name = current_settings(connection, integration_id).settings.source
    tokens = _exchange(services, integration_id, source_name, code.strip(), redirect_uri)
    keeper = services.tokens(integration_id)
    keeper.save(tokens, now=services.now())
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


def _exchange(services: Services, integration_id: str, source: str, code: str, redirect_uri: str) -> Tokens:
    if not code:
        raise UsageError("The code is empty: copy it from the address the browser was sent back to.")
    if source == "finch":
        return Tokens(access=code, expires_at=services.now() + FOR_EVER)
    oauth = services.oauth(integration_id)
    try:
        return oauth.exchange(code, redirect_uri)
    finally:
        oauth.close()


def connections_due(services: Services, now: datetime) -> tuple[str, ...]:
    """The connected integrations whose refresh token should be renewed now."""
    due = (
        sa.select(connections.c.integration_id)
        .join(integrations, integrations.c.integration_id == connections.c.integration_id)
        .where(integrations.c.connection == "connected", connections.c.refresh_expires_at < now + RENEW_BEFORE)
        .order_by(connections.c.integration_id)
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
