"""Connections to the sandbox as a store keeps them, and what a server that is scripted by hand answers."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hris_pipeline.errors import ConnectionInvalid
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.sources.oauth import OAuth, Tokens
from hris_pipeline.sources.pacing import UNLIMITED, Retries
from hris_pipeline.sources.partner_api import PartnerApi

__all__ = ["CALLBACK", "OPENED", "QUICK", "MemoryKeeper", "Scripted", "connect", "now", "oauth_of", "partner_api"]

CALLBACK = "http://127.0.0.1:8765/callback"
QUICK = Retries(attempts=3, first=0.0)
OPENED: list[OAuth] = []
"""Clients that a test need not close itself."""


def now() -> datetime:
    return datetime.now(UTC)


class MemoryKeeper:
    """Tokens kept as a store keeps them: one refresh at a time, the new ones stored before they are used."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self.tokens = tokens
        self.refreshed = 0
        self._lock = threading.Lock()

    def current(self) -> Tokens:
        if self.tokens is None:
            raise ConnectionInvalid("acme is not connected: connect it with `hris connect acme`.")
        return self.tokens

    def refresh(self, stale: Tokens, renew: Callable[[Tokens], Tokens]) -> Tokens:
        with self._lock:
            if self.current() == stale:
                self.tokens = renew(stale)
                self.refreshed += 1
            return self.current()


def oauth_of(sandbox: Sandbox, secret: str | None = None, clock: Callable[[], datetime] = now) -> OAuth:
    oauth = OAuth(
        api_url=sandbox.url,
        authorize_url=sandbox.authorize_url,
        client_id=sandbox.client_id,
        client_secret=secret or sandbox.client_secret,
        integration_id="acme",
        clock=clock,
        retries=QUICK,
    )
    OPENED.append(oauth)
    return oauth


def connect(sandbox: Sandbox, *, consent_dob: bool = True) -> MemoryKeeper:
    oauth = oauth_of(sandbox)
    code = sandbox.consent(oauth.consent_url(redirect_uri=CALLBACK, state="s"), consent_dob=consent_dob)[1]
    return MemoryKeeper(oauth.exchange(code, CALLBACK))


def partner_api(sandbox: Sandbox, keeper: MemoryKeeper) -> PartnerApi:
    return PartnerApi.connected(
        oauth=oauth_of(sandbox),
        keeper=keeper,
        api_url=sandbox.url,
        integration_id="acme",
        rate_limiter=UNLIMITED,
        retries=QUICK,
    )


@dataclass
class Scripted:
    """A server that gives one answer after the other, the last for ever: status, body, headers."""

    url: str = ""
    answers: Sequence[tuple[int, bytes, dict[str, str]]] = ()
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, *answers: tuple[int, bytes] | tuple[int, bytes, dict[str, str]]) -> None:
        self.answers = [(answer[0], answer[1], answer[2] if len(answer) == 3 else {}) for answer in answers]
        self.seen.clear()
