"""Mutants: small faults put into the rules one at a time, each run against the tests that own the rule.

Usage: python scripts/mutants.py [--sample N] [--seed 1] [--only change_set/identity.py] [--jobs 1]

A mutant that no test notices survives and is printed with its place; docs/mutants.md explains those that stay. First
the owning tests run once and tell, line by line, which of them pass it and how long they take; then each mutant meets
the tests of its line, the quickest first, in a child of a process that has loaded every library but not the project.
mutmut serves functions of one process; here what is mutated is mostly columns of frames (``&``, ``|``, ``~``), so the
operators are a few of our own.
"""

import argparse
import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
PACKAGE = "hris_pipeline"
TESTS = "hris_pipeline_tests"

OWNERS: dict[str, tuple[str, ...]] = {
    "transform": (f"{TESTS}/transform",),
    "change_set": (f"{TESTS}/change_set",),
    "store/applying.py": (f"{TESTS}/store/test_applying.py",),
}
"""What is mutated, and the tests that own it."""

COUNTING = f"{TESTS}/change_set/test_python_calls.py"
"""Counts calls, which the measuring of lines would be among."""

LIBRARIES = ("coverage", "hypothesis", "msgspec", "pandas", "pandera.pandas", "phonenumbers", "psycopg", "pyarrow")

SECONDS = 300

SAME_EITHER_WAY = {"frozen", "repr", "compare", "gc", "copy", "slots", "strict"}
"""Keywords whose value no test can tell from the outside: they keep programmers from mistakes, or save time."""

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
    """One fault: in which file, at which of its nodes, on which lines its statement stands, and what is done there."""

    file: str
    number: int
    line: int
    lines: range
    fault: str


def mutants_of(file: Path) -> Iterator[Mutant]:
    """Every fault of a file, in order."""
    name = file.relative_to(ROOT / PACKAGE).as_posix()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    statements = _statements(tree)
    spared = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg in SAME_EITHER_WAY
    }
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in spared and (fault := _put_fault(node)):
            line = getattr(node, "lineno", 0)
            yield Mutant(name, number, line, statements.get(line, range(line, line + 1)), fault)


def _statements(tree: ast.AST) -> dict[int, range]:
    """By line: the lines of the innermost simple statement, or head of a compound one, that it belongs to."""
    lines: dict[int, range] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not isinstance(node, ast.ClassDef):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or node.lineno
            stretch = range(node.lineno, max(last, node.lineno) + 1)
            lines |= dict.fromkeys(stretch, stretch)
    return lines


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


def all_mutants(only: str) -> list[tuple[Mutant, str]]:
    """Every mutant of what is mutated, with the place that it belongs to."""
    pairs = []
    for place in OWNERS:
        path = ROOT / PACKAGE / place
        files = sorted(path.glob("*.py")) if path.is_dir() else [path]
        for file in files:
            if only in file.as_posix():
                pairs += [(mutant, place) for mutant in mutants_of(file)]
    return pairs


@dataclass(frozen=True)
class Passes:
    """Which tests pass each line of each file of a place, and every test of it; the quickest first."""

    by_line: Mapping[str, Mapping[int, frozenset[str]]]
    tests: Sequence[str]

    def of(self, mutant: Mutant) -> list[str]:
        """The tests that pass the mutant's statement; all of them for what is read when the module is loaded."""
        by_line = self.by_line.get(mutant.file, {})
        passing = frozenset[str]().union(*(by_line.get(line, frozenset()) for line in mutant.lines))
        return [test for test in self.tests if test in passing] if passing else list(self.tests)


