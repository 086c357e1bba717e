"""JSON as it really arrives: at full speed where it is as it should be, and never failing for one broken value.

What cannot be held as text (half a surrogate pair, broken UTF-8), is no number (NaN, Infinity, one without end) or is
nested beyond reason becomes ``UNREADABLE``, so that validation sees it and quarantines that one row. What a key means
is the wires' business.
"""

import json
import math
import re

import msgspec

__all__ = ["DEEPEST", "UNREADABLE", "UNREADABLE_BYTES", "as_text", "decode", "encode"]

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


def decode(body: bytes) -> object:
    """Any JSON.

    Raises:
        ValueError: it is none.
    """
    try:
        return _decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError, OverflowError):
        pass
    try:
        return _clean(_TOLERANT.decode(_flattened(body.decode("utf-8", "replace"))))
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


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) < _LONGEST_NUMBER else UNREADABLE


def _number(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else UNREADABLE


_TOLERANT = json.JSONDecoder(strict=False, parse_constant=lambda _: UNREADABLE, parse_int=_integer, parse_float=_number)


def _flattened(body: str) -> str:
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
