"""Mutants: small faults put into the rules one at a time, each run against the tests that own the rule.

Usage: python scripts/mutants.py [--only change_set/identity.py] [--jobs 1] [--resume] [--seconds 60]

A mutant that no test notices survives; docs/mutants.md explains those that stay. The owning tests run once and tell,
line by line, which of them pass it and how long they take, and once more with the faults computed beside what is right.
Then a process collects them all, and each mutant is a fork of it that takes the faulty code into its functions and
meets the tests that can tell: those first that noticed a mutant last, then those most to do with its place. Lines that
are read when a module is loaded need a process that has loaded the libraries alone. Every outcome is a line of
mutants/outcomes.jsonl at once: ``--resume`` goes on after a run that was cut off.
"""

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest
from faults import Mutant, compiled
from passes import KEPT, OWNERS, PACKAGE, ROOT, TESTS, Passes, measure, mutants_in
from sessions import Loaded, Outcome, Session, bring_up, meet

LIBRARIES = (
    *("alembic.config", "hypothesis", "msgspec", "pandas", "pandera.pandas", "phonenumbers", "psycopg", "pyarrow"),
    *("pydantic", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite"),
)

LATEST = 5
"""So many of the tests that noticed a mutant last come first."""

NO_FAULT = "no fault"
"""What noticed faults is tried without any, too: it must notice nothing."""


class Trials:
    """Forks a child for each mutant of a file, some at once; writes down every outcome when it is there."""

    def __init__(self, file: Path, jobs: int, seconds: float, noticing: Sequence[str] = ()) -> None:
        self._file, self._jobs, self.seconds = file, jobs, seconds
        self._running: dict[int, tuple[Mutant, int, float]] = {}
        self.noticing = list(noticing)
        """The tests that noticed a mutant, the last one last."""

    def begin(self, mutant: Mutant, tests: Sequence[str], trial: Callable[[Sequence[str]], Outcome]) -> None:
        """Once there is room: the trial in a child, the tests that noticed mutants of its file before the others."""
        while len(self._running) >= self._jobs:
            self._await_one()
        if not tests:
            self._write(mutant, Outcome("survived"), 0)
            return
        passing = set(tests)
        tests = list(dict.fromkeys([*[test for test in reversed(self.noticing) if test in passing][:LATEST], *tests]))
        reading, writing = os.pipe()
        if child := os.fork():
            os.close(writing)
            self._running[child] = mutant, reading, time.monotonic()
            return
        try:
            outcome = trial(tests)
        except BaseException as error:
            outcome = Outcome("broken", repr(error))
        os.write(writing, json.dumps(vars(outcome)).encode())
        os._exit(0)

    def finish(self) -> None:
        """Awaits all that were begun."""
        while self._running:
            self._await_one()

    def _await_one(self) -> None:
        child, _ = os.wait()
        if child not in self._running:
            return
        mutant, reading, began = self._running.pop(child)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
        outcome = Outcome(**json.loads(answer)) if answer else Outcome("endless")
        if outcome.how == "noticed" and outcome.test:
            self.noticing = [*(test for test in self.noticing if test != outcome.test), outcome.test]
        self._write(mutant, outcome, time.monotonic() - began)

    def _write(self, mutant: Mutant, outcome: Outcome, seconds: float) -> None:
        line = {"mutant": _key(mutant), **vars(outcome), "seconds": round(seconds, 2)}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _key(mutant: Mutant) -> str:
    return f"{mutant.file}:{mutant.line} {mutant.fault} #{mutant.number}"


def try_in_place(mutants: Sequence[Mutant], passes: Passes, trials: Trials, session: pytest.Session) -> None:
    """The mutants of what only runs when tests do: each fork of this process, where all is loaded and what tests share
    is up, gives the functions of the module their faulty code."""
    tree = Path.cwd()
    tests_of_file = list(dict.fromkeys(test for mutant in mutants for test in passes.of(mutant)))
    bring_up(session, tests_of_file)
    loaded = Loaded()

    def trial(mutant: Mutant | None, tests: Sequence[str], seconds: float = trials.seconds) -> Outcome:
        loaded.forget()
        if mutant:
            file = tree / PACKAGE / mutant.file
            loaded.take(file, compiled(file, mutant.number))
        return meet(session, tests, time.process_time() + seconds)

    for mutant in mutants:
        trials.begin(mutant, passes.of(mutant), partial(trial, mutant))
    trials.finish()
    trials.begin(
        replace(mutants[0], line=0, fault=NO_FAULT, number=0), trials.noticing, partial(trial, None, seconds=600)
    )
    trials.finish()


class _FaultFinder(importlib.abc.MetaPathFinder):
    """Loads one module with a fault, and leaves all others to Python."""

    def __init__(self, name: str, file: Path, code: CodeType) -> None:
        self._name, self._file, self._code = name, file, code

    def find_spec(self, name: str, path: object, target: ModuleType | None = None) -> Any:  # noqa: ARG002
        if name != self._name:
            return None
        code = self._code

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, fullname: str) -> Any:  # noqa: ARG002
                return code

        return importlib.util.spec_from_file_location(name, self._file, loader=Loader(name, str(self._file)))


