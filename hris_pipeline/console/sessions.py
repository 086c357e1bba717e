"""Who is logged in: sessions, kept in this process alone. The cookie is a signed name and nothing else; ending a
session, or the server, ends it everywhere at once."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from itsdangerous import BadSignature, Signer

from hris_pipeline.environment import Role
from hris_pipeline.operations.roles import DecidedBy

__all__ = ["LONGEST", "PendingLogin", "Session", "Sessions"]

LONGEST = timedelta(hours=12)
"""However much it is used, a session ends."""

LOGIN_LASTS = timedelta(minutes=10)
"""How long somebody may take at the provider."""

MOST_PENDING = 1000


@dataclass
class PendingLogin:
    """A log-in under way at the provider, bound to the browser that began it; each can be ended once."""

    state: str
    nonce: str
    verifier: str
    address: str
    started_at: datetime


@dataclass
class Session:
    """One log-in: who, in which role, and what the next pages say once (``messages``)."""

    session_id: str
    by: DecidedBy
    role: Role | None
    csrf: str
    started_at: datetime
    seen_at: datetime
    messages: list[str] = field(default_factory=list)
    consents: dict[str, str] = field(default_factory=dict)
    """By ``state``: the integration whose administrator was sent to the provider."""

    def take_messages(self) -> list[str]:
        """What is to be said, once."""
        messages, self.messages = self.messages, []
        return messages

    def take_consent(self, state: str) -> str | None:
        """The integration that the state belongs to, once."""
        return self.consents.pop(state, None)


class Sessions:
    """All of them, and the log-ins under way."""

    def __init__(self, idle: timedelta, now: Callable[[], datetime]) -> None:
        self._idle = idle
        self._now = now
        self._signer = Signer(secrets.token_bytes(32), salt="hris-session")
        self._sessions: dict[str, Session] = {}
        self._pending: dict[str, PendingLogin] = {}
        self._lock = threading.Lock()

    def start(self, by: DecidedBy, role: Role | None) -> tuple[Session, str]:
        """A new session, and the value of its cookie."""
        now = self._now()
        session = Session(secrets.token_urlsafe(24), by, role, secrets.token_urlsafe(24), now, now)
        with self._lock:
            for stale in [key for key, other in self._sessions.items() if self._is_over(other)]:
                del self._sessions[stale]
            self._sessions[session.session_id] = session
        return session, self._signer.sign(session.session_id).decode()

    def get(self, cookie: str) -> Session | None:
        """The session of a cookie, seen now; None when there is none, or it is over."""
        session_id = self._unsign_cookie(cookie)
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None:
                return None
            if self._is_over(session):
                del self._sessions[session_id]
                return None
            session.seen_at = self._now()
            return session

    def end(self, session: Session) -> None:
        """Logs out."""
        with self._lock:
            self._sessions.pop(session.session_id, None)

    def end_all_of(self, identity: str) -> int:
        """Logs somebody out everywhere; gives of how many sessions."""
        with self._lock:
            session_ids = [key for key, session in self._sessions.items() if session.by.identity == identity]
            for key in session_ids:
                del self._sessions[key]
        return len(session_ids)

    def begin_login(self, pending: PendingLogin) -> str:
        """Remembers a log-in under way; gives the cookie of the browser that began it."""
        key = secrets.token_urlsafe(24)
        with self._lock:
            expired = [name for name, other in self._pending.items() if self._now() - other.started_at > LOGIN_LASTS]
            for name in [*expired, *list(self._pending)[: max(0, len(self._pending) - MOST_PENDING)]]:
                self._pending.pop(name, None)
            self._pending[key] = pending
        return self._signer.sign(key).decode()

    def end_login(self, cookie: str) -> PendingLogin | None:
        """The log-in that the browser began, once; None when there is none, or it took too long."""
        with self._lock:
            pending = self._pending.pop(self._unsign_cookie(cookie), None)
        return pending if pending and self._now() - pending.started_at <= LOGIN_LASTS else None

    def _is_over(self, session: Session) -> bool:
        now = self._now()
        return now - session.seen_at > self._idle or now - session.started_at > LONGEST

    def _unsign_cookie(self, cookie: str) -> str:
        try:
            return self._signer.unsign(cookie).decode()
        except BadSignature:
            return ""