def measure(place: str, tree: Path) -> Passes:
    """Runs the tests of a place once.

    Raises:
        SystemExit: they fail without any fault.
    """
    import coverage  # noqa: PLC0415 - the children load it before they are forked

    data_file, report = tree / "passes.coverage", tree / "passes.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}"]
    command += [
        f"--cov={PACKAGE}",
        "--cov-context=test",
        "--cov-report=",
        "--cov-fail-under=0",
        f"--ignore={COUNTING}",
        *OWNERS[place],
    ]
    environ = {**os.environ, "COVERAGE_FILE": str(data_file)}
    if subprocess.run(command, cwd=tree, env=environ, capture_output=True, check=False).returncode:
        raise SystemExit(f"The tests of {place} fail without any fault: {' '.join(command)}")
    data = coverage.CoverageData(str(data_file))
    data.read()
    by_line = {
        Path(file).relative_to(tree / PACKAGE).as_posix(): {
            line: frozenset(context.partition("|")[0] for context in contexts if context)
            for line, contexts in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }
    return Passes(by_line, _tests(report, by_line))


def _tests(report: Path, by_line: Mapping[str, Mapping[int, frozenset[str]]]) -> list[str]:
    """The ids of the tests, the quickest first; those of which the report says no time come last."""
    seconds = {
        f"{case.get('classname')}.{case.get('name')}": float(case.get("time") or 0)
        for case in ElementTree.parse(report).iter("testcase")
    }
    ids = frozenset[str]().union(*(tests for lines in by_line.values() for tests in lines.values()))

    def duration(test: str) -> float:
        file, _, name = test.partition("::")
        return seconds.get(f"{file.removesuffix('.py').replace('/', '.')}.{name.replace('::', '.')}", 1e9)

    return sorted(ids, key=lambda test: (duration(test), test))


class _FaultFinder(importlib.abc.MetaPathFinder):
    """Loads one module with a fault, and leaves all others to Python."""

    def __init__(self, name: str, file: Path, source: str) -> None:
        self._name, self._file, self._source = name, file, source

    def find_spec(self, name: str, path: object, target: ModuleType | None = None) -> Any:  # noqa: ARG002
        if name != self._name:
            return None
        source = self._source

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, fullname: str) -> Any:  # noqa: ARG002
                return compile(source, self.path, "exec")

        return importlib.util.spec_from_file_location(name, self._file, loader=Loader(name, str(self._file)))


def start(mutant: Mutant, tests: Sequence[str], tree: Path) -> int:
    """A child that runs the tests with the fault, and ends with pytest's code; gives its process id."""
    file = tree / PACKAGE / mutant.file
    source = with_fault(file.read_text(encoding="utf-8"), mutant.number)
    if child := os.fork():
        return child
    code = 1
    try:
        os.setsid()
        os.chdir(tree)
        signal.alarm(SECONDS)
        sys.path[:0] = [str(tree)]
        module = f"{PACKAGE}.{mutant.file.removesuffix('.py').replace('/', '.')}"
        sys.meta_path.insert(0, _FaultFinder(module, file, source))
        import pytest  # noqa: PLC0415

        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            code = int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "--no-header", *tests]))
    finally:
        os._exit(code)


def run(sample: Sequence[tuple[Mutant, str]], tree: Path, jobs: int) -> list[Mutant]:
    """Tries every mutant; prints and gives those that no test notices."""
    passes = {place: measure(place, tree) for place in dict.fromkeys(place for _, place in sample)}
    for library in LIBRARIES:
        importlib.import_module(library)
    running: dict[int, Mutant] = {}
    survivors: list[Mutant] = []

    def await_one() -> None:
        child, status = os.wait()
        mutant = running.pop(child)
        if status == 0:
            survivors.append(mutant)
            print(f"survived: {mutant.file}:{mutant.line} {mutant.fault}", flush=True)

    for tried, (mutant, place) in enumerate(sample):
        if tried and not tried % 50:
            print(f"{tried} of {len(sample)} begun, {len(survivors)} survived so far", file=sys.stderr, flush=True)
        if len(running) >= jobs:
            await_one()
        running[start(mutant, passes[place].of(mutant), tree)] = mutant
    while running:
        await_one()
    return survivors


def main() -> int:
    """Runs all mutants, or a sample; prints every survivor, and how many there were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="how many; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="part of a file's name")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once")
    options = parser.parse_args()
    sample = everything = all_mutants(options.only)
    if options.sample and options.sample < len(everything):
        sample = random.Random(options.seed).sample(everything, options.sample)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hris-mutants-") as folder:
        tree = Path(folder).resolve()
        for name in (PACKAGE, TESTS):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        survivors = run(sample, tree, options.jobs)
    share = f"{len(sample)} of {len(everything)} mutants"
    print(f"{share} (seed {options.seed}): {len(survivors)} survived, {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
