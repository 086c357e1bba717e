"""A real sandbox, a connection to it, and a server that answers exactly what a test scripts."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hris_pipeline.errors import ConnectionInvalid
from hris_pipeline.sandbox import Sandbox, running
from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.finch import Finch
from hris_pipeline.sources.oauth import OAuth, Tokens
from hris_pipeline.sources.pacing import UNLIMITED, Retries
from hris_pipeline.sources.partner_api import PartnerApi

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

    def refresh(self, stale: Tokens, do: Callable[[Tokens], Tokens]) -> Tokens:
        with self._lock:
            if self.current() == stale:
                self.tokens = do(stale)
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


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


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


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running(250, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def keeper(sandbox: Sandbox) -> MemoryKeeper:
    return connect(sandbox)


@pytest.fixture
def justworks(sandbox: Sandbox, keeper: MemoryKeeper) -> Iterator[PartnerApi]:
    source = partner_api(sandbox, keeper)
    yield source
    source.close()


@pytest.fixture
def finch(sandbox: Sandbox) -> Iterator[Finch]:
    source = Finch(
        sandbox.finch_token,
        integration_id="acme",
        api_url=sandbox.finch_url,
        rate_limiter=UNLIMITED,
        retries=QUICK,
        page_size=100,
    )
    yield source
    source.close()


@pytest.fixture
def archive(tmp_path: object) -> Archive:
    return Archive(str(tmp_path))


@dataclass
class Scripted:
    """A server that gives one answer after the other, the last for ever: status, body, headers."""

    url: str = ""
    answers: Sequence[tuple[int, bytes, dict[str, str]]] = ()
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, *answers: tuple[int, bytes] | tuple[int, bytes, dict[str, str]]) -> None:
        self.answers = [(answer[0], answer[1], answer[2] if len(answer) == 3 else {}) for answer in answers]
        self.seen.clear()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            script.seen.append((f"{self.command} {self.path}", dict(self.headers), body))
            status, body, headers = script.answers[min(len(script.seen), len(script.answers)) - 1]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        script.url = f"http://127.0.0.1:{server.server_port}"
        yield script
        server.shutdown()
        thread.join()
