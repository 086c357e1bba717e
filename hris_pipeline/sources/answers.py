"""One answer of a source, read within its ceilings: bytes after decompression, seconds, and a character set that there
is. What the status means is the client's business."""

import codecs
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from hris_pipeline.sources.pacing import Ceilings

__all__ = ["ENCODINGS", "Answer", "AnswerUnreadable", "read_answer"]

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
    """An answer that is there wholly; ``body`` is UTF-8, as far as its source is."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def content_type(self) -> str:
        """What the source says it is."""
        return str(self.headers.get("Content-Type", ""))


def read_answer(response: httpx.Response, ceilings: Ceilings) -> Answer:
    """The answer, its body unpacked.

    Raises:
        AnswerUnreadable: it is too large, comes too slowly, or is packed or spelled in an unknown way.
        httpx.RequestError: the connection broke.
    """
    body = bytearray()
    until = time.monotonic() + ceilings.answer_seconds
    unpack = _unpacking(response.headers.get("Content-Encoding", ""), ceilings.answer_bytes + 1)
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


def _unpacking(encoding: str, most: int) -> Callable[[bytes], tuple[bytes, bytes]]:
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
    charset = _charset(headers.get("Content-Type", ""))
    try:
        codec = codecs.lookup(charset)
        if codec.name in _UNICODE:
            return body
        return bytes(str(codec.decode(body, "strict")[0]), "utf-8", "replace") if _is_text(codec) else _unknown(charset)
    except (LookupError, ValueError, TypeError):
        return _unknown(charset)


def _is_text(codec: codecs.CodecInfo) -> bool:
    return bool(getattr(codec, "_is_text_encoding", True))


def _unknown(charset: str) -> bytes:
    raise AnswerUnreadable(f"text in the character set {charset[:30]!r}, in which it cannot be read")


def _charset(content_type: str) -> str:
    for part in content_type.split(";")[1:]:
        key, _, value = part.partition("=")
        if key.strip().lower() == "charset":
            return value.strip().strip("\"'").lower() or "utf-8"
    return "utf-8"
