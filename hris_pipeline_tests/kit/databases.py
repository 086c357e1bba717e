"""Which databases tests of the store run on, and the environment of a home on one of them."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from hris_pipeline.environment import Environment

__all__ = ["DATABASES", "MakeDatabase", "environment_of"]

MakeDatabase = Callable[..., AbstractContextManager[str]]

DATABASES = os.environ.get("HRIS_TEST_DATABASES", "sqlite,postgresql").split(",")
"""What tests of the store run on; a continuous integration may split them."""


def environment_of(home: Path, store_url: str = "") -> Environment:
    """The environment of a home; a key is always given, as only with SQLite the store may make one."""
    key = "c3RvcmUtdGVzdC1rZXktc3RvcmUtdGVzdC1rZXktMTI="
    return Environment.read({"HRIS_HOME": str(home), "HRIS_STORE_URL": store_url, "HRIS_SECRET_KEY": key} | _path())


def _path() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "")}
