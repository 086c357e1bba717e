"""Mutants: small faults put into the rules one at a time, each run against the tests that own the rule.

Usage: python scripts/mutants.py [--sample 60] [--seed 1] [--only change_set/identity.py] [--tests FILE ...]

A mutant that no test notices survives and is printed with its place; docs/mutants.md explains those that stay. The
faults are made in a copy of the tree. mutmut serves functions of one process; here what is mutated is mostly columns of
frames (``&``, ``|``, ``~``), so the operators are a few of our own.
"""

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "hris_pipeline"
TESTS = "hris_pipeline_tests"

OWNERS: dict[str, tuple[str, ...]] = {
    "transform": (f"{TESTS}/transform",),
    "change_set": (f"{TESTS}/change_set",),
    "store/applying.py": (f"{TESTS}/store/test_applying.py",),
}
"""What is mutated, and the tests that own it."""

SECONDS = 300

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
}


@dataclass(frozen=True)
class Mutant:
    """One fault: in which file, at which of its nodes, on which line, and what is done there."""

    file: str
    number: int
    line: int
    fault: str


def mutants_of(file: Path) -> Iterator[Mutant]:
    """Every fault of a file, in order."""
    name = file.relative_to(ROOT / PACKAGE).as_posix()
    for number, node in enumerate(ast.walk(ast.parse(file.read_text(encoding="utf-8")))):
        fault = _put_fault(node)
        if fault:
            yield Mutant(name, number, getattr(node, "lineno", 0), fault)


def with_fault(source: str, number: int) -> str:
    """The source with the fault at that node."""
    tree = ast.parse(source)
    _put_fault(list(ast.walk(tree))[number])
    return ast.unparse(ast.fix_missing_locations(tree))


def _put_fault(node: ast.AST) -> str:
    """Changes the node; says what was done, '' when nothing can be."""
    if isinstance(node, ast.Constant):
        return _put_value(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        before, after = type(node.ops[0]), _COMPARED[type(node.ops[0])]
        node.ops[0] = after()
        return f"{before.__name__} -> {after.__name__}"
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATED:
        changed = _OPERATED[type(node.op)]
        said = f"{type(node.op).__name__} -> {changed.__name__}"
        node.op = changed()
        return said
    if isinstance(node, ast.BoolOp):
        said = type(node.op).__name__
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return f"{said} -> {type(node.op).__name__}"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        node.op = ast.UAdd()
        return "Invert -> nothing"
    return ""


def _put_value(node: ast.Constant) -> str:
    before = node.value
    if isinstance(before, bool):
        node.value = not before
    elif isinstance(before, int):
        node.value = before + 1
    else:
        return ""
    return f"{before} -> {node.value}"


def all_mutants(only: str) -> list[tuple[Mutant, tuple[str, ...]]]:
    """Every mutant of what is mutated, with its tests."""
    pairs = []
    for place, tests in OWNERS.items():
        path = ROOT / PACKAGE / place
        files = sorted(path.glob("*.py")) if path.is_dir() else [path]
        for file in files:
            if only in file.as_posix():
                pairs += [(mutant, tests) for mutant in mutants_of(file)]
    return pairs


def survives(mutant: Mutant, tests: Sequence[str], tree: Path) -> bool:
    """Whether the tests pass although the fault is there."""
    file = tree / PACKAGE / mutant.file
    sound = file.read_text(encoding="utf-8")
    file.write_text(with_fault(sound, mutant.number), encoding="utf-8")
    try:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        return subprocess.run(command, cwd=tree, capture_output=True, timeout=SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        file.write_text(sound, encoding="utf-8")


def main() -> int:
    """Runs a sample, prints every survivor, and how many there were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=60, help="how many; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="part of a file's name")
    parser.add_argument("--tests", nargs="+", default=(), help="these instead of all the tests that own the file")
    options = parser.parse_args()
    everything = all_mutants(options.only)
    sample = everything
    if options.sample and options.sample < len(everything):
        sample = random.Random(options.seed).sample(everything, options.sample)
    began, alive = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="hris-mutants-") as folder:
        tree = Path(folder)
        for name in (PACKAGE, TESTS):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        for mutant, tests in sample:
            if survives(mutant, options.tests or tests, tree):
                alive += 1
                print(f"survived: {mutant.file}:{mutant.line} {mutant.fault}", flush=True)
    share = f"{len(sample)} of {len(everything)} mutants"
    print(f"{share} (seed {options.seed}): {alive} survived, {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
