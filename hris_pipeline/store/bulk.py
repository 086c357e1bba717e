"""Frames in and out of a connection, fast: COPY on PostgreSQL, plain fetches and executemany on SQLite."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import sqlalchemy as sa

from hris_pipeline.store.tables import Instant

__all__ = [
    "INSTANT",
    "TEXT",
    "read_frame",
    "write_frame",
]

TEXT = pd.ArrowDtype(pa.string())
INSTANT = pd.ArrowDtype(pa.timestamp("us", tz="UTC"))

CHUNK = 20_000
"""Rows on their way to the server at once: bounds the memory of the text beside the frame."""

ARROW_TYPES: tuple[tuple[type[Any], pa.DataType], ...] = (
    (Instant, pa.timestamp("us", tz="UTC")),
    (sa.Date, pa.date32()),
    (sa.Boolean, pa.bool_()),
    (sa.Integer, pa.int64()),
)
"""What a column becomes in a frame; everything else is text, JSON included."""

CSV_READ: dict[str, Any] = {
    "null_values": [""],
    "strings_can_be_null": True,
    "quoted_strings_can_be_null": False,
    "true_values": ["t"],
    "false_values": ["f"],
}
"""PostgreSQL's CSV: null is nothing at all, an empty text is quoted."""


def read_frame(connection: sa.Connection, select: sa.Select[Any]) -> pd.DataFrame:
    """The rows of ``select`` as a frame with Arrow dtypes, by their columns' types: dates as date32, instants as UTC
    timestamps, JSON as text; null is ``pd.NA``."""
    schema = pa.schema([(column.name, _arrow_type(column.type)) for column in select.selected_columns])
    read = _copy_out if connection.dialect.name == "postgresql" else _fetch
    frame: pd.DataFrame = read(connection, select, schema).to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def write_frame(connection: sa.Connection, table: sa.Table, frame: pd.DataFrame) -> None:
    """Inserts a frame whose columns are named like columns of ``table``; JSON comes in as text."""
    if frame.empty:
        return
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    rows = rows.cast(pa.schema([(name, _arrow_type(table.c[name].type)) for name in rows.column_names]))
    write = _copy_in if connection.dialect.name == "postgresql" else _insert
    write(connection, table, rows)


def _arrow_type(column: sa.types.TypeEngine[Any]) -> pa.DataType:
    return next((arrow for kind, arrow in ARROW_TYPES if isinstance(column, kind)), pa.string())


def _copy_out(connection: sa.Connection, select: sa.Select[Any], schema: pa.Schema) -> pa.Table:
    compiled = select.compile(connection, compile_kwargs={"render_postcompile": True})
    received = pa.BufferOutputStream()
    with (
        _driver(connection).cursor() as cursor,
        cursor.copy(f"COPY ({compiled}) TO STDOUT (FORMAT csv)", compiled.params) as copy,
    ):
        for data in copy:
            received.write(data)
    if not received.tell():
        return schema.empty_table()
    return pacsv.read_csv(
        pa.BufferReader(received.getvalue()),
        read_options=pacsv.ReadOptions(column_names=schema.names),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(column_types=schema, **CSV_READ),
    )


def _fetch(connection: sa.Connection, select: sa.Select[Any], schema: pa.Schema) -> pa.Table:
    rows = connection.execute(select).cursor.fetchall()  # the driver's own values, unconverted
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    return pa.table([_cast(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema)


def _cast(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(kind):
        return pa.array(values, pa.int8()).cast(kind)
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.string()).cast(pa.timestamp("us")).cast(kind)
    return pa.array(values, pa.string() if pa.types.is_date(kind) else kind).cast(kind)


def _copy_in(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(name) for name in rows.column_names)
    options = pacsv.WriteOptions(include_header=False)
    statement = f"COPY {quote(table.name)} ({columns}) FROM STDIN (FORMAT csv)"
    with _driver(connection).cursor() as cursor, cursor.copy(statement) as copy:
        for batch in _batches(rows):
            text = pa.BufferOutputStream()
            pacsv.write_csv(pa.Table.from_batches([batch]), text, options)
            copy.write(text.getvalue())


def _batches(rows: pa.Table) -> Iterator[pa.RecordBatch]:
    """The rows as they lie, uncombined: a second copy of them all would be the peak of a first import's memory."""
    return (batch for batch in rows.to_batches(max_chunksize=CHUNK) if batch.num_rows)


def _insert(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(name) for name in rows.column_names)
    marks = ", ".join("?" * rows.num_columns)
    statement = f"INSERT INTO {quote(table.name)} ({columns}) VALUES ({marks})"
    for batch in _batches(rows):
        values = [_plain(column).to_pylist() for column in batch.columns]
        connection.exec_driver_sql(statement, list(zip(*values, strict=True)))


def _plain(column: pa.Array) -> pa.Array:
    """As SQLite stores it: dates and instants as ISO text."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us")).cast(pa.string())
    return column.cast(pa.string()) if pa.types.is_date(column.type) else column


def _driver(connection: sa.Connection) -> Any:
    return connection.connection.driver_connection
