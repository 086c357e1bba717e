"""Arrow-backed columns: their types, text made clean and dates made dates, and what pandas lacks or does slowly:
look-ups, null-safe comparison, keys. Nothing here knows what a column means."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "DATE",
    "FLAG",
    "INTEGER",
    "TEXT",
    "TEXTS",
    "as_text",
    "casefold_key",
    "clean_text",
    "column_or_nulls",
    "from_arrow",
    "index_in",
    "is_distinct",
    "is_in",
    "list_column",
    "lookup",
    "lookup_columns",
    "map_chunks",
    "null_as_false",
    "text_from_source",
    "text_series",
    "to_arrow",
    "to_date",
    "to_flag",
]


_CHUNK = 10_000


def to_arrow(values: pd.Series) -> Any:
    """The Series as one Arrow array."""
    array = pa.array(values)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def from_arrow(array: Any, index: pd.Index | None = None) -> pd.Series:
    """An Arrow array as a column."""
    return pd.Series(pd.array(array, dtype=pd.ArrowDtype(array.type)), index=index)


def text_series(values: Iterable[str | None], index: pd.Index | None = None) -> pd.Series:
    """A text Series of the values."""
    return from_arrow(pa.array(list(values), pa.string()), index)


def column_or_nulls(frame: pd.DataFrame, name: str) -> pd.Series:
    """The column, or a column of nulls (text) when the frame has none of that name."""
    if name in frame.columns:
        return frame[name]
    return from_arrow(pa.nulls(len(frame), pa.string()), frame.index)


def null_as_false(mask: pd.Series) -> pd.Series:
    """The mask with null read as false, as plain booleans."""
    return mask.fillna(False).astype(bool)


def index_in(keys: pd.Series, among: pd.Series) -> pd.Series:
    """For each key its first position in ``in_values``; null where the key is null or not there."""
    return from_arrow(pc.index_in(to_arrow(keys), value_set=to_arrow(among), skip_nulls=True), keys.index)


def lookup(keys: pd.Series, among: pd.Series, values: pd.Series) -> pd.Series:
    """For each key the value that stands beside its first occurrence in ``among``; null where there is none."""
    return from_arrow(to_arrow(values).take(to_arrow(index_in(keys, among))), keys.index)


def lookup_columns(keys: pd.Series, among: pd.Series, values: pd.DataFrame) -> pd.DataFrame:
    """``lookup`` of every column of ``values``."""
    found = to_arrow(index_in(keys, among))
    return pd.DataFrame({name: from_arrow(to_arrow(values[name]).take(found), keys.index) for name in values.columns})


def is_in(keys: pd.Series, among: Collection[str] | pd.Series) -> pd.Series:
    """Whether each key is one of the texts; a null never is."""
    texts = to_arrow(among) if isinstance(among, pd.Series) else pa.array(list(among))
    return _mask(pc.is_in(to_arrow(keys), value_set=texts.cast(pa.string()), skip_nulls=True), keys.index)


def as_text(values: pd.Series) -> pd.Series:
    """The Series as text: dates in ISO 8601, flags as true and false."""
    return from_arrow(to_arrow(values).cast(pa.string()), values.index)


def is_distinct(left: pd.Series, right: pd.Series) -> pd.Series:
    """Whether two columns differ, row by row; two nulls are the same."""
    a, b = to_arrow(left), to_arrow(right)
    if a.type != b.type:
        a, b = a.cast(pa.string()), b.cast(pa.string())
    unequal = pc.fill_null(pc.not_equal(a, b), False)
    one_null = pc.xor(pc.is_null(a), pc.is_null(b))
    return _mask(pc.or_(unequal, one_null), left.index)


def map_chunks(function: Callable[[pd.DataFrame], Any], frame: pd.DataFrame) -> pd.Series:
    """The Arrow texts that ``function`` makes of the rows, some thousands of rows at a time: what it needs on the way
    never is the peak of anybody's memory."""
    chunks = [function(frame.iloc[start : start + _CHUNK]) for start in range(0, len(frame), _CHUNK)]
    return from_arrow(pa.chunked_array(chunks, pa.string()), frame.index)


def casefold_key(*columns: pd.Series) -> pd.Series:
    """One comparable text of the columns, casefolded: in Python unless it is all ASCII (no column operation folds every
    script); null where any part is null."""
    joined = pc.binary_join_element_wise(*(to_arrow(as_text(part)) for part in columns), "\x1f")
    other = pc.fill_null(pc.invert(pc.string_is_ascii(joined)), False)
    folded = pa.array([value.casefold() for value in joined.filter(other).to_pylist()], pa.string())
    return from_arrow(pc.replace_with_mask(pc.ascii_lower(joined), other, folded), columns[0].index)


def _mask(array: Any, index: pd.Index) -> pd.Series:
    return pd.Series(array.to_numpy(zero_copy_only=False), index=index, dtype=bool)


TEXT = pd.ArrowDtype(pa.string())
TEXTS = pd.ArrowDtype(pa.list_(pa.string()))
DATE = pd.ArrowDtype(pa.date32())
FLAG = pd.ArrowDtype(pa.bool_())
INTEGER = pd.ArrowDtype(pa.int64())

_ISO_DATE = r"^[1-9]\d{3}-\d{2}-\d{2}(?:[T ].*)?$"


def text_from_source(values: Sequence[object]) -> pd.Series:
    """Text and None from outside as a text column; what UTF-8 cannot hold (half a surrogate pair) becomes ``?``."""
    try:
        return from_arrow(pa.array(values, pa.string()))
    except UnicodeEncodeError:
        readable = [v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in values]
        return from_arrow(pa.array(readable, pa.string()))


def list_column(rows: Any, values: Any, length: int) -> pd.Series:
    """A column of ``length`` lists of text from pairs of row number (ascending) and value; an empty list where none."""
    offsets = np.searchsorted(rows, np.arange(length + 1)).astype(np.int32)
    return from_arrow(pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, pa.string())))


def clean_text(values: pd.Series) -> pd.Series:
    """Text without control characters (line breaks and tabs become spaces) and outer blanks; nothing left is null."""
    plain = to_arrow(values)
    if pc.any(pc.match_substring_regex(plain, r"\p{Cc}")).as_py():  # looking costs a third of replacing
        plain = pc.replace_substring_regex(plain, r"[\t\n\v\f\r\x{85}]+", " ")
        plain = pc.replace_substring_regex(plain, r"\p{Cc}", "")
    plain = pc.utf8_trim_whitespace(plain)
    return from_arrow(pc.if_else(pc.equal(plain, ""), None, plain), values.index)


def to_date(values: pd.Series) -> pd.Series:
    """ISO 8601 dates as dates, and the date part of ISO date-times; null for anything else."""
    if values.dtype == DATE:
        return values
    given = to_arrow(as_text(values))
    spelled = pc.utf8_slice_codeunits(pc.if_else(pc.match_substring_regex(given, _ISO_DATE), given, None), 0, 10)
    read = pc.strptime(spelled, format="%Y-%m-%d", unit="s", error_is_null=True).cast(pa.date32())
    # strptime reads 30 February as 2 March: a date that is not spelled as it was given is none.
    return from_arrow(pc.if_else(pc.equal(read.cast(pa.string()), spelled), read, None), values.index)


def to_flag(values: pd.Series) -> pd.Series:
    """The texts ``true`` and ``false`` as flags; null for anything else."""
    if values.dtype == FLAG:
        return values
    given = to_arrow(values)
    known = pc.is_in(given, value_set=pa.array(["true", "false"]))
    return from_arrow(pc.if_else(known, pc.equal(given, "true"), None), values.index)
