"""What an error may say of what a source answered: its status and its words, without addresses, tokens and numbers."""

import re
from collections.abc import Iterable

from hris_pipeline.sources.decoding import decode

__all__ = ["describe", "error_code", "redacted"]

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


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` on one line, without addresses, tokens, long numbers and the ``secrets``, at most 500 characters; error
    codes stay."""
    for secret in secrets:
        text = text.replace(secret, "[token]") if len(secret) >= _SHORTEST_SECRET else text
    text = " ".join(_CONTROL.sub(" ", text[:4000]).split())
    for pattern, instead in _SECRETS:
        text = pattern.sub(lambda match, instead=instead: _kept(match.group()) or instead, text)  # type: ignore[misc]
    return text[:LONGEST]


def _kept(match: str) -> str:
    return match if _CODE.fullmatch(match) else ""


def describe(status: int, body: bytes, content_type: str, secrets: Iterable[str] = ()) -> str:
    """Status and what the source says of it. Of a JSON answer only the keys that tell an error: others may hold a
    record."""
    answer = _object(body)
    parts = [error_code(body)]
    parts += [str(answer[key]) for key in _TEXT_KEYS if isinstance(answer.get(key), str | int)]
    if not answer and "html" not in content_type and body[:1] not in b"{[<":
        parts = [body[: LONGEST * 4].decode("utf-8", "replace")]
    said = redacted(" ".join(dict.fromkeys(filter(None, parts))), secrets)
    return f"status {status}: {said}" if said else f"status {status}"


def error_code(body: bytes) -> str:
    """The word by which a source tells what kind of error this is, '' when it gives none."""
    answer = _object(body)
    codes = (answer.get(key) for key in _CODE_KEYS)
    return next((code for code in codes if isinstance(code, str) and _CODE.fullmatch(code)), "")


def _object(body: bytes) -> dict[str, object]:
    try:
        answer = decode(body) if body[:1] == b"{" and len(body) < 1 << 20 else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
