"""The state of a user: the columns an import may write, and how a state is written down."""

from collections.abc import Iterator, Mapping

import msgspec
import pandas as pd
import pyarrow as pa

from hris_pipeline.frames.columns import arrow, as_text, text

__all__ = ["USER_STATE", "metadata_json", "metadata_values", "state_json"]

USER_STATE: tuple[str, ...] = (
    "integration_id",
    "hris_id",
    "employee_id",
    "supervisor_id",
    "first_name",
    "preferred_first_name",
    "last_name",
    "email",
    "email_key",
    "secondary_email",
    "phone_number",
    "birth_date",
    "hire_date",
    "latest_rehire_date",
    "country_code",
    "metadata",
    "status",
    "archived_by",
    "email_edited_by_user",
)
"""The columns of a user that an import may write: the keys of ``before`` and ``after`` of a change."""

_FLAGS = frozenset({"email_edited_by_user"})
_CHUNK = 20_000
_encode = msgspec.json.Encoder(order="sorted").encode


def state_json(users: pd.DataFrame) -> pd.Series:
    """One canonical JSON object a row with the keys of ``USER_STATE``; ``metadata`` comes in as canonical JSON text."""
    columns = [arrow(users[name]) if name in _FLAGS else arrow(as_text(users[name])) for name in USER_STATE]
    return text(_states(pa.table(columns, names=list(USER_STATE))), users.index)


def _states(table: pa.Table) -> Iterator[str]:
    for start in range(
        0, table.num_rows, _CHUNK
    ):  # a list of all the rows at once would be the peak of a plan's memory
        for state in table.slice(start, _CHUNK).to_pylist():
            state["metadata"] = msgspec.Raw(state["metadata"].encode())
            yield _encode(state).decode()


def metadata_values(stored: pd.Series) -> list[dict[str, str]]:
    """The stored metadata of each user, decoded."""
    decode = msgspec.json.Decoder(dict[str, str]).decode
    return [decode(line) for line in stored.tolist()]


def metadata_json(kept: list[dict[str, str]], values: Mapping[str, pd.Series], index: pd.Index) -> pd.Series:
    """One canonical JSON object a row: what is kept, overlaid with the values by display name; a null removes."""
    columns = [arrow(series).to_pylist() for series in values.values()]
    lines = []
    for position, whole in enumerate(kept):
        merged = whole | {name: column[position] for name, column in zip(values, columns, strict=True)}
        lines.append(_encode({name: value for name, value in merged.items() if value is not None}).decode())
    return text(lines, index)
