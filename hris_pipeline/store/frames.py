"""Frames in and out of the store, fast (COPY on PostgreSQL, plain fetches and executemany on SQLite): the directory as
it stands, for planning, and the rows of an import, written once when it is staged, read as they were, and proved to
be the same.

What an import is stands in ``imports``; what applied rows mean for a user in ``history``.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import sqlalchemy as sa

from hris_pipeline.change_set.directory import SLIM_COLUMNS, row_hashes
from hris_pipeline.contract import ROW_COLUMNS
from hris_pipeline.store.conditions import in_values
from hris_pipeline.store.stored_json import sound_object
from hris_pipeline.store.tables import Instant, former_links, import_rows, imports, integrations, users
from hris_pipeline.transform.columns import TEXT, is_in, null_as_false, to_arrow

__all__ = [
    "INSTANT",
    "TEXT",
    "RowsProof",
    "StoredDirectory",
    "expected_hris_ids",
    "has_erased_rows",
    "holds_users_of_others_alone",
    "last_applied_extract",
    "prove_rows",
    "prove_staged_rows",
    "read_frame",
    "read_pieces",
    "read_snapshot",
    "read_users",
    "rows_of",
    "write_frame",
    "write_rows",
]


INSTANT = pd.ArrowDtype(pa.timestamp("us", tz="UTC"))

CHUNK = 20_000
"""Rows that SQLite is given at once."""

TEXT_ROWS = 4000
"""Rows on their way to the server, or from it to be proved, at once: bounds the memory of the text beside the frame."""

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
    schema = _arrow_schema(select)
    read = _copy_out if connection.dialect.name == "postgresql" else _fetch
    (table,) = list(read(connection, select, schema)) or [schema.empty_table()]
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
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


def read_pieces(connection: sa.Connection, select: sa.Select[Any], rows: int) -> Iterator[pd.DataFrame]:
    """``read_frame`` in pieces of so many rows, by one statement; the connection runs nothing else until the end."""
    schema = _arrow_schema(select)
    read = _copy_out if connection.dialect.name == "postgresql" else _fetch
    for table in read(connection, select, schema, rows):
        yield table.to_pandas(types_mapper=pd.ArrowDtype)


def _arrow_schema(select: sa.Select[Any]) -> pa.Schema:
    return pa.schema([(column.name, _arrow_type(column.type)) for column in select.selected_columns])


def _copy_out(
    connection: sa.Connection, select: sa.Select[Any], schema: pa.Schema, rows: int | None = None
) -> Iterator[pa.Table]:
    """The rows by COPY; psycopg gives one row a message."""
    compiled = select.compile(connection, compile_kwargs={"render_postcompile": True})
    with (
        _driver_connection(connection).cursor() as cursor,
        cursor.copy(f"COPY ({compiled}) TO STDOUT (FORMAT csv)", compiled.params) as copy,
    ):
        lines = iter(copy)
        while True:
            received = pa.BufferOutputStream()
            for data in islice(lines, rows):
                received.write(data)
            if not received.tell():
                return
            yield _parse_csv(received, schema)


def _parse_csv(received: pa.BufferOutputStream, schema: pa.Schema) -> pa.Table:
    return pacsv.read_csv(
        pa.BufferReader(received.getvalue()),
        read_options=pacsv.ReadOptions(column_names=schema.names),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(column_types=schema, **CSV_READ),
    )


def _fetch(
    connection: sa.Connection, select: sa.Select[Any], schema: pa.Schema, size: int | None = None
) -> Iterator[pa.Table]:
    result = connection.execute(select)
    cursor = result.cursor  # the driver's own values, unconverted
    while rows := cursor.fetchmany(size) if size else cursor.fetchall():
        columns = zip(*rows, strict=True)
        del rows
        yield pa.table(
            [_cast(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
        )


def _cast(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(kind):
        return pa.array(values, pa.int8()).cast(kind)
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.string()).cast(pa.timestamp("us")).cast(kind)
    raw = pa.string() if pa.types.is_date(kind) else kind
    try:
        return pa.array(values, raw).cast(kind)
    except pa.ArrowTypeError:
        if not pa.types.is_string(kind):
            raise
        # SQLite keeps what it is given, whatever the column's type.
        return pa.array([value if value is None else str(value) for value in values], raw)


def _copy_in(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(name) for name in rows.column_names)
    options = pacsv.WriteOptions(include_header=False)
    statement = f"COPY {quote(table.name)} ({columns}) FROM STDIN (FORMAT csv)"
    with _driver_connection(connection).cursor() as cursor, cursor.copy(statement) as copy:
        for batch in _split_into_batches(rows, TEXT_ROWS):
            text = pa.BufferOutputStream()
            pacsv.write_csv(pa.Table.from_batches([batch]), text, options)
            copy.write(text.getvalue())


def _split_into_batches(rows: pa.Table, most: int) -> Iterator[pa.RecordBatch]:
    """The rows in the batches that they are in: combining them first would be a second copy of a whole first import."""
    return (batch for batch in rows.to_batches(max_chunksize=most) if batch.num_rows)


def _insert(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(name) for name in rows.column_names)
    marks = ", ".join("?" * rows.num_columns)
    statement = f"INSERT INTO {quote(table.name)} ({columns}) VALUES ({marks})"
    for batch in _split_into_batches(rows, CHUNK):
        values = [_cast_for_sqlite(column).to_pylist() for column in batch.columns]
        connection.exec_driver_sql(statement, list(zip(*values, strict=True)))


def _cast_for_sqlite(column: pa.Array) -> pa.Array:
    """The column as SQLite stores it: dates and instants as ISO text."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us")).cast(pa.string())
    return column.cast(pa.string()) if pa.types.is_date(column.type) else column


