"""Logging in and out: by the one-time link that the terminal prints, or at the OpenID Connect provider."""

import secrets
import threading
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hris_pipeline.console import oidc
from hris_pipeline.console.access import Access
from hris_pipeline.console.gateway import session_cookie
from hris_pipeline.console.responses import plain_page
from hris_pipeline.console.sessions import Session
from hris_pipeline.console.visit import Console
from hris_pipeline.environment import Role
from hris_pipeline.operations.decision_log import DecidedBy
from hris_pipeline.operations.roles import role_of

__all__ = ["ROUTES", "OneTimeLink"]

LOGIN_COOKIE = "hris-login"
CALLBACK = "/login/callback"


class OneTimeLink:
    """The link for the person at this machine; used once, the next is printed."""

    def __init__(self, access: Access, account: str, show: Callable[[str], None]) -> None:
        self._access = access
        self._account = account
        self._show = show
        self._token = ""
        self._lock = threading.Lock()

    def renew(self) -> str:
        """A new link, which is shown and given; the one before is worth nothing any more."""
        with self._lock:
            self._token = secrets.token_urlsafe(32)
            link = f"{self._access.origin}/login/link?token={self._token}"
        self._show(link)
        return link

    def use(self, token: str) -> DecidedBy | None:
        """Who holds the link: the account that started the server; nobody for any other token, or a second time."""
        with self._lock:
            good = bool(self._token) and secrets.compare_digest(token.encode(), self._token.encode())
            if good:
                self._token = ""
        return DecidedBy(self._account, self._account, "link", "127.0.0.1") if good else None


def _console(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


def _destination(text: str) -> str:
    """A path of this console, whatever was asked for."""
    plain = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    return text if plain else "/"


async def login(request: Request) -> Response:
    """Where whoever is not logged in is sent."""
    console = _console(request)
    if console.access.mode == "link":
        words = "Open the link that the terminal shows in which `hris ui` or `hris console` runs. Each link works once."
        return plain_page(401, "Log in", words)
    if console.access.mode == "proxy":
        return RedirectResponse("/", 303)
    try:
        url, pending = await run_in_threadpool(
            oidc.begin,
            console.access.environment,
            f"{console.access.origin}{CALLBACK}",
            _destination(request.query_params.get("to", "/")),
            console.services.now(),
        )
    except oidc.LoginRefused as error:
        return plain_page(502, "You cannot log in now", str(error))
    answer = RedirectResponse(url, 303)
    key = console.sessions.begin_login(pending)
    answer.headers.append("set-cookie", session_cookie(console.access, key, name=LOGIN_COOKIE, seconds=600))
    return answer


async def use_link(request: Request) -> Response:
    """The one-time link."""
    console = _console(request)
    link: OneTimeLink | None = request.app.state.link
    by = link.use(request.query_params.get("token", "")) if link else None
    if by is None or link is None:
        return plain_page(401, "This link does not work", "It was used already, or a newer one was printed: see there.")
    link.renew()
    return _logged_in(console, by, "administrator", "/")


async def callback(request: Request) -> Response:
    """Back from the provider."""
    console = _console(request)
    pending = console.sessions.end_login(request.cookies.get(LOGIN_COOKIE, ""))
    if pending is None:
        return plain_page(400, "This log-in is over", "It was ended already, took too long, or began elsewhere.")
    access = console.access
    try:
        person = await run_in_threadpool(
            oidc.finish, access.environment, f"{access.origin}{CALLBACK}", pending, dict(request.query_params)
        )
    except oidc.LoginRefused as error:
        return plain_page(401, "You are not logged in", str(error))
    address = request.client.host if request.client else None
    by = DecidedBy(person.names[0], person.names[0], "oidc", address)
    role = role_of(access.environment.roles, person.names, person.groups)
    answer = _logged_in(console, by, role, pending.address)
    answer.headers.append("set-cookie", session_cookie(access, "", name=LOGIN_COOKIE, seconds=0))
    return answer


async def logout(request: Request) -> Response:
    """Ends the session, or all of the person's; only by a form of the console."""
    console = _console(request)
    session: Session = request.scope["state"]["session"]
    form = await request.form(max_files=0, max_fields=10)
    if not secrets.compare_digest(str(form.get("csrf", "")).encode(), session.csrf.encode()):
        return plain_page(403, "This form is too old", "Open the console again and log out once more.")
    if form.get("everywhere"):
        console.sessions.end_all_of(session.by.identity)
    console.sessions.end(session)
    answer = plain_page(200, "You are logged out", "You can close this window.")
    answer.headers.append("set-cookie", session_cookie(console.access, "", seconds=0))
    answer.headers["clear-site-data"] = '"cache", "storage"'
    return answer


def _logged_in(console: Console, by: DecidedBy, role: Role | None, to: str) -> Response:
    _, cookie = console.sessions.start(by, role)
    answer = RedirectResponse(to, 303)
    answer.headers.append("set-cookie", session_cookie(console.access, cookie))
    return answer


ROUTES = (
    Route("/login", login),
    Route("/login/link", use_link),
    Route(CALLBACK, callback),
    Route("/logout", logout, methods=["POST"]),
)
