"""A company as the source describes it, what members refer to by id, and members of it read in both ways."""

from typing import Any

import msgspec

from hris_pipeline.settings.fields import RAW_COLUMNS
from hris_pipeline.sources.justworks_wire import Reception, columns
from hris_pipeline.sources.protocol import Company, Office, Record
from hris_pipeline.sources.raw_columns import UNREAD, ColumnBuilder

__all__ = ["COMPANY", "gather_columns", "receive_member", "row_of"]

COMPANY = Company(
    "c",
    "Acme",
    (
        Office("o1", "Austin", "TX", "US"),
        Office("o2", "New York", "NY", "US", line1="1 Sample Avenue", postal_code="10013"),
        Office("o3", unread=True),
        Office("o4"),
    ),
    {"d1": "Engines"},
)


def gather_columns(*records: Record) -> dict[str, list[object]]:
    """The columns gathered while members arrived, without the archive."""
    builder = ColumnBuilder()
    for record in records:
        builder.append(record.row, record.unread, record.updated_at)
    return {name: column.to_pylist() for name, column in builder.finish().items()}


def receive_member(**member: Any) -> dict[str, object]:
    """A member that was taken in, archived and read again."""
    reception = Reception(COMPANY)
    record = reception.record({"id": "m1", "active": True, **member})
    read = columns([record.line], COMPANY)
    assert gather_columns(record) == read
    unread = reception.report().unread
    assert set(unread) == set(read["unread"][0])
    assert all(column.count == column.of == 1 for column in unread.values())
    return {name: values[0] for name, values in read.items()} | {"report": unread}


def row_of(**member: Any) -> dict[str, object]:
    """The columns of a member: read of the line as it came, and the same after it was taken in."""
    read = columns([msgspec.json.encode({"id": "m1", "active": True, **member})], COMPANY)
    plain = {name: values[0] for name, values in read.items() if name in RAW_COLUMNS}
    if not read[UNREAD][0]:
        after = receive_member(**member)
        assert after["unread"] or {name: after[name] for name in RAW_COLUMNS} == plain
    return plain
