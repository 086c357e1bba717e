"""Getting an administrator's consent: the address to open, and the code that comes back, by the browser or by hand."""

import os
import re
import secrets
import select
import sys
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import monotonic
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hris_pipeline.cli.common import at_terminal
from hris_pipeline.cli.printing import cell, error_line, status
from hris_pipeline.errors import ConnectionInvalid, UsageError
from hris_pipeline.operations.connection import consent_url, is_own_state, new_state
from hris_pipeline.operations.services import Services

__all__ = ["CALLBACK", "ask_consent", "code_in", "given_code"]

CALLBACK = "http://127.0.0.1:8765/callback"
"""Where the browser is sent back to; it must be registered with Justworks."""

WAIT_SECONDS = 600.0

LONGEST_CODE = 1 << 16

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>hris</title>
<body style="font:1.2rem system-ui;display:grid;place-items:center;min-height:90vh"><p>{}</p></body></html>"""


@dataclass(frozen=True)
class _Redirected:
    """What came back: a code, or the error that the source gave instead."""

    code: str = ""
    error: str = ""


def given_code(services: Services, integration_id: str, option: str) -> str:
    """The code in what ``--code`` was given; ``-`` reads it from standard input, where no list of processes shows it.

    Raises:
        UsageError, ConnectionInvalid: as ``code_in``.
    """
    text = option
    if option.strip() == "-":
        text = sys.stdin.read(LONGEST_CODE).strip()
        if len(text.splitlines()) > 1:
            raise UsageError("Standard input holds more than one line: give the code alone, on one line.")
    if not text.strip():
        raise UsageError("The code is empty: copy it from the address the browser was sent back to.")
    return code_in(text, lambda state: is_own_state(services, integration_id, state))


def code_in(pasted: str, is_ours: Callable[[str], bool]) -> str:
    """The code in what a person pasted: the code itself, or the whole address the browser was sent back to, whose state
    must be ours.

    Raises:
        UsageError: there is no code in it, or the address belongs to another request.
        ConnectionInvalid: the address says that nobody agreed.
    """
    pasted = pasted.strip()
    if "://" not in pasted:
        return pasted
    outcome = _read(urlsplit(pasted).query, is_ours)
    if outcome is None:
        raise UsageError(
            "That address is not the answer to a request of ours for this integration, or it is too old: open the "
            "printed address again."
        )
    return _code(outcome)


def ask_consent(services: Services, integration_id: str, redirect_uri: str = CALLBACK) -> str:
    """Shows where to log in, opens the browser where there is one, and waits for the code: from the browser through the
    loopback address, or pasted.

    Raises:
        UsageError: the loopback address cannot be listened on, or nobody came.
        ConnectionInvalid: nobody agreed.
    """
    state = new_state(services, integration_id)
    address = consent_url(services, integration_id, redirect_uri=redirect_uri, state=state)
    with _Callback(redirect_uri, state) as callback:
        status("Log in and agree here:", "", cell(f"  {address}", "underline"), "")
        if _has_browser():
            webbrowser.open(address)
        if at_terminal():
            status(
                "Waiting for the browser. Without one, paste the code or the address you were sent to, and press Enter."
            )
        return _waited(callback, state)


def _waited(callback: "_Callback", state: str) -> str:
    sources: list[Any] = [*callback.listening, *([sys.stdin] if at_terminal() else [])]
    if not sources:
        raise UsageError("Nobody can answer here: give the code with --code.")
    until = monotonic() + WAIT_SECONDS
    while (left := until - monotonic()) > 0:
        ready, _, _ = select.select(sources, [], [], left)
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                raise KeyboardInterrupt
            if line.strip():
                return code_in(line, _equals(state))
        elif ready and (outcome := callback.handle()) is not None:
            return _code(outcome)
    raise UsageError(f"Nobody logged in within {WAIT_SECONDS / 60:g} minutes: start again.")


def _code(outcome: _Redirected) -> str:
    if outcome.error:
        raise ConnectionInvalid(f"Nobody agreed ({outcome.error}): log in again and allow the access.")
    return outcome.code


def _equals(state: str) -> Callable[[str], bool]:
    return lambda other: secrets.compare_digest(other.encode(), state.encode())


def _read(query: str, is_ours: Callable[[str], bool]) -> _Redirected | None:
    """What an address carries; None when it answers another request, or nothing."""
    parameters = {key: values[-1] for key, values in parse_qs(query).items()}
    if not is_ours(parameters.get("state", "")):
        return None
    if "error" in parameters:
        return _Redirected(error=re.sub(r"[^a-z_]", "", parameters["error"])[:40] or "refused")
    return _Redirected(code=parameters["code"]) if parameters.get("code") else None


def _has_browser() -> bool:
    """A terminal browser would take the terminal over."""
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    )


class _Callback:
    """Listens at the redirect address, when that is one of this machine; ``listening`` is what to wait for."""

    def __init__(self, redirect_uri: str, state: str) -> None:
        parts = urlsplit(redirect_uri)
        self.listening: Sequence[HTTPServer] = ()
        self._outcome: _Redirected | None = None
        if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost"):
            port = parts.port or 80
            try:
                server = HTTPServer(("127.0.0.1", port), self._handler(parts.path or "/", state))
            except OSError as error:
                raise UsageError(
                    f"Cannot listen at {redirect_uri} ({error.strerror}): end what uses port {port}, or give --code."
                ) from None
            self.listening = (server,)

    def __enter__(self) -> "_Callback":
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.listening:
            server.server_close()

    def handle(self) -> _Redirected | None:
        """Answers one request; gives what it brought, if it is the one waited for."""
        self.listening[0].handle_request()
        return self._outcome

    def _handler(self, path: str, state: str) -> type[BaseHTTPRequestHandler]:
        callback = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                asked = urlsplit(self.path)
                outcome = _read(asked.query, _equals(state)) if asked.path == path else None
                if outcome is None:
                    self._say(400, "This is not the answer to the request that is waiting.")
                    if asked.path == path:
                        error_line("An answer with a wrong state came and was ignored.")
                    return
                callback._outcome = outcome
                self._say(200, "Not connected." if outcome.error else "You can close this window now.")

            def log_message(self, *_: object) -> None:
                """Nothing: the address holds the code."""

            def _say(self, status: int, words: str) -> None:
                body = _PAGE.format(words).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler
