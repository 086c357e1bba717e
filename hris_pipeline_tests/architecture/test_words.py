"""Variables are named after what they hold: words that say only a role in a sentence name nothing that can be searched
for."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

ROOT = Path(__file__).parents[2]
FOLDERS = ("hris_pipeline", "hris_pipeline_tests", "benchmarks", "scripts")
NAMELESS = frozenset(
    {"one", "told", "found", "here", "shown", "known", "given", "whole", "own", "wanted", "chosen"}
    | {"mine", "beside", "leaving", "standing", "going", "losers", "strangers", "forbidden"}
)

VERBS = frozenset(
    {"add", "answer", "apply", "approve", "ask", "assign", "call", "cast", "change"}
    | {"choose", "claim", "clean", "confirm", "connect", "count", "decide", "describe", "draw"}
    | {"encode", "end", "exchange", "execute", "extract", "fetch", "flush", "fold", "forget"}
    | {"gather", "get", "hire", "insert", "keep", "leave", "merge", "note", "notify"}
    | {"order", "pause", "plan", "print", "read", "record", "refresh", "refuse", "rehire"}
    | {"remember", "remove", "renew", "resume", "return", "reuse", "review", "revoke", "run"}
    | {"say", "select", "send", "serve", "share", "start", "store", "strip", "switch"}
    | {"update", "vanish", "wait", "write"}
)
"""What a private function may be called in a single word; any other takes an object."""


def nameless(tree: ast.AST) -> Iterator[str]:
    """The variables, parameters and functions that are called by such a word, with their lines."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.FunctionDef(name=name):
                if name in NAMELESS:
                    yield f"{node.lineno}: {name}"
            case _:
                pass


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_variable_is_named_after_what_it_holds(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    words = [f"{path.relative_to(ROOT)}:{word}" for path in files for word in nameless(ast.parse(path.read_text()))]
    assert words == [], "name each after its type's noun: summary, conflict, row"


def test_a_private_function_is_a_verb_or_says_of_what() -> None:
    trees = {path: ast.parse(path.read_text()) for path in sorted((ROOT / "hris_pipeline").rglob("*.py"))}
    single = {
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and re.fullmatch("_[a-z]+", node.name)
        and not any(isinstance(mark, ast.Name) and "property" in mark.id for mark in node.decorator_list)
    }
    assert {name for name in single if name.rpartition("_")[2] not in VERBS} == set()


def test_what_a_page_shows_is_named_so_too() -> None:
    templates = sorted((ROOT / "hris_pipeline").rglob("templates/**/*.html"))
    assert len(templates) > 30
    names = {
        f"{path.name}: {name.name}"
        for path in templates
        for name in Environment(autoescape=True).parse(path.read_text()).find_all(nodes.Name)
    }
    assert {name for name in names if name.partition(": ")[2] in NAMELESS} == set()


def test_such_words_are_seen_wherever_a_name_is_given() -> None:
    lines = (
        "one = 1",
        "for told in x: y",
        "def f(own, *, known=1): z",
        "found: int",
        "[a for shown in c]",
        "lambda whole: d",
    )
    assert [[*nameless(ast.parse(line))] for line in lines] == [
        ["1: one"],
        ["1: told"],
        ["1: own", "1: known"],
        ["1: found"],
        ["1: shown"],
        ["1: whole"],
    ]
    assert not [*nameless(ast.parse("x.told = row.found(one=given)"))]


def defined(tree: ast.Module) -> set[str]:
    """What a module defines at its top, private or not."""
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return {name.removeprefix("_") for name in names}


def test_the_rules_that_the_docs_look_for_are_found_by_their_words_in_one_place() -> None:
    package = ROOT / "hris_pipeline"
    definitions = {path: defined(ast.parse(path.read_text())) for path in package.rglob("*.py")}
    text = (ROOT / "docs" / "architecture.md").read_text()
    rules = re.findall(r"^\| [^|]+ \| `(\w+)` \| `([\w/]+\.py)` \|$", text, re.M)
    assert len(rules) == 10
    for word, place in rules:
        assert [path for path, names in definitions.items() if word in names] == [package / place], word
