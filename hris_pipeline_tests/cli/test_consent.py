"""The code that comes back from a consent: pasted, or by the browser through the loopback address."""

import threading
import webbrowser
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from hris_pipeline.cli import connection
from hris_pipeline.cli.connection import ask_consent, code_in
from hris_pipeline.errors import ConnectionInvalid, UsageError
from hris_pipeline.operations.services import open_services
from hris_pipeline.sandbox.server import Sandbox

BACK = "http://127.0.0.1:8765/callback"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("  abc ", "abc"),
        (f"{BACK}?code=abc&state=s", "abc"),
    ],
)
def test_a_code_may_be_pasted_alone_or_with_its_address(text: str, code: str) -> None:
    assert code_in(text, "s".__eq__) == code


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (f"{BACK}?code=abc&state=other", UsageError),
        (f"{BACK}?code=abc", UsageError),
        (f"{BACK}?state=s", UsageError),
        (f"{BACK}?error=access_denied&state=s", ConnectionInvalid),
    ],
)
def test_an_address_that_is_not_the_answer_is_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        code_in(text, "s".__eq__)


@pytest.fixture
def free_callback(monkeypatch: pytest.MonkeyPatch) -> str:
    """A loopback address that no other test uses."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/callback"


def asked(address: str, browser: Callable[[str], object], monkeypatch: pytest.MonkeyPatch) -> str:
    """Asks for consent while ``browser`` does something with the consent link."""
    monkeypatch.setattr(connection, "_has_browser", lambda: True)
    monkeypatch.setattr(connection, "at_terminal", lambda: False)

    def opened(url: str) -> bool:
        threading.Thread(target=browser, args=(url,), daemon=True).start()
        return True

    monkeypatch.setattr(webbrowser, "open", opened)
    services = open_services(create=True)
    try:
        return ask_consent(services, "acme", address)
    finally:
        services.close()


def test_the_browser_brings_the_code(sandbox: Sandbox, free_callback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(free_callback, lambda url: sandbox.consent(url, follow=True), monkeypatch)


def test_an_answer_with_another_state_is_ignored(
    sandbox: Sandbox, free_callback: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[int] = []

    def browser(url: str) -> None:
        other = free_callback.replace("/callback", "/other")
        forged = (f"{free_callback}?code=evil", f"{free_callback}?code=evil&state=guessed", f"{other}?code=evil")
        answers.extend(httpx.get(address).status_code for address in forged)
        sandbox.consent(url, follow=True)

    assert asked(free_callback, browser, monkeypatch) != "evil"
    assert answers == [400, 400, 400]


def test_a_refusal_ends_the_waiting(sandbox: Sandbox, free_callback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def browser(url: str) -> None:
        state = parse_qs(urlsplit(url).query)["state"][0]
        httpx.get(f"{free_callback}?error=access_denied&state={state}")

    with pytest.raises(ConnectionInvalid, match="access_denied"):
        asked(free_callback, browser, monkeypatch)


def test_a_taken_port_is_named(sandbox: Sandbox, free_callback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    port = urlsplit(free_callback).port
    with socket.create_server(("127.0.0.1", port or 0)), pytest.raises(UsageError, match=f"port {port}"):
        asked(free_callback, lambda _: None, monkeypatch)
