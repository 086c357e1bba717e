"""What Dagster shows as Markdown: ids and reasons stay text, whatever a source wrote into them."""

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from hris_pipeline.defs.metadata import import_markdown
from hris_pipeline_tests.kit.store_builders import new_import

ODD = (
    "`x` | y",
    "a`|`b",
    "[x](javascript:alert(1))",
    "<img src=x onerror=alert(1)>",
    "**b** _i_ ~~s~~ # h",
    "\\",
    "\\` \\| \\\\|",
    "&lt;b&gt;",
    "https://evil.example/x",
    "www.evil.example/x|y",
    "a@evil.example|b",
    "red\x1b[31m",
    "two\nlines | of",
    "hidden\u200b=\u202eturned",
    "| a | b |\n|---|---|",
)


@pytest.mark.parametrize("odd", ODD)
def test_an_id_or_reason_cannot_break_out_of_its_cell(odd: str) -> None:
    text = import_markdown(new_import(diagnostics={odd: (odd, "0001")}))
    page = MarkdownIt("commonmark", {"linkify": True}).enable("table").render(text)
    row = page.rpartition("<tr>")[2]
    reason, _, ids = (unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", row, re.DOTALL))
    visible = " ".join("".join(letter for letter in odd if letter.isprintable()).split())
    assert " ".join(reason.split()) == visible
    assert re.fullmatch(rf"(<code>)?{re.escape(visible)}(</code>)?, <code>0001</code>", " ".join(ids.split()))
    assert page.count("<table>") == 2
    assert "<a " not in page
