"""The table of commands, and what happens around each of them: parsing, printing the result, errors, exit codes."""

import functools
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from hris_pipeline.cli.printing import PLAIN_SIGNS, CommandResult, error_line, write
from hris_pipeline.errors import HrisError, RunInterrupted, SettingsInvalid
from hris_pipeline.files import machine_words

__all__ = ["COMMANDS", "Command", "load_command", "run"]


@dataclass(frozen=True)
class Command:
    """One command: its words (`settings show`), where its function is (`settings:show`), its one line of help, and
    which action of ``roles`` it is; ``see_people`` where the command is for nothing but people's values."""

    words: str
    where: str
    summary: str
    panel: str
    action: str

    @property
    def name(self) -> str:
        """The last of its words."""
        return self.words.rpartition(" ")[2]

    @property
    def group(self) -> str:
        """The word before the last, if there is one."""
        return self.words.rpartition(" ")[0]


START, DECIDE, IMPORT, AUTOMATIC, LOOK = (
    "Start here",
    "Settings and mapping",
    "Imports",
    "Automatic imports",
    "People and reports",
)

COMMANDS: tuple[Command, ...] = (
    Command(
        "demo",
        "demo:demo",
        "The whole story on a made-up company: connect, preview, save, a week later.",
        START,
        "set_up",
    ),
    Command(
        "ui",
        "operating:ui",
        "Open the console and Dagster; with a made-up company when there is none yet.",
        START,
        "administer",
    ),
    Command(
        "console",
        "operating:console",
        "Open the console alone: reviews and settings in the browser.",
        START,
        "administer",
    ),
    Command("sandbox", "sandbox:sandbox", "Serve a local Justworks with made-up people.", START, "see"),
    Command("setup", "setup:setup", "Set up an integration step by step; continues where it stopped.", START, "set_up"),
    Command(
        "connect", "connection:connect", "Connect an integration to its company, in the browser.", START, "connect"
    ),
    Command("disconnect", "connection:disconnect", "Revoke the connection and forget its tokens.", START, "connect"),
    Command(
        "integrations", "integrations:integrations", "One line for each integration: how it is doing.", START, "see"
    ),
    Command("doctor", "operating:doctor", "What stands and what does not; exit code for probes.", START, "see"),
    Command("delete", "connection:delete", "Delete an integration; its users stay, as local ones.", DECIDE, "delete"),
    Command("store upgrade", "operating:upgrade", "Create or upgrade the store's tables.", START, "administer"),
    Command(
        "store rotate-key", "operating:rotate_key", "Encrypt and seal everything with a new key.", START, "administer"
    ),
    Command("settings show", "settings:show", "The settings in force.", DECIDE, "see"),
    Command("settings set", "settings:set_", "Change settings, each as key=value.", DECIDE, "change_settings"),
    Command("settings apply", "settings:apply", "Replace the settings by a YAML document.", DECIDE, "change_settings"),
    Command(
        "settings export", "settings:export", "The settings as YAML, for version control.", DECIDE, "change_settings"
    ),
    Command("settings history", "settings:history", "Every version: who, when, and what changed.", DECIDE, "see"),
    Command(
        "settings schema", "settings:schema", "The JSON Schema of the settings document, for editors.", DECIDE, "see"
    ),
    Command(
        "mapping show",
        "settings:show_mapping",
        "Every source field: fill rate, a masked sample, what it feeds.",
        DECIDE,
        "see",
    ),
    Command(
        "mapping set",
        "settings:set_mapping",
        "Feed a user field or metadata from another source.",
        DECIDE,
        "change_mapping",
    ),
    Command("mapping add", "settings:add", "Add metadata.", DECIDE, "change_mapping"),
    Command("mapping rename", "settings:rename", "Give metadata another display name.", DECIDE, "change_mapping"),
    Command(
        "mapping change-type",
        "settings:change_type",
        "Make metadata default, associated or hidden.",
        DECIDE,
        "change_mapping",
    ),
    Command("mapping delete", "settings:delete", "Take metadata off the list.", DECIDE, "change_mapping"),
    Command(
        "preview",
        "imports:preview",
        "First half of a manual import: what would change, and why not.",
        IMPORT,
        "preview",
    ),
    Command("save", "imports:save", "Second half: apply that very change set.", IMPORT, "save"),
    Command("import", "imports:import_", "Preview and save in one, unless a guard holds it.", IMPORT, "save"),
    Command("review", "review:review", "The review of an import as a file, for whoever decides.", IMPORT, "see_people"),
    Command("approve", "imports:approve", "Let one held change set through.", IMPORT, "approve"),
    Command("discard", "imports:discard", "End an open import that nobody wants.", IMPORT, "discard"),
    Command(
        "quarantine", "review:quarantine", "Whose records fail validation, by field and check, and why.", IMPORT, "see"
    ),
    Command("history", "imports:history", "The imports of an integration, the newest first.", IMPORT, "see"),
    Command("show", "imports:show", "One import with its changes.", IMPORT, "see"),
    Command("undo", "imports:undo", "Plan an import that takes another one back; save applies it.", IMPORT, "undo"),
    Command("conflicts", "review:conflicts", "People held back until somebody decides who they are.", IMPORT, "see"),
    Command("resolve", "review:resolve", "Decide one conflict: link, create or ignore.", IMPORT, "resolve"),
    Command("decisions", "integrations:decisions", "Who decided what, who was authenticated and how.", IMPORT, "see"),
    Command("verify", "operating:verify", "Check the store against its own history.", IMPORT, "see"),
    Command("pause", "integrations:pause", "Stop automatic imports; manual ones stay possible.", AUTOMATIC, "pause"),
    Command("resume", "integrations:resume", "Start automatic imports, or start them again.", AUTOMATIC, "resume"),
    Command(
        "backfill",
        "integrations:backfill",
        "Plan many integrations again from their stored extracts.",
        AUTOMATIC,
        "preview",
    ),
    Command(
        "worker",
        "operating:worker",
        "Execute runs that Dagster's queue hands out through Celery.",
        AUTOMATIC,
        "administer",
    ),
    Command("explain", "people:explain", "Why a user is as they are, or why somebody is none.", LOOK, "see_people"),
    Command("user", "people:user", "A user as they were at a date.", LOOK, "see_people"),
    Command("user-file", "people:user_file", "The users as CSV, XLSX or Parquet.", LOOK, "see_people"),
    Command("users load", "people:load", "Load local users from a user file.", LOOK, "load_users"),
    Command(
        "users protect", "people:protect", "Keep a user from being archived or renamed by imports.", LOOK, "protect"
    ),
    Command("users unprotect", "people:unprotect", "Take that protection away.", LOOK, "protect"),
    Command("users erase", "people:erase", "Erase a person for good.", LOOK, "erase"),
    Command(
        "milestones",
        "people:milestones",
        "Anniversaries, onboarding days and birthdays of the next 90 days.",
        LOOK,
        "see_people",
    ),
    Command("reporting", "people:reporting", "Who reports to whom, and headcounts.", LOOK, "see_people"),
)

