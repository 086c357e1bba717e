"""Settings and user files as anybody may write them: accepted, or refused with what is wrong and where."""

import io
from contextlib import suppress
from typing import Any

import openpyxl
import pandas as pd
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.errors import SettingsInvalid, UsageError
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import dump_settings, load_settings, set_values
from hris_pipeline.transform.user_file import read_user_file
from hris_pipeline_tests.kit.law_profiles import law
from hris_pipeline_tests.kit.odd_values import ODD_TEXTS, ODD_VALUES, mutated

VALID: dict[str, Any] = {
    **{key: value for key, value in Settings().document().items() if key not in ("display_name", "directory")},
    "do_not_import": [
        {"name": "Contractors", "all": [{"field": "employment_type", "operator": "equals", "value": "contractor"}]},
        {"name": "Late", "any": [{"field": "hire_date", "operator": "after", "value": "2026-01-01"}]},
    ],
    "do_not_archive": ["0001"],
    "exclude_fields": ["birth_date"],
    "mapping": {"employee_id": "justworks_id", "first_name": "custom:Nick"},
    "notify": [{"to": "json://host.example", "on": ["held"]}],
}

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text(st.sampled_from("{}[]:-,&*!|>'\"%@`# \n\tabc1?~"))
HEADER = ["Employee Id", "First Name", "Last Name", "Email", "Birth Date", "Supervisor Id", "#Team"]
ROW = ["0001", "Ada", "Lovelace", "ada@acme.example", "1990-02-28", "", "Engines"]
cells = st.sampled_from([*ODD_TEXTS, *ROW, *HEADER, "#", "#\n"])


def fits(value: Any) -> bool:
    """Whether a cell of a workbook can hold it."""
    if isinstance(value, str):
        return len(value) < 32_000 and not set(value) & set("\x00\x1b\ud800")
    return value is None or (isinstance(value, bool | int | float) and abs(value) < 1e300)


def refused(error: SettingsInvalid) -> None:
    """Every problem says something."""
    assert error.problems
    assert all(problem.message for problem in error.problems)


@law(200)
@given(texts)
def test_any_text_is_a_settings_document_or_refused(text: str) -> None:
    try:
        load_settings(text)
    except SettingsInvalid as error:
        refused(error)


@law(200)
@given(mutated(VALID, tuple(value for value in ODD_VALUES if not isinstance(value, float | int) or abs(value) < 1e300)))
def test_a_valid_document_with_odd_values_is_accepted_whole_or_refused(document: Any) -> None:
    try:
        text = yaml.safe_dump(document, allow_unicode=True)
    except (RecursionError, UnicodeError, yaml.YAMLError):
        return
    try:
        settings = load_settings(text)
    except SettingsInvalid as error:
        refused(error)
    else:
        assert load_settings(dump_settings(settings)) == settings
        assert len(settings.digest()) == 64


@law(150)
@given(st.sampled_from(sorted([*VALID, "guards.archive_limit.percent", "metadata.0.name", "x", ""])), st.data())
def test_any_value_is_set_or_refused(key: str, data: st.DataObject) -> None:
    value = data.draw(st.sampled_from(ODD_TEXTS) | texts)
    try:
        set_values(Settings(), [f"{key}={value}"])
    except SettingsInvalid as error:
        refused(error)


@law(150)
@given(st.binary(max_size=200) | texts.map(lambda text: text.encode()))
def test_any_bytes_are_a_user_file_or_refused(data: bytes) -> None:
    refused_or_read(data)


@law(150)
@given(st.lists(st.lists(cells, max_size=8), max_size=4), st.sampled_from([",", ";", "\t"]), st.booleans())
def test_any_csv_is_a_user_file_or_refused(rows: list[list[str]], separator: str, quoted: bool) -> None:
    lines = [HEADER, ROW, *rows]
    mark = '"' if quoted else ""
    text = "\r\n".join(separator.join(f"{mark}{cell}{mark}" for cell in line) for line in lines)
    refused_or_read(text.encode("utf-8", "surrogatepass"))


@law(60)
@given(st.lists(st.lists(st.sampled_from([*(v for v in ODD_VALUES if fits(v)), *ROW]), max_size=8), max_size=3))
def test_any_workbook_is_a_user_file_or_refused(rows: list[list[Any]]) -> None:
    book = openpyxl.Workbook()
    for line in [HEADER, ROW, *rows]:
        book.active.append(line)
    file = io.BytesIO()
    book.save(file)
    refused_or_read(file.getvalue())


def refused_or_read(data: bytes) -> None:
    with suppress(UsageError):
        assert isinstance(read_user_file(data), pd.DataFrame)
