"""Tables of text as spreadsheet programs take them, and the tables that they give back. Knows nothing of users, and
makes no frame, so that whoever writes rows one by one needs none.

Every cell that is written is text: a spreadsheet neither drops leading zeros, nor makes dates of it, nor computes it.
XLSX is written here, row by row: cells of text are all that is needed, and a library for cells of every kind takes many
times as long. It is read with one.
"""

import csv
import io
import itertools
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import IO, Any
from xml.sax.saxutils import escape

from hris_pipeline.errors import UsageError
from hris_pipeline.settings.values import is_number

__all__ = ["FORMULA", "PHONE", "Table", "escape_formula", "read_table", "write_csv", "write_xlsx"]

_INVISIBLE = r"\s\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
FORMULA = rf"[{_INVISIBLE}]*'*[{_INVISIBLE}]*(?:[=+\-@＝＋－＠]|[\t\r\n])"
"""How text begins that a spreadsheet would compute, also behind what cannot be seen, and once apostrophes are taken
off; spreadsheets in Japanese and Chinese read the full-width signs too."""

PHONE = r"\+[0-9]{6,15}$"
"""An international number: its plus is no formula's, and a number with an apostrophe would be none."""

_COMPUTED = re.compile(FORMULA)
_NUMBER = re.compile(PHONE)
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_LONGEST_CELL = 32_767
"""The most characters that one cell holds."""

_LARGEST_WORKBOOK = 512 << 20
"""Bytes, unpacked; a workbook of 100 000 people has a tenth of that."""


@dataclass(frozen=True)
class Table:
    """A table that was read: its header, its rows as text (each as long as it was), the line each begins on (from 1),
    and the columns of which some cell was a number, so that leading zeros may be lost."""

    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    numeric: frozenset[int] = frozenset()


def escape_formula(value: str) -> str:
    """The text with an apostrophe in front where a spreadsheet would compute it."""
    return f"'{value}" if _COMPUTED.match(value) and not _NUMBER.match(value) else value