def try_loading(mutant: Mutant, tree: Path, place: str, seconds: float, tests: Sequence[str]) -> Outcome:
    """The outcome of a mutant of what is read when its module is loaded, in a process that has not loaded it."""
    file = tree / PACKAGE / mutant.file
    module = f"{PACKAGE}.{mutant.file.removesuffix('.py').replace('/', '.')}"
    sys.meta_path.insert(0, _FaultFinder(module, file, compiled(file, mutant.number)))
    outcomes: list[Outcome] = []

    def meet_all(session: pytest.Session) -> None:
        until = time.process_time() + seconds
        outcomes.append(Outcome("noticed") if session.testsfailed else meet(session, tests, until))

    Session(meet_all).run(tree, OWNERS[place])
    return outcomes[0] if outcomes else Outcome("noticed")


def try_file(pairs: Sequence[tuple[Mutant, str]], tree: Path, trials: Trials) -> None:
    """The mutants of one file.

    Raises:
        SystemExit: pytest cannot collect the tests.
    """
    place = pairs[0][1]
    passes = measure(place, tree)
    in_place = [mutant for mutant, _ in pairs if not passes.loads(mutant)]
    if child := in_place and os.fork():
        if os.waitpid(child, 0)[1]:
            raise SystemExit(f"The tests of {place} cannot be run.")
    elif in_place:
        os._exit(Session(partial(try_in_place, in_place, passes, trials)).run(tree, OWNERS[place]))
    for mutant in (mutant for mutant, _ in pairs if passes.loads(mutant)):
        trials.begin(mutant, passes.of(mutant), partial(try_loading, mutant, tree, place, trials.seconds))
    trials.finish()


def outcomes_of(file: Path) -> dict[str, str]:
    """How each mutant ended that was tried, the last time."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {line["mutant"]: line["how"] for line in map(json.loads, lines)}


def noticing_of(file: Path) -> list[str]:
    """The tests that noticed a mutant, the last one last."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    noticing = [line["test"] for line in map(json.loads, reversed(lines)) if line["how"] == "noticed"]
    return list(dict.fromkeys(filter(None, noticing)))[::-1]


def report(file: str, tried: Mapping[str, str]) -> None:
    """Prints how many mutants of a file, '' for all, ended how, and which nobody noticed."""
    mutants = {key: how for key, how in tried.items() if key.startswith(file) and NO_FAULT not in key}
    for key, how in mutants.items():
        if file and how not in {"noticed", "endless"}:
            print(f"{how}: {key}")
    counts = ", ".join(f"{number} {how}" for how, number in sorted(Counter(mutants.values()).items()))
    print(f"{file or 'all'}: {len(mutants)} mutants: {counts}", flush=True)


def main() -> int:
    """Runs all mutants, file by file; prints every survivor, and how many there were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="part of a file's name")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once")
    parser.add_argument("--seconds", type=float, default=60, help="of computing that a mutant may go unnoticed")
    parser.add_argument("--resume", action="store_true", help="leave out what was tried to its end")
    options = parser.parse_args()
    began = time.monotonic()
    outcomes = KEPT / "outcomes.jsonl"
    KEPT.mkdir(exist_ok=True)
    if not options.resume:
        outcomes.unlink(missing_ok=True)
    tried = outcomes_of(outcomes)
    pairs = [
        (mutant, place)
        for place in OWNERS
        for mutant in mutants_in(place)
        if options.only in mutant.file and tried.get(_key(mutant), "unnoticed") in {"unnoticed", "broken"}
    ]
    for library in LIBRARIES:
        importlib.import_module(library)
    with tempfile.TemporaryDirectory(prefix="hris-mutants-") as folder:
        tree = Path(folder).resolve()
        for name in (PACKAGE, TESTS):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        for file in dict.fromkeys(mutant.file for mutant, _ in pairs):
            of_file = [pair for pair in pairs if pair[0].file == file]
            try_file(of_file, tree, Trials(outcomes, options.jobs, options.seconds, noticing_of(outcomes)))
            report(file, outcomes_of(outcomes))
    report("", outcomes_of(outcomes))
    print(f"{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
