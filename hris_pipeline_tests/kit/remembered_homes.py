"""What several tests live through in the same way is lived once: afterwards its home is copied. On SQLite alone, where
a home is files; elsewhere it is lived each time."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from hris_pipeline_tests.kit.acme import Acme

__all__ = ["remembered"]

T = TypeVar("T")


@dataclass(frozen=True)
class _Home:
    folder: Path
    outcome: Any
    time: datetime


_HOMES: dict[str, _Home] = {}


@cache
def _root() -> "TemporaryDirectory[str]":
    return TemporaryDirectory(prefix="hris-remembered-")


def remembered(acme: Acme, name: str, live: Callable[[], T]) -> T:
    """What ``live`` makes of acme's home, and what it gives. It may change the store, its files and the clock, but not
    the company: what happens there is done anew by each test."""
    services = acme.services
    if services.store.dialect != "sqlite":
        return live()
    home = services.environment.home
    if name not in _HOMES:
        outcome, folder = live(), Path(_root().name) / str(len(_HOMES))
        services.store.close()
        shutil.copytree(home, folder)
        _HOMES[name] = _Home(folder, outcome, acme.clock.time)
        return outcome
    kept = _HOMES[name]
    services.store.close()
    shutil.rmtree(home)
    shutil.copytree(kept.folder, home)
    acme.clock.time = kept.time
    outcome_of_then: T = kept.outcome
    return outcome_of_then
