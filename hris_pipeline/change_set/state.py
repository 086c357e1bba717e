"""The state of a user, the columns an import may write, as canonical JSON: the very text that msgspec writes row by
row, written by whole columns at a tenth of the cost."""

from collections.abc import Mapping
from dataclasses import dataclass
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
    "metadata_column",
    "state_json",
]


_FLAGS = frozenset({"email_edited_by_user"})
_encode = msgspec.json.Encoder(order="sorted", enc_hook=lambda number: msgspec.Raw(number.spelled.encode())).encode


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


def decode_metadata(stored: pd.Series) -> list[dict[str, Any]]:
    """The stored metadata of each user, decoded. Another application may have written anything: values of any kind are
    kept as they are; what is no object holds none."""
    decode = msgspec.json.Decoder(dict[str, Any], float_hook=_Number).decode
    lines = to_arrow(stored).to_pylist()
    return [decode(line) if line and line.lstrip().startswith("{") else {} for line in lines]


@dataclass(frozen=True)
class _Number:
    """A number with a fraction or an exponent as it was spelled, so that it is written again digit by digit."""

    spelled: str


def metadata_column(metadata: list[dict[str, Any]], name: str, index: pd.Index) -> pd.Series:
    """The value that each user has under one name, comparable with the text that an import would write: text is itself,
    any other value is its JSON after a mark that no text from a source holds; null and absent are null."""
    return text_series((_comparable(entries.get(name)) for entries in metadata), index)


def merge_metadata(metadata: list[dict[str, Any]], values: Mapping[str, pd.Series], index: pd.Index) -> pd.Series:
    """One canonical JSON object a row: the metadata, overlaid with the values by display name; a null removes.

    A value equal to ``metadata_column``'s, null included, leaves what is stored just as it is."""
    columns = [to_arrow(series).to_pylist() for series in values.values()]
    lines = []
    for position, entries in enumerate(metadata):
        merged = dict(entries)
        for name, column in zip(values, columns, strict=True):
            if column[position] == _comparable(entries.get(name)):
                continue
            merged[name] = column[position]
            if column[position] is None:
                del merged[name]
        lines.append(_encode(merged).decode())
    return text_series(lines, index)


_MARK = "\x00"


def _comparable(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _MARK + _encode(value).decode()


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
