"""What this machine lacks for speaking HTTP is said by the variable that names it, never by that variable's value."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hris_pipeline.errors import MachineError
from hris_pipeline.sources import answers
from hris_pipeline.sources.answers import failure_words
from hris_pipeline.sources.http import Http

VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (*VARIABLES, *map(str.lower, VARIABLES), "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    answers._create_tls_context.cache_clear()
    yield
    answers._create_tls_context.cache_clear()


def opened() -> None:
    Http("https://api.example", title="Justworks", advice=lambda *_: "do this").close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NO_PROXY", "[::1]"),
        ("no_proxy", "localhost,[::1]"),
        ("HTTPS_PROXY", "http://secret-word@proxy:port"),
        ("https_proxy", "secret-word://proxy:3128"),
        ("ALL_PROXY", "http://proxy:99999999/secret-word"),
        ("HTTP_PROXY", "http://[secret-word]:3128"),
        ("SSL_CERT_FILE", "/nowhere/secret-word.pem"),
        ("SSL_CERT_DIR", "/nowhere/secret-word"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(MachineError, match=f"^{name} ") as caught:
        opened()
    assert "secret-word" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_holds_no_certificates_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "certificates.pem"
    file.write_text("none")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(MachineError, match=r"^SSL_CERT_FILE "):
        opened()


def test_a_socks_proxy_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(MachineError, match=r"pip install 'httpx\[socks\]'"):
        opened()


@pytest.mark.parametrize("value", ["localhost,127.0.0.1,::1", "*", ".example.com", ""])
def test_what_can_be_used_is_used(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("NO_PROXY", value)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    opened()


def test_a_failed_connection_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not trusted here" in failure_words(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] for secret"))
    assert failure_words(httpx.ReadError("secret")) == "ReadError"
    monkeypatch.setenv("HTTPS_PROXY", "http://secret@proxy:3128")
    assert failure_words(httpx.ConnectError("Connection refused")).endswith("on the way that HTTPS_PROXY names")
    assert failure_words(httpx.ProxyError("407")) == "ProxyError: the proxy refused, on the way that HTTPS_PROXY names"
