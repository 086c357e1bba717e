"""One integration's tokens, encrypted; renewed by one process at a time, however many ask for it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa

from hris_pipeline.errors import ConnectionInvalid, StoreError
from hris_pipeline.sources.oauth import Tokens, TokensSpent
from hris_pipeline.store.engine import Store
from hris_pipeline.store.keyring import Keyring
from hris_pipeline.store.locks import named_lock
from hris_pipeline.store.seals import CONNECTION, prove, seal_of
from hris_pipeline.store.tables import connections, integrations

__all__ = ["StoredTokens", "granted_permissions"]

WAIT_SECONDS = 180
"""How long to wait while another process refreshes: longer than any answer of a token endpoint may take."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class StoredTokens:
    """Keeps one integration's tokens in the store (a ``sources.oauth.TokenKeeper``)."""

    store: Store
    keyring: Keyring
    integration_id: str
    now: Callable[[], datetime] = _utc_now

    def current(self) -> Tokens:
        """What is stored.

        Raises:
            ConnectionInvalid: nothing is; the integration was never connected, or was disconnected.
            EnvironmentInvalid: the keys do not open it.
            Tampered: they are not what was stored for this integration.
        """
        with self.store.read() as connection:
            return self.read(connection)

    def read(self, connection: sa.Connection) -> Tokens:
        """What is stored, as the transaction sees it.

        Raises:
            ConnectionInvalid: nothing is; the integration was never connected, or was disconnected.
            EnvironmentInvalid: the keys do not open it.
            Tampered: they are not what was stored for this integration.
        """
        of_integration = connections.c.integration_id == self.integration_id
        row = connection.execute(sa.select(connections).where(of_integration)).one_or_none()
        if row is None:
            raise ConnectionInvalid(
                f"{self.integration_id} is not connected: connect it with `hris connect {self.integration_id}`."
            )
        tokens = Tokens(
            access=self.keyring.decrypt(row.access_token),
            refresh=self.keyring.decrypt(row.refresh_token) if row.refresh_token else "",
            scopes=tuple(row.scopes.split()),
            expires_at=row.expires_at,
            refresh_expires_at=row.refresh_expires_at,
        )
        prove(connection, CONNECTION, row._mapping)  # or one company could be read with another's tokens
        return tokens

    def refresh(self, stale: Tokens, renew: Callable[[Tokens], Tokens]) -> Tokens:
        """The stored tokens when they already differ from ``stale``; otherwise what ``renew(stale)`` gives, committed
        before it is returned, because a refresh token works once. A dead connection is recorded as expired.

        Raises:
            ConnectionInvalid: nothing is stored, or ``renew`` found the connection dead.
            StoreError: another process held the tokens for longer than ``WAIT_SECONDS``.
        """
        with named_lock(self.store, f"tokens/{self.integration_id}", WAIT_SECONDS) as held:
            if not held:
                raise StoreError(
                    f"The tokens of {self.integration_id} are being renewed by another process that does not end: "
                    "run this again."
                )
            stored = self.current()
            if stored.access != stale.access:
                return stored
            try:
                fresh = renew(stored)
            except TokensSpent:
                self.save(msgspec.structs.replace(stored, refresh=""))
                self.mark_expired()
                raise
            except ConnectionInvalid:
                self.mark_expired()
                raise
            self.save(fresh)
            return fresh

    def save(self, tokens: Tokens, company_name: str | None = None, now: datetime | None = None) -> None:
        """Stores tokens and marks the integration connected; the company's name stays when none is given."""
        values = {
            "access_token": self.keyring.encrypt(tokens.access),
            "refresh_token": self.keyring.encrypt(tokens.refresh) if tokens.refresh else None,
            "scopes": " ".join(tokens.scopes),
            "expires_at": tokens.expires_at,
            "refresh_expires_at": tokens.refresh_expires_at,
            "updated_at": now or self.now(),
        }
        values["seal"] = seal_of(self.keyring, CONNECTION, values | {"integration_id": self.integration_id})
        if company_name is not None:
            values["company_name"] = company_name
        with self.store.begin() as connection:
            of_integration = connections.c.integration_id == self.integration_id
            if connection.execute(sa.update(connections).where(of_integration).values(values)).rowcount == 0:
                connection.execute(sa.insert(connections), values | {"integration_id": self.integration_id})
            connection.execute(self._set_connection_state("connected"))

    def delete(self) -> None:
        """Removes the tokens and marks the integration disconnected."""
        with self.store.begin() as connection:
            connection.execute(sa.delete(connections).where(connections.c.integration_id == self.integration_id))
            connection.execute(self._set_connection_state("disconnected"))

    def mark_expired(self) -> None:
        """Records that a person must connect again."""
        with self.store.begin() as connection:
            connection.execute(self._set_connection_state("expired"))

    def _set_connection_state(self, state: str) -> sa.Update:
        of_integration = integrations.c.integration_id == self.integration_id
        return sa.update(integrations).where(of_integration).values(connection=state)


def granted_permissions(connection: sa.Connection, integration_id: str) -> tuple[str, ...]:
    """What the consent of the integration's connection named; empty where nothing is connected, or it names nothing."""
    of_integration = connections.c.integration_id == integration_id
    return tuple((connection.scalar(sa.select(connections.c.scopes).where(of_integration)) or "").split())
