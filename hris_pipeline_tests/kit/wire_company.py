"""A company as the source describes it, what members refer to by id, and members of it read in both ways."""

from collections.abc import Iterable
from typing import Any

import msgspec

from hris_pipeline.settings.fields import RAW_COLUMNS
from hris_pipeline.sources import finch_wire, justworks_wire
from hris_pipeline.sources.protocol import Company, Office, Record
from hris_pipeline.sources.raw_columns import UNREAD, ColumnBuilder, RawColumns

__all__ = ["COMPANY", "finch_columns", "gather_columns", "justworks_columns", "receive_member", "row_of"]

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


def justworks_columns(lines: Iterable[bytes], company: Company = COMPANY) -> dict[str, list[Any]]:
    """Archived members of the Partner API by raw column."""
    return _lists(justworks_wire.arrow_columns(lines, company))


def finch_columns(lines: Iterable[bytes]) -> dict[str, list[Any]]:
    """Archived people of the aggregator by raw column."""
    return _lists(finch_wire.arrow_columns(lines))


def _lists(columns: RawColumns) -> dict[str, list[Any]]:
    return {name: values.to_pylist() for name, values in columns.items()}


def gather_columns(*records: Record) -> dict[str, list[object]]:
    """The columns gathered while members arrived, without the archive."""
    builder = ColumnBuilder()
    for record in records:
        builder.append(record.row, record.unread, record.updated_at)
    return _lists(builder.finish())


def receive_member(**member: Any) -> dict[str, object]:
    """A member that was taken in, archived and read again."""
    reception = justworks_wire.Reception(COMPANY)
    record = reception.record({"id": "m1", "active": True, **member})
    read = justworks_columns([record.line])
    assert gather_columns(record) == read
    unread = reception.report().unread
    assert set(unread) == set(read["unread"][0])
    assert all(column.count == column.of == 1 for column in unread.values())
    return {name: values[0] for name, values in read.items()} | {"report": unread}


def row_of(**member: Any) -> dict[str, object]:
    """The columns of a member: read of the line as it came, and the same after it was taken in."""
    read = justworks_columns([msgspec.json.encode({"id": "m1", "active": True, **member})])
    plain = {name: values[0] for name, values in read.items() if name in RAW_COLUMNS}
    if not read[UNREAD][0]:
        after = receive_member(**member)
        assert after["unread"] or {name: after[name] for name in RAW_COLUMNS} == plain
    return plain
