"""A real sandbox, a connection to it, and a server that answers exactly what a test scripts."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hris_pipeline.sandbox import Sandbox, running
from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.finch import Finch
from hris_pipeline.sources.pacing import UNLIMITED
from hris_pipeline.sources.partner_api import PartnerApi
from hris_pipeline_tests.kit.source_connections import OPENED, QUICK, MemoryKeeper, Scripted, connect, partner_api


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


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
