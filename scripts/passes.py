"""What ``mutants.py`` knows of the tests: which of them own which rules, which lines each of them passes, and how long
it takes."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import coverage
from faults import Mutant, mutants_of
from probes import Probes
from sessions import Session

ROOT = Path(__file__).parents[1]
PACKAGE = "hris_pipeline"
TESTS = "hris_pipeline_tests"
KEPT = ROOT / "mutants"
"""Outcomes, and which tests pass which lines of an unchanged tree; git does not look at it."""

OWNERS: dict[str, tuple[str, ...]] = {
    "change_set": (f"{TESTS}/change_set",),
    "store/applying.py": (f"{TESTS}/store/test_applying.py", f"{TESTS}/store/test_applying_elsewhere.py"),
    "transform": (f"{TESTS}/transform", f"{TESTS}/settings/test_rules.py"),
}
"""What is mutated, and the tests that own it."""

COUNTING = f"{TESTS}/change_set/test_python_calls.py"
"""Counts calls, which the measuring of lines would be among."""


NEAR = 15
"""Lines within which rules have to do with each other."""


@dataclass(frozen=True)
class Passes:
    """Which tests pass each line of each file, every test, the quickest first, and the lines that are read, too, when
    a module is loaded."""

    by_line: Mapping[str, Mapping[int, frozenset[str]]]
    tests: Sequence[str]
    at_load: Mapping[str, frozenset[int]]
    differing: Mapping[str, Sequence[str]]
    """By file and node: the tests in which the fault makes a difference where it is, for those that can be probed."""
    mutants: Sequence[Mutant]

    def loads(self, mutant: Mutant) -> bool:
        """Whether the mutant's statement is read when its module is loaded."""
        return not self.at_load.get(mutant.file, frozenset()).isdisjoint(mutant.lines)

    def of(self, mutant: Mutant) -> list[str]:
        """The tests that can tell: in which the fault makes a difference where it is, or that pass its statement, or
        all of them for what is read when the module is loaded. One of each function of tests comes first, and of these
        the ones in which faults near by make a difference that few others tell, then the quickest."""
        if self.loads(mutant):
            tests = frozenset(self.tests)
        elif (differing := self.differing.get(f"{mutant.file}:{mutant.number}")) is not None:
            tests = frozenset(differing)
        else:
            by_line = self.by_line.get(mutant.file, {})
            tests = frozenset[str]().union(*(by_line.get(line, frozenset()) for line in mutant.lines))
        weights: dict[str, float] = defaultdict(float)
        for near in self.mutants:
            if near.file == mutant.file and abs(near.line - mutant.line) <= NEAR:
                differing = self.differing.get(f"{near.file}:{near.number}", ())
                for test in differing:
                    weights[test] += 1 / len(differing)
        name_of_tests = f"/test_{Path(mutant.file).name}:"
        cases = Counter[str]()
        order: dict[str, tuple[int, bool]] = {}
        for test in sorted((test for test in self.tests if test in tests), key=lambda test: -weights[test]):
            function = test.partition("[")[0]
            order[test] = cases[function], name_of_tests not in test
            cases[function] += 1
        return sorted(order, key=lambda test: order[test])


def measure(place: str, tree: Path) -> Passes:
    """Runs the tests of a place once, unless they were run on this very tree.

    Raises:
        SystemExit: they fail without any fault.
    """
    sources = sorted(path for name in (PACKAGE, TESTS) for path in (tree / name).rglob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = KEPT / f"{place.replace('/', '-')}-{digest}"
    if not folder.exists():
        folder.mkdir(parents=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={folder}/report.xml"]
        module = f"{PACKAGE}.{place.removesuffix('.py').replace('/', '.')}"
        command += [f"--cov={module}", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]
        command += [f"--ignore={COUNTING}", *OWNERS[place]]
        environ = {**os.environ, "COVERAGE_FILE": f"{folder}/lines"}
        if subprocess.run(command, cwd=tree, env=environ, capture_output=True, check=False).returncode:
            shutil.rmtree(folder)
            raise SystemExit(f"The tests of {place} fail without any fault: {' '.join(command)}")
    passes = _passes(folder)
    differing = folder / "differing.json"
    if not differing.exists():
        _probe(place, tree, passes, differing)
    return replace(passes, differing=json.loads(differing.read_text(encoding="utf-8")), mutants=mutants_in(place))


def _probe(place: str, tree: Path, passes: Passes, result: Path) -> None:
    files = {mutant.file: tree / PACKAGE / mutant.file for mutant in mutants_in(place)}
    numbers = {
        name: frozenset(mutant.number for mutant in mutants_of(file, name) if not passes.loads(mutant))
        for name, file in files.items()
    }
    if child := os.fork():
        if os.waitpid(child, 0)[1]:
            raise SystemExit(f"The tests of {place} cannot be probed.")
        return
    probes = Probes(files, numbers)
    failed = Session(probes.run).run(tree, [f"--ignore={COUNTING}", *OWNERS[place]])
    probes.write(result)
    os._exit(failed)


def mutants_in(place: str) -> list[Mutant]:
    """Every mutant of a place, file by file."""
    path = ROOT / PACKAGE / place
    files = sorted(path.glob("*.py")) if path.is_dir() else [path]
    return [mutant for file in files for mutant in mutants_of(file, file.relative_to(ROOT / PACKAGE).as_posix())]


def _passes(folder: Path) -> Passes:
    data = coverage.CoverageData(f"{folder}/lines")
    data.read()
    by_line: dict[str, dict[int, frozenset[str]]] = {}
    at_load: dict[str, frozenset[int]] = {}
    for file in data.measured_files():
        name = file.rpartition(f"/{PACKAGE}/")[2]
        contexts = data.contexts_by_lineno(file)
        by_line[name] = {
            line: frozenset(test.rpartition("|")[0] for test in tests if test) for line, tests in contexts.items()
        }
        at_load[name] = frozenset(line for line, tests in contexts.items() if "" in tests)
    return Passes(by_line, _tests(folder / "report.xml", by_line), at_load, {}, ())


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
