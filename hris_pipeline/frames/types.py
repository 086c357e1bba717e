"""The column types every frame uses, and the conversions between them: Arrow-backed throughout, null is ``pd.NA``."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.frames.columns import arrow, as_text, series

__all__ = ["DATE", "FLAG", "INTEGER", "TEXT", "TEXTS", "clean", "lists", "received", "to_date", "to_flag"]

TEXT = pd.ArrowDtype(pa.string())
TEXTS = pd.ArrowDtype(pa.list_(pa.string()))
DATE = pd.ArrowDtype(pa.date32())
FLAG = pd.ArrowDtype(pa.bool_())
INTEGER = pd.ArrowDtype(pa.int64())

_ISO_DATE = r"^[1-9]\d{3}-\d{2}-\d{2}(?:[T ].*)?$"


def received(values: Sequence[object]) -> pd.Series:
    """Text and None from outside as a text column; what UTF-8 cannot hold (half a surrogate pair) becomes ``?``."""
    try:
        return series(pa.array(values, pa.string()))
    except UnicodeEncodeError:
        readable = [v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in values]
        return series(pa.array(readable, pa.string()))


def lists(rows: Any, values: Any, length: int) -> pd.Series:
    """A column of ``length`` lists of text from pairs of row number (ascending) and value; an empty list where none."""
    offsets = np.searchsorted(rows, np.arange(length + 1)).astype(np.int32)
    return series(pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, pa.string())))


def clean(values: pd.Series) -> pd.Series:
    """Text without control characters (line breaks and tabs become spaces) and outer blanks; nothing left is null."""
    plain = arrow(values)
    if pc.any(pc.match_substring_regex(plain, r"\p{Cc}")).as_py():  # looking costs a third of replacing
        plain = pc.replace_substring_regex(plain, r"[\t\n\v\f\r\x{85}]+", " ")
        plain = pc.replace_substring_regex(plain, r"\p{Cc}", "")
    plain = pc.utf8_trim_whitespace(plain)
    return series(pc.if_else(pc.equal(plain, ""), None, plain), values.index)


def to_date(values: pd.Series) -> pd.Series:
    """ISO 8601 dates as dates, and the date part of ISO date-times; null for anything else."""
    if values.dtype == DATE:
        return values
    given = arrow(as_text(values))
    spelled = pc.utf8_slice_codeunits(pc.if_else(pc.match_substring_regex(given, _ISO_DATE), given, None), 0, 10)
    read = pc.strptime(spelled, format="%Y-%m-%d", unit="s", error_is_null=True).cast(pa.date32())
    # strptime reads 30 February as 2 March: a date that is not spelled as it was given is none.
    return series(pc.if_else(pc.equal(read.cast(pa.string()), spelled), read, None), values.index)


def to_flag(values: pd.Series) -> pd.Series:
    """The texts ``true`` and ``false`` as flags; null for anything else."""
    if values.dtype == FLAG:
        return values
    given = arrow(values)
    known = pc.is_in(given, value_set=pa.array(["true", "false"]))
    return series(pc.if_else(known, pc.equal(given, "true"), None), values.index)
