"""Scripted answers over HTTP: one handler, asked in the process (for thousands of cases) or over a real socket.

A reply says what is sent and when; how a client takes it is the client's business. Nothing here knows a source.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import httpx

from hris_pipeline_tests.oracle.answers import Timing
from hris_pipeline_tests.oracle.model import Answer

__all__ = ["IN_PROCESS", "Call", "Handler", "Reply", "answered_in_process", "serving"]

IN_PROCESS = "http://scripted.invalid"
"""The address of a source that is only there in the process."""

SLOW = 0.01
"""Seconds that a slow answer takes: late, but within any ceiling."""

DRIP = 0.05
"""Seconds between two bytes of an answer that never ends."""

HUNG_UP = {
    "stall": httpx.ReadTimeout("no byte came"),
    "drip": httpx.ReadTimeout("the answer did not end"),
    "cut": httpx.RemoteProtocolError("closed before the length it promised"),
    "reset": httpx.ReadError("connection reset"),
}
"""What a client in the process meets, where a socket would show it."""


@dataclass(frozen=True)
class Call:
    """One request, as the handler sees it."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What is sent, and how it comes."""

    answer: Answer
    timing: Timing = "prompt"


Handler = Callable[[Call], Reply]


class _Body(httpx.SyncByteStream):
    """A body whose last byte comes, or fails to."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def __iter__(self) -> Iterator[bytes]:
        body, failure = self._reply.answer.body, HUNG_UP.get(self._reply.timing)
        yield body[: len(body) // 2] if failure else body
        if failure:
            raise failure


class _InProcess(httpx.BaseTransport):
    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        reply = self._handler(_call(request.method, request.url.raw_path.decode(), request.read()))
        if reply.timing in ("stall", "reset"):
            raise HUNG_UP[reply.timing]
        headers = {"Content-Length": str(len(reply.answer.body)), **reply.answer.headers}
        return httpx.Response(reply.answer.status, headers=headers, stream=_Body(reply), request=request)


@contextmanager
def answered_in_process(handler: Handler) -> Iterator[str]:
    """Every client made meanwhile gets its answers from the handler, wherever it means to send; gives an address."""
    transport = _InProcess(handler)

    def all_of_them(client: httpx.Client, url: httpx.URL) -> httpx.BaseTransport:
        return transport

    with mock.patch.object(httpx.Client, "_transport_for_url", all_of_them):
        yield IN_PROCESS


def _call(method: str, target: str, body: bytes) -> Call:
    parts = urlsplit(target)
    return Call(method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), body)


class _Socket(BaseHTTPRequestHandler):
    """Answers one connection's requests, byte for byte as the handler says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    handler: Handler
    closing: threading.Event

    def do_GET(self) -> None:
        self._reply()

    def do_POST(self) -> None:
        self._reply()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keeps quiet."""

    def _reply(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = type(self).handler(_call(self.command, self.path, body))
        with suppress(OSError):
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        timing, data = reply.timing, reply.answer.body
        if timing == "stall":
            self.closing.wait(60)
            return self._hang_up()
        if timing == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            return self._hang_up()
        if timing == "slow":
            time.sleep(SLOW)
        self.wfile.write(self._head(reply))
        if timing == "drip":
            for byte in data[:-1] or b" ":
                if self.closing.wait(DRIP):
                    break
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
            return self._hang_up()
        self.wfile.write(data[: len(data) // 2] if timing == "cut" else data)
        self.wfile.flush()
        return self._hang_up() if timing == "cut" else None

    def _head(self, reply: Reply) -> bytes:
        length = max(len(reply.answer.body), 2) if reply.timing in ("cut", "drip") else len(reply.answer.body)
        headers = {"Content-Length": str(length), **reply.answer.headers}
        lines = [f"HTTP/1.1 {reply.answer.status} Said"] + [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _hang_up(self) -> None:
        self.close_connection = True


@contextmanager
def serving(handler: Handler) -> Iterator[str]:
    """A server on a free port of this machine; gives its address."""
    closing = threading.Event()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Scripted", (_Socket,), {"handler": staticmethod(handler), "closing": closing})
    )
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
