"""Tables as spreadsheets write them, and the user file through each of its forms."""

import io
import zipfile
from datetime import date, datetime, time
from typing import Any

import pandas as pd
import pytest
from openpyxl import Workbook, load_workbook

from hris_pipeline.errors import UsageError
from hris_pipeline.transform import spreadsheets
from hris_pipeline.transform.spreadsheets import escape_formula, read_table, write_csv
from hris_pipeline.transform.user_file import USER_FILES, read_user_file
from hris_pipeline_tests.kit.frames import text_frame

HEADERS = ("Employee Id", "First Name", "Last Name", "Birth Date")
DAY = date(1990, 2, 28)
ROW = ("0001", "Zoë", 'O"Neil; the, first', "1990-02-28")


def users() -> pd.DataFrame:
    columns = zip(HEADERS, ROW, strict=True)
    return text_frame(**{name: [value] for name, value in columns}).assign(**{"#Note": text_frame(n=["=1+1"])["n"]})


@pytest.mark.parametrize("ending", USER_FILES)
def test_every_form_is_read_back_as_it_was(ending: str) -> None:
    frame = read_user_file(USER_FILES[ending](users()))
    assert frame["employee_id"].tolist() == ["0001"]
    assert frame["first_name"].tolist() == ["Zoë"]
    assert frame["last_name"].tolist() == ['O"Neil; the, first']
    assert frame["birth_date"].tolist() == [date(1990, 2, 28)]
    assert frame["#Note"].tolist() == ["=1+1"]


def test_a_workbook_holds_text_alone() -> None:
    sheet = load_workbook(io.BytesIO(USER_FILES[".xlsx"](users()))).worksheets[0]
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert {(cell.data_type, cell.number_format) for cell in cells} == {("s", "@")}
    assert sheet.freeze_panes == "A2"
    assert [{bool(cell.font.b) for cell in row} for row in sheet.iter_rows()] == [{True}, {False}]


@pytest.mark.parametrize(
    "data",
    [
        b"Employee Id,First Name,Last Name\n0001,F,L\n",
        "\ufeffEmployee Id;First Name;Last Name\r\n0001;F;L\r\n".encode(),
        b"sep=;\r\nEmployee Id;First Name;Last Name\r\n0001;F;L\r\n",
        b'"sep=|"\nEmployee Id|First Name|Last Name\n0001|F|L\n',
        "Employee Id\tFirst Name\tLast Name\n0001\tF\tL\n".encode("utf-16"),
    ],
    ids=["comma", "mark and semicolon", "sep", "quoted sep", "unicode text"],
)
def test_what_spreadsheets_make_of_a_csv_is_read(data: bytes) -> None:
    assert read_user_file(data).to_dict("records") == [{"employee_id": "0001", "first_name": "F", "last_name": "L"}]


def workbook(*rows: tuple[Any, ...]) -> bytes:
    book = Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_dates_and_numbers_of_a_sheet_are_text_again() -> None:
    midnight = datetime.combine(date(1990, 2, 28), time())
    data = workbook(HEADERS, (1, "F", "L", midnight), (2.0, "G", "M", date(1991, 1, 2)))
    frame = read_user_file(data)
    assert frame["employee_id"].tolist() == ["1", "2"]
    assert frame["birth_date"].tolist() == [date(1990, 2, 28), date(1991, 1, 2)]
    assert read_table(data, HEADERS, "user file").numeric == {0}


def test_only_numbers_below_the_header_are_numbers() -> None:
    assert read_table(workbook(("Employee Id", 2024), ("1", "x")), HEADERS, "user file").numeric == frozenset()
    assert read_table(workbook(("Employee Id", 2024), (1, "x")), HEADERS, "user file").numeric == {0}


def test_blank_cells_beyond_the_header_are_no_columns() -> None:
    rows = (*HEADERS, None), ("1", "F", "L", None, None), ("2", "G", "M", None, " ")
    table = read_table(workbook(*rows), HEADERS, "user file")
    assert (table.header, [len(row) for row in table.rows]) == (HEADERS, [4, 4])
    beyond = read_table(workbook(HEADERS, ("1", "F", "L", None, "x")), HEADERS, "user file")
    assert [len(row) for row in beyond.rows] == [5]


