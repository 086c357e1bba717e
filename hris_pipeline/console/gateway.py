"""The one door in front of everything that `hris console` and `hris ui` serve, the console and Dagster alike: an ASGI
application around both; its rules, pure (which Host, Origin and address are answered, what a browser must say to
change something); and what every answer carries, so that nobody else may keep, frame or script it.

What it does not let through, neither ever sees. Nothing here knows pages.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from html import escape
from http.cookies import CookieError, SimpleCookie
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hris_pipeline.console.sessions import Session, Sessions
from hris_pipeline.environment import AccessEnvironment
from hris_pipeline.errors import EnvironmentInvalid, UsageError
from hris_pipeline.operations.roles import DecidedBy, role_of

__all__ = [
    "DAGSTER_PATH",
    "HEADERS",
    "Access",
    "App",
    "Gateway",
    "Message",
    "Receive",
    "Refusal",
    "RequestHead",
    "Scope",
    "Send",
    "access_of",
    "is_loopback",
    "plain_page",
    "refusal",
    "security_headers",
    "session_cookie",
    "trusted_address",
]

Mode = Literal["link", "oidc", "proxy"]

SAFE_METHODS = frozenset({"GET", "HEAD"})

METHODS = SAFE_METHODS | {"POST"}


@dataclass(frozen=True)
class Access:
    """What the door lets in: the console's own origins (``http://127.0.0.1:3000``), and how people log in."""

    origins: tuple[str, ...]
    mode: Mode
    environment: AccessEnvironment

    @property
    def origin(self) -> str:
        """Where people open it."""
        return self.origins[0]

    @property
    def secure(self) -> bool:
        """Whether it is reached through TLS."""
        return self.origin.startswith("https://")

    @property
    def hosts(self) -> frozenset[str]:
        """The values of Host that are answered."""
        return frozenset(urlsplit(origin).netloc for origin in self.origins)


