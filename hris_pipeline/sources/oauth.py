"""OAuth with Justworks: the consent address, tokens from a code, fresh tokens, revoking; and the token provider that
keeps them fresh.

A code and a refresh token serve once. So whatever came with success is taken as far as it can be read, nothing that was
answered with success is sent again, and what may not be cut is not cut by an interrupt. Where tokens are kept is not
decided here: a ``TokenKeeper`` comes in, and holds the lock under which only one process refreshes.
"""

import base64
import hashlib
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, Protocol
from urllib.parse import urlencode

import msgspec

from hris_pipeline.errors import ConnectionInvalid, EnvironmentInvalid, SourceRefused, SourceUnavailable
from hris_pipeline.sources.http import Http, HttpRefused
from hris_pipeline.sources.pacing import UNLIMITED, Ceilings, RateLimiter, Retries, uninterrupted
from hris_pipeline.sources.records import scalar

__all__ = ["SCOPES", "OAuth", "OAuthTokens", "TokenKeeper", "Tokens", "TokensSpent", "code_challenge"]

SCOPES: tuple[str, ...] = ("company.detail:read", "member.detail:read", "member.employment:read", "member.dob:read")
"""What an import needs to read, and nothing else."""

ACCESS_LIFETIME = timedelta(hours=24)
"""Assumed when the answer does not say."""

REFRESH_LIFETIME = timedelta(days=30)
"""Of every refresh token, from the moment it is issued; no answer says it."""

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=366)
"""Whatever lifetime an answer gives is taken to lie between these."""

EARLY = timedelta(minutes=5)
"""How long before its end an access token is renewed, if it lives long; else in the last tenth of its life."""


MOST_REJECTED, REJECTED_WITHIN = 3, timedelta(minutes=10)
"""So many tokens that were refused within that time are renewed; a source that refuses what it has just issued would
otherwise be asked for another one with every request."""


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


class TokensSpent(ConnectionInvalid):
    """A refresh token was answered with success, and the answer cannot be read: it must not be sent again."""


