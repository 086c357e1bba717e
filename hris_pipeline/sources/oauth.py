"""OAuth with Justworks: the consent address, tokens from a code, fresh tokens, revoking; and the bearer that keeps
them fresh.

Where tokens are kept is not decided here: a ``TokenKeeper`` comes in, and holds the lock under which only one process
refreshes.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, Protocol
from urllib.parse import urlencode

import msgspec

from hris_pipeline.errors import ConnectionInvalid, EnvironmentInvalid, SourceRefused
from hris_pipeline.sources.http import UNLIMITED, Http, HttpRefused, RateLimiter, Retries

__all__ = ["SCOPES", "OAuth", "OAuthBearer", "TokenKeeper", "Tokens"]

SCOPES: tuple[str, ...] = ("company.detail:read", "member.detail:read", "member.employment:read", "member.dob:read")
"""What an import needs to read, and nothing else."""

ACCESS_LIFETIME = timedelta(hours=24)
"""Assumed when the answer does not say."""

REFRESH_LIFETIME = timedelta(days=30)
"""Of every refresh token, from the moment it is issued; no answer says it."""

EARLY = timedelta(minutes=5)
"""How long before its end an access token is renewed."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """One company's tokens; ``refresh`` is used once. Times are UTC. Never shows its secrets."""

    access: str
    refresh: str = ""
    scopes: tuple[str, ...] = ()
    expires_at: datetime
    refresh_expires_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Tokens(scopes={self.scopes!r}, expires_at={self.expires_at.isoformat()})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("scopes", self.scopes), ("expires_at", self.expires_at)]


class TokenKeeper(Protocol):
    """Where one integration's tokens are kept."""

    def current(self) -> Tokens:
        """What is stored.

        Raises:
            ConnectionInvalid: nothing is; the integration was never connected, or was disconnected.
        """
        ...

    def refresh(self, stale: Tokens, do: Callable[[Tokens], Tokens]) -> Tokens:
        """Under a lock that all processes share: the stored tokens when they already differ from ``stale``; otherwise
        what ``do(stale)`` gives, stored before it is returned."""
        ...


class _Answer(msgspec.Struct):
    access_token: str
    refresh_token: str = ""
    scope: str = ""
    expires_at: str | None = None
    expires_in: float | None = None


