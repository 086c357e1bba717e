"""The application, all routes behind one gate that counts requests and lets the wanted faults strike; and running it:
in a thread for tests and the demo, or blocking for the command line."""

import asyncio
import re
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from html import unescape
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hris_pipeline.errors import UsageError
from hris_pipeline.sandbox import member_routes, oauth_routes
from hris_pipeline.sandbox.company import Company
from hris_pipeline.sandbox.week import Event
from hris_pipeline.sandbox.world import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    SCOPES,
    USERNAME,
    Clock,
    Fault,
    SandboxState,
    bearer,
    finch_token,
)

__all__ = ["Sandbox", "create_app", "running", "serve"]

MEMBER = re.compile(r"^/v1/members/[^/]+")

_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The sandbox speaks plain HTTP: reading this machine's certificates would take longer than the log-in."""


class Gate:
    """Counts requests (not control ones) as ``METHOD /path`` with ids left out, and strikes them or lets them pass."""

    def __init__(self, app: ASGIApp, world: SandboxState) -> None:
        self.app, self.world = app, world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/sandbox/"):
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        self.world.requests[f"{scope['method']} {MEMBER.sub('/v1/members/{id}', path)}"] += 1
        username = self.world.owner(bearer(Request(scope)))
        if slow := self.world.faults.strike("slow", path, username):
            await asyncio.sleep(slow.seconds)
        struck = self._fault_response(path, username)
        await (struck or self.app)(scope, receive, send)

    def _fault_response(self, path: str, username: str | None) -> Response | None:
        strike = self.world.faults.strike
        if fault := strike("rate_limited", path, username):
            wait = f"{fault.retry_after:g}"
            return JSONResponse({"error": "rate_limited"}, status_code=429, headers={"Retry-After": wait})
        if fault := strike("server_error", path, username):
            return JSONResponse({"error": "server_error"}, status_code=fault.status)
        if strike("not_json", path, username):
            return HTMLResponse("<html><body>We are down for maintenance.</body></html>")
        if strike("not_ready", path, username):
            return JSONResponse(member_routes.problem(202), status_code=202)
        return None


def create_app(world: SandboxState) -> Starlette:
    """The application that serves a world; the world stays the caller's, to look into and to change."""
    routes = [
        *oauth_routes.ROUTES,
        *member_routes.ROUTES,
        *member_routes.FINCH_ROUTES,
        *oauth_routes.CONTROL_ROUTES,
    ]
    app = Starlette(routes=routes)
    app.state.world = world
    app.add_middleware(Gate, world=world)
    return app


STARTS_WITHIN = 20.0


