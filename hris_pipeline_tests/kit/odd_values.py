"""What nobody sends on purpose, and documents in which it stands at some place, to try readers with."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

__all__ = ["ODD_TEXTS", "ODD_VALUES", "mutated"]

ODD_TEXTS = (
    *("", " ", "x" * 5000, "\u200b", "\ufeff", "\x00", "\x1b[31m", "\ud800", "e\u0301", "null", "NaN", "1e999", "-0"),
    *(
        "9999-12-31",
        "0000-00-00",
        "2020-02-30",
        "2026-03-02T10:00:00+99:00",
        "=1+1",
        "'",
        '"',
        "{{7*7}}",
        "\u202e",
        "İ",
    ),
)


def _nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"values": [value]}
    return value


ODD_VALUES: tuple[Any, ...] = (
    *ODD_TEXTS,
    *(None, True, False, 0, -1, 2**63, 2**64, 10**400, -(10**400), 0.1, 1e308, -0.0, float("nan"), float("inf")),
    *([], {}, [None], [[]], [{}], {"": ""}, {"id": {"id": []}}, {"US": None}, _nested(20), _nested(200), ["x"] * 300),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path below a document's root."""
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _places(child, (*path, key))


@st.composite
def mutated(draw: st.DrawFn, document: Any, odd: tuple[Any, ...] = ODD_VALUES, most: int = 3) -> Any:
    """The document with odd values at some places, or without what stood there."""
    changed = deepcopy(document)
    for _ in range(draw(st.integers(1, most))):
        places = list(_places(changed))
        if not places:
            break
        *parents, last = draw(st.sampled_from(places))
        holder = changed
        for key in parents:
            holder = holder[key]
        how = draw(st.integers(0, 9))
        if how == 0:
            del holder[last]
        elif how == 1 and isinstance(holder, dict):
            holder[draw(st.sampled_from(ODD_TEXTS))] = deepcopy(draw(st.sampled_from(odd)))
        else:
            holder[last] = deepcopy(draw(st.sampled_from(odd)))
    return changed
