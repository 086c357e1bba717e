"""The state of a user: the columns an import may write, and how a state is written down."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pandas as pd

from hris_pipeline.frames.columns import arrow, as_text, by_chunks, series, text
from hris_pipeline.frames.json_text import json_literals, json_objects, json_strings
from hris_pipeline.frames.names import USER_STATE

__all__ = ["USER_STATE", "metadata_json", "metadata_values", "new_metadata_json", "state_json"]

_FLAGS = frozenset({"email_edited_by_user"})
_encode = msgspec.json.Encoder(order="sorted").encode


def state_json(users: pd.DataFrame) -> pd.Series:
    """One canonical JSON object a row with the keys of ``USER_STATE``; ``metadata`` comes in as canonical JSON text."""
    return by_chunks(_states, users)


def _states(users: pd.DataFrame) -> Any:
    values = {name: _json(name, users[name]) for name in USER_STATE}
    return json_objects(values, len(users), nulls=True)


def _json(name: str, values: pd.Series) -> Any:
    if name == "metadata":
        return arrow(values)
    return json_literals(arrow(values)) if name in _FLAGS else json_strings(arrow(as_text(values)))


def new_metadata_json(values: Mapping[str, pd.Series], index: pd.Index) -> pd.Series:
    """``metadata_json`` of people who have none yet."""
    members = {name: json_strings(arrow(column)) for name, column in values.items()}
    return series(json_objects(members, len(index), nulls=False), index)


def metadata_values(stored: pd.Series) -> list[dict[str, str]]:
    """The stored metadata of each user, decoded."""
    decode = msgspec.json.Decoder(dict[str, str]).decode
    return [decode(line) for line in arrow(stored).to_pylist()]


def metadata_json(kept: list[dict[str, str]], values: Mapping[str, pd.Series], index: pd.Index) -> pd.Series:
    """One canonical JSON object a row: what is kept, overlaid with the values by display name; a null removes."""
    columns = [arrow(series).to_pylist() for series in values.values()]
    lines = []
    for position, whole in enumerate(kept):
        merged = whole | {name: column[position] for name, column in zip(values, columns, strict=True)}
        lines.append(_encode({name: value for name, value in merged.items() if value is not None}).decode())
    return text(lines, index)
