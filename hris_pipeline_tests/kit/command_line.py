"""The command line of a test: what one line gave, whether it ran in this process or in one of its own."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["PROCESS", "Hris", "Result"]

PROCESS = (sys.executable, "-c", "from hris_pipeline.cli import main; main()")
"""The command line as a process of its own."""


@dataclass(frozen=True)
class Result:
    """What one command line gave."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    @property
    def error(self) -> str:
        """The one line on stderr."""
        lines = self.stderr.strip().splitlines()
        assert len(lines) == 1, self.stderr
        return lines[0]


Hris = Callable[..., Result]
