"""Everything one sandbox server holds: companies, who consented to what for how long (codes and refresh tokens serve
once), what may go wrong and which of it is wanted now, counters, time."""

import base64
import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any

import msgspec
from starlette.requests import Request

from hris_pipeline.errors import UsageError
from hris_pipeline.sandbox.company import Company

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "FAULT_KEYS",
    "FINCH_TOKEN",
    "KINDS",
    "PASSWORD",
    "SCOPES",
    "USERNAME",
    "Clock",
    "Fault",
    "Faults",
    "Grant",
    "SandboxState",
    "Tokens",
    "bearer",
    "finch_token",
    "world",
]

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


def _code_challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


CODE_LIFE = timedelta(minutes=1)


class Tokens:
    """Every code and token given out, with the lifetimes they get."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.access_life, self.refresh_life = timedelta(hours=24), timedelta(days=30)
        self._codes: dict[str, Grant] = {}
        self._access: dict[str, Grant] = {}
        self._refresh: dict[str, Grant] = {}
        self._lock = RLock()

    def code(self, username: str, scopes: Iterable[str], redirect_uri: str, challenge: str = "") -> str:
        """A new authorization code; with a PKCE challenge it serves only whoever has the verifier."""
        code = secrets.token_urlsafe(24)
        expires = self.clock.now() + CODE_LIFE
        self._codes[code] = Grant(username, frozenset(scopes), expires, redirect_uri, challenge)
        return code

    def exchange(self, code: str, redirect_uri: str, verifier: str = "") -> dict[str, Any] | None:
        """Tokens for a code; None when it is unknown, used, expired or was given for another address or verifier."""
        with self._lock:
            grant = self._codes.pop(code, None)
            if grant is None or grant.redirect_uri != redirect_uri or grant.expires <= self.clock.now():
                return None
            return (
                self._issue_tokens(grant)
                if not grant.challenge or _code_challenge(verifier) == grant.challenge
                else None
            )

    def refresh(self, token: str) -> dict[str, Any] | None:
        """New tokens for a refresh token, which is used up; None when it is unknown, used or expired."""
        with self._lock:
            grant = self._refresh.pop(token, None)
            return None if grant is None or grant.expires <= self.clock.now() else self._issue_tokens(grant)

    def _issue_tokens(self, grant: Grant) -> dict[str, Any]:
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


KINDS: Mapping[str, str] = {
    "rate_limited": "429 with Retry-After (retry_after seconds)",
    "server_error": "an error answer (status, 500 unless given)",
    "slow": "every request takes seconds longer",
    "not_json": "200 with a page of HTML",
    "not_ready": "202: the data is not ready yet (aggregator only)",
    "short_list": "the last share of the list is missing from it; its people still answer singly",
    "empty_list": "a list of nobody",
    "repeated_page": "a page comes again under the next cursor; for ever unless times is given",
    "cursor_loop": "the next cursor is one that was given before (Partner API only)",
    "long_cursor": "the next cursor has 64 KiB (Partner API only)",
    "bad_member": "the members (all unless given) hold half an emoji, NaN, a bare line break and endless nesting",
    "error_document": "a person asked for singly is answered 200 with something that is no record of theirs",
    "odd_token": "an answer of the token endpoint spells its times and its other parts in unusual ways",
    "spoiled_token": "an answer of the token endpoint is success, and cannot be read",
    "failing_details": "the details of the members (all unless given) answer with status",
    "expired_token": "access tokens given so far have expired, at once",
    "expired_refresh": "refresh tokens given so far have expired too, at once",
    "revoked_token": "all tokens given so far are dead, at once; the aggregator asks to connect again",
}
"""Every kind of fault and what it does."""

DEFAULT_PATHS: Mapping[str, tuple[str, ...]] = {
    "not_ready": ("/finch/employer",),
    "not_json": ("/v1/members", "/finch/employer"),
}

REQUEST_PATHS = ("/v1", "/oauth/token", "/finch")


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One wanted fault: ``times`` requests (None: for ever) are struck after the first ``after`` whose path starts with
    ``path`` ('' is every path the kind concerns; with a ``$`` at its end that very path), for one ``username``'s
    company or all (None)."""

    kind: str
    path: str = ""
    times: int | None = None
    after: int = 0
    status: int = 500
    retry_after: float = 1.0
    seconds: float = 0.05
    share: float = 0.4
    members: tuple[str, ...] = ()
    username: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"No fault is called {self.kind[:40]!r}: take one of {', '.join(KINDS)}.")

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """A fault as written on a command line: ``kind`` or ``kind:key=value,key=value`` (members joined by ``+``).

        Raises:
            UsageError: an unknown kind, key or value.
        """
        kind, _, rest = text.partition(":")
        pairs = [pair.partition("=")[::2] for pair in rest.split(",") if pair]
        fields = {key.strip(): value.strip().split("+") if key == "members" else value.strip() for key, value in pairs}
        unknown = sorted(fields.keys() - set(FAULT_KEYS))
        convertible = {key: value for key, value in fields.items() if key not in unknown}
        try:
            fault = msgspec.convert({**convertible, "kind": kind.strip()}, cls, strict=False)
        except msgspec.ValidationError as error:
            raise UsageError(f"The fault {text[:80]!r} cannot be read: {error}") from None
        if unknown:
            keys = ", ".join(FAULT_KEYS)
            raise UsageError(f"The fault {text[:80]!r} cannot be read: no key {unknown[0][:40]!r}; there are: {keys}.")
        return fault

    def concerns(self, path: str, username: str | None) -> bool:
        """Whether a request to the path, for the user's company, can be struck."""
        if self.path.endswith("$"):
            return path == self.path[:-1] and self.username in (None, username)
        prefixes = (self.path,) if self.path else DEFAULT_PATHS.get(self.kind, REQUEST_PATHS)
        return path.startswith(prefixes) and self.username in (None, username)


