"""The user file: a CSV for spreadsheets that comes back exactly as it went out."""

import csv
import io
from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.errors import UsageError
from hris_pipeline.settings.document import MetadataField, Settings
from hris_pipeline.settings.fields import MetadataName
from hris_pipeline.transform.columns import DATE, TEXT, clean_text, text_from_source
from hris_pipeline.transform.map_users import map_users
from hris_pipeline.transform.user_file import read_user_file, user_file, user_file_csv
from hris_pipeline_tests.kit.frames import TODAY, Company, member, text_frame, validated, values

CORE = [
    "Employee Id",
    "First Name",
    "Last Name",
    "Preferred Name",
    "Email",
    "Secondary Email",
    "Phone",
    "Birth Date",
    "Hire Date",
    "Supervisor Id",
    "Country Code",
]
FORMULA_CHARACTERS = tuple("=+-@\t\r\n＝＋－＠")
HEADER = "Employee Id,First Name,Last Name"
formula_like = st.builds(str.__add__, st.text("'=+-@ \t\r\n＝\"0", max_size=4), st.text(max_size=5))


def users() -> pd.DataFrame:
    """Two users with dates, metadata of every type, a leading zero and an international phone."""
    people = [
        member(1, phone_number="+1 212 555 0100", job_title="=Poet", email="a@x.org"),
        member(2, first_name="李", last_name="O'Brien", birth_date=None),
    ]
    return map_users(validated(*people).people, Settings(), Company(), TODAY).users


def cells(data: bytes) -> list[list[str]]:
    """The CSV as another program reads it."""
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def problems(text: str) -> str:
    """What is said of a file that cannot be loaded."""
    with pytest.raises(UsageError) as caught:
        read_user_file(text.encode())
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_the_headers_are_the_core_fields_then_metadata_without_hidden_ones() -> None:
    metadata = [
        MetadataField(name=MetadataName("JobTitle"), source="job_title"),
        MetadataField(name=MetadataName("Salary Band"), source="department", type="hidden"),
        MetadataField(name=MetadataName("Buddy"), source="custom:Buddy", type="associated"),
    ]
    frame = user_file(users().assign(**{"#Salary Band": "canary"}), metadata)
    assert list(frame.columns) == [*CORE, "#JobTitle", "#Buddy"]
    assert all(dtype == TEXT for dtype in frame.dtypes)
    assert b"canary" not in user_file_csv(frame)


def test_all_values_are_text_and_what_is_not_there_is_blank() -> None:
    frame = user_file(users().drop(columns=["hire_date", "#JobTitle"]), Settings().metadata)
    assert values(frame["Employee Id"]) == ["0001", "0002"]
    assert values(frame["Birth Date"]) == ["1985-12-10", None]
    assert values(frame["Hire Date"]) == [None, None]
    assert values(frame["#JobTitle"]) == [None, None]
    assert values(frame["#IsManager"]) == ["false", "false"]


def test_the_file_is_utf_8_with_a_byte_order_mark_crlf_and_every_cell_quoted() -> None:
    data = user_file_csv(text_frame(a=["0001", 'say "hi", 李\n'], b=[None, "x"]))
    assert data.decode() == '\ufeff"a","b"\r\n"0001",""\r\n"say ""hi"", 李\n","x"\r\n'


def test_the_file_reads_back_as_the_users_it_was_made_of() -> None:
    written = users()
    read = read_user_file(user_file_csv(user_file(written, Settings().metadata)))
    for name in read:
        assert values(read[name]) == values(written[name]), name
    assert read["hire_date"].dtype == DATE


@pytest.mark.parametrize(
    "text", ["+12125550100", "=1+1", "-1", "@x", "'=1", "''=", "'", "'x", "＝1", '"', "0001", "a\nb"]
)
def test_a_formula_gets_an_apostrophe_that_reading_takes_off_again(text: str) -> None:
    data = user_file_csv(text_frame(**{"Employee Id": ["1"], "First Name": [text], "Last Name": ["L"]}))
    cell = cells(data)[1][1]
    computed = text.lstrip("'").startswith(FORMULA_CHARACTERS) and text != "+12125550100"
    assert cell == (f"'{text}" if computed else text), "the plus of an international number is no formula"
    assert values(read_user_file(data)["first_name"]) == values(clean_text(text_from_source([text])))