def _driver_connection(connection: sa.Connection) -> Any:
    return connection.connection.driver_connection


def read_snapshot(connection: sa.Connection, directory_id: str) -> pd.DataFrame:
    """One row a user of the directory, archived and local ones too, with ``SLIM_COLUMNS``."""
    return _read(connection, directory_id, SLIM_COLUMNS)


def holds_users_of_others_alone(connection: sa.Connection, integration_id: str, directory_id: str) -> bool:
    """Whether the directory has users, and the integration manages none of them yet."""
    there = sa.select(users.c.user_id).where(users.c.directory_id == directory_id)
    managed = sa.select(users.c.user_id).where(users.c.integration_id == integration_id)
    return bool(connection.scalar(sa.select(sa.and_(there.exists(), ~managed.exists()))))


def read_users(connection: sa.Connection, user_ids: pd.Series | None, directory_id: str) -> pd.DataFrame:
    """Every column of the given users of the directory (None: of all), in no particular order; ``metadata`` is JSON
    text. One statement, however many users."""
    select = sa.select(users).where(users.c.directory_id == directory_id)
    if user_ids is not None:
        select = select.where(in_values(connection, users.c.user_id, user_ids.tolist()))
    return read_frame(connection, select)


def _filled_metadata(connection: sa.Connection, counted: sa.ColumnElement[bool]) -> dict[str, int]:
    postgresql = connection.dialect.name == "postgresql"
    entry = (sa.func.jsonb_each_text if postgresql else sa.func.json_each)(
        sound_object(connection.dialect.name, users.c.metadata)
    ).table_valued("key", "value")
    has_value = sa.and_(counted, entry.c.value.is_not(None), entry.c.value != "")
    by_name = (
        sa.select(entry.c.key, sa.func.count())
        .select_from(users.join(entry, sa.true()))
        .where(has_value)
        .group_by(entry.c.key)
    )
    return {f"#{name}": count for name, count in connection.execute(by_name)}


def last_applied_extract(connection: sa.Connection, integration_id: str) -> tuple[bool, str | None]:
    """Whether any import was applied in this life of the integration, and the extract of the last one that is no
    undo."""
    applied = (
        sa.select(imports.c.extract_id)
        .join(integrations, integrations.c.integration_id == imports.c.integration_id)
        .where(
            imports.c.integration_id == integration_id,
            imports.c.life == integrations.c.life,
            imports.c.status == "applied",
            imports.c.trigger != "undo",
        )
        .order_by(imports.c.finished_at.desc(), imports.c.import_id.desc())
        .limit(1)
    )
    last = connection.execute(applied).one_or_none()
    return last is not None, last.extract_id if last is not None else None


def expected_hris_ids(connection: sa.Connection, integration_id: str) -> set[str]:
    """The hris_ids of the active users that the integration manages: who of them is not in a list is asked for."""
    managed = sa.and_(users.c.integration_id == integration_id, users.c.status == "active")
    return set(connection.execute(sa.select(users.c.hris_id).where(managed)).scalars())


