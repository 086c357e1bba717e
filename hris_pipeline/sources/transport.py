"""The HTTP client of a process, with the certificates and proxies that this machine names: what is wrong with those is
said by the variable's name, never by its value, which may hold a password. What is asked, and what an answer means,
stands in ``http``."""

import functools
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from hris_pipeline.errors import MachineError
from hris_pipeline.files import explaining_machine

__all__ = ["failure_words", "open_client"]

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")

_FAILURES = (
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted here (SSL_CERT_FILE names those that are)"),
    ("Name or service not known", "its name is not known here"),
    ("name resolution", "its name cannot be looked up at present"),
    ("No address associated", "its name is not known here"),
    ("Connection refused", "nothing listens there"),
    ("unreachable", "no way leads there"),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS there"),
)
"""What the text of a failed connection contains, and what it means."""


def open_client(**options: Any) -> httpx.Client:
    """A client of httpx with the given options.

    Raises:
        MachineError: certificates or proxies of this machine cannot be used.
    """
    with _explaining_proxies(), explaining_machine("Opening a connection"):
        return httpx.Client(verify=_tls(), **options)


def failure_words(error: httpx.RequestError) -> str:
    """What kind of failure it was, in words where there are some; nothing of a request or an answer is in them."""
    kind, text = type(error).__name__, str(error)
    words = next((words for sign, words in _FAILURES if sign in text), "")
    proxy = _first_set(_PROXIES)
    if isinstance(error, httpx.ProxyError):
        words = "the proxy refused"
    if proxy and isinstance(error, httpx.ProxyError | httpx.ConnectError):
        words = f"{words or 'no connection'}, on the way that {proxy} names"
    return f"{kind}: {words}" if words else kind


@functools.cache
def _tls() -> ssl.SSLContext:
    """One for all clients: reading the certificates takes longer than most requests."""
    folder = os.environ.get("SSL_CERT_DIR")
    if folder and not os.environ.get("SSL_CERT_FILE") and not any(Path(part).is_dir() for part in folder.split(":")):
        raise MachineError("SSL_CERT_DIR names no folder, so no certificate can be checked: correct it, or unset it.")
    try:
        return httpx.create_ssl_context()
    except (OSError, ssl.SSLError):
        raise MachineError(
            "SSL_CERT_FILE names no file of certificates that can be read, so no certificate can be checked: correct "
            "it, or unset it."
        ) from None


@contextmanager
def _explaining_proxies() -> Iterator[None]:
    for name in filter(None, map(_set_name, _PROXIES)):
        if not _is_proxy(os.environ[name]):
            raise MachineError(f"{name} is no address of a proxy: give one as http://host:port, or unset it.")
    try:
        yield
    except (httpx.InvalidURL, ValueError):
        raise MachineError(
            f"{_set_name('NO_PROXY') or 'NO_PROXY'} holds what is no host: give names and addresses, comma-separated, "
            "IPv6 ones without brackets."
        ) from None


def _is_proxy(value: str) -> bool:
    try:
        proxy = httpx.Proxy(value if "://" in value else f"http://{value}")
    except (httpx.InvalidURL, ValueError):
        return False
    return (proxy.url.port or 1) < 1 << 16


def _set_name(name: str) -> str | None:
    """The variable as it is set, in upper or lower case."""
    return next((spelling for spelling in (name.lower(), name) if os.environ.get(spelling)), None)


def _first_set(names: tuple[str, ...]) -> str | None:
    return next(filter(None, map(_set_name, names)), None)
