"""The user file: users as CSV, XLSX or Parquet that people open in a spreadsheet, and the same file read back.

Everything in it is text. In CSV every cell is quoted, which tells a spreadsheet that asks ("quoted field as text") to
keep leading zeros; a byte order mark tells it that the file is UTF-8; what a spreadsheet would take for a formula gets
an apostrophe in front, which reading takes off again. Parquet holds the values as they are.
"""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hris_pipeline.errors import Problem, UsageError
from hris_pipeline.settings.document import MetadataField
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS_BY_NAME, METADATA_PREFIX, USER_FIELDS
from hris_pipeline.settings.text import suggestion
from hris_pipeline.transform.columns import (
    as_text,
    casefold_key,
    clean_text,
    column_or_nulls,
    from_arrow,
    text_from_source,
    to_arrow,
)
from hris_pipeline.transform.normalise import to_alpha2
from hris_pipeline.transform.spreadsheets import FORMULA, PHONE, read_table, write_xlsx
from hris_pipeline.transform.validate import breaks, checks_for, read_typed

__all__ = [
    "USER_FILES",
    "read_user_file",
    "user_file",
    "user_file_csv",
    "user_file_parquet",
    "user_file_xlsx",
]

_HEADERS = {field.header: field for field in USER_FIELDS if field.header}
_NEEDED = ("employee_id", "first_name", "last_name")
_RULES = {field.name: field.text for field in USER_FIELDS}
_KINDS = {field.name: field.kind for field in USER_FIELDS}
_NO_DATE = "is no date as 1990-02-28 (in a spreadsheet, format the column as YYYY-MM-DD)"
_FORMULA = re.sub(r"\\u([0-9a-f]{4})", r"\\x{\1}", FORMULA)
"""As Arrow's regular expressions spell it."""


def user_file(users: pd.DataFrame, metadata: Sequence[MetadataField]) -> pd.DataFrame:
    """One row a user, all text, under the user file's headers; hidden metadata is left out.

    Args:
        users: user fields as columns, metadata as ``#Name``; a column that is not there is blank in the file.
        metadata: the metadata fields in force, in the order of their columns.
    """
    columns = {header: field.name for header, field in _HEADERS.items()}
    visible = [entry.name.column for entry in metadata if entry.type != "hidden"]
    columns |= {header: header for header in visible}
    return pd.DataFrame({header: as_text(column_or_nulls(users, name)) for header, name in columns.items()})


def user_file_csv(frame: pd.DataFrame) -> bytes:
    """A frame of text as CSV: UTF-8 with byte order mark, CRLF, every cell quoted, formulas neutralised."""
    columns = [pd.concat([text_from_source([header]), frame[header]]) for header in frame.columns]
    cells = [pc.replace_substring(to_arrow(_escape_formulas(values.fillna(""))), '"', '""') for values in columns]
    lines = pc.binary_join_element_wise(*cells, '","').to_pylist()
    return "".join(f'"{line}"\r\n' for line in lines).encode("utf-8-sig")


def user_file_xlsx(frame: pd.DataFrame) -> bytes:
    """A frame of text as a workbook of text cells, formulas neutralised."""
    file = io.BytesIO()
    columns = [to_arrow(frame[header]).to_pylist() for header in frame.columns]
    write_xlsx(file, {"Users": (list(frame.columns), zip(*columns, strict=True))})
    return file.getvalue()


