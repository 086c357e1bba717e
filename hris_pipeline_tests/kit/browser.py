"""A browser without a screen: HTTP as a browser speaks it, with its Origin, its cookies and the form token."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import unescape
from typing import Any

import httpx

from hris_pipeline.console.app import build_app, build_console
from hris_pipeline.console.gateway import App, access_of, session_cookie
from hris_pipeline.console.jobs import Job, Jobs
from hris_pipeline.console.login import OneTimeLink
from hris_pipeline.console.visit import Console
from hris_pipeline.environment import AccessEnvironment, Environment, Role
from hris_pipeline.operations.roles import DecidedBy
from hris_pipeline.operations.services import Services
from hris_pipeline_tests.kit.acme import Acme

__all__ = [
    "FORM",
    "ORIGIN",
    "PAGE",
    "Browser",
    "RecordedJobs",
    "Served",
    "client_of",
    "hidden_values",
    "review_address",
    "serve",
    "websocket",
    "words_of",
]

ORIGIN = "http://127.0.0.1:3000"
PAGE = {"accept": "text/html", "sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
FORM = {"accept": "text/html", "origin": ORIGIN, "sec-fetch-site": "same-origin"}


class _Transport(httpx.BaseTransport):
    """Hands requests to an application in this process, as if they came from ``peer``."""

    def __init__(self, app: App, peer: str) -> None:
        self._asgi = httpx.ASGITransport(app, raise_app_exceptions=True, client=(peer, 50000))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            answer = await self._asgi.handle_async_request(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return asyncio.run(ask())


def client_of(app: App, origin: str = ORIGIN, peer: str = "127.0.0.1") -> httpx.Client:
    """A client of an application in this process."""
    return httpx.Client(transport=_Transport(app, peer), base_url=origin, follow_redirects=True)


def websocket(app: App, path: str, headers: Mapping[str, str], messages: Sequence[Any] = ()) -> list[Any]:
    """What a websocket is sent back, of one that sends these messages as JSON and then hangs up."""
    waiting: list[dict[str, Any]] = [{"type": "websocket.connect"}]
    waiting += [{"type": "websocket.receive", "text": json.dumps(message)} for message in messages]
    waiting += [{"type": "websocket.disconnect", "code": 1000}]
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(0.05)
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "ws",
        "subprotocols": ["graphql-ws"],
        "client": ("127.0.0.1", 50000),
        "headers": [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1:3000", **headers}.items()],
    }
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return sent


@dataclass
class Browser:
    """Somebody's browser; ``csrf`` is the token of the session's forms."""

    client: httpx.Client
    csrf: str = ""

    def get(self, path: str, headers: Mapping[str, str] = PAGE) -> httpx.Response:
        """A page, whatever it answers; redirects are followed."""
        answer: httpx.Response = self.client.get(path, headers=dict(headers))
        return answer

    def post(self, path: str, **fields: Any) -> httpx.Response:
        """A form of the console, sent; redirects are followed."""
        answer: httpx.Response = self.client.post(path, data={"csrf": self.csrf, **fields}, headers=FORM)
        return answer

    def post_only(self, path: str, **fields: Any) -> httpx.Response:
        """The same, and what it answers itself."""
        data = {"csrf": self.csrf, **fields}
        answer: httpx.Response = self.client.post(path, data=data, headers=FORM, follow_redirects=False)
        return answer


class RecordedJobs(Jobs):
    """Starts nothing, and remembers what it was asked to; ``shown`` is what pages are told."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.started: list[tuple[str, str, dict[str, Any]]] = []
        self.shown: Job | None = None

    def start(self, name: str, integration_id: str, request: Mapping[str, Any]) -> None:
        self.started.append((name, integration_id, dict(request)))

    def latest(self, integration_id: str) -> Job | None:
        return self.shown


@dataclass
class Served:
    """A console that answers, and everything a test needs of it."""

    console: Console
    app: App
    links: list[str]
    jobs: RecordedJobs

    def stranger(self) -> Browser:
        """Somebody who is not logged in."""
        return Browser(client_of(self.app))

    def browser(self, role: Role | None = "administrator", identity: str = "dana") -> Browser:
        """Somebody who is logged in, in that role."""
        by = DecidedBy(identity, identity, "link", "127.0.0.1")
        session, cookie = self.console.sessions.start(by, role)
        browser = self.stranger()
        name, _, value = session_cookie(self.console.access, cookie).partition(";")[0].partition("=")
        browser.client.cookies.set(name, value, domain="127.0.0.1")
        browser.csrf = session.csrf
        return browser


def serve(
    services: Services,
    access: AccessEnvironment | None = None,
    *,
    host: str = "127.0.0.1",
    dagster: App | None = None,
    daemon_seen: Callable[[], bool | None] = lambda: None,
) -> Served:
    """A console over these services, as ``hris console`` makes it; nothing listens."""
    door = access_of(access or AccessEnvironment(), host, 3000)
    jobs = RecordedJobs(services.environment)
    built = build_console(services, door, dagster_url="/dagster" if dagster else "", daemon_seen=daemon_seen)
    console = replace(built, jobs=jobs)
    links: list[str] = []
    link = OneTimeLink(door, "dana", links.append) if door.mode == "link" else None
    if link is not None:
        link.renew()
    return Served(console, build_app(console, link=link, dagster=dagster), links, jobs)


def words_of(answer: httpx.Response) -> str:
    """The text that a person reads on a page, blanks made one."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def hidden_values(page: str, name: str) -> list[str]:
    """The values of a page's hidden fields of that name."""
    return [unescape(value) for value in re.findall(rf'name="{re.escape(name)}" value="([^"]*)"', page)]


def review_address(acme: Acme) -> str:
    """Where a fresh plan is reviewed."""
    return f"/i/acme/imports/{acme.preview().import_id}"
