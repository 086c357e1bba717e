"""Two command lines at once on one home, each a real process, forked from one that has everything imported: what both
end with, and whether that is what may be."""

import io
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import hris_pipeline.definitions  # noqa: F401 - loaded before it is forked
from hris_pipeline.cli.app import run
from hris_pipeline.sandbox import Sandbox
from hris_pipeline_tests.kit.forked_processes import Parent, Processes

__all__ = ["COMMANDS", "PAIRS", "CommandEnd", "Home", "run_command"]

COMMANDS: Mapping[str, str] = {
    "preview": "preview acme",
    "import": "import acme --yes",
    "save": "save acme",
    "undo": "undo {newest}",
    "discard": "discard {open} --by Dana --reason late",
    "pause": "pause acme --reason audit",
    "resume": "resume acme --reason go",
    "settings set": "settings set acme at=05:15",
    "mapping rename": "mapping rename acme JobTitle Job",
    "users erase": "users erase acme {person} --confirm {person}",
    "users protect": "users protect acme {person}",
    "resolve": "resolve acme --relink",
    "backfill": "backfill acme",
    "setup": "setup acme --accept-terms",
    "connect": "connect acme --code {code}",
    "disconnect": "disconnect acme",
    "delete": "delete acme --confirm acme",
    "rotate-key": "store rotate-key",
    "upgrade": "store upgrade",
    "verify": "verify acme",
    "doctor": "doctor",
    "integrations": "integrations",
    "review": "review acme -o {folder}/review.html",
    "user-file": "user-file acme -o {folder}/users.csv",
}
"""Whatever changes something, and some of those that look."""

PAIRS = tuple(combinations_with_replacement(COMMANDS, 2))

EXIT_CODES = frozenset(range(5))
UNEXPECTED = ("unexpected", "report it", "Traceback", "psycopg", "sqlite3")


@dataclass(frozen=True)
class CommandEnd:
    """What a command line ended with."""

    exit_code: int
    stderr: str

    @property
    def is_told(self) -> bool:
        """Whether it did its work, or said in words of ours why not."""
        return self.exit_code in EXIT_CODES and not any(word in self.stderr for word in UNEXPECTED)


def run_command(_: Parent, environ: Mapping[str, str], arguments: Sequence[str]) -> CommandEnd:
    """The work of a process: one command line."""
    os.environ.update(environ)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        exit_code = run(list(arguments))
    return CommandEnd(exit_code, err.buffer.getvalue().decode())


@dataclass(frozen=True)
class Home:
    """A home with the company ``acme``, imported, an import open; ``words`` are what stands in braces in commands."""

    path: Path
    sandbox: Sandbox
    processes: Processes
    words: Mapping[str, str]

    @contextmanager
    def copied(self, path: Path) -> Iterator["Home"]:
        """The same home again, connected anew: a refresh token serves once."""
        shutil.copytree(self.path, path)
        home = Home(path, self.sandbox, self.processes, {**self.words, "folder": str(path)})
        home.run_at_once("connect")
        try:
            yield home
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def run_at_once(self, *commands: str) -> list[CommandEnd]:
        """Starts the commands together, waits for all."""
        environ = {
            **self.sandbox.environment(),
            "HRIS_HOME": str(self.path),
            "DAGSTER_HOME": str(self.path / "dagster"),
            "COLUMNS": "140",
        }
        lines = [COMMANDS.get(command, command) for command in commands]
        codes = [self.sandbox.authorize() if "{code}" in line else "" for line in lines]
        children = [
            self.processes.start(run_command, environ, [word.format(code=code, **self.words) for word in line.split()])
            for line, code in zip(lines, codes, strict=True)
        ]
        heard: list[tuple[str, Any]] = [child.heard() for child in children]
        for child in children:
            child.kill()
        return [end if kind == "done" else CommandEnd(-1, f"Traceback: {end}") for kind, end in heard]
