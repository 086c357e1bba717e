"""What a source answered, as data and in words: JSON as it really arrives, at full speed where it is as it should be
and never failing for one broken value, and what an error may say of it: its status and its words, without addresses,
tokens and numbers.

What cannot be held as text (half a surrogate pair, broken UTF-8), is no number (NaN, Infinity, one without end) or
is nested beyond reason becomes ``UNREADABLE``, so that validation sees it and quarantines that one row. What a key
means is the wires' business.
"""

import json
import math
import re
from collections.abc import Iterable

import msgspec

__all__ = [
    "DEEPEST",
    "UNREADABLE",
    "UNREADABLE_BYTES",
    "as_text",
    "decode",
    "describe",
    "encode",
    "encode_sorted",
    "error_code",
    "redact_text",
    "require_object",
]

UNREADABLE = "\ufffd"
"""Stands for what could not be read; Unicode's own replacement character, which validation refuses."""

UNREADABLE_BYTES = UNREADABLE.encode()

DEEPEST = 64
"""Levels of nesting; what lies deeper is not read."""

_LONGEST_NUMBER = 300

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)

_SURROGATE = re.compile("[\ud800-\udfff]")

_decode = msgspec.json.Decoder().decode

encode = msgspec.json.Encoder().encode
"""Any JSON value as bytes; what ``decode`` gave can always be encoded."""

encode_sorted = msgspec.json.Encoder(order="sorted").encode
"""The same, with the keys of objects in order: equal values are equal bytes."""


def decode(body: bytes) -> object:
    """The JSON value in the bytes; parts that cannot be read become ``UNREADABLE``.

    Raises:
        ValueError: it is none.
    """
    try:
        return _decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError, OverflowError):
        pass
    try:
        return _clean(_TOLERANT.decode(_replace_deep_values(body.decode("utf-8", "replace"))))
    except (RecursionError, ValueError):
        raise ValueError("no JSON") from None


def as_text(value: object) -> str | None:
    """``value`` as text: itself, None for null, JSON for anything else."""
    if value is None or isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError):
        return UNREADABLE


def _parse_integer(digits: str) -> int | str:
    return int(digits) if len(digits) < _LONGEST_NUMBER else UNREADABLE


def _parse_number(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else UNREADABLE


_TOLERANT = json.JSONDecoder(
    strict=False, parse_constant=lambda _: UNREADABLE, parse_int=_parse_integer, parse_float=_parse_number
)


def _replace_deep_values(body: str) -> str:
    """The text with every value nested deeper than ``DEEPEST`` replaced."""
    parts, depth, copied = [], 0, 0
    for token in _TOKEN.finditer(body):
        character = token.group()
        if character in "[{":
            depth += 1
            if depth == DEEPEST:
                parts.append(body[copied : token.start()])
        elif character in "]}":
            if depth == DEEPEST:
                parts.append(f'"{UNREADABLE}"')
                copied = token.end()
            depth -= 1
    return "".join((*parts, body[copied:])) if depth == 0 else body


def _clean(value: object) -> object:
    if isinstance(value, str):
        return _SURROGATE.sub(UNREADABLE, value)
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


LONGEST = 500
"""Characters of a source's text in an error."""

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[^\s\"'<>,;:()]+@[^\s\"'<>,;()]+"), "[email]"),
    (re.compile(r"(?i)\bbearer\s+\S+"), "[token]"),
    (re.compile(r"[A-Za-z0-9+/_=-]{20,}(?:\.[A-Za-z0-9+/_=-]+)*"), "[token]"),
    (re.compile(r"\+?\d(?:[\s().-]?\d){4,}"), "[number]"),
)

_CODE_KEYS = ("error", "finch_code", "name", "code")

_TEXT_KEYS = ("error", "error_description", "message", "detail")

_CODE = re.compile(r"[a-z]{2,24}(?:_[a-z]{1,24}){1,6}")
"""A code of a source: lower-case words joined by underscores, which no random secret looks like."""

_SHORTEST_SECRET = 6

_CONTROL = re.compile(r"[^\x20-\x7e\xa0-\U0010ffff]+")


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` on one line, without addresses, tokens, long numbers and the ``secrets``, at most 500 characters; error
    codes stay."""
    for secret in secrets:
        text = text.replace(secret, "[token]") if len(secret) >= _SHORTEST_SECRET else text
    text = " ".join(_CONTROL.sub(" ", text[:4000]).split())
    for pattern, instead in _SECRETS:
        text = pattern.sub(lambda match, instead=instead: _keep_code(match.group()) or instead, text)  # type: ignore[misc]
    return text[:LONGEST]


def _keep_code(match: str) -> str:
    return match if _CODE.fullmatch(match) else ""


def describe(status: int, body: bytes, content_type: str, secrets: Iterable[str] = ()) -> str:
    """The status, and what the source says of the error; of a JSON answer only the keys that tell an error, because
    others may hold a record."""
    answer = _decode_object(body)
    parts = [error_code(body)]
    parts += [str(answer[key]) for key in _TEXT_KEYS if isinstance(answer.get(key), str | int)]
    if not answer and "html" not in content_type and body[:1] not in b"{[<":
        parts = [body[: LONGEST * 4].decode("utf-8", "replace")]
    said = redact_text(" ".join(dict.fromkeys(filter(None, parts))), secrets)
    return f"status {status}: {said}" if said else f"status {status}"


def error_code(body: bytes) -> str:
    """The word by which a source tells what kind of error this is, '' when it gives none."""
    answer = _decode_object(body)
    codes = (answer.get(key) for key in _CODE_KEYS)
    return next((code for code in codes if isinstance(code, str) and _CODE.fullmatch(code)), "")


def require_object(answer: object) -> dict[str, object]:
    """The answer.

    Raises:
        ValueError: it is no JSON object.
    """
    if not isinstance(answer, dict):
        raise ValueError("no object")
    return answer


def _decode_object(body: bytes) -> dict[str, object]:
    try:
        answer = decode(body) if body[:1] == b"{" and len(body) < 1 << 20 else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