GROUPS = {
    "settings": "What an administrator decides, in YAML or one by one.",
    "mapping": "Which source field feeds which user field or metadata.",
    "users": "Single users: load local ones, protect, erase.",
    "store": "The user store.",
}

VERSION = "--version"

INTERRUPTED = 130
"""What typer gives for a command that Ctrl-C ended."""

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; everything else on stderr.")]


class _Commands(TyperGroup):
    """A group that shows one line a command from the table, and imports a command's module only to run it."""

    table: dict[str, Command]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        entry = self.table.get(name or "")
        return name, load_command(entry) if entry else command, rest


def _build_group(name: str, commands: Iterable[Command], summary: str, panel: str | None = None) -> _Commands:
    table = {command.name: command for command in commands}
    group = _Commands(name=name, help=summary, rich_help_panel=panel, no_args_is_help=True, rich_markup_mode="markdown")
    group.table = table
    for command in table.values():
        group.add_command(
            TyperCommand(command.name, callback=None, help=command.summary, rich_help_panel=command.panel)
        )
    return group


def _build_root_group() -> _Commands:
    root = _build_group(
        "hris",
        [command for command in COMMANDS if not command.group],
        "Keeps a user store in step with Justworks. `hris --version` tells which this is.",
    )
    for name, summary in GROUPS.items():
        inside = [command for command in COMMANDS if command.group == name]
        root.add_command(_build_group(name, inside, summary, inside[0].panel))
    return root


