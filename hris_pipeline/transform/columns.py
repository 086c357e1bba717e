"""Arrow-backed columns: their types, text made clean and dates made dates, and what pandas lacks or does slowly:
look-ups, null-safe comparison, keys; and the column behind a source's name, with where it is unread. Nothing here knows
what a column means."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.settings.fields import CUSTOM_PREFIX, EMPLOYEE_FIELDS_BY_NAME, TextRule
from hris_pipeline.settings.mapping import CompanyLike, custom_labels
from hris_pipeline.settings.text import clean_value, fold_case, iso_date
from hris_pipeline.settings.values import custom_label

__all__ = [
    "DATE",
    "FLAG",
    "INTEGER",
    "TEXT",
    "TEXTS",
    "SourceColumns",
    "UnreadFields",
    "arrow_frame",
    "as_mask",
    "as_text",
    "casefold_key",
    "clean_text",
    "column_or_nulls",
    "concat_rows",
    "employee_column",
    "from_arrow",
    "give_back_memory",
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
    "to_records",
]


_CHUNK = 10_000


def to_arrow(values: pd.Series) -> Any:
    """The Series as one Arrow array, without a copy where it is one already."""
    stored = values.array
    if not isinstance(stored, pd.arrays.ArrowExtensionArray):
        return pa.array(values)
    array = stored.__arrow_array__()
    is_one = array.num_chunks == 1 and not array.chunk(0).offset  # `pc.if_else` misreads text that begins later
    return array.chunk(0) if is_one else array.combine_chunks()


def from_arrow(array: Any, index: pd.Index | None = None) -> pd.Series:
    """An Arrow array as a column."""
    return pd.Series(pd.arrays.ArrowExtensionArray(array), index=index, copy=False)


def arrow_frame(columns: Mapping[str, Any], index: pd.Index | None = None) -> pd.DataFrame:
    """Arrow arrays as the columns of a frame: made of Series, one of fifty columns takes several times as long."""
    arrays = {name: pd.arrays.ArrowExtensionArray(array) for name, array in columns.items()}
    return pd.DataFrame(arrays, index=index, copy=False)


def give_back_memory() -> None:
    """Returns the memory that Arrow keeps of freed columns to the system; else the next step's peak comes on top of
    it."""
    pa.default_memory_pool().release_unused()


def text_series(values: Iterable[str | None], index: pd.Index | None = None) -> pd.Series:
    """A text Series of the values."""
    return from_arrow(pa.array(list(values), pa.string()), index)


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Each row as a dictionary of Python's own values."""
    records: list[dict[str, Any]] = pa.Table.from_pandas(frame, preserve_index=False).to_pylist()
    return records


def column_or_nulls(frame: pd.DataFrame, name: str) -> pd.Series:
    """The column, or a column of nulls (text) when the frame has none of that name."""
    if name in frame.columns:
        return frame[name]
    return from_arrow(pa.nulls(len(frame), pa.string()), frame.index)


def null_as_false(mask: pd.Series) -> pd.Series:
    """The mask with null read as false, as plain booleans."""
    return as_mask(pc.fill_null(to_arrow(mask).cast(pa.bool_()), False), mask.index)


def rows_where(frame: pd.DataFrame, mask: pd.Series) -> pd.DataFrame:
    """The rows where the mask holds; the frame as it is, and not a copy of every column, where it holds everywhere, and
    none of it where it holds nowhere."""
    if mask.all():
        return frame
    return frame[mask] if mask.any() else frame.iloc[:0]


def concat_rows(*frames: pd.DataFrame) -> pd.DataFrame:
    """The rows of frames with the same columns, numbered anew; nothing is copied where all stand in one frame."""
    filled = [frame for frame in frames if len(frame)] or [*frames[:1]]
    return filled[0].reset_index(drop=True) if len(filled) == 1 else pd.concat(filled, ignore_index=True)


def index_in(keys: pd.Series, among: pd.Series) -> pd.Series:
    """For each key its first position in ``among``; null where the key is null or not there."""
    return from_arrow(_find_positions(keys, among), keys.index)


def _find_positions(keys: pd.Series, among: pd.Series) -> Any:
    return pc.index_in(to_arrow(keys), value_set=to_arrow(among), skip_nulls=True)


def lookup(keys: pd.Series, among: pd.Series, values: pd.Series) -> pd.Series:
    """For each key the value that stands beside its first occurrence in ``among``; null where there is none."""
    return from_arrow(to_arrow(values).take(_find_positions(keys, among)), keys.index)


def lookup_columns(keys: pd.Series, among: pd.Series, values: pd.DataFrame) -> pd.DataFrame:
    """``lookup`` of every column of ``values``."""
    positions = _find_positions(keys, among)
    return arrow_frame({str(name): to_arrow(column).take(positions) for name, column in values.items()}, keys.index)


def is_in(keys: pd.Series, among: Collection[str] | pd.Series) -> pd.Series:
    """Whether each key is one of the texts; a null never is."""
    texts = to_arrow(among) if isinstance(among, pd.Series) else pa.array(list(among))
    return as_mask(pc.is_in(to_arrow(keys), value_set=texts.cast(pa.string()), skip_nulls=True), keys.index)


def as_text(values: pd.Series) -> pd.Series:
    """The Series as text: dates in ISO 8601, flags as true and false, the texts of a list joined with ", "."""
    return values if values.dtype == TEXT else from_arrow(_cast_to_text(values), values.index)


def _cast_to_text(values: pd.Series) -> Any:
    array = to_arrow(values)
    return pc.binary_join(array, ", ") if pa.types.is_list(array.type) else array.cast(pa.string())


