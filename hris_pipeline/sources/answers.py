"""Between a request and its answer: the HTTP client of a process, with the certificates and proxies that this machine
names, and one answer, read within its ceilings: bytes after decompression, seconds, and a character set that there
is.

What is wrong with certificates and proxies is said by the variable's name, never by its value, which may hold a
password. What is asked, and what the status means, stands in ``http`` and the clients.
"""

import codecs
import functools
import os
import ssl
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hris_pipeline.errors import MachineError
from hris_pipeline.files import explaining_machine
from hris_pipeline.sources.pacing import Ceilings

__all__ = ["ENCODINGS", "Answer", "AnswerUnreadable", "failure_words", "open_client", "read_answer"]

ENCODINGS = "gzip, deflate"
"""What is asked for: these can be unpacked piece by piece, and stopped."""

_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})

_PLAIN = frozenset({"", "identity"})

_PIECE = 1 << 16

_UNICODE = frozenset({"utf-8", "ascii"})


class AnswerUnreadable(Exception):
    """An answer beyond its ceilings or in no form that can be read; the text says which, after "it sent"."""


@dataclass(frozen=True)
class Answer:
    """A whole answer; ``body`` is UTF-8 as far as its source could be decoded."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def content_type(self) -> str:
        """The content type that the answer names."""
        return str(self.headers.get("Content-Type", ""))


def read_answer(response: httpx.Response, ceilings: Ceilings) -> Answer:
    """The answer, its body unpacked.

    Raises:
        AnswerUnreadable: it is too large, comes too slowly, or is packed or spelled in an unknown way.
        httpx.RequestError: the connection broke.
    """
    body = bytearray()
    until = time.monotonic() + ceilings.answer_seconds
    unpack = _make_unpacker(response.headers.get("Content-Encoding", ""), ceilings.answer_bytes + 1)
    for part in response.iter_raw():
        packed = part
        while packed:
            piece, packed = unpack(packed)
            body += piece
            if len(body) > ceilings.answer_bytes:
                raise AnswerUnreadable(
                    f"more than {ceilings.answer_bytes / (1 << 20):g} MB in one answer (HRIS_ANSWER_MEGABYTES)"
                )
        if time.monotonic() > until:
            raise AnswerUnreadable(f"no whole answer within {ceilings.answer_seconds:g} seconds (HRIS_ANSWER_SECONDS)")
    return Answer(response.status_code, response.headers, _as_utf8(bytes(body), response.headers))


def _make_unpacker(encoding: str, most: int) -> Callable[[bytes], tuple[bytes, bytes]]:
    """Unpacks a piece of the body, at most 64 KiB at a time; gives what came out and what is left to unpack."""
    word = encoding.strip().lower()
    if word in _PLAIN:
        return lambda raw: (raw[: max(_PIECE, most)], b"")
    if word not in _COMPRESSED:
        raise AnswerUnreadable(f"a body packed as {word[:30]!r}, which nobody asked for")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32) if word != "deflate" else None

    def unpack(raw: bytes) -> tuple[bytes, bytes]:
        nonlocal unpacker
        if unpacker is None:  # deflate comes with or without a header
            unpacker = zlib.decompressobj(zlib.MAX_WBITS if raw[:1] and raw[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        try:
            piece = unpacker.decompress(raw, _PIECE)
        except zlib.error:
            raise AnswerUnreadable("a packed body that is broken") from None
        return piece, b"" if unpacker.eof else unpacker.unconsumed_tail

    return unpack


def _as_utf8(body: bytes, headers: httpx.Headers) -> bytes:
    charset = _read_charset(headers.get("Content-Type", ""))
    try:
        codec = codecs.lookup(charset)
        if codec.name in _UNICODE:
            return body
        return (
            bytes(str(codec.decode(body, "strict")[0]), "utf-8", "replace")
            if _is_text(codec)
            else _refuse_charset(charset)
        )
    except (LookupError, ValueError, TypeError):
        return _refuse_charset(charset)


def _is_text(codec: codecs.CodecInfo) -> bool:
    return bool(getattr(codec, "_is_text_encoding", True))


def _refuse_charset(charset: str) -> bytes:
    raise AnswerUnreadable(f"text in the character set {charset[:30]!r}, in which it cannot be read")


def _read_charset(content_type: str) -> str:
    for part in content_type.split(";")[1:]:
        key, _, value = part.partition("=")
        if key.strip().lower() == "charset":
            return value.strip().strip("\"'").lower() or "utf-8"
    return "utf-8"


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
        return httpx.Client(verify=_create_tls_context(), **options)


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
def _create_tls_context() -> ssl.SSLContext:
    """One TLS context for all clients: reading the certificates takes longer than most requests."""
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
    """The name under which the variable is set: in upper or lower case; None where it is not."""
    return next((spelling for spelling in (name.lower(), name) if os.environ.get(spelling)), None)


def _first_set(names: tuple[str, ...]) -> str | None:
    return next(filter(None, map(_set_name, names)), None)