FAULT_KEYS = tuple(name for name in Fault.__struct_fields__ if name != "kind")
"""What may be said of a fault beside its kind."""


class Faults:
    """The faults injected now; counts the requests that each has let pass and struck."""

    def __init__(self) -> None:
        self._injected: list[tuple[Fault, list[int]]] = []
        self._lock = RLock()

    def inject(self, fault: Fault) -> None:
        """Adds a fault."""
        with self._lock:
            self._injected.append((fault, [0]))

    def clear(self) -> None:
        """Nothing is to go wrong any more."""
        with self._lock:
            self._injected.clear()

    @property
    def injected(self) -> tuple[Fault, ...]:
        """The faults in force or used up, oldest first."""
        return tuple(fault for fault, _ in self._injected)

    def strike(self, kind: str, path: str, username: str | None, member_id: str = "") -> Fault | None:
        """The fault of the kind that strikes this request, if any; counts the request."""
        with self._lock:
            for fault, seen in self._injected:
                if fault.kind != kind or not fault.concerns(path, username):
                    continue
                if member_id and fault.members and member_id not in fault.members:
                    continue
                seen[0] += 1
                struck = seen[0] - fault.after
                if struck > 0 and (fault.times is None or struck <= fault.times):
                    return fault
        return None


CLIENT_ID = "sandbox-client"

CLIENT_SECRET = "sandbox-secret"  # noqa: S105 (guards nothing but made-up people)

USERNAME = "admin"

PASSWORD = "sandbox"  # noqa: S105 (printed on the log-in page)


def finch_token(username: str) -> str:
    """The aggregator's token for the company of a user: entered at the provider, it never changes."""
    return f"finch-sandbox-{username}"


FINCH_TOKEN = finch_token(USERNAME)


class SandboxState:
    """One server's state. Whoever logs in with a username of ``companies`` gets that company's tokens."""

    def __init__(self, company: Company, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.companies = {USERNAME: company}
        self.tokens = Tokens(self.clock)
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self.reauthenticate: set[str] = set()

    def owner(self, token: str) -> str | None:
        """The username whose token this is or was, on either wire."""
        return self.finch_owner(token) or self.tokens.owner(token)

    def finch_owner(self, token: str) -> str | None:
        """The username of an aggregator's token."""
        return next((name for name in self.companies if finch_token(name) == token), None)

    def inject(self, fault: Fault) -> None:
        """Puts a fault in force; those that strike tokens strike at once."""
        if fault.kind in ("expired_token", "expired_refresh"):
            self.tokens.expire(refresh=fault.kind == "expired_refresh", username=fault.username)
        elif fault.kind == "revoked_token":
            self.tokens.revoke_all(fault.username)
            self.reauthenticate |= {fault.username} if fault.username else set(self.companies)
        else:
            self.faults.inject(fault)

    def clear_faults(self) -> None:
        """Nothing goes wrong any more; dead tokens of the Partner API stay dead."""
        self.faults.clear()
        self.reauthenticate.clear()


def bearer(request: Request) -> str:
    """The bearer token of a request, '' without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def world(request: Request) -> SandboxState:
    """The world a request came to."""
    state: SandboxState = request.app.state.world
    return state
