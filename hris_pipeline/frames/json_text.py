"""Canonical JSON written by whole columns: the very text that msgspec writes row by row, at a tenth of the cost."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["json_literals", "json_objects", "json_strings"]

_ESCAPED = r'["\\\x00-\x1f]'
"""What JSON cannot hold as it is."""


def json_strings(values: Any) -> Any:
    """Each text as a JSON string; null stays null."""
    escaped = pc.fill_null(pc.match_substring_regex(values, _ESCAPED), False)
    quoted = pc.binary_join_element_wise('"', values, '"', "")
    rare = [msgspec.json.encode(value).decode() for value in values.filter(escaped).to_pylist()]
    return pc.replace_with_mask(quoted, escaped, pa.array(rare, pa.string())) if rare else quoted


def json_literals(flags: Any) -> Any:
    """Each flag as ``true`` or ``false``; null stays null."""
    return flags.cast(pa.string())


def json_objects(values: Mapping[str, Any], length: int, *, nulls: bool) -> Any:
    """One object a row of columns that are JSON already, keys in order; a null is ``null``, or left out."""
    pieces: list[Any] = []
    for name in sorted(values):
        key = f",{msgspec.json.encode(name).decode()}:"
        if nulls:
            pieces += [key, pc.fill_null(values[name], "null")]
        else:
            pieces.append(pc.fill_null(pc.binary_join_element_wise(key, values[name], ""), ""))
    if not pieces:
        return pa.repeat(pa.scalar("{}"), length)
    members = pc.utf8_slice_codeunits(pc.binary_join_element_wise(*pieces, ""), 1)  # each member brings its comma
    return pc.binary_join_element_wise("{", members, "}", "")
