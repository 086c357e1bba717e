"""The command line ``hris``: thin over the operations; one file a group of commands.

Nothing is imported until a command needs it, so that ``hris --help`` and the settings commands start at once."""

import sys

__all__ = ["main"]


def main() -> None:
    """The command ``hris``."""
    from hris_pipeline.cli.app import run  # noqa: PLC0415 - importing the package must cost nothing

    sys.exit(run(sys.argv[1:]))
