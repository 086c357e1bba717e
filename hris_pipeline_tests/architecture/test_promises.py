"""What the documents promise is tried: every table of promises names tests, and there are such tests."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
TESTS = PROJECT / "hris_pipeline_tests"
DOCUMENTS = ("README.md", "docs/security.md", "docs/reliability.md")
TRIED = ("tested by", "tried by")

NAMED = re.compile(r"`(?:pytest )?(?:hris_pipeline_tests/)?((?:[\w/]+/)?test_\w+(?:\.py)?|Test\w+)`")


def names_of_tests() -> frozenset[str]:
    """Functions and classes of all test files."""
    matches = (re.findall(r"^\s*(?:def (test_\w+)|class (Test\w+))", file.read_text(), re.M) for file in _files())
    return frozenset(name for pairs in matches for pair in pairs for name in pair if name)


def _files() -> list[Path]:
    return sorted(TESTS.rglob("test_*.py"))


def _exists(named: str, names: frozenset[str]) -> bool:
    if named.endswith(".py"):
        return any(str(file).endswith(f"/{named}") for file in _files())
    return named in names


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_a_document_names_is_there(document: str) -> None:
    named = NAMED.findall((PROJECT / document).read_text())
    assert named
    names = names_of_tests()
    assert [name for name in named if not _exists(name, names)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_promise_names_its_test(document: str) -> None:
    lines = (PROJECT / document).read_text().splitlines()
    column, untried, tables = None, [], 0
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("|") else None
        if cells is None:
            column = None
        elif cells[-1] in TRIED:
            column, tables = len(cells) - 1, tables + 1
        elif column is not None and not set(line) <= set("|- ") and not NAMED.search(cells[-1]):
            untried.append(line)
    assert tables
    assert untried == []