def test_a_time_stays_and_a_formula_that_nobody_computed_is_blank() -> None:
    data = workbook(HEADERS, ("1", datetime.combine(DAY, time(10, 30)), "=1+1", True))
    assert list(read_table(data, HEADERS, "user file").rows[0]) == ["1", "1990-02-28 10:30:00", "", "true"]
    midnight = workbook(HEADERS, ("1", datetime.combine(DAY, time()), DAY, 1.5))
    assert list(read_table(midnight, HEADERS, "user file").rows[0]) == ["1", "1990-02-28", "1990-02-28", "1.5"]


WRONG = ("", "F", "L", "1990-02-28")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"Employee Id,First Name,Last Name\n,F,L\n", 2),
        (b"sep=;\nEmployee Id;First Name;Last Name\n1;G;M\n;F;L\n", 4),
        (workbook(HEADERS, WRONG), 2),
        (workbook(HEADERS, ("1", "G", "M", "1990-02-28"), (None,) * 4, WRONG), 4),
    ],
    ids=["csv", "csv that says its separator", "workbook", "workbook with a blank row"],
)
def test_what_is_wrong_is_told_by_the_line_in_the_spreadsheet(data: bytes, line: int) -> None:
    with pytest.raises(UsageError, match=rf"Employee Id: is needed and blank \(line {line}\)"):
        read_user_file(data)


@pytest.mark.parametrize("written", ["2/28/1990", "28.02.1990", "32932", "Feb 28, 1990"])
def test_a_date_in_a_spreadsheet_s_own_form_is_refused_with_an_example(written: str) -> None:
    data = f'Employee Id,First Name,Last Name,Birth Date\n1,F,L,"{written}"\n'.encode()
    with pytest.raises(UsageError, match=r"Birth Date: is no date as 1990-02-28 .* \(line 2\)") as caught:
        read_user_file(data)
    assert written not in str(caught.value)


@pytest.mark.parametrize("data", [b"PK\x03\x04broken", b"PAR1broken", b"PAR1"])
def test_what_is_broken_is_refused_in_a_line(data: bytes) -> None:
    with pytest.raises(UsageError, match="can be read"):
        read_user_file(data)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("=1", "'=1"),
        ("\u200b=1", "'\u200b=1"),
        (" \u2060+1", "' \u2060+1"),
        ("'\u200b@x", "''\u200b@x"),
        ("＝1", "'＝1"),
        ("\t1", "'\t1"),
        ("-1", "'-1"),
        ("+12125550100", "+12125550100"),
        ("+1212555010012345", "'+1212555010012345"),
        ("+12345|calc", "'+12345|calc"),
        ("0001", "0001"),
        ("a=b", "a=b"),
        ("'quoted'", "'quoted'"),
        ("", ""),
    ],
)
def test_signs_are_neutralised_also_behind_what_nobody_sees(text: str, escaped: str) -> None:
    assert escape_formula(text) == escaped


def test_a_csv_has_every_cell_quoted_and_nothing_computed() -> None:
    file = io.BytesIO()
    write_csv(file, ("Name", "Note"), [('O"Neil', None), ("=1+1", "")])
    assert file.getvalue().decode() == '\ufeff"Name","Note"\r\n"O""Neil",""\r\n"\'=1+1",""\r\n'


def test_a_workbook_may_unpack_to_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    data = USER_FILES[".xlsx"](users())
    unpacked = sum(part.file_size for part in zipfile.ZipFile(io.BytesIO(data)).infolist())
    monkeypatch.setattr(spreadsheets, "_LARGEST_WORKBOOK", unpacked)
    assert len(read_user_file(data)) == 1
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("sheet", bytes(4 << 20))
    monkeypatch.setattr(spreadsheets, "_LARGEST_WORKBOOK", 3 << 20)
    with pytest.raises(UsageError, match="more than 3 MB"):
        read_table(file.getvalue(), HEADERS, "user file")
