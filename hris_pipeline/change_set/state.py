"""The state of a user, the columns an import may write, as canonical JSON: the very text that msgspec writes row by
row, written by whole columns at a tenth of the cost."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.transform.columns import as_text, from_arrow, map_chunks, text_series, to_arrow

__all__ = [
    "decode_metadata",
    "encode_metadata",
    "json_literals",
    "json_objects",
    "json_strings",
    "merge_metadata",
    "state_json",
]


_FLAGS = frozenset({"email_edited_by_user"})
_encode = msgspec.json.Encoder(order="sorted").encode


def state_json(users: pd.DataFrame) -> pd.Series:
    """One canonical JSON object a row with the keys of ``USER_STATE``; ``metadata`` comes in as canonical JSON text."""
    return map_chunks(_states, users)


def _states(users: pd.DataFrame) -> Any:
    values = {name: _json(name, users[name]) for name in USER_STATE}
    return json_objects(values, len(users), nulls=True)


def _json(name: str, values: pd.Series) -> Any:
    if name == "metadata":
        return to_arrow(values)
    return json_literals(to_arrow(values)) if name in _FLAGS else json_strings(to_arrow(as_text(values)))


def encode_metadata(values: Mapping[str, pd.Series], index: pd.Index) -> pd.Series:
    """``merge_metadata`` of people who have none yet."""
    members = {name: json_strings(to_arrow(column)) for name, column in values.items()}
    return from_arrow(json_objects(members, len(index), nulls=False), index)


def decode_metadata(stored: pd.Series) -> list[dict[str, str]]:
    """The stored metadata of each user, decoded."""
    decode = msgspec.json.Decoder(dict[str, str]).decode
    return [decode(line) for line in to_arrow(stored).to_pylist()]


def merge_metadata(kept: list[dict[str, str]], values: Mapping[str, pd.Series], index: pd.Index) -> pd.Series:
    """One canonical JSON object a row: what is kept, overlaid with the values by display name; a null removes."""
    columns = [to_arrow(series).to_pylist() for series in values.values()]
    lines = []
    for position, whole in enumerate(kept):
        merged = whole | {name: column[position] for name, column in zip(values, columns, strict=True)}
        lines.append(_encode({name: value for name, value in merged.items() if value is not None}).decode())
    return text_series(lines, index)


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