def is_distinct(left: pd.Series, right: pd.Series) -> pd.Series:
    """Whether two columns differ, row by row; two nulls are the same."""
    a, b = to_arrow(left), to_arrow(right)
    if a.type != b.type:
        a, b = a.cast(pa.string()), b.cast(pa.string())
    unequal = pc.fill_null(pc.not_equal(a, b), False)
    one_null = pc.xor(pc.is_null(a), pc.is_null(b))
    return as_mask(pc.or_(unequal, one_null), left.index)


def map_chunks(function: Callable[[pd.DataFrame], Any], frame: pd.DataFrame) -> pd.Series:
    """The Arrow texts that ``function`` makes of the rows, some thousands of rows at a time, so that its intermediate
    columns stay small."""
    chunks = [function(frame.iloc[start : start + _CHUNK]) for start in range(0, len(frame), _CHUNK)]
    return from_arrow(pa.chunked_array(chunks, pa.string()), frame.index)


def casefold_key(*columns: pd.Series) -> pd.Series:
    """One comparable text of the columns without letter case (``text.fold_case``); null where any part is null."""
    joined = pc.binary_join_element_wise(*map(_cast_to_text, columns), "\x1f")
    folded = _replace_texts(joined, pc.invert(pc.string_is_ascii(joined)), fold_case)
    return from_arrow(pc.ascii_lower(folded), columns[0].index)


def as_mask(array: Any, index: pd.Index) -> pd.Series:
    """Arrow flags without a null as plain booleans."""
    return pd.Series(array.to_numpy(zero_copy_only=False), index=index, copy=False)


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
    plain = _replace_texts(plain, pc.match_substring_regex(plain, _UNUSUAL), lambda value: clean_value(value, rule))
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
    spelled = _replace_texts(spelled, pc.invert(iso), iso_date)
    spelled = pc.utf8_slice_codeunits(spelled, 0, 10)
    dates = pc.strptime(spelled, format="%Y-%m-%d", unit="s", error_is_null=True).cast(pa.date32())
    # strptime reads 30 February as 2 March: a date that is not spelled as it was sent is none.
    return from_arrow(pc.if_else(pc.equal(dates.cast(pa.string()), spelled), dates, None), values.index)


def _replace_texts(texts: Any, where: Any, function: Callable[[str], str | None]) -> Any:
    """The Arrow texts, those at ``where`` (null: no) replaced by what the function makes of them; it is called once for
    each distinct text."""
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


class SourceColumns:
    """The column behind any source, called with its name.

    A custom field is text, several values joined with ", "; two definitions with one label are one field, the first
    that has a value counts. A label nobody defined is empty for everybody. Its text is cleaned once, however often it
    is asked for.
    """

    def __init__(self, employees: pd.DataFrame, company: CompanyLike) -> None:
        self._employees = employees
        self._labels = custom_labels(company)
        self._cleaned: dict[str, pd.Series] = {}

    def __call__(self, source: str) -> pd.Series:
        label = custom_label(source)
        if label is None:
            return self._employees[source]
        if label not in self._cleaned:
            values = self._by_label.get(label, [None] * len(self._employees))
            self._cleaned[label] = clean_text(text_from_source(values)).set_axis(self._employees.index)
        return self._cleaned[label]

    def references(self, source: str) -> pd.Series:
        """The column behind a source that names other people: who is the manager is told by hris_id, whichever column
        it is, because two people may have one justworks_id."""
        field, values = EMPLOYEE_FIELDS_BY_NAME.get(source), self(source)
        is_manager = field is not None and field.reference
        return self._employees["supervisor_hris_id"].where(values.notna()) if is_manager else values

    @cached_property
    def _by_label(self) -> dict[str, list[object]]:
        decode = msgspec.json.Decoder(dict[str, str | list[str]]).decode
        columns: dict[str, list[object]] = {label: [None] * len(self._employees) for label in self._labels.values()}
        for row, custom_fields in enumerate(to_arrow(self._employees["custom_fields"]).to_pylist()):
            for field_id, value in decode(custom_fields).items() if custom_fields else ():
                if field_id in self._labels:
                    column = columns[self._labels[field_id]]
                    column[row] = column[row] or (value if isinstance(value, str) else ", ".join(value))
        return columns


class UnreadFields:
    """What is unread among the rows of a frame."""

    def __init__(self, hris_ids: pd.Series, lines: pd.DataFrame) -> None:
        """
        Args:
            hris_ids: Of each row.
            lines: ``hris_id`` and employee ``column``, as ``normalise`` gives them.
        """
        self._hris_ids = hris_ids
        self._lines = lines
        self._columns = frozenset(lines["column"])

    def any_of(self, sources: Collection[str]) -> pd.Series:
        """Whether any of the sources (employee columns, custom fields) is unread in each row."""
        columns = self._columns & {employee_column(source) for source in sources}
        if not columns:
            return pd.Series(False, index=self._hris_ids.index)
        return is_in(self._hris_ids, self._lines.loc[self._lines["column"].isin(columns), "hris_id"])

    def targets(self, lineage: Mapping[str, tuple[str, ...]]) -> pd.Series:
        """Of each row the targets made from a source that is unread there, as a list; null where there is none.

        Args:
            lineage: Target → the sources it is made from.
        """
        names: list[list[str] | None] = [None] * len(self._hris_ids)
        for target, sources in lineage.items() if self._columns else ():
            for row in self.any_of(sources).to_numpy().nonzero()[0]:
                names[row] = [*(names[row] or ()), target]
        return from_arrow(pa.array(names, pa.list_(pa.string())), self._hris_ids.index)


def employee_column(source: str) -> str:
    """The employee column that a source stands in."""
    return "custom_fields" if source.startswith(CUSTOM_PREFIX) else source
