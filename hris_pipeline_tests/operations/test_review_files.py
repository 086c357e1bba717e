"""The review as a file: a page that is safe to open anywhere, and tables that no spreadsheet computes."""

import csv
import hashlib
import io
import re
from base64 import b64encode
from html import unescape
from html.parser import HTMLParser

import pytest
from openpyxl import load_workbook
from rich.console import Console

from hris_pipeline.change_set.guards import GUARDS, Guard
from hris_pipeline.cli.breakdown import not_applied_table
from hris_pipeline.operations.overview import read_import
from hris_pipeline.operations.review import Filters, NotApplied
from hris_pipeline.operations.review_files import GUARD_TITLES, REVIEW_FILES, group_words, reason_words, write_review
from hris_pipeline.operations.review_rows import FIELD_REASONS
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.integrations import put_settings
from hris_pipeline_tests.kit import store_builders as build
from hris_pipeline_tests.kit.live_console import CHROMIUM, browser_page

EVIL = "</script><script>alert(1)</script>"


@pytest.fixture
def held(lite_services: Services) -> str:
    """A held import with somebody whose name and id would like to be markup, or a formula."""
    build.integration(lite_services.store)
    rows = [
        build.create(1, first_name=EVIL, last_name='"><img src=x onerror=alert(2)>', employee_id="=1+1"),
        build.update(2, build.state(2), employee_id="N2", email="\u200b=cmd|'/c calc'!A1", email_key="x"),
        build.archive(3, build.state(3)),
    ]
    guards = (Guard("archive_limit", "1", "1 of 3", tripped=True, employee_ids=("0003",)),)
    diagnostics = {"excluded:rule:<b>": tuple(f"x{number}" for number in range(30)), "hole": ("&lt;m-9",)}
    staged = build.stage(lite_services.store, *rows, guards=guards, diagnostics=diagnostics, status="held")
    return staged.import_id


class Attributes(HTMLParser):
    """Every tag, and the name of every attribute, as a browser would take them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}


def written(services: Services, import_id: str, ending: str, filters: Filters | None = None) -> bytes:
    file = io.BytesIO()
    write_review(services, import_id, file, ending, filters=filters)
    return file.getvalue()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_breaks_no_word_of_its_columns_and_fits_a_phone(
    lite_services: Services, held: str, width: int
) -> None:
    with browser_page(width=width) as page:
        page.set_content(written(lite_services, held, ".html").decode())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        heights = page.evaluate(
            "[...document.querySelectorAll('#changes td:first-child')].map(c => {"
            "const range = document.createRange(); range.selectNodeContents(c); return range.getClientRects().length})"
        )
        assert heights == [1, 1, 1]


def test_the_page_is_one_file_that_asks_nobody_and_runs_nothing_but_its_own_filter(
    lite_services: Services, held: str
) -> None:
    page = written(lite_services, held, ".html").decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    for name, tag in (("style-src", "style"), ("script-src", "script")):
        inline = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert inline
        digest = b64encode(hashlib.sha256(inline[1].encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy[1]
    assert "default-src 'none'" in policy[1]
    parser = Attributes()
    parser.feed(page)
    assert not parser.names & {"src", "href", "action", "srcset", "style", "formaction", "ping"}
    assert not [name for name in parser.names if name.startswith("on")]
    assert "url(" not in page.lower()
    assert parser.tags.count("script") == 1
    assert not {"img", "iframe", "link", "object", "b>"} & set(parser.tags)
    assert "This file holds people" in page


def test_the_page_shows_old_and_new_and_ends_with_the_line_that_decides(lite_services: Services, held: str) -> None:
    page = written(lite_services, held, ".html").decode()
    text = unescape(re.sub(r"<[^>]+>", " ", page))
    for words in ("N2", "P2@example.com", "archive_limit", "0003", "rule <b>", EVIL):
        assert words in text
    commands = re.findall(r"<pre><code>(.*?)</code></pre>", page, re.DOTALL)
    digest = read_import(lite_services, held).digest
    approve, save = commands[-1].splitlines()
    assert approve.startswith(f"hris approve {held} --digest {digest[:12]} --by ")
    assert save == f"hris save acme {held}"
    assert page.index(commands[-1]) > page.rindex("</table>")
    assert text.count("x2") >= 1
    assert "and " not in re.findall(r"<details>.*?</details>", page, re.DOTALL)[0], "thirty people are all there"
    assert "</b> created</li>" in page


def test_the_page_tells_moments_in_the_integrations_zone(lite_services: Services, held: str) -> None:
    with lite_services.store.begin() as connection:
        put_settings(connection, "acme", Settings(), actor="Ann", now=build.NOW)
    page = written(lite_services, held, ".html").decode()
    assert re.search(r", planned \d{4}-\d\d-\d\d \d\d:\d\d E[SD]T\.", page)


def test_a_filtered_page_says_so(lite_services: Services, held: str) -> None:
    page = written(lite_services, held, ".html", Filters(action="archive")).decode()
    assert "Only a part of it: action &#39;archive&#39;" in page
    assert "N2" not in page


def test_the_table_has_a_column_for_old_and_for_new_and_computes_nothing(lite_services: Services, held: str) -> None:
    rows = list(csv.DictReader(io.StringIO(written(lite_services, held, ".csv").decode("utf-8-sig"), newline="")))
    assert [row["Action"] for row in rows] == ["create", "update", "archive"]
    assert (rows[1]["EmployeeId (old)"], rows[1]["EmployeeId (new)"]) == ("0002", "N2")
    assert rows[1]["Email (old)"] == "P2@example.com"
    assert rows[1]["Email (new)"].startswith("'"), "also behind what nobody sees"
    assert rows[0]["EmployeeId (new)"] == "'=1+1"
    assert rows[2]["Why"] == "guard: Many people would be archived"
    book = load_workbook(io.BytesIO(written(lite_services, held, ".xlsx")))
    cells = [cell for row in book["Changes"].iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    assert {cell.number_format for cell in cells} == {"@"}
    assert [cell.value for cell in next(book["Changes"].iter_rows())] == list(rows[0])
    assert book["Not applied"].max_row == 32


def test_a_reason_about_a_field_names_it_and_the_people_beside_it_are_people() -> None:
    assert reason_words("warning:field_unread:hire_date").endswith("kept as stored: Hire Date")
    for reason in FIELD_REASONS:
        group = NotApplied(reason, 1, ("birth_date",), ())
        assert group_words(group).endswith("kept as stored: Birth Date")
        console = Console(file=io.StringIO(), width=140)
        with console.capture() as text:
            console.print(not_applied_table([group], revealed=False))
        assert text.get().splitlines()[1].split() == [*group_words(group).split(), "–"], "it counts nobody"


def test_there_is_a_file_for_a_browser_a_spreadsheet_and_a_program() -> None:
    assert list(REVIEW_FILES) == [".html", ".csv", ".xlsx"]


def test_every_guard_has_a_title_in_an_administrators_words() -> None:
    assert tuple(GUARD_TITLES) == tuple(GUARDS)
