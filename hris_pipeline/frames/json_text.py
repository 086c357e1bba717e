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
    escaped = pc.match_substring_regex(values, _ESCAPED)
    quoted = pc.binary_join_element_wise('"', values, '"', "")
    if not pc.any(escaped).as_py():
        return quoted
    rare = [msgspec.json.encode(value).decode() for value in values.filter(escaped).to_pylist()]
    return pc.replace_with_mask(quoted, pc.fill_null(escaped, False), pa.array(rare, pa.string()))


def json_literals(flags: Any) -> Any:
    """Each flag as ``true`` or ``false``; null stays null."""
    return flags.cast(pa.string())


def json_objects(values: Mapping[str, Any], length: int, *, nulls: bool) -> Any:
    """One object a row of columns that are JSON already, keys in order; a null is ``null``, or left out."""
    members = [
        pc.binary_join_element_wise(f"{msgspec.json.encode(name).decode()}:", column, "")
        for name, column in ((name, _filled(values[name], nulls)) for name in sorted(values))
    ]
    if not members:
        return pa.repeat(pa.scalar("{}"), length)
    return pc.binary_join_element_wise("{", pc.binary_join_element_wise(*members, ",", null_handling="skip"), "}", "")


def _filled(column: Any, nulls: bool) -> Any:
    return pc.fill_null(column, "null") if nulls else column