@dataclass(frozen=True)
class RequestHead:
    """What matters of a request: ``headers`` by lower-case name, each with all its values; ``kind`` is a scheme."""

    kind: Literal["http", "websocket"]
    method: str
    path: str
    headers: Mapping[str, Sequence[str]]

    def header(self, name: str) -> str:
        """The one value of a header, empty when there is none or several."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else ""


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    reason: str


def access_of(environment: AccessEnvironment, host: str, port: int) -> Access:
    """The door of a server that listens at ``host`` and ``port``.

    Raises:
        UsageError: it would listen beyond this machine without knowing who asks.
        EnvironmentInvalid: a log-in of production without saying where people open the console.
    """
    mode: Mode = "oidc" if environment.oidc_issuer else "proxy" if environment.proxy_user_header else "link"
    if mode == "link" and not is_loopback(host):
        raise UsageError(
            f"Listening on {host} would let in whoever reaches it: set HRIS_OIDC_ISSUER or HRIS_PROXY_USER_HEADER "
            "(docs/security.md), or listen on 127.0.0.1."
        )
    if mode != "link" and not environment.console_url:
        raise EnvironmentInvalid("HRIS_CONSOLE_URL is not set: where do people open the console? As https://….")
    if environment.console_url:
        parts = urlsplit(environment.console_url)
        if parts.path:
            raise EnvironmentInvalid("HRIS_CONSOLE_URL has a path: the console needs a host name of its own.")
        return Access((f"{parts.scheme}://{parts.netloc}",), mode, environment)
    names = dict.fromkeys([f"[{host}]" if ":" in host else host, "127.0.0.1", "localhost", "[::1]"])
    return Access(tuple(f"http://{name}:{port}" for name in names), mode, environment)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(access: Access, head: RequestHead) -> Refusal | None:
    """Why a request must not be looked at any further, whoever sends it; None when it may be.

    The Host must be the console's own, or a name that somebody else controls could be pointed here. What changes
    something must come from the console's own pages, as the browser itself says; so must a websocket. From elsewhere
    only a link may be followed.
    """
    if head.header("host") not in access.hosts:
        return Refusal(421, "This address is not one of the console's.")
    if head.kind == "websocket":
        return None if head.header("origin") in access.origins else Refusal(403, "Not from a page of the console.")
    if head.method not in METHODS:
        return Refusal(405, "Only GET and POST are answered.")
    if head.method in SAFE_METHODS:
        return None if _is_navigation(head) else Refusal(403, "From another site only a link may be followed.")
    return (
        None
        if _same_origin(access, head)
        else Refusal(
            403, "Only a page of the console may send this; a program says where it belongs by the header `Origin`."
        )
    )


def _is_navigation(head: RequestHead) -> bool:
    """Whether the console itself asks, a person typed the address, or followed a link."""
    navigated = head.header("sec-fetch-mode") == "navigate" and head.header("sec-fetch-dest") == "document"
    return navigated or head.header("sec-fetch-site") in ("", "same-origin", "none")


def _same_origin(access: Access, head: RequestHead) -> bool:
    """Whether browser or program says that the console itself sends; saying nothing is not enough."""
    has_origin, has_site = "origin" in head.headers, "sec-fetch-site" in head.headers
    origin_agrees = head.header("origin") in access.origins
    site_agrees = head.header("sec-fetch-site") == "same-origin"
    return (origin_agrees or not has_origin) and (site_agrees or not has_site) and (has_origin or has_site)


def trusted_address(networks: Sequence[IPv4Network | IPv6Network], peer: str) -> bool:
    """Whether that peer is one of the proxies that are believed."""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    ipv4 = getattr(address, "ipv4_mapped", None)
    return any((ipv4 or address) in network for network in networks)


Headers = list[tuple[bytes, bytes]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}

YEAR = 31_536_000


def security_headers(
    sent: Iterable[tuple[bytes, bytes]], *, of_console: bool, cacheable: bool, secure: bool
) -> Headers:
    """The headers of an answer with those that protect it.

    Args:
        sent: What the page or Dagster says.
        of_console: Whether it is a page of the console; Dagster's own say what scripts they need.
        cacheable: Whether it is a file without anybody's data, which a browser may keep.
        secure: Whether it goes through TLS.
    """
    protections = dict(HEADERS)
    if of_console:
        protections["content-security-policy"] = POLICY
    if cacheable:
        protections["cache-control"] = f"public, max-age={YEAR}, immutable"
    elif of_console:
        protections["cache-control"] = "no-store"
    if secure:
        protections["strict-transport-security"] = f"max-age={YEAR}"
    names = {name.encode() for name in protections}
    others = [(name, value) for name, value in sent if name.lower() not in names]
    return [*others, *((name.encode(), value.encode()) for name, value in protections.items())]


def plain_page(status: int, title: str, words: str, *, home_link: bool = False) -> Response:
    """A page for whoever is not logged in, or where no page can be asked for: it says one thing, and shows nothing of
    anybody; with a link to the first page where that helps."""
    link = '<p><a href="/">All integrations</a></p>' if home_link else ""
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{escape(title)}</title><link rel="stylesheet" href="/static/console.css">'
        f'</head><body class="bare"><main><h1>{escape(title)}</h1><p>{escape(words)}</p>{link}</main></body></html>',
        status,
    )


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
        head = _head_of(scope)
        refused = refusal(self._access, head)
        if refused is not None:
            await self._refuse(refused, scope, receive, send)
            return
        path = head.path
        to_dagster = self._dagster is not None and (path == DAGSTER_PATH or path.startswith(f"{DAGSTER_PATH}/"))
        protected_send = self._with_security_headers(
            send, of_console=not to_dagster, cacheable=path.startswith("/static/")
        )
        session, cookie = self._find_session(scope, head)
        scope.setdefault("state", {})["session"] = session
        if cookie:
            protected_send = _with_cookie(protected_send, session_cookie(self._access, cookie))
        if session is None and not path.startswith(OPEN_PATHS):
            await self._to_login(head, scope, receive, protected_send)
            return
        if session is not None and session.role is None and not path.startswith((*OPEN_PATHS, "/logout")):
            words = f"{session.by.identity} has no role here. Ask an administrator: roles are given by HRIS_ROLES."
            await plain_page(403, "You have no role", words)(scope, receive, protected_send)
            return
        app = self._dagster if to_dagster and self._dagster is not None else self._console
        await app(scope, _limit_body(receive), protected_send)

    def _find_session(self, scope: Scope, head: RequestHead) -> tuple[Session | None, str]:
        """The session of whoever asks, and the cookie to set when it is new."""
        session = self._sessions.get(_read_cookie(head, cookie_name(self._access)))
        if self._access.mode != "proxy":
            return session, ""
        by, groups = self._named_by_proxy(scope, head)
        if by is None:
            return None, ""
        role = role_of(self._access.environment.roles, (by.identity,), groups)
        if session is not None and session.by.identity == by.identity:
            session.role = role
            return session, ""
        return self._sessions.start(by, role)

    def _named_by_proxy(self, scope: Scope, head: RequestHead) -> tuple[DecidedBy | None, tuple[str, ...]]:
        """Whom the proxy says it has logged in; nobody when it is not one of those that are believed."""
        environment = self._access.environment
        peer = str((scope.get("client") or ("", 0))[0])
        identity = head.header(environment.proxy_user_header).strip()
        if not identity or not trusted_address(environment.proxy_addresses, peer):
            return None, ()
        groups = head.header(environment.proxy_groups_header) if environment.proxy_groups_header else ""
        forwarded = head.header("x-forwarded-for").rpartition(",")[2].strip() or peer
        names = tuple(group.strip() for group in groups.split(",") if group.strip())
        return DecidedBy(identity, identity, "proxy", forwarded[:64]), names

    async def _to_login(self, head: RequestHead, scope: Scope, receive: Receive, send: Send) -> None:
        if head.kind == "websocket":
            await send({"type": "websocket.close", "code": 4401, "reason": "Log in first."})
            return
        answer: Response = plain_page(401, "You are not logged in", "Log in, and try again.")
        if self._access.mode == "proxy":
            answer = plain_page(401, "You are not logged in", "The proxy in front of the console names nobody.")
        elif head.method == "GET" and head.header("hx-request") != "true" and "text/html" in head.header("accept"):
            answer = RedirectResponse(f"/login?to={quote(head.path, safe='/')}", 303)
        await answer(scope, receive, send)

    async def _refuse(self, refused: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403, "reason": refused.reason})
            return
        answer = plain_page(refused.status, "Refused", refused.reason)
        await answer(scope, receive, self._with_security_headers(send, of_console=True, cacheable=False))

    def _with_security_headers(self, send: Send, *, of_console: bool, cacheable: bool) -> Send:
        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent_headers = message.get("headers", [])
                lasting = cacheable and message["status"] in (200, 304)
                message["headers"] = security_headers(
                    sent_headers, of_console=of_console, cacheable=lasting, secure=self._access.secure
                )
            await send(message)

        return send_protected


def cookie_name(access: Access) -> str:
    """Cookies do not know ports, so the name does: two consoles on one machine do not log each other out."""
    port = access.origin.rpartition(":")[2]
    return "__Host-hris" if access.secure else f"hris-{port}"


def session_cookie(access: Access, value: str, *, name: str = "", seconds: int | None = None) -> str:
    """The Set-Cookie of a session (or of ``name``); no script reads it, no other site sends it but by a link."""
    max_age = "" if seconds is None else f"; Max-Age={seconds}"
    secure = "; Secure" if access.secure else ""
    return f"{name or cookie_name(access)}={value}; Path=/; HttpOnly; SameSite=Lax{max_age}{secure}"


def _read_cookie(head: RequestHead, name: str) -> str:
    try:
        jar = SimpleCookie("; ".join(head.headers.get("cookie", ())))
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""


def _head_of(scope: Scope) -> RequestHead:
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return RequestHead(scope["type"], scope.get("method", "GET"), scope["path"], headers)


def _with_cookie(send: Send, cookie: str) -> Send:
    async def with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"set-cookie", cookie.encode())]
        await send(message)

    return with_cookie


def _limit_body(receive: Receive) -> Receive:
    """Reads no more of a body than any page needs."""
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b"") or b"")
        if received > LARGEST_BODY:
            raise HTTPException(413, "That is too much: no page sends as much.")
        return message

    return receive_limited
