"""The command line in a terminal of its own, in a process that has everything imported already."""

import os
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pexpect.fdpexpect import fdspawn

from hris_pipeline.cli.app import run
from hris_pipeline_tests.kit.forked_processes import Child, Parent, Processes

__all__ = ["SIZE", "Terminal", "terminal_of"]

SIZE = (60, 160)
"""Rows and columns."""

TYPING_SECONDS = 0.05


class Terminal(fdspawn):  # type: ignore[type-arg]
    """A person's end of it, as pexpect has one of a process that it starts itself."""

    process: Child

    def send(self, s: Any) -> int:
        """Types it, a moment after whatever was read: nobody is as quick as a program."""
        time.sleep(TYPING_SECONDS)
        return int(super().send(s))

    def sendintr(self) -> None:
        """Ctrl-C."""
        self.send("\x03")

    def close(self) -> None:
        """Once the command has ended: takes note of its exit code."""
        end, self.exitstatus = self.process.heard()
        assert end == "done", self.exitstatus


@contextmanager
def terminal_of(
    processes: Processes, arguments: Sequence[str], environ: Mapping[str, str], timeout: float
) -> Iterator[Terminal]:
    """A terminal in which the command runs, until the block ends."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(ours, SIZE)
    child = processes.start(command_in, os.ttyname(theirs), list(arguments), dict(environ))
    assert child.heard() == "open"
    os.close(theirs)
    terminal = Terminal(ours, encoding="utf-8", timeout=timeout)
    terminal.process = child
    try:
        yield terminal
    finally:
        child.kill()
        fdspawn.close(terminal)


def command_in(parent: Parent, name: str, arguments: list[str], environ: dict[str, str]) -> int:
    """Runs the command in the terminal of that name, which is let go of at its end; gives the exit code."""
    os.environ.clear()
    os.environ.update(environ)
    os.setsid()
    terminal = os.open(name, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(terminal, descriptor)
    os.close(terminal)
    streams: list[Any] = [os.fdopen(descriptor, mode, closefd=False) for descriptor, mode in enumerate("rww")]
    sys.stdin, sys.stdout, sys.stderr = streams
    parent.tell("open")
    exit_code = run(arguments)
    for stream in streams[1:]:
        stream.flush()
    for descriptor in range(3):
        os.close(descriptor)
    return exit_code