class TokenKeeper(Protocol):
    """Where one integration's tokens are kept."""

    def current(self) -> Tokens:
        """What is stored.

        Raises:
            ConnectionInvalid: nothing is; the integration was never connected, or was disconnected.
        """
        ...

    def refresh(self, stale: Tokens, renew: Callable[[Tokens], Tokens]) -> Tokens:
        """Under a lock that all processes share: the stored tokens when they already differ from ``stale``; otherwise
        what ``renew(stale)`` gives, stored before it is returned."""
        ...


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
        ceilings: Ceilings | None = None,
        rate_limiter: RateLimiter = UNLIMITED,
    ) -> None:
        for name, value in (("JUSTWORKS_CLIENT_ID", client_id), ("JUSTWORKS_CLIENT_SECRET", client_secret)):
            if not value:
                raise EnvironmentInvalid(f"{name} is not set: Justworks issues it with access to the Partner API.")
        self._authorize_url = authorize_url
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._integration_id = integration_id
        self._clock = clock
        self._http = Http(
            api_url,
            title="Justworks",
            advice=lambda _status, _path: self._remedy,
            retries=retries,
            rate_limiter=rate_limiter,
            ceilings=ceilings,
        )

    def consent_url(self, *, redirect_uri: str, state: str, verifier: str = "") -> str:
        """Where an admin logs in and agrees; Justworks then calls ``redirect_uri`` with ``code`` and the same
        ``state``. With a ``verifier`` (PKCE) the code serves nobody who does not have it; a server that does not know
        PKCE ignores it."""
        query = {
            "response_type": "code",
            "client_id": self._client["client_id"],
            "redirect_uri": redirect_uri,
            "state": state,
            "scope": " ".join(SCOPES),
        }
        if verifier:
            query |= {"code_challenge": code_challenge(verifier), "code_challenge_method": "S256"}
        separator = "&" if "?" in self._authorize_url else "?"
        return f"{self._authorize_url}{separator}{urlencode(query)}"

    def exchange(self, code: str, redirect_uri: str, verifier: str = "") -> Tokens:
        """The tokens for the code that an admin's consent gave; ``redirect_uri`` and ``verifier`` are those consented
        with.

        Raises:
            SourceRefused: the code is wrong, used or too old, or the client id or secret is wrong.
            SourceUnavailable: Justworks cannot be reached.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        try:
            return self._request_tokens(form | ({"code_verifier": verifier} if verifier else {}), None)
        except TokensSpent as failure:
            raise SourceRefused(str(failure)) from None
        except ConnectionInvalid:
            raise SourceRefused(
                f"Justworks does not accept this code for {self._integration_id}: a code serves once, for a minute or "
                f"so, and only for the redirect address it was asked for; {self._remedy} for another."
            ) from None

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
        return self._request_tokens(form, tokens)

    def revoke(self, tokens: Tokens) -> None:
        """Ends the connection at Justworks; tokens that are already dead are no error."""
        for token, hint in ((tokens.refresh, "refresh_token"), (tokens.access, "access_token")):
            try:
                self._http.post_form(
                    "/v1/oauth/revoke", lambda _: None, {**self._client, "token": token, "token_type_hint": hint}
                )
            except HttpRefused as refusal:
                if refusal.code == "invalid_client":
                    self._raise_refusal(refusal)
                if refusal.status not in (204, 400, 401, 404):
                    raise

    def close(self) -> None:
        """Gives back connections."""
        self._http.close()

    @property
    def _remedy(self) -> str:
        return f"connect again with `hris connect {self._integration_id}`"

    def _request_tokens(self, form: dict[str, str], before: Tokens | None) -> Tokens:
        try:
            answer = self._http.post_form("/oauth/token", _token_answer, {**self._client, **form}, once=True)
        except HttpRefused as refusal:
            if 200 <= refusal.status < 300:
                raise TokensSpent(
                    f"{str(refusal).partition(': ')[0]}, which cannot be read, and what it was asked with serves once: "
                    f"{self._remedy}."
                ) from None
            self._raise_refusal(refusal)
        now = self._clock()
        kept_until = before.refresh_expires_at if before else None
        refresh = scalar(answer.get("refresh_token")) or ""
        return Tokens(
            access=str(answer["access_token"]),
            refresh=refresh or (before.refresh if before else ""),
            scopes=_read_scopes(answer.get("scope")) or (before.scopes if before else SCOPES),
            expires_at=now + _read_lifetime(answer, now),
            refresh_expires_at=now + REFRESH_LIFETIME if refresh else kept_until,
        )

    def _raise_refusal(self, refusal: HttpRefused) -> NoReturn:
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


class OAuthTokens:
    """Access tokens from a keeper, renewed shortly before their end and after a 401; safe for several threads.
    ``stored`` are those that the keeper gave a moment ago, if it was asked."""

    def __init__(
        self,
        keeper: TokenKeeper,
        oauth: OAuth,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        stored: Tokens | None = None,
    ) -> None:
        self._keeper = keeper
        self._oauth = oauth
        self._clock = clock
        self._tokens = stored
        self._early = EARLY
        self._rejected: deque[datetime] = deque(maxlen=MOST_REJECTED)
        self._lock = threading.Lock()

    def token(self) -> str:
        """An access token that is not about to end.

        Raises:
            ConnectionInvalid: it cannot be renewed.
        """
        with self._lock:
            tokens = self._tokens or self._keeper.current()
            if tokens.refresh and tokens.expires_at - self._clock() < self._early:
                tokens = self._renew(tokens)
            self._tokens = tokens
            return tokens.access

    def refresh(self, rejected: str) -> str:
        """The access token after ``rejected``.

        Raises:
            ConnectionInvalid: there is none.
            SourceUnavailable: one after the other was refused.
        """
        with self._lock:
            tokens = self._tokens or self._keeper.current()
            if tokens.access == rejected:
                self._count_rejected()
                tokens = self._renew(tokens)
            self._tokens = tokens
            return tokens.access

    def _count_rejected(self) -> None:
        now = self._clock()
        if len(self._rejected) == MOST_REJECTED and now - self._rejected[0] < REJECTED_WITHIN:
            raise SourceUnavailable(
                f"Justworks refused {MOST_REJECTED} access tokens within {REJECTED_WITHIN.seconds // 60} minutes that "
                "it had just issued, and is not asked for another: run it again later, and ask Justworks if it goes on."
            )
        self._rejected.append(now)

    def _renew(self, tokens: Tokens) -> Tokens:
        fresh = uninterrupted(lambda: self._keeper.refresh(tokens, self._oauth.refresh))
        self._early = min(EARLY, (fresh.expires_at - self._clock()) / 10)
        return fresh


def code_challenge(verifier: str) -> str:
    """What PKCE shows of a verifier in the open (S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _token_answer(answer: object) -> dict[str, object]:
    """An answer of the token endpoint: all it needs is an access token.

    Raises:
        ValueError: it has none.
    """
    if not isinstance(answer, dict) or not scalar(answer.get("access_token")):
        raise ValueError("no access token")
    return answer


def _read_scopes(scope: object) -> tuple[str, ...]:
    """Scopes as one text or as a list."""
    parts = scope if isinstance(scope, list) else [scope]
    return tuple(word for part in parts if isinstance(part, str) for word in part.replace(",", " ").split())


def _read_lifetime(answer: Mapping[str, object], now: datetime) -> timedelta:
    """How long the access token lives, as the answer says it in whatever way, within reason."""
    seconds = _parse_seconds(answer.get("expires_in"))
    if seconds is None and (end := _parse_moment(answer.get("expires_at"))) is not None:
        seconds = (end - now).total_seconds()
    if seconds is None:
        return ACCESS_LIFETIME
    return timedelta(seconds=min(max(seconds, SHORTEST.total_seconds()), LONGEST.total_seconds()))


def _parse_seconds(value: object) -> float | None:
    try:
        seconds = float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None
    return seconds if seconds is not None and math.isfinite(seconds) else None


def _parse_moment(value: object) -> datetime | None:
    """A moment as ISO text, or in seconds or milliseconds since 1970, as number or text."""
    seconds = _parse_seconds(value)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(seconds / 1000 if seconds > _MILLISECONDS else seconds, UTC)
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) if moment else None


_MILLISECONDS = 1e11
