"""The one door in front of everything that `hris console` and `hris ui` serve, the console and Dagster alike: an ASGI
application around both. What it does not let through, neither ever sees."""

from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from hris_pipeline.console.access import Access, Asked, Refusal, refusal, trusted_address
from hris_pipeline.console.responses import plain_page, security_headers
from hris_pipeline.console.sessions import Session, Sessions
from hris_pipeline.operations.decision_log import DecidedBy
from hris_pipeline.operations.roles import role_of

__all__ = ["DAGSTER_PATH", "Gateway", "session_cookie"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

DAGSTER_PATH = "/dagster"
OPEN_PATHS = ("/login", "/static/", "/favicon.ico")
"""What is answered to whoever is not logged in."""

LARGEST_BODY = 4 << 20


class Gateway:
    """Checks every request, then hands it to the console or, below ``/dagster``, to what guards Dagster."""

    def __init__(self, console: App, access: Access, sessions: Sessions, dagster: App | None = None) -> None:
        self._console = console
        self._dagster = dagster
        self._access = access
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] == "lifespan":
            await self._console(scope, receive, send)
            return
        asked = _asked(scope)
        refused = refusal(self._access, asked)
        if refused is not None:
            await self._refuse(refused, scope, receive, send)
            return
        path = asked.path
        to_dagster = self._dagster is not None and (path == DAGSTER_PATH or path.startswith(f"{DAGSTER_PATH}/"))
        sending = self._protected(send, own=not to_dagster, kept=path.startswith("/static/"))
        session, cookie = self._session(scope, asked)
        scope.setdefault("state", {})["session"] = session
        if cookie:
            sending = _with_cookie(sending, session_cookie(self._access, cookie))
        if session is None and not path.startswith(OPEN_PATHS):
            await self._to_login(asked, scope, receive, sending)
            return
        if session is not None and session.role is None and not path.startswith((*OPEN_PATHS, "/logout")):
            words = f"{session.by.identity} has no role here. Ask an administrator: roles are given by HRIS_ROLES."
            await plain_page(403, "You have no role", words)(scope, receive, sending)
            return
        app = self._dagster if to_dagster and self._dagster is not None else self._console
        await app(scope, _limited(receive), sending)

    def _session(self, scope: Scope, asked: Asked) -> tuple[Session | None, str]:
        """The session of whoever asks, and the cookie to set when it is new."""
        session = self._sessions.get(_cookie(asked, cookie_name(self._access)))
        if self._access.mode != "proxy":
            return session, ""
        by, groups = self._named_by_proxy(scope, asked)
        if by is None:
            return None, ""
        role = role_of(self._access.environment.roles, (by.identity,), groups)
        if session is not None and session.by.identity == by.identity:
            session.role = role
            return session, ""
        return self._sessions.start(by, role)

    def _named_by_proxy(self, scope: Scope, asked: Asked) -> tuple[DecidedBy | None, tuple[str, ...]]:
        """Whom the proxy says it has logged in; nobody when it is not one of those that are believed."""
        environment = self._access.environment
        peer = str((scope.get("client") or ("", 0))[0])
        identity = asked.header(environment.proxy_user_header).strip()
        if not identity or not trusted_address(environment.proxy_addresses, peer):
            return None, ()
        groups = asked.header(environment.proxy_groups_header) if environment.proxy_groups_header else ""
        forwarded = asked.header("x-forwarded-for").rpartition(",")[2].strip() or peer
        names = tuple(group.strip() for group in groups.split(",") if group.strip())
        return DecidedBy(identity, identity, "proxy", forwarded[:64]), names

    async def _to_login(self, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
        if asked.kind == "websocket":
            await send({"type": "websocket.close", "code": 4401, "reason": "Log in first."})
            return
        answer: Response = plain_page(401, "You are not logged in", "Log in, and try again.")
        if self._access.mode == "proxy":
            answer = plain_page(401, "You are not logged in", "The proxy in front of the console names nobody.")
        elif asked.method == "GET" and asked.header("hx-request") != "true" and "text/html" in asked.header("accept"):
            answer = RedirectResponse(f"/login?to={quote(asked.path, safe='/')}", 303)
        await answer(scope, receive, send)

    async def _refuse(self, refused: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403, "reason": refused.reason})
            return
        answer = plain_page(refused.status, "Refused", refused.reason)
        await answer(scope, receive, self._protected(send, own=True, kept=False))

    def _protected(self, send: Send, *, own: bool, kept: bool) -> Send:
        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", [])
                good = kept and message["status"] in (200, 304)
                message["headers"] = security_headers(given, own=own, kept=good, secure=self._access.secure)
            await send(message)

        return protected


def cookie_name(access: Access) -> str:
    """Cookies do not know ports, so the name does: two consoles on one machine do not log each other out."""
    port = access.origin.rpartition(":")[2]
    return "__Host-hris" if access.secure else f"hris-{port}"


def session_cookie(access: Access, value: str, *, name: str = "", seconds: int | None = None) -> str:
    """The Set-Cookie of a session (or of ``name``); no script reads it, no other site sends it but by a link."""
    lasting = "" if seconds is None else f"; Max-Age={seconds}"
    secure = "; Secure" if access.secure else ""
    return f"{name or cookie_name(access)}={value}; Path=/; HttpOnly; SameSite=Lax{lasting}{secure}"


def _cookie(asked: Asked, name: str) -> str:
    try:
        jar = SimpleCookie("; ".join(asked.headers.get("cookie", ())))
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""


def _asked(scope: Scope) -> Asked:
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return Asked(scope["type"], scope.get("method", "GET"), scope["path"], headers)


def _with_cookie(send: Send, cookie: str) -> Send:
    async def with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"set-cookie", cookie.encode())]
        await send(message)

    return with_cookie


def _limited(receive: Receive) -> Receive:
    """Reads no more of a body than any page needs."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b"") or b"")
        if received > LARGEST_BODY:
            raise HTTPException(413, "That is too much: no page sends as much.")
        return message

    return limited
