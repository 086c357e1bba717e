"""Arrow-backed columns: their types, text made clean and dates made dates, and what pandas lacks or does slowly:
look-ups, null-safe comparison, keys. Nothing here knows what a column means."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.settings.fields import TextRule
from hris_pipeline.settings.text import clean_value, fold_case, iso_date

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
    "rows_where",
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


def rows_where(frame: pd.DataFrame, mask: pd.Series) -> pd.DataFrame:
    """The rows where the mask holds; the frame as it is, and not a copy of every column, where it holds everywhere."""
    return frame if mask.all() else frame[mask]


def index_in(keys: pd.Series, among: pd.Series) -> pd.Series:
    """For each key its first position in ``among``; null where the key is null or not there."""
    return from_arrow(pc.index_in(to_arrow(keys), value_set=to_arrow(among), skip_nulls=True), keys.index)


def lookup(keys: pd.Series, among: pd.Series, values: pd.Series) -> pd.Series:
    """For each key the value that stands beside its first occurrence in ``among``; null where there is none."""
    return from_arrow(to_arrow(values).take(to_arrow(index_in(keys, among))), keys.index)


def lookup_columns(keys: pd.Series, among: pd.Series, values: pd.DataFrame) -> pd.DataFrame:
    """``lookup`` of every column of ``values``."""
    positions = to_arrow(index_in(keys, among))
    return pd.DataFrame(
        {name: from_arrow(to_arrow(values[name]).take(positions), keys.index) for name in values.columns}
    )


def is_in(keys: pd.Series, among: Collection[str] | pd.Series) -> pd.Series:
    """Whether each key is one of the texts; a null never is."""
    texts = to_arrow(among) if isinstance(among, pd.Series) else pa.array(list(among))
    return _mask(pc.is_in(to_arrow(keys), value_set=texts.cast(pa.string()), skip_nulls=True), keys.index)


def as_text(values: pd.Series) -> pd.Series:
    """The Series as text: dates in ISO 8601, flags as true and false, the texts of a list joined with ", "."""
    array = to_arrow(values)
    joined = pc.binary_join(array, ", ") if pa.types.is_list(array.type) else array.cast(pa.string())
    return from_arrow(joined, values.index)


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
    """One comparable text of the columns without letter case (``text.fold_case``); null where any part is null."""
    joined = pc.binary_join_element_wise(*(to_arrow(as_text(part)) for part in columns), "\x1f")
    folded = _replaced(joined, pc.invert(pc.string_is_ascii(joined)), fold_case)
    return from_arrow(pc.ascii_lower(folded), columns[0].index)


def _mask(array: Any, index: pd.Index) -> pd.Series:
    return pd.Series(array.to_numpy(zero_copy_only=False), index=index, dtype=bool)


TEXT = pd.ArrowDtype(pa.string())
TEXTS = pd.ArrowDtype(pa.list_(pa.string()))
DATE = pd.ArrowDtype(pa.date32())
FLAG = pd.ArrowDtype(pa.bool_())
INTEGER = pd.ArrowDtype(pa.int64())

_ISO_DATE = r"^[1-9]\d{3}-\d{2}-\d{2}(?:[T ].*)?$"
_UNUSUAL = r"[^\x20-\x7e]"


def text_from_source(values: "Sequence[object] | pa.Array") -> pd.Series:
    """Text and None from outside, or Arrow text, as a text column; what UTF-8 cannot hold (half a surrogate pair)
    becomes ``?``."""
    if isinstance(values, pa.Array):
        return from_arrow(values)
    try:
        return from_arrow(pa.array(values, pa.string()))
    except UnicodeEncodeError:
        readable = [v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in values]
        return from_arrow(pa.array(readable, pa.string()))


def list_column(rows: Any, values: Any, length: int) -> pd.Series:
    """A column of ``length`` lists of text from pairs of row number (ascending) and value; an empty list where none."""
    offsets = np.searchsorted(rows, np.arange(length + 1)).astype(np.int32)
    return from_arrow(pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, pa.string())))


def clean_text(values: pd.Series, rule: TextRule = "free") -> pd.Series:
    """The texts as they are kept (``text.clean_value``); null where nothing is left. Only values that are not plain
    ASCII are looked at one by one."""
    plain = to_arrow(values)
    plain = _replaced(plain, pc.match_substring_regex(plain, _UNUSUAL), lambda value: clean_value(value, rule))
    plain = pc.utf8_trim_whitespace(plain)
    return from_arrow(pc.if_else(pc.equal(plain, ""), None, plain), values.index)


def to_date(values: pd.Series) -> pd.Series:
    """Dates of texts that give the year, the month and the day in this order: ISO 8601, with or without a time, and the
    same with other signs between, without any, or without leading zeros. Null for anything else: which of 3/4/2025 is
    the month cannot be known."""
    if values.dtype == DATE:
        return values
    spelled = to_arrow(as_text(values))
    iso = pc.match_substring_regex(spelled, _ISO_DATE)
    spelled = _replaced(spelled, pc.invert(iso), iso_date)
    spelled = pc.utf8_slice_codeunits(spelled, 0, 10)
    dates = pc.strptime(spelled, format="%Y-%m-%d", unit="s", error_is_null=True).cast(pa.date32())
    # strptime reads 30 February as 2 March: a date that is not spelled as it was sent is none.
    return from_arrow(pc.if_else(pc.equal(dates.cast(pa.string()), spelled), dates, None), values.index)


def _replaced(texts: Any, where: Any, function: Callable[[str], str | None]) -> Any:
    """The Arrow texts, those at ``where`` (null: not there) replaced by what the function makes of each: it is asked
    once about a text, however many people share it."""
    where = pc.fill_null(where, False)
    if not pc.any(where).as_py():
        return texts
    shared = texts.filter(where).dictionary_encode()
    replacements = pa.array(map(function, shared.dictionary.to_pylist()), pa.string())
    return pc.replace_with_mask(texts, where, replacements.take(shared.indices))


def to_flag(values: pd.Series) -> pd.Series:
    """The texts ``true`` and ``false`` as flags; null for anything else."""
    if values.dtype == FLAG:
        return values
    texts = to_arrow(values)
    is_flag = pc.is_in(texts, value_set=pa.array(["true", "false"]))
    return from_arrow(pc.if_else(is_flag, pc.equal(texts, "true"), None), values.index)