class Sandbox:
    """A handle on a running sandbox: its addresses, its company, and everything that can be made to happen to it."""

    client_id = CLIENT_ID
    client_secret = CLIENT_SECRET

    def __init__(self, url: str, world: SandboxState) -> None:
        self.url = url
        self.world = world

    @property
    def authorize_url(self) -> str:
        """Where an administrator consents."""
        return f"{self.url}/oauth/authorize"

    @property
    def finch_url(self) -> str:
        """The base address of the aggregator."""
        return f"{self.url}/finch"

    @property
    def finch_token(self) -> str:
        """The aggregator's token for the first company."""
        return finch_token(USERNAME)

    @property
    def company(self) -> Company:
        """The first company, whose administrator is ``admin``."""
        return self.world.companies[USERNAME]

    @property
    def requests(self) -> Counter[str]:
        """How often each address was asked, as ``GET /v1/members/{id}``."""
        return self.world.requests

    def environment(self) -> dict[str, str]:
        """The environment variables that point the pipeline at this sandbox."""
        return {
            "JUSTWORKS_API_URL": self.url,
            "JUSTWORKS_AUTHORIZE_URL": self.authorize_url,
            "JUSTWORKS_CLIENT_ID": self.client_id,
            "JUSTWORKS_CLIENT_SECRET": self.client_secret,
            "JUSTWORKS_REQUESTS_PER_SECOND": "10000",
            "JUSTWORKS_APPLICATION_REQUESTS_PER_SECOND": "10000",
        }

    def add_company(self, username: str, company: Company) -> None:
        """Serves a further company, to whoever logs in with the username."""
        self.world.companies[username] = company

    def authorize(
        self,
        *,
        redirect_uri: str = "http://127.0.0.1:8765/callback",
        scopes: Iterable[str] = tuple(SCOPES),
        consent_dob: bool = True,
        username: str = USERNAME,
    ) -> str:
        """Logs in and consents over HTTP, as a person does in a browser; gives the code."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "state": "state",
            "scope": " ".join(scopes),
        }
        return self.consent(f"{self.authorize_url}?{urlencode(query)}", consent_dob=consent_dob, username=username)[1]

    def consent(
        self, authorize_url: str, *, consent_dob: bool = True, username: str = USERNAME, follow: bool = False
    ) -> tuple[str, str]:
        """Opens a whole consent link, fills in the form and sends it; gives the address it leads back to, and the code.

        ``follow`` also goes there, as the browser does, so that a waiting loopback callback is called.
        """
        with httpx.Client(timeout=60, verify=_NO_CERTIFICATES) as browser:
            page = browser.get(authorize_url).raise_for_status().text
            form: dict[str, Any] = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
            form = {name: unescape(value) for name, value in form.items()}
            boxes = re.findall(r'name="consent" value="([^"]+)"', page)
            form["consent"] = [box for box in boxes if consent_dob or box != "member.dob:read"]
            form |= {"username": username, "password": PASSWORD, "decision": "allow"}
            back = browser.post(self.authorize_url, data=form).headers["location"]
            if follow:
                browser.get(back)
        return back, parse_qs(urlsplit(back).query)["code"][0]

    def week_passes(self) -> list[Event]:
        """A week passes in the first company; gives what happened."""
        return self.company.week()

    def fault(self, kind: str, **options: Any) -> None:
        """Asks for a fault (see ``faults.KINDS`` and ``Fault``)."""
        self.world.inject(Fault(kind=kind, **options))

    def clear_faults(self) -> None:
        """Nothing goes wrong any more; dead tokens stay dead."""
        self.world.clear_faults()

    def token_expires_now(self) -> None:
        """Every access token given so far has expired."""
        self.fault("expired_token")

    def advance(self, by: timedelta) -> None:
        """Moves the sandbox's time on, so that tokens and codes age."""
        self.world.clock.advance(by)

    def ground_truth(self) -> list[dict[str, Any]]:
        """Every listed member of the first company with every key, those a client must drop included."""
        return self.company.members()


def _build_server(world: SandboxState) -> uvicorn.Server:
    app = create_app(world)
    config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    return uvicorn.Server(config)


@contextmanager
def running(
    employees: int = 100,
    seed: int = 0,
    *,
    today: date | None = None,
    faults: Sequence[str] = (),
    now: Callable[[], datetime] | None = None,
    access_life: timedelta = timedelta(hours=24),
    refresh_life: timedelta = timedelta(days=30),
) -> Iterator[Sandbox]:
    """A sandbox on a free port of this machine, in a thread, until the block ends.

    ``employees`` people are drawn from ``seed`` as of ``today``.
    ``now`` gives the sandbox's time (aware), the real one by default.
    """
    world = SandboxState(Company(employees, seed, today), Clock(now))
    world.tokens.access_life, world.tokens.refresh_life = access_life, refresh_life
    for text in faults:
        world.inject(Fault.parse(text))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _build_server(world)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
        thread.start()
        try:
            _wait(server, thread)
            yield Sandbox(f"http://127.0.0.1:{listener.getsockname()[1]}", world)
        finally:
            server.should_exit = True
            thread.join(STARTS_WITHIN)


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = monotonic() + STARTS_WITHIN
    while not server.started:
        if not thread.is_alive() or monotonic() > until:
            raise RuntimeError("The sandbox did not start.")
        sleep(0.005)


def serve(port: int = 8085, employees: int = 100, seed: int = 0, faults: Sequence[str] = ()) -> None:
    """Serves a sandbox on this machine until interrupted; the client id and secret are the fixed ones.

    Raises:
        UsageError: a fault nobody knows, or a port that is taken.
    """
    world = SandboxState(Company(employees, seed))
    for text in faults:
        world.inject(Fault.parse(text))
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise UsageError(f"The sandbox cannot listen on port {port} ({error.strerror}): give another --port.") from None
    with listener, suppress(KeyboardInterrupt):
        _build_server(world).run(sockets=[listener])