def user_file_parquet(frame: pd.DataFrame) -> bytes:
    """A frame of text as Parquet, the values as they are."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), file)
    return file.getvalue()


USER_FILES: Mapping[str, Callable[[pd.DataFrame], bytes]] = {
    ".csv": user_file_csv,
    ".xlsx": user_file_xlsx,
    ".parquet": user_file_parquet,
}
"""How a user file is written, by the ending of its name."""


def read_user_file(data: bytes) -> pd.DataFrame:
    """The users of a CSV under the user file's headers, in any order: user fields and ``#Name`` as columns.

    Text is cleaned as in ``normalise``, a blank is null, dates are dates, leading zeros stay.

    Raises:
        UsageError: every problem of the file with its line numbers, without any value of it: headers that are unknown,
            missing or given twice, rows of another length, needed cells left blank, values the catalogue refuses,
            an EmployeeId given twice.
    """
    table = read_table(data, _HEADERS, "user file")
    header = _unescape_formulas(text_from_source(table.header)).str.strip().tolist()
    _refuse(_header_problems(header))
    _refuse(_length_problems(table.lines, table.rows, len(header)))
    names = [_HEADERS[title].name if title in _HEADERS else title for title in header]
    cells = zip(*table.rows, strict=True) if table.rows else [()] * len(names)
    texts = pd.DataFrame(
        {
            name: clean_text(_unescape_formulas(text_from_source(values)), _RULES.get(name, "free"))
            for name, values in zip(names, cells, strict=True)
        },
    )
    if "country_code" in texts:
        texts["country_code"] = to_alpha2(texts["country_code"])
    typed = {name: read_typed(texts[name], _KINDS.get(name, "text")) for name in names}
    frame = pd.DataFrame({name: values for name, (values, _, _) in typed.items()})
    unreadable = {name: broken for name, (_, _, broken) in typed.items()}
    _refuse(_value_problems(frame, unreadable, pd.Series(table.lines, dtype="int64")))
    return frame


def _escape_formulas(values: pd.Series) -> pd.Series:
    """An apostrophe in front of what is a formula, or would be one once its own apostrophes are taken off."""
    texts = to_arrow(values)
    computed = pc.and_(
        pc.match_substring_regex(texts, f"^{_FORMULA}"), pc.invert(pc.match_substring_regex(texts, f"^{PHONE}"))
    )
    return from_arrow(pc.if_else(computed, pc.binary_join_element_wise("'", texts, ""), texts), values.index)


def _unescape_formulas(values: pd.Series) -> pd.Series:
    return from_arrow(pc.replace_substring_regex(to_arrow(values), f"^'({_FORMULA})", r"\1"), values.index)


def _header_problems(header: Sequence[str]) -> Iterator[Problem]:
    remedy = f"use {', '.join(_HEADERS)} or {METADATA_PREFIX}Name"
    if not _HEADERS.keys() & set(header):  # then it may be a person's row, which must not be repeated
        yield Problem("", f"none of the headers: {remedy}", 1)
        return
    for title, count in Counter(header).items():
        if title not in _HEADERS and not title.removeprefix(METADATA_PREFIX).strip():
            yield Problem("", f"a column has no header: {remedy}", 1)
        elif title not in _HEADERS and not title.startswith(METADATA_PREFIX):
            yield Problem(title, f"no such header: {remedy}.{suggestion(title, _HEADERS)}", 1)
        elif count > 1:
            yield Problem(title, "the header is given more than once", 1)
    for field in USER_FIELDS:
        if field.name in _NEEDED and field.header not in header:
            yield Problem(str(field.header), "the header is missing", 1)


def _length_problems(lines: Sequence[int], rows: Sequence[Sequence[str]], length: int) -> Iterator[Problem]:
    for line, row in zip(lines, rows, strict=True):
        if len(row) != length:
            yield Problem("", f"{len(row)} cells under {length} headers", line)


def _value_problems(frame: pd.DataFrame, unreadable: Mapping[str, pd.Series], lines: pd.Series) -> Iterator[Problem]:
    for header, field in _HEADERS.items():
        if field.name not in frame:
            continue
        values = frame[field.name]
        checks = checks_for(EMPLOYEE_FIELDS_BY_NAME[field.source])
        broken = {check.reason: breaks(values, check) for check in checks}
        if field.kind == "date":
            broken = {_NO_DATE: reduce(or_, broken.values(), unreadable[field.name])}
        if field.name in _NEEDED:
            broken["is needed and blank"] = values.isna()
        if field.name == "employee_id":
            broken["is given more than once"] = values.notna() & values.duplicated(keep=False)
        if field.name == "email":
            keys = casefold_key(values)
            broken["is given to several people"] = keys.notna() & keys.duplicated(keep=False)
        for reason, rows in broken.items():
            if rows.any():
                yield Problem(header, f"{reason} (line {', '.join(map(str, lines[rows]))})")


def _refuse(problems: Iterator[Problem]) -> None:
    texts = [str(problem) for problem in problems]
    if texts:
        raise UsageError(f"The user file cannot be loaded, and nothing of it was: {'; '.join(texts)}.")
