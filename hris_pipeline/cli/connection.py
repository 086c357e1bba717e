"""Connecting an integration, disconnecting and deleting it; and getting an administrator's consent: the address to
open, and the code that comes back, by the browser or by hand."""

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
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import typer

from hris_pipeline.cli.common import IntegrationArgument, at_terminal, deciding, open_services
from hris_pipeline.cli.printing import CommandResult, cell, error_line, status
from hris_pipeline.errors import ConnectionInvalid, UsageError
from hris_pipeline.operations import connection as connection_operations
from hris_pipeline.operations.connection import (
    consent_url,
    delete_integration,
    is_own_state,
    new_state,
    refusal_words,
    refused_permissions,
)
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.text import plural
from hris_pipeline.store.integrations import get_integration

__all__ = ["CALLBACK", "Code", "RedirectUri", "ask_consent", "code_in", "connect", "delete", "disconnect", "read_code"]

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


def read_code(services: Services, integration_id: str, option: str) -> str:
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
    return _require_code(outcome)


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
        return _wait_for_code(callback, state)


def _wait_for_code(callback: "_Callback", state: str) -> str:
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
                return code_in(line, _match_state(state))
        elif ready and (outcome := callback.handle()) is not None:
            return _require_code(outcome)
    raise UsageError(f"Nobody logged in within {WAIT_SECONDS / 60:g} minutes: start again.")


def _require_code(outcome: _Redirected) -> str:
    if outcome.error:
        raise ConnectionInvalid(f"Nobody agreed ({outcome.error}): log in again and allow the access.")
    return outcome.code


def _match_state(state: str) -> Callable[[str], bool]:
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
                server = HTTPServer(("127.0.0.1", port), self._build_handler(parts.path or "/", state))
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

    def _build_handler(self, path: str, state: str) -> type[BaseHTTPRequestHandler]:
        callback = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                address = urlsplit(self.path)
                outcome = _read(address.query, _match_state(state)) if address.path == path else None
                if outcome is None:
                    self._say(400, "This is not the answer to the request that is waiting.")
                    if address.path == path:
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


Code = Annotated[
    str | None,
    typer.Option(
        help="The code that the consent gave, or the whole address the browser was sent back to; - reads it from "
        "standard input."
    ),
]

RedirectUri = Annotated[str, typer.Option(help="Where the browser is sent back to, as registered with Justworks.")]


def connect(name: IntegrationArgument, code: Code = None, redirect_uri: RedirectUri = CALLBACK) -> CommandResult:
    """Prints an address (and opens it, where there is a browser) at which an administrator of the company logs in and
    agrees, and waits until the browser comes back. For an HRIS aggregator, `--code` is its access token.
    """
    with open_services() as services:
        with services.store.read() as connection:
            get_integration(connection, name)
        authorization_code = (
            ask_consent(services, name, redirect_uri) if code is None else read_code(services, name, code)
        )
        with deciding(services, name, "connect"):
            company = connection_operations.connect(services, name, authorization_code, redirect_uri=redirect_uri)
        refused = refused_permissions(services, name)
    payload = {
        "integration": name,
        "connection": "connected",
        "company": company.display_name,
        "not_granted": list(refused),
    }
    line = cell(f"{name} is connected to {company.display_name}.", "bold green")
    return CommandResult(payload, [line, *(cell(refusal_words(name, permission), "yellow") for permission in refused)])


def disconnect(name: IntegrationArgument) -> CommandResult:
    """Revokes the token at the source and forgets it. `hris connect` connects again."""
    with open_services() as services, deciding(services, name, "disconnect"):
        revoked = connection_operations.disconnect(services, name)
    payload = {"integration": name, "connection": "disconnected", "revoked": revoked}
    line = f"{name} is disconnected."
    if not revoked:
        line += " The source did not confirm that it revoked the token: remove the access there, too."
    return CommandResult(payload, [cell(line)])


def delete(
    name: IntegrationArgument, confirm: Annotated[str, typer.Option(help="The name again.")] = ""
) -> CommandResult:
    """Revokes the connection at the source and removes settings, credentials, stored extracts, frames and open plans.
    Users and their import history stay, unlinked and local.
    """
    from hris_pipeline.cli.jobs import forget_partition, frames_remover  # noqa: PLC0415 - others need no Dagster

    with open_services() as services:
        with deciding(services, name, "delete"):
            user_count = delete_integration(services, name, confirm, remove_frames=frames_remover(services.environment))
        forget_partition(services.environment, name)
    line = f"{name} is deleted. Its {plural(user_count, 'user')} stay, as local ones."
    return CommandResult({"integration": name, "deleted": True, "users_kept": user_count}, [cell(line)])
