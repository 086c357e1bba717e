"""What commands share: their arguments, the opened services, who is asking, and files in and out."""

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hris_pipeline.errors import UsageError

if TYPE_CHECKING:
    from hris_pipeline.operations.services import Services

__all__ = [
    "EmployeeId",
    "ImportId",
    "IntegrationArgument",
    "Reason",
    "Reveal",
    "Rows",
    "actor",
    "at_terminal",
    "open_services",
    "read_bytes",
    "read_text",
    "write_private",
]

IntegrationArgument = Annotated[str, typer.Argument(metavar="NAME", help="The integration.", show_default=False)]
ImportId = Annotated[str, typer.Argument(metavar="IMPORT_ID", help="As `hris history` lists it.", show_default=False)]
EmployeeId = Annotated[str, typer.Argument(metavar="EMPLOYEE_ID", help="The user's EmployeeId.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Why; whoever looks later wants to know.", show_default=False)]
Rows = Annotated[bool, typer.Option("--rows", help="Every change: action, EmployeeId, changed fields.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show people's data instead of masks.")]


@contextmanager
def open_services(*, create: bool = False) -> Iterator["Services"]:
    """The services that the environment names, closed at the end; ``create`` makes or upgrades an embedded store."""
    from hris_pipeline.operations.services import open_services  # noqa: PLC0415 - not needed to print help or a schema

    services = open_services(create=create)
    try:
        yield services
    finally:
        services.close()


def actor() -> str:
    """Who is asking: the name of the account on this machine."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def at_terminal() -> bool:
    """Whether somebody is there to answer questions."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def read_bytes(path: str) -> bytes:
    """A file's content; ``-`` is the standard input.

    Raises:
        UsageError: it cannot be read.
    """
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None


def read_text(path: str) -> str:
    """A text file's content, UTF-8; ``-`` is the standard input.

    Raises:
        UsageError: it cannot be read, or is no UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text: save it as UTF-8.") from None


def write_private(path: str, content: bytes) -> Path:
    """Writes a file that only its owner may read, wholly or not at all; gives its absolute path.

    Raises:
        UsageError: it cannot be written.
    """
    target = Path(path).expanduser().absolute()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(f"{target} cannot be written: {error.strerror}.") from None
    return target
