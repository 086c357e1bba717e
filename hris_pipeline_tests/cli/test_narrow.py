"""A terminal of 80 columns: ids, addresses and names of fields stay whole, and the demo fits two screens."""

import re
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from hris_pipeline.cli import demo as demo_company
from hris_pipeline.cli import printing
from hris_pipeline.cli.printing import GAP, fit_columns, table
from hris_pipeline.sandbox.server import Sandbox
from hris_pipeline_tests.kit.command_line import Hris

WIDTH = 80
TWO_SCREENS = 47

TOKENS = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}|[a-z]+_[a-z_]+")
"""Ids of imports, and names of fields, guards and checks: what people copy."""

texts = st.lists(st.text("ab c", max_size=60), min_size=1, max_size=4)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "WIDTH_IN_FILES", WIDTH)


@given(st.lists(texts, min_size=1, max_size=7), st.integers(10, 200))
def test_columns_that_fit_break_no_word_of_moderate_length(columns: list[list[str]], width: int) -> None:
    widths = fit_columns(columns, width)
    if widths is None:
        return
    assert sum(widths) + GAP * (len(columns) - 1) <= width
    for column, room in zip(columns, widths, strict=True):
        words = [cell_len(word) for text in column for word in text.split()]
        assert all(word <= room or word > 24 for word in words)


def test_where_columns_cannot_stand_side_by_side_each_row_is_a_block() -> None:
    output = StringIO()
    console = Console(file=output, width=30)
    console.print(table(("field", ">stored", "empty", "fed from"), [("a" * 20, "b" * 20, "", "c" * 20)]))
    assert [line.rstrip() for line in output.getvalue().splitlines()] == [
        "a" * 20,
        f"  stored    {'b' * 18}",
        f"            {'b' * 2}",
        f"  fed from  {'c' * 18}",
        f"            {'c' * 2}",
    ]


LINES = (
    "history acme",
    "integrations",
    "doctor",
    "settings show acme",
    "mapping show acme",
    "explain acme 0002",
    "user acme 0002",
    "show {import_id} --rows --reveal",
    "quarantine acme",
    "decisions acme",
    "preview acme --with at=05:15",
)


@pytest.mark.usefixtures("narrow")
def test_nothing_that_people_copy_is_broken(saved: Any, sandbox: Sandbox, hris: Hris) -> None:
    for line in LINES:
        words = line.format(import_id=saved["import_id"]).split()
        answer = hris(*words)
        assert answer.exit_code == 0, line
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(printing, "WIDTH_IN_FILES", 400)
            wide = hris(*words).stdout
        broken = {token for token in TOKENS.findall(wide) if token not in answer.stdout}
        assert broken == set(), line


@pytest.mark.usefixtures("narrow")
def test_the_demo_fits_two_screens(hris: Hris, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_URL", "AUTHORIZE_URL", "CLIENT_ID", "CLIENT_SECRET", "REQUESTS_PER_SECOND"):
        monkeypatch.setenv(f"JUSTWORKS_{name}", "")  # the demo sets them for this process; afterwards they go
    monkeypatch.setattr(demo_company, "EMPLOYEES", 200)
    result = hris("demo")
    assert result.exit_code == 0
    lines = [*result.stderr.splitlines(), *result.stdout.splitlines()]
    assert len(lines) <= TWO_SCREENS, "\n".join(lines)
    assert all(cell_len(line) <= WIDTH for line in lines)
