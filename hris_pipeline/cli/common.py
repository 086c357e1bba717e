"""What commands share: their arguments and the filters of a review, the opened services, who is asking, and files."""

import getpass
import os
import pwd
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from hris_pipeline.cli.printing import CommandResult
from hris_pipeline.errors import UsageError

if TYPE_CHECKING:
    from hris_pipeline.operations.review import Filters
    from hris_pipeline.operations.services import Services

__all__ = [
    "EmployeeId",
    "ImportId",
    "IntegrationArgument",
    "Reason",
    "Reveal",
    "Selection",
    "account",
    "actor",
    "at_terminal",
    "deciding",
    "deciding_on_import",
    "forget_typed",
    "open_services",
    "private_file",
    "read_bytes",
    "read_text",
    "require_environment",
    "takes_selection",
    "write_private",
]

IntegrationArgument = Annotated[str, typer.Argument(metavar="NAME", help="The integration.", show_default=False)]
ImportId = Annotated[str, typer.Argument(metavar="IMPORT_ID", help="As `hris history` lists it.", show_default=False)]
EmployeeId = Annotated[str, typer.Argument(metavar="EMPLOYEE_ID", help="The user's EmployeeId.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Why; whoever looks later wants to know.", show_default=False)]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show people's data instead of masks.")]


@dataclass(frozen=True)
class Selection:
    """What of an import to show: only the breakdown, or which rows too, and whether values are revealed; any filter
    asks for rows. Each field is an option of the commands that ``takes_selection`` gives it to."""

    rows: Annotated[bool, typer.Option("--rows", help="Every change: who, and each field from what to what.")] = False
    reveal: Reveal = False
    only: Annotated[str | None, typer.Option(metavar="ACTION", help="Only create, update, archive or restore.")] = None
    field: Annotated[
        str | None, typer.Option("--field", metavar="FIELD", help="Only who changes in that field; metadata as #Name.")
    ] = None
    guard: Annotated[
        str | None, typer.Option("--guard", metavar="NAME", help="Only whom that guard holds the import for.")
    ] = None
    search: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only whose ids, names or addresses contain it, in any case.")
    ] = None
    sort: Annotated[str, typer.Option(help="action, employee_id or name; -name is the other way round.")] = "action"

    @property
    def wants_rows(self) -> bool:
        """Whether rows are listed."""
        return self.rows or self.filters.any

    @property
    def filters(self) -> "Filters":
        """The filters, as the review takes them."""
        from hris_pipeline.operations.review import Filters  # noqa: PLC0415 - help and schemas need no store

        return Filters(action=self.only, field=self.field, guard=self.guard, text=self.search)


def takes_selection(*names: str) -> Callable[[Callable[..., CommandResult]], Callable[..., CommandResult]]:
    """Replaces a command's parameter ``selection`` by one option for each named field of ``Selection`` (all of them by
    default), and calls the command with the ``Selection`` that they make."""
    options = {
        item.name: Parameter(item.name, Parameter.KEYWORD_ONLY, default=item.default, annotation=item.type)
        for item in fields(Selection)
        if not names or item.name in names
    }

    def with_options(command: Callable[..., CommandResult]) -> Callable[..., CommandResult]:
        @wraps(command)
        def command_with_selection(**arguments: Any) -> CommandResult:
            return command(selection=Selection(**{name: arguments.pop(name) for name in options}), **arguments)

        parameters: list[Parameter] = []
        for parameter in signature(command).parameters.values():
            parameters += options.values() if parameter.name == "selection" else [parameter]
        keywords = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in parameters]
        command_with_selection.__signature__ = signature(command).replace(parameters=keywords)  # type: ignore[attr-defined]
        command_with_selection.__annotations__ = {parameter.name: parameter.annotation for parameter in keywords}
        return command_with_selection

    return with_options


@contextmanager
def open_services(*, create: bool = False) -> Iterator["Services"]:
    """The services that the environment names, closed at the end; ``create`` makes or upgrades an embedded store."""
    from hris_pipeline.operations.services import open_services  # noqa: PLC0415 - not needed to print help or a schema

    services = open_services(create=create)
    try:
        yield services
    finally:
        services.close()


def require_environment(services: "Services", source: str, name: str) -> None:
    """Refuses what this machine lacks for reading the source, before anything is run or written: it is no failed import
    of the company.

    Raises:
        EnvironmentInvalid: a key, client id or secret that is missing or cannot be used.
    """
    from hris_pipeline.store.keyring import load_keyring  # noqa: PLC0415 - not needed to print help

    load_keyring(services.environment)
    if source == "justworks":
        services.oauth(name).close()


def actor() -> str:
    """Who is asking: the name of the account on this machine."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def account() -> str:
    """The account that this process runs under, as the operating system knows it, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def deciding(
    services: "Services",
    integration_id: str,
    action: str,
    subject: str | None = None,
    *,
    by: str | None = None,
    reason: str | None = None,
) -> AbstractContextManager[None]:
    """Records a decision made on this command line, its reason and its outcome: the name that was typed (``by``, or the
    actor's) beside the account of the operating system."""
    from hris_pipeline.operations import roles  # noqa: PLC0415 - only decisions are written down

    decided_by = roles.DecidedBy(by or actor(), account(), "os")
    return roles.deciding(services, integration_id, action, decided_by, subject, reason)


def deciding_on_import(
    services: "Services", import_id: str, action: str, *, by: str | None = None, reason: str | None = None
) -> AbstractContextManager[None]:
    """``deciding``, about an import.

    Raises:
        UnknownName: there is none of that id.
    """
    from hris_pipeline.operations.overview import read_import  # noqa: PLC0415

    name = read_import(services, import_id).integration_id
    return deciding(services, name, action, import_id, by=by, reason=reason)


def at_terminal() -> bool:
    """Whether somebody is there to answer questions."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def forget_typed() -> None:
    """Throws away what was typed before a question was there to be answered."""
    if at_terminal():
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


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
        UsageError: it cannot be written. A pipe or device is written through, never replaced.
    """
    with private_file(path) as (file, target):
        file.write(content)
    return target


def _is_stream(target: Path) -> bool:
    """Whether the path is a pipe, a device or this process's own output, which an output never replaces."""
    return target.is_fifo() or target.is_char_device() or target.is_block_device()


@contextmanager
def _written_through(target: Path) -> Iterator[IO[bytes]]:
    try:
        with target.open("wb", buffering=0) as file:
            yield file
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.") from None


@contextmanager
def private_file(path: str) -> Iterator[tuple[IO[bytes], Path]]:
    """A file to write that only its owner may read, and the absolute path whose name it takes when it is whole.

    Raises:
        UsageError: it cannot be written. A pipe or device is written through, never replaced.
    """
    target = Path(path).expanduser().absolute()
    if _is_stream(target):
        with _written_through(target) as file:
            yield file, target
        return
    target = target.resolve()  # a link stays one
    if target.is_dir() or target.is_socket():
        raise UsageError(f"{target} is no file, so nothing is written there: give another name.")
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file, target
        draft.replace(target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.") from None
    finally:
        draft.unlink(missing_ok=True)
