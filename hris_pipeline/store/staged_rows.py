"""The rows of an import: written once when it is staged, read as they were, and proved to be the same.

What their import is stands in ``imports``; what applied rows mean for a user in ``history``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from hris_pipeline.change_set.digest import row_hashes
from hris_pipeline.contract import ROW_COLUMNS
from hris_pipeline.store.bulk import CHUNK, read_frame, write_frame
from hris_pipeline.store.tables import import_rows
from hris_pipeline.transform.columns import to_arrow

__all__ = ["RowsProof", "has_erased_rows", "prove_rows", "prove_staged_rows", "rows_of", "write_rows"]


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
    return prove_rows(_pieces(connection, import_id))


def prove_rows(pieces: Iterable[pd.DataFrame], known: pd.Series | None = None) -> RowsProof:
    """The proof of rows (``ROW_COLUMNS``), in any order and any number of pieces; ``known`` are the hashes of a single
    piece that were made already."""
    hashes: list[str] = []
    lines: list[str] = []
    for piece in pieces:
        hashed = to_arrow(row_hashes(piece) if known is None else known)
        source = pc.fill_null(to_arrow(piece["source_hash"]).cast(pa.string()), "")
        joined = pc.binary_join_element_wise(to_arrow(piece["user_id"]).cast(pa.string()), source, hashed, "\x1f")
        hashes += hashed.to_pylist()
        lines += joined.to_pylist()
    return RowsProof(tuple(hashes), sha256("\n".join(sorted(lines)).encode()).hexdigest())


def _pieces(connection: sa.Connection, import_id: str) -> Iterator[pd.DataFrame]:
    after = ""
    while True:
        piece = read_frame(connection, _select(import_id).where(import_rows.c.user_id > after).limit(CHUNK))
        if not piece.empty:
            yield piece
            after = str(piece["user_id"].iloc[-1])
        if len(piece) < CHUNK:
            return


def _select(import_id: str) -> sa.Select[tuple[object, ...]]:
    columns = (import_rows.c[name] for name in ROW_COLUMNS)
    return sa.select(*columns).where(import_rows.c.import_id == import_id).order_by(import_rows.c.user_id)
