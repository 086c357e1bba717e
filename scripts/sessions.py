"""Sessions of pytest that run in this process, and the code of loaded functions, which can be given another one."""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import _lru_cache_wrapper
from pathlib import Path
from types import CodeType, FunctionType

import pytest

OPTIONS = (
    *("-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:xdist"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)

ENDLESS = 60
"""Seconds after which a test is taken not to end any more."""


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: noticed (by a test, or by none as it does not even load), endless (killed when a test
    did not end), survived, unnoticed (when its seconds were over), or broken (this script's own failure); and how many
    of the tests of its line were run."""

    how: str
    test: str = ""
    ran: int = 0
    tests: int = 0


class Session:
    """A session of pytest that collects as always, and then does one thing with what it collected."""

    def __init__(self, action: Callable[[pytest.Session], None]) -> None:
        self._action = action

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._action(session)
        return True

    def run(self, tree: Path, files: Sequence[str]) -> int:
        """In this process, which is for nothing else afterwards."""
        os.chdir(tree)
        sys.path.insert(0, str(tree))
        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            return int(pytest.main([*OPTIONS, f"--basetemp={tree}/t{os.getpid()}", *files], plugins=[self]))


def meet(session: pytest.Session, tests: Sequence[str], seconds: float) -> Outcome:
    """Runs the tests one after the other until one of them fails; what tests share is left standing."""
    items = {item.nodeid: item for item in session.items}
    selected = [items[test] for test in tests if test in items]
    for ran, (item, following) in enumerate(zip(selected, [*selected[1:], session], strict=False)):
        if time.process_time() > seconds:
            return Outcome("unnoticed", ran=ran, tests=len(selected))
        signal.alarm(ENDLESS)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return Outcome("noticed", item.nodeid, ran + 1, len(selected))
    return Outcome("survived", ran=len(selected), tests=len(selected))


class Loaded:
    """The functions that this process has loaded, and what they remember."""

    def __init__(self) -> None:
        gc.unfreeze()
        objects = gc.get_objects()
        self._functions = [item for item in objects if isinstance(item, FunctionType)]
        self._caches = [item for item in objects if isinstance(item, _lru_cache_wrapper)]
        gc.freeze()

    def forget(self) -> None:
        """What was computed before."""
        for cache in self._caches:
            cache.cache_clear()

    def take(self, file: Path, code: CodeType) -> None:
        """Gives the functions of the file the code that they have in this code of it."""
        codes = {(code.co_qualname, code.co_firstlineno): code for code in _codes(code)}
        for function in self._functions:
            old = function.__code__
            if old.co_filename == str(file) and old.co_name != "<lambda>":
                function.__code__ = codes[old.co_qualname, old.co_firstlineno]


def _codes(code: CodeType) -> list[CodeType]:
    inner = [code for const in code.co_consts if isinstance(const, CodeType) for code in _codes(const)]
    return [code, *inner]


def bring_up(session: pytest.Session, tests: Sequence[str]) -> None:
    """Runs a test for everything that tests of the session share, such as a server, without any fault; also for each
    value of the fixtures that have several, which may ask for more: what a fork were to start would outlive it."""
    items = {item.nodeid: item for item in session.items}
    up: set[str] = set()
    for item in (items[test] for test in tests if test in items):
        fixtures = item._fixtureinfo.name2fixturedefs
        shared = {name for name, defined in fixtures.items() if defined[-1].scope == "session" and name[0] != "_"}
        values = item.callspec.params if hasattr(item, "callspec") else {}
        shared |= {f"{name}={values[name]}" for name in values if name in fixtures and fixtures[name][-1].params}
        if shared - up or not up:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=session)
            up |= shared | {""}
