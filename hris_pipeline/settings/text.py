"""What text is made of, one value at a time: how it is cleaned by what it is, how it compares where letter case does
not count, the nearest known name to one that is not known, and a number of things or a moment in words.

Whole columns are cleaned in ``transform.columns``, which asks here only about values that are not plain ASCII; the
store and the sources ask about single ids and addresses.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo

from hris_pipeline.settings.fields import TextRule

__all__ = ["clean_value", "fold_case", "iso_date", "local_moment", "nearest_or_all", "plural", "suggestion"]

_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")

_JOINERS = "\u200c\u200d"

_YEAR_FIRST = re.compile(r"([1-9]\d{3})(?:([-/.])(\d{1,2})\2(\d{1,2})|(\d{2})(\d{2}))(?:[T ].*)?")

_INVISIBLE_ENDS = "\u200b\ufeff\u2060\u00ad"
"""What a free text must not begin or end with; other format characters there may belong to it (directions, flags)."""


def clean_value(value: str, rule: TextRule) -> str:
    """The text as it is kept: trimmed, composed (NFC), a line break or tab a blank, without control characters; '' when
    nothing is left to see.

    Format characters (Unicode Cf) go from ids, addresses, numbers and country codes, and from names unless they join
    two letters of a word. A free text keeps them inside, where they may be part of a flag or of a right-to-left text.
    """
    if value.isprintable():  # nothing to take out
        return unicodedata.normalize("NFC", value).strip()
    kept = "".join(character for character in _BREAKS.sub(" ", value) if unicodedata.category(character) != "Cc")
    if rule == "free":
        text = unicodedata.normalize("NFC", _strip(kept))
        return text if any(_is_visible(character) for character in text) else ""
    text = "".join(_inside_words(kept) if rule == "name" else _without_format(kept))
    return unicodedata.normalize("NFC", text).strip()


def fold_case(value: str) -> str:
    """The text for comparing without letter case: Unicode's NFKC_Casefold, so that also full-width letters, ligatures
    and what cannot be seen make no difference."""
    if value.isascii():
        return value.lower()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold())
    if folded.isprintable():  # nothing to take out
        return folded
    return unicodedata.normalize("NFKC", "".join(_without_format(folded)))


@lru_cache(maxsize=32768)
def iso_date(text: str) -> str | None:
    """The date as ISO 8601, None for what is no date with the year first. Many people share few dates."""
    match = _YEAR_FIRST.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if match is None:
        return None
    year, _, month, day, short_month, short_day = match.groups()
    try:
        return date(int(year), int(month or short_month), int(day or short_day)).isoformat()
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _unicode_category(character: str) -> str:
    return unicodedata.category(character)


def _is_visible(character: str) -> bool:
    return not character.isspace() and _unicode_category(character) != "Cf"


def _without_format(text: str) -> list[str]:
    return [character for character in text if _unicode_category(character) != "Cf"]


def _inside_words(text: str) -> list[str]:
    """Without format characters, but for one joiner between two letters."""
    letters: list[str] = []
    waiting = ""
    for character in text:
        if _unicode_category(character) == "Cf":
            waiting = waiting or (character if character in _JOINERS else "")
            continue
        if waiting and letters and _is_letter_or_mark(letters[-1]) and _is_letter_or_mark(character):
            letters.append(waiting)
        waiting = ""
        letters.append(character)
    return letters


def _is_letter_or_mark(character: str) -> bool:
    return _unicode_category(character)[0] in "LM"


def _strip(text: str) -> str:
    while (stripped := text.strip().strip(_INVISIBLE_ENDS)) != text:
        text = stripped
    return text


def local_moment(value: datetime, time_zone: str) -> str:
    """A moment (aware) for people, in a zone whose short name stands behind it: ``2026-03-02 04:00 EST``."""
    return f"{value.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M %Z}"


def plural(number: int, noun: str, several: str = "") -> str:
    """A number of things: ``1 user``, ``1,200 users``; ``several`` where it is no ``s`` that is added."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def suggestion(name: str, names: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` with the nearest of ``names``, letter case ignored; empty when nothing is near."""
    by_key = {candidate.casefold(): candidate for candidate in names}
    near = get_close_matches(name.casefold(), by_key, n=1, cutoff=0.6)
    return f" Did you mean {by_key[near[0]]!r}?" if near else ""


def nearest_or_all(name: str, names: Iterable[str]) -> str:
    """``suggestion``, or `` There are: a, b, c.`` where nothing is near; empty where there is nothing at all."""
    candidates = list(names)
    every = f" There are: {', '.join(candidates)}." if candidates else ""
    return suggestion(name, candidates) or every
