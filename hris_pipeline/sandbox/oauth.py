"""Codes and tokens: who consented to what, for how long. Codes and refresh tokens serve once."""

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any

__all__ = ["SCOPES", "Clock", "Grant", "Tokens"]

SCOPES: dict[str, str] = {
    "company.detail:read": "The company, its departments, offices and custom fields",
    "member.detail:read": "Names, work ids, addresses, emails and phones of its people",
    "member.employment:read": "Titles, departments, managers and dates of employment",
    "member.dob:read": "Dates of birth",
}
"""What an application may ask for, and how the consent page says it."""


class Clock:
    """The sandbox's own time: the real one, moved on as tests wish."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self._now = now or (lambda: datetime.now(UTC))
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return self._now() + self._ahead

    def advance(self, by: timedelta) -> None:
        """Moves the time on."""
        self._ahead += by


@dataclass(frozen=True)
class Grant:
    """What a code or token stands for, until when (aware UTC)."""

    username: str
    scopes: frozenset[str]
    expires: datetime
    redirect_uri: str = ""
    challenge: str = ""


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class Tokens:
    """Every code and token given out, with the lifetimes they get."""

    def __init__(
        self,
        clock: Clock,
        *,
        code_life: timedelta = timedelta(minutes=1),
        access_life: timedelta = timedelta(hours=24),
        refresh_life: timedelta = timedelta(days=30),
    ) -> None:
        self.clock = clock
        self.code_life, self.access_life, self.refresh_life = code_life, access_life, refresh_life
        self._codes: dict[str, Grant] = {}
        self._access: dict[str, Grant] = {}
        self._refresh: dict[str, Grant] = {}
        self._lock = RLock()

    def code(self, username: str, scopes: Iterable[str], redirect_uri: str, challenge: str = "") -> str:
        """A new authorization code; with a PKCE challenge it serves only whoever has the verifier."""
        code = secrets.token_urlsafe(24)
        expires = self.clock.now() + self.code_life
        self._codes[code] = Grant(username, frozenset(scopes), expires, redirect_uri, challenge)
        return code

    def exchange(self, code: str, redirect_uri: str, verifier: str = "") -> dict[str, Any] | None:
        """Tokens for a code; None when it is unknown, used, expired or was given for another address or verifier."""
        with self._lock:
            grant = self._codes.pop(code, None)
            if grant is None or grant.redirect_uri != redirect_uri or grant.expires <= self.clock.now():
                return None
            return self._issue(grant) if not grant.challenge or _challenge(verifier) == grant.challenge else None

    def refresh(self, token: str) -> dict[str, Any] | None:
        """New tokens for a refresh token, which is used up; None when it is unknown, used or expired."""
        with self._lock:
            grant = self._refresh.pop(token, None)
            return None if grant is None or grant.expires <= self.clock.now() else self._issue(grant)

    def _issue(self, grant: Grant) -> dict[str, Any]:
        now = self.clock.now()
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._access[access] = replace(grant, expires=now + self.access_life)
        self._refresh[refresh] = replace(grant, expires=now + self.refresh_life)
        return {
            "token_type": "Bearer",
            "access_token": access,
            "expires_at": (now + self.access_life).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "refresh_token": refresh,
            "scope": " ".join(sorted(grant.scopes)),
        }

    def access(self, token: str) -> Grant | None:
        """What a living access token stands for."""
        grant = self._access.get(token)
        return grant if grant is not None and grant.expires > self.clock.now() else None

    def owner(self, token: str) -> str | None:
        """Whose access or refresh token this is or was."""
        grant = self._access.get(token) or self._refresh.get(token)
        return grant.username if grant else None

    def revoke(self, token: str) -> None:
        """Kills one token; an unknown one is as dead already."""
        self._access.pop(token, None)
        self._refresh.pop(token, None)

    def expire(self, *, refresh: bool = False, username: str | None = None) -> None:
        """Lets access tokens expire, and refresh tokens too when asked, of one person or of everybody."""
        with self._lock:
            for tokens in (self._access, self._refresh) if refresh else (self._access,):
                for token, grant in tokens.items():
                    if username in (None, grant.username):
                        tokens[token] = replace(grant, expires=self.clock.now())

    def revoke_all(self, username: str | None = None) -> None:
        """Kills every token of one person or of everybody."""
        with self._lock:
            for tokens in (self._access, self._refresh):
                for token in [token for token, grant in tokens.items() if username in (None, grant.username)]:
                    del tokens[token]