class OAuth:
    """The vendor's OAuth endpoints for one registered client."""

    def __init__(
        self,
        *,
        api_url: str,
        authorize_url: str,
        client_id: str,
        client_secret: str,
        integration_id: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        retries: Retries | None = None,
        pace: RateLimiter = UNLIMITED,
    ) -> None:
        for name, value in (("JUSTWORKS_CLIENT_ID", client_id), ("JUSTWORKS_CLIENT_SECRET", client_secret)):
            if not value:
                raise EnvironmentInvalid(f"{name} is not set: Justworks issues it with access to the Partner API.")
        self._authorize_url = authorize_url
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._integration_id = integration_id
        self._clock = clock
        self._http = Http(
            api_url, title="Justworks", advice=lambda _status, _path: self._remedy, retries=retries, pace=pace
        )

    def consent_url(self, *, redirect_uri: str, state: str) -> str:
        """Where an admin logs in and agrees; Justworks then calls ``redirect_uri`` with ``code`` and the same
        ``state``."""
        query = {
            "response_type": "code",
            "client_id": self._client["client_id"],
            "redirect_uri": redirect_uri,
            "state": state,
            "scope": " ".join(SCOPES),
        }
        separator = "&" if "?" in self._authorize_url else "?"
        return f"{self._authorize_url}{separator}{urlencode(query)}"

    def exchange(self, code: str, redirect_uri: str) -> Tokens:
        """The tokens for the code that an admin's consent gave; ``redirect_uri`` is the one consented with.

        Raises:
            ConnectionInvalid: the code is wrong, used or too old.
            SourceRefused: the client id or secret is wrong.
            SourceUnavailable: Justworks cannot be reached.
        """
        return self._tokens({"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}, None)

    def refresh(self, tokens: Tokens) -> Tokens:
        """Fresh tokens for ``tokens``, whose refresh token is used up by this.

        Raises:
            ConnectionInvalid: the refresh token is missing, expired, used or revoked.
            SourceRefused: the client id or secret is wrong.
            SourceUnavailable: Justworks cannot be reached.
        """
        if not tokens.refresh:
            raise ConnectionInvalid(f"The connection of {self._integration_id} cannot be renewed: {self._remedy}.")
        form = {
            "grant_type": "refresh_token",
            "refresh_token": tokens.refresh,
            "scope": " ".join(tokens.scopes or SCOPES),
        }
        return self._tokens(form, tokens)

    def revoke(self, tokens: Tokens) -> None:
        """Ends the connection at Justworks; tokens that are already dead are no error."""
        for token, hint in ((tokens.refresh, "refresh_token"), (tokens.access, "access_token")):
            try:
                self._http.post_form(
                    "/v1/oauth/revoke", bytes, {**self._client, "token": token, "token_type_hint": hint}
                )
            except HttpRefused as refusal:
                if refusal.code == "invalid_client":
                    self._refused(refusal)
                if refusal.status not in (400, 401, 404):
                    raise

    def close(self) -> None:
        """Gives back connections."""
        self._http.close()

    @property
    def _remedy(self) -> str:
        return f"connect again with `hris connect {self._integration_id}`"

    def _tokens(self, form: dict[str, str], before: Tokens | None) -> Tokens:
        try:
            answer = self._http.post_form(
                "/oauth/token", msgspec.json.Decoder(_Answer).decode, {**self._client, **form}
            )
        except HttpRefused as refusal:
            self._refused(refusal)
        now = self._clock()
        kept_until = before.refresh_expires_at if before else None
        return Tokens(
            access=answer.access_token,
            refresh=answer.refresh_token or (before.refresh if before else ""),
            scopes=tuple(answer.scope.split()) or (before.scopes if before else SCOPES),
            expires_at=_expiry(answer, now),
            refresh_expires_at=now + REFRESH_LIFETIME if answer.refresh_token else kept_until,
        )

    def _refused(self, refusal: HttpRefused) -> NoReturn:
        if refusal.code in ("invalid_client", "unauthorized_client"):
            raise SourceRefused(
                f"Justworks does not know this client ({refusal.code}): "
                "check JUSTWORKS_CLIENT_ID and JUSTWORKS_CLIENT_SECRET."
            ) from None
        if refusal.code == "invalid_grant" or refusal.status == 401:
            raise ConnectionInvalid(
                f"Justworks no longer accepts the connection of {self._integration_id} "
                f"(status {refusal.status}): {self._remedy}."
            ) from None
        raise refusal


class OAuthBearer:
    """Access tokens from a keeper, renewed shortly before their end and after a 401; safe for several threads."""

    def __init__(
        self, keeper: TokenKeeper, oauth: OAuth, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._keeper = keeper
        self._oauth = oauth
        self._clock = clock
        self._tokens: Tokens | None = None
        self._lock = threading.Lock()

    def token(self) -> str:
        """An access token with more than five minutes left.

        Raises:
            ConnectionInvalid: it cannot be renewed.
        """
        with self._lock:
            tokens = self._tokens or self._keeper.current()
            if tokens.expires_at - self._clock() < EARLY:
                tokens = self._keeper.refresh(tokens, self._oauth.refresh)
            self._tokens = tokens
            return tokens.access

    def renewed(self, stale: str) -> str:
        """The access token after ``stale``.

        Raises:
            ConnectionInvalid: there is none.
        """
        with self._lock:
            tokens = self._tokens or self._keeper.current()
            if tokens.access == stale:
                tokens = self._keeper.refresh(tokens, self._oauth.refresh)
            self._tokens = tokens
            return tokens.access


def _expiry(answer: _Answer, now: datetime) -> datetime:
    if answer.expires_at:
        try:
            moment = datetime.fromisoformat(answer.expires_at)
        except ValueError:
            moment = now + ACCESS_LIFETIME
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    return now + (timedelta(seconds=answer.expires_in) if answer.expires_in else ACCESS_LIFETIME)