def write_csv(file: IO[bytes], header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    """CSV as spreadsheets read it best: UTF-8 with byte order mark, CRLF, every cell quoted, formulas neutralised."""
    file.write("\ufeff".encode())
    for row in itertools.chain((header,), rows):
        file.write(_csv_line(row))


def _csv_line(row: Sequence[str | None]) -> bytes:
    cells = (escape_formula(cell or "").replace('"', '""') for cell in row)
    return ('"' + '","'.join(cells) + '"\r\n').encode("utf-8", "replace")


def write_xlsx(file: IO[bytes], sheets: Mapping[str, tuple[Sequence[str], Iterable[Sequence[str | None]]]]) -> None:
    """A workbook of text cells, formulas neutralised; by the name of each sheet its header, which stays in sight, and
    its rows."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        numbers = range(1, len(sheets) + 1)
        book.writestr("[Content_Types].xml", _content_types(numbers))
        book.writestr("_rels/.rels", _render_relations({"rId1": ("officeDocument", "xl/workbook.xml")}))
        listed = "".join(
            f'<sheet name="{_escape_xml(name)}" sheetId="{number}" r:id="rId{number}"/>'
            for number, name in zip(numbers, sheets, strict=True)
        )
        book.writestr("xl/workbook.xml", f"{_XML}<workbook {_MAIN} {_R}><sheets>{listed}</sheets></workbook>")
        targets = {f"rId{number}": ("worksheet", f"worksheets/sheet{number}.xml") for number in numbers}
        book.writestr(
            "xl/_rels/workbook.xml.rels", _render_relations(targets | {"rIdStyles": ("styles", "styles.xml")})
        )
        book.writestr("xl/styles.xml", _STYLES)
        for number, (header, rows) in zip(numbers, sheets.values(), strict=True):
            with book.open(f"xl/worksheets/sheet{number}.xml", "w", force_zip64=True) as sheet:
                sheet.write(_SHEET_BEGINS.encode())
                sheet.write(_sheet_row(header, style=2))
                for row in rows:
                    sheet.write(_sheet_row(row, style=1))
                sheet.write(b"</sheetData></worksheet>")


def _sheet_row(row: Sequence[str | None], *, style: int) -> bytes:
    cells = (
        f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{_escape_xml(escape_formula(cell))}</t></is></c>'
        if cell
        else f'<c s="{style}"/>'
        for cell in row
    )
    return f"<row>{''.join(cells)}</row>".encode("utf-8", "replace")


def _escape_xml(text: str) -> str:
    kept = _LOOKS_ESCAPED.sub("_x005F_", _NOT_IN_XML.sub("", text))[:_LONGEST_CELL]
    return escape(kept, {'"': "&quot;"})


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SCHEMAS = "http://schemas.openxmlformats.org"
_MAIN = f'xmlns="{_SCHEMAS}/spreadsheetml/2006/main"'
_R = f'xmlns:r="{_SCHEMAS}/officeDocument/2006/relationships"'
_SHEET_BEGINS = (
    f'{_XML}<worksheet {_MAIN}><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>'
)
_STYLES = (
    f'{_XML}<styleSheet {_MAIN}><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/>'
    '<sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3"><xf xfId="0"/>'
    '<xf numFmtId="49" applyNumberFormat="1" xfId="0"/>'
    '<xf numFmtId="49" fontId="1" applyNumberFormat="1" applyFont="1" xfId="0"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
"""Number format 49 is text, so that what somebody types into a cell later stays text as well."""


def _content_types(numbers: Iterable[int]) -> str:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    sheets = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{kind}.worksheet+xml"/>'
        for number in numbers
    )
    return (
        f'{_XML}<Types xmlns="{_SCHEMAS}/package/2006/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        f'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{kind}.styles+xml"/>{sheets}</Types>'
    )


def _render_relations(targets: Mapping[str, tuple[str, str]]) -> str:
    lines = "".join(
        f'<Relationship Id="{key}" Type="{_SCHEMAS}/officeDocument/2006/relationships/{kind}" Target="{target}"/>'
        for key, (kind, target) in targets.items()
    )
    return f'{_XML}<Relationships xmlns="{_SCHEMAS}/package/2006/relationships">{lines}</Relationships>'


def read_table(data: bytes, headers: Iterable[str], what: str) -> Table:
    """The table in a file: CSV as any spreadsheet writes it, XLSX (its first sheet) or Parquet, told by its content.

    Args:
        data: The file.
        headers: Headers of which some are expected; the separator of a CSV is the one that finds most of them.
        what: What the file is, for messages.

    Raises:
        UsageError: it is none of these, or is empty.
    """
    if data[:4] == b"PAR1":
        table = _read_parquet(data, what)
    elif data[:4] == b"PK\x03\x04":
        table = _read_xlsx(data, what)
    else:
        table = _read_csv(_decode_text(data, what), set(headers), what)
    if not table.header:
        raise UsageError(f"The {what} is empty: its first line must hold the headers {', '.join(headers)}.")
    return table


def _decode_text(data: bytes, what: str) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise UsageError(f"The {what} is not UTF-8: save it as “CSV UTF-8” or XLSX, then load it again.") from None


def _read_csv(text: str, headers: set[str], what: str) -> Table:
    """``sep=;`` on the first line says the separator, as some spreadsheets write and read it."""
    said = re.match(r'"?sep=(.)"?[ \t]*\r?\n', text)
    begins = 2 if said else 1
    text = text[said.end() :] if said else text
    separators = (said[1],) if said else (",", ";", "\t")
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(
        separators, key=lambda candidate: len(headers & {cell.strip() for cell in _cells_of(first, candidate)})
    )
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    rows: list[Sequence[str]] = []
    lines: list[int] = []
    at = begins
    try:
        for record in reader:
            if any(cell.strip() for cell in record):
                lines.append(at)
                rows.append(record)
            at = begins + reader.line_num
    except csv.Error as error:
        raise UsageError(f"The {what} is no CSV: line {begins - 1 + reader.line_num}: {error}.") from None
    return _build_table(rows, lines, frozenset())


def _cells_of(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def _read_xlsx(data: bytes, what: str) -> Table:
    from openpyxl import load_workbook  # noqa: PLC0415 - only for a workbook

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > _LARGEST_WORKBOOK:
            raise UsageError(f"The {what} unpacks to more than {_LARGEST_WORKBOOK >> 20} MB: nothing of it was read.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles that it does not know
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            values = list(book.worksheets[0].iter_rows(values_only=True))
            book.close()
    except UsageError:
        raise
    except Exception as error:  # of whatever kind the library raises; its text may quote a cell
        raise UsageError(
            f"The {what} is no workbook that can be read ({type(error).__name__}): save it anew."
        ) from None
    return _from_values(values)


def _read_parquet(data: bytes, what: str) -> Table:
    import pyarrow as pa  # noqa: PLC0415 - only for Parquet
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        frame = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"The {what} is no Parquet that can be read ({type(error).__name__}).") from None
    rows = zip(*(column.to_pylist() for column in frame.columns), strict=True)
    return _from_values([tuple(frame.column_names), *rows])


def _from_values(values: Sequence[Sequence[Any]]) -> Table:
    rows, lines = [], []
    numeric: set[int] = set()
    for line, record in enumerate(values, 1):
        cells = [_cell_text(value) for value in record]
        if any(cell.strip() for cell in cells):
            rows.append(cells)
            lines.append(line)
            if len(rows) > 1:
                numeric.update(place for place, value in enumerate(record) if is_number(value))
    width = max((place + 1 for row in rows[:1] for place, cell in enumerate(row) if cell.strip()), default=0)
    return _build_table([_fit_row(row, width) for row in rows], lines, frozenset(numeric))


def _fit_row(row: Sequence[str], width: int) -> Sequence[str]:
    """The row cut to the header's width where the cells beyond it are empty, as formatted columns leave them."""
    return row[:width] if not any(cell.strip() for cell in row[width:]) else row


def _build_table(rows: Sequence[Sequence[str]], lines: Sequence[int], numeric: frozenset[int]) -> Table:
    header = tuple(rows[0]) if rows else ()
    return Table(header, rows[1:], lines[1:], numeric)


def _cell_text(value: Any) -> str:
    """A value of a cell as text: a date as ISO, a whole number without its point."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