@given(st.lists(st.one_of(st.none(), st.text(), formula_like), min_size=1))
def test_any_text_comes_back_and_no_cell_is_a_formula(texts: list[str | None]) -> None:
    ids: list[str | None] = [str(number) for number in range(len(texts))]
    frame = text_frame(**{"Employee Id": ids, "First Name": ids, "Last Name": ids, "_Note": texts})
    data = user_file_csv(frame)
    assert values(read_user_file(data)["#Note"]) == values(clean_text(text_from_source(texts)))
    header, *rows = cells(data)
    assert header == list(frame.columns)
    assert not [row for row in rows for cell in row if cell.startswith(FORMULA_CHARACTERS)]
    assert all(row[3] in (text or "", f"'{text}") for row, text in zip(rows, texts, strict=True))


@given(st.lists(st.text("=+a0'\",; 李é", min_size=1), min_size=1))
def test_pandas_reads_the_same_cells_as_our_own_reader(texts: list[str]) -> None:
    ids = [str(number) for number in range(len(texts))]
    frame = text_frame(**{"Employee Id": ids, "First Name": ids, "Last Name": ids, "_Note": texts})
    data = user_file_csv(frame)
    theirs = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)
    assert theirs["#Note"].tolist() == [row[3] for row in cells(data)[1:]]


@given(st.sampled_from(["#=1", "#+x", "#-", "#'=1"]))
def test_a_metadata_name_is_a_header_as_it_is(name: str) -> None:
    frame = text_frame(**{"Employee Id": ["1"], "First Name": ["F"], "Last Name": ["L"]}).assign(
        **{name: text_from_source(["x"])}
    )
    assert name in read_user_file(user_file_csv(frame))


def test_headers_come_in_any_order_with_or_without_byte_order_mark_and_blank_lines_do_not_count() -> None:
    text = "Last Name,#Buddy, Employee Id ,First Name,Birth Date\n\nL,,007,F,2000-02-29\n,,,,\n"
    for data in (text.encode(), text.encode("utf-8-sig")):
        frame = read_user_file(data)
        assert list(frame.columns) == ["last_name", "#Buddy", "employee_id", "first_name", "birth_date"]
        assert frame.iloc[0].tolist() == ["L", pd.NA, "007", "F", date(2000, 2, 29)]
        assert len(frame) == 1


def test_a_file_with_headers_alone_holds_no_users() -> None:
    frame = read_user_file(f"{HEADER},Hire Date".encode())
    assert frame.empty
    assert list(frame.dtypes) == [TEXT, TEXT, TEXT, DATE]


def test_every_wrong_header_is_told_at_once() -> None:
    lines = problems("Employee Id,Employee Id,First Nmae,#,,#Buddy,#Buddy\n")
    for problem in (
        "line 1: Employee Id: the header is given more than once",
        "line 1: First Nmae: no such header",
        "line 1: a column has no header",
        "line 1: #Buddy: the header is given more than once",
        "line 1: First Name: the header is missing",
        "line 1: Last Name: the header is missing",
    ):
        assert problem in lines


def test_every_wrong_value_is_told_at_once_by_line_and_never_repeated() -> None:
    rows = [
        '1,"Canary\nCanary",L,canary,',
        "1,F,,,canary",
        ",F,L,01/02/2000,a@x.org",
        "",
        f"4,F,{'Canary' * 10},,canary",
    ]
    lines = problems("\n".join([f"{HEADER},Birth Date,Email", *rows]))
    for problem in (
        "Employee Id: is given more than once (line 2, 4)",
        "Employee Id: is needed and blank (line 5)",
        "Last Name: is needed and blank (line 4)",
        "Last Name: is longer than 50 characters (line 7)",
        "Birth Date: is no date as 1990-02-28 (in a spreadsheet, format the column as YYYY-MM-DD) (line 2, 5)",
        "Email: is no email address (line 4, 7)",
        "Email: is given to several people (line 4, 7)",
    ):
        assert problem in lines
    assert "canary" not in lines.lower()


def test_a_file_without_headers_is_refused_without_repeating_its_first_row() -> None:
    lines = problems("7,Canary,Lovelace\n8,Grace,Hopper\n")
    assert "line 1: none of the headers" in lines
    assert "Canary" not in lines


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\r\n", "is empty"),
        ("Employee Id;É".encode("latin-1"), "is not UTF-8"),
        (f'{HEADER}\n1,"F"x,L\n'.encode(), "is no CSV: line 2"),
        (f"{HEADER}\n1,F\n2,F,L,X\n".encode(), "line 2: 2 cells under 3 headers; line 3: 4 cells under 3 headers"),
    ],
)
def test_what_is_no_user_file_at_all_is_refused_in_a_line(data: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_user_file(data)


def test_alpha_3_country_codes_are_converted() -> None:
    read = read_user_file(b"Employee Id,First Name,Last Name,Country Code\n1,A,B,usa\n2,C,D,DE\n")
    assert read["country_code"].tolist() == ["US", "DE"]
