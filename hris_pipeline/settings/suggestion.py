"""The nearest known name to one that is not known, for messages that say what was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["suggestion"]


def suggestion(name: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` with the nearest of ``known``, letter case ignored; empty when nothing is near."""
    by_key = {candidate.casefold(): candidate for candidate in known}
    near = get_close_matches(name.casefold(), by_key, n=1, cutoff=0.6)
    return f" Did you mean {by_key[near[0]]!r}?" if near else ""
