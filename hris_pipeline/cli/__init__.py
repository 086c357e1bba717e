"""The command line ``hris``: thin over the operations; one file a group of commands.

Nothing is imported until a command needs it, so that ``hris --help`` and the settings commands start at once."""

import atexit
import os
import signal
import sys
import threading
from contextlib import suppress

__all__ = ["main"]


def main() -> None:
    """The command ``hris``. What it starts runs the code that is installed, whatever lies in the working directory."""
    os.environ["PYTHONSAFEPATH"] = "1"
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever stops it is told what was done, as by Ctrl-C
    from hris_pipeline.cli.app import run  # noqa: PLC0415 - importing the package must cost nothing

    _leave(run(sys.argv[1:]))


def _leave(exit_code: int) -> None:
    """Ends the process. What a command opened is closed by now, and what asked to be called at the end is called; but
    nothing is taken apart: that would take the interpreter seconds after Ctrl-C, as large as the servers are."""
    if any(thread is not threading.current_thread() and not thread.daemon for thread in threading.enumerate()):
        sys.exit(exit_code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(exit_code)