@dataclass(frozen=True)
class StoredDirectory:
    """What planning asks of the store (``change_set.directory.Directory``), over one open transaction."""

    connection: sa.Connection
    directory_id: str
    integration_id: str

    def snapshot(self) -> pd.DataFrame:
        """``read_snapshot``."""
        return read_snapshot(self.connection, self.directory_id)

    def names(self) -> pd.DataFrame:
        """One row a user: ``user_id``, names and birth date."""
        return _read(self.connection, self.directory_id, ("user_id", "first_name", "last_name", "birth_date"))

    def users(self, user_ids: pd.Series) -> pd.DataFrame:
        """``read_users``."""
        return read_users(self.connection, user_ids, self.directory_id)

    def former_links(self, hris_ids: pd.Series) -> pd.DataFrame:
        """Users whom this integration had linked to one of the hris_ids, and has not any more; of an id that it never
        linked, those whom others of the directory had."""
        ids = in_values(self.connection, former_links.c.hris_id, hris_ids.unique().tolist())
        of_directory = sa.and_(
            integrations.c.integration_id == former_links.c.integration_id,
            integrations.c.directory_id == self.directory_id,
        )
        columns = former_links.c.hris_id, former_links.c.user_id, former_links.c.integration_id
        links = read_frame(self.connection, sa.select(*columns).where(of_directory, ids))
        ours = null_as_false(links["integration_id"] == self.integration_id)
        others = ~is_in(links["hris_id"], links.loc[ours, "hris_id"])
        return links.loc[ours | others, ["hris_id", "user_id"]]

    def filled(self, fields: Collection[str], also: pd.Series) -> Mapping[str, int]:
        """How many users have a non-empty value in each of ``fields`` (metadata is named ``#Name``), of the active ones
        that the integration manages and those whose user_id is in ``also``."""
        counted = sa.and_(users.c.integration_id == self.integration_id, users.c.status == "active")
        if len(also):
            counted = sa.or_(counted, in_values(self.connection, users.c.user_id, also.tolist()))
        plain = [users.c[name] for name in fields if not name.startswith("#")]
        counts = sa.select(*(sa.func.count(column).label(column.name) for column in plain)).where(counted)
        filled: dict[str, int] = dict(self.connection.execute(counts).one()._mapping) if plain else {}
        if len(plain) < len(fields):
            filled |= _filled_metadata(self.connection, counted)
        return {name: filled.get(name, 0) for name in fields}


def _read(connection: sa.Connection, directory_id: str, names: tuple[str, ...]) -> pd.DataFrame:
    return read_frame(
        connection, sa.select(*(users.c[name] for name in names)).where(users.c.directory_id == directory_id)
    )


@dataclass(frozen=True)
class RowsProof:
    """``hashes`` of the rows as a plan's digest covers them, and one ``rows_hash`` over all they hold, user ids and
    source hashes included."""

    hashes: tuple[str, ...] = field(repr=False)
    rows_hash: str


def write_rows(connection: sa.Connection, import_id: str, rows: pd.DataFrame) -> None:
    """Stages rows (``ROW_COLUMNS``)."""
    of_import = pd.Series(import_id, index=rows.index, dtype=rows["user_id"].dtype)
    write_frame(connection, import_rows, rows[list(ROW_COLUMNS)].assign(import_id=of_import))


def rows_of(connection: sa.Connection, import_id: str) -> pd.DataFrame:
    """The import's rows exactly as they were staged (``ROW_COLUMNS``), by user."""
    return read_frame(connection, _select(import_id))


def has_erased_rows(connection: sa.Connection, import_id: str) -> bool:
    """Whether a person was erased from the import's rows, so that its digest can no longer be computed."""
    erased = sa.select(import_rows.c.user_id).where(import_rows.c.import_id == import_id, import_rows.c.erased)
    return connection.execute(erased.limit(1)).first() is not None


def prove_staged_rows(connection: sa.Connection, import_id: str) -> RowsProof:
    """The proof of the rows that stand in the store; read in pieces, or a large import would double a save's memory."""
    return prove_rows(read_pieces(connection, _select(import_id), TEXT_ROWS))


def prove_rows(pieces: Iterable[pd.DataFrame], hashes_of_rows: pd.Series | None = None) -> RowsProof:
    """The proof of rows (``ROW_COLUMNS``), in any order and any number of pieces; ``hashes_of_rows`` are those of a
    single piece that were made already."""
    hashes: list[str] = []
    lines: list[str] = []
    for piece in pieces:
        hashed = to_arrow(row_hashes(piece) if hashes_of_rows is None else hashes_of_rows)
        source = pc.fill_null(to_arrow(piece["source_hash"]).cast(pa.string()), "")
        joined = pc.binary_join_element_wise(to_arrow(piece["user_id"]).cast(pa.string()), source, hashed, "\x1f")
        hashes += hashed.to_pylist()
        lines += joined.to_pylist()
    lines.sort()
    digest = sha256()
    for start in range(0, len(lines), TEXT_ROWS):
        digest.update(("\n" * bool(start) + "\n".join(lines[start : start + TEXT_ROWS])).encode())
    return RowsProof(tuple(hashes), digest.hexdigest())


def _select(import_id: str) -> sa.Select[tuple[object, ...]]:
    columns = (import_rows.c[name] for name in ROW_COLUMNS)
    return sa.select(*columns).where(import_rows.c.import_id == import_id).order_by(import_rows.c.user_id)