def load_command(command: Command) -> Any:
    """The command with its arguments, options and help; its module is imported now."""
    module, _, function = command.where.partition(":")
    body = getattr(import_module(f"hris_pipeline.cli.{module}"), function)
    app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    details = inspect.getdoc(body) or ""
    app.command(command.name, help=f"{command.summary}\n\n{details}")(_with_json(body))
    return typer.main.get_command(app)


def _with_json(body: Callable[..., CommandResult]) -> Callable[..., CommandResult]:
    """The command with the option that all have; ``run`` acts on it."""

    @functools.wraps(body)
    def command(*, as_json: bool, **arguments: Any) -> CommandResult:  # noqa: ARG001
        return body(**arguments)

    option = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=JsonOption)
    signature = inspect.signature(body, eval_str=True)
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in signature.parameters.values()]
    command.__signature__ = signature.replace(parameters=[*parameters, option])  # type: ignore[attr-defined]
    command.__annotations__ = {**body.__annotations__, "as_json": JsonOption}
    return command


def _invoke_command(arguments: Sequence[str]) -> Any:
    return _build_root_group().main(list(arguments), prog_name="hris", standalone_mode=False)


def _show_version() -> CommandResult:
    from importlib.metadata import version  # noqa: PLC0415 - nothing else needs it

    number = version("hris-pipeline")
    return CommandResult({"version": number}, [f"hris-pipeline {number}"])


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and gives its exit code; every failure is one line on stderr, without anybody's data."""
    as_json = "--json" in arguments
    _open_streams()
    try:
        result: Any = _show_version() if list(arguments[:1]) == [VERSION] else _invoke_command(arguments)
        if result == INTERRUPTED:
            raise KeyboardInterrupt
        if not isinstance(result, CommandResult):
            return int(result or 0)
        write(result, as_json=as_json)
        if result.after is not None:
            result.after()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or flushing at the end complains again
        return 1
    except (Exception, KeyboardInterrupt, RunInterrupted) as error:
        return _report_failure(error, as_json=as_json)
    return result.exit_code


def _open_streams() -> None:
    """Opens closed standard streams on the null device, and lets stdout and stderr write what their encoding lacks in
    plain signs."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - as long as the process
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=PLAIN_SIGNS)


def _stdout_takes_more() -> bool:
    """Whether all that was written so far went out; if not, stdout is replaced, or Python would complain at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def _report_failure(error: BaseException, *, as_json: bool) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":  # it has printed the help already
        return 2
    message, exit_code = _explain_error(error)
    error_line(message)
    if as_json and _stdout_takes_more():
        payload: dict[str, Any] = {"type": type(error).__name__, "message": message, "exit_code": exit_code}
        if isinstance(error, SettingsInvalid):
            payload["problems"] = [vars(problem) for problem in error.problems]
        with suppress(OSError):  # of a full stdout, of which stderr has told
            write(CommandResult({"error": payload}), as_json=True)
    _stdout_takes_more()
    return exit_code


def _command_of(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context is not None else "hris"


def _explain_error(error: BaseException) -> tuple[str, int]:
    """What to print about an error, and the exit code; of an unexpected error not the message, which may quote a
    person."""
    if isinstance(error, HrisError):
        return str(error), error.exit_code
    if isinstance(error, TyperException):
        message = error.format_message()
        return f"{message}{'' if message.endswith(('.', '?')) else '.'} `{_command_of(error)} --help` tells more.", 2
    if isinstance(error, RunInterrupted):
        return str(error), 1
    if isinstance(error, typer.Abort | KeyboardInterrupt):
        return "Stopped.", 1
    words = machine_words(error)
    if words is not None:
        return f"This machine is in the way: {words}.", 1
    frames = traceback.extract_tb(error.__traceback__)
    own_frames = [frame for frame in frames if "hris_pipeline" in Path(frame.filename).parts]
    place = f" at {Path(own_frames[-1].filename).name}:{own_frames[-1].lineno}" if own_frames else ""
    return f"Something unexpected happened ({type(error).__name__}{place}); please report it.", 1
