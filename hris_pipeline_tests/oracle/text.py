"""What is done to every text of the wire, and how texts are compared without case."""

import re
import unicodedata
from datetime import date

_LINE_BREAK_OR_TAB = re.compile("\r\n|[\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029]")
_JOINERS = ("\u200c", "\u200d")
_NO_ENDS = (date(9999, 12, 31), date(1900, 1, 1), date(1970, 1, 1))


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf")


def _is_of_a_word(character: str) -> bool:
    return unicodedata.category(character)[0] in ("L", "M", "N")


def clean_id(text: str) -> str:
    """For ids, addresses and numbers: no control or format character stays."""
    text = _LINE_BREAK_OR_TAB.sub(" ", text)
    text = "".join(character for character in text if not _is_control(character))
    return unicodedata.normalize("NFC", text).strip()


def clean_name(text: str) -> str:
    """For names and all other text: joiners inside a word stay."""
    text = _LINE_BREAK_OR_TAB.sub(" ", text)
    text = "".join(character for character in text if character in _JOINERS or not _is_control(character))
    kept = []
    for position, character in enumerate(text):
        if character in _JOINERS:
            before = text[:position].rstrip("".join(_JOINERS))[-1:]
            after = text[position + 1 :].lstrip("".join(_JOINERS))[:1]
            if not (before and after and _is_of_a_word(before) and _is_of_a_word(after)):
                continue
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def key(text: str) -> str:
    """What two texts have in common when they differ in case or in compatibility forms only."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)


def same(left: str | None, right: str | None) -> bool:
    """Both there and equal without case."""
    return bool(left) and bool(right) and key(left or "") == key(right or "")


def read_date(text: str) -> date | None:
    """An ISO date, or the date part of an ISO date-time; None when it is neither."""
    text = clean_id(text)
    match = re.fullmatch(r"(\d{4}-\d{2}-\d{2})([T ]\d{2}:\d{2}.*)?", text, flags=re.ASCII)
    if match is None:
        return None
    try:
        return date.fromisoformat(match.group(1))
    except ValueError:
        return None


def read_end(text: str) -> tuple[date | None, bool]:
    """An end date and whether it could be read; a placeholder is no end."""
    day = read_date(text)
    if day is None:
        return None, False
    return (None if day in _NO_ENDS else day), True
