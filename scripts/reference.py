"""Writes what of the docs is made from the code: docs/settings.md, docs/cli.md, and the table of roles in
docs/security.md; `--check` only compares."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hris_pipeline.cli.app import COMMANDS, Command, load_command
from hris_pipeline.console.dagster_guard import JOB_ACTIONS
from hris_pipeline.console.pages import PAGES as CONSOLE_PAGES
from hris_pipeline.environment import ROLES
from hris_pipeline.operations.roles import ACTIONS, may
from hris_pipeline.settings.schema import settings_page

DOCS = Path(__file__).parents[1] / "docs"


def cli_page() -> str:
    """Every command of ``hris`` with its arguments and options, in Markdown."""
    lines = [
        "# Commands",
        "",
        "Every command takes `--json`: one JSON document on stdout, everything else on stderr. Exit codes: 0 done,",
        "1 failed, 2 wrong use, 3 the result is held, 4 stale. This page is made from the code.",
    ]
    panels = dict.fromkeys(command.panel for command in COMMANDS)
    for panel in panels:
        lines += ["", f"## {panel}"]
        for command in COMMANDS:
            if command.panel == panel:
                lines += ["", *_command_lines(command)]
    return "\n".join(lines) + "\n"


def _command_lines(command: Command) -> Iterator[str]:
    loaded = load_command(command)
    arguments = [parameter for parameter in loaded.params if parameter.param_type_name == "argument"]
    words = " ".join(_argument_words(parameter) for parameter in arguments)
    yield f"### `hris {command.words}{' ' + words if words else ''}`"
    yield ""
    yield (loaded.help or command.summary).split("\f")[0].strip()
    options = [parameter for parameter in loaded.params if parameter.param_type_name == "option"]
    rows = [
        (parameter.opts, getattr(parameter, "help", "") or "", _default_words(parameter))
        for parameter in options
        if parameter.name != "as_json"
    ]
    if rows:
        yield ""
        yield "| option | meaning | default |"
        yield "|---|---|---|"
        for names, meaning, default in rows:
            yield f"| `{', '.join(names)}` | {meaning.replace('|', chr(92) + '|')} | {default} |"


def _default_words(option: Any) -> str:
    """What holds when the option is not given; nothing where its meaning says so, or there is none."""
    if option.required:
        return "required"
    if option.is_flag:
        return "off"
    return f"`{option.default}`" if option.default not in (None, "", 0) else ""


def _argument_words(argument: Any) -> str:
    words = (argument.metavar or argument.name or "").upper().strip("[]")
    return words if argument.required else f"[{words}]"


def security_page() -> str:
    """docs/security.md as it stands, with the table of roles as the code has it."""
    before, begin, rest = _text(DOCS / "security.md").partition(ROLES_BEGIN)
    _, end, after = rest.partition(ROLES_END)
    return "".join((before, begin, "\n", roles_table(), end, after))


def roles_table() -> str:
    """Every action by role, and what of it each face has."""
    lines = [
        f"| action | {' | '.join(ROLES)} | console | job in Dagster | `hris` |",
        "|---|" + "---|" * (len(ROLES) + 3),
    ]
    for action in ACTIONS:
        allowed = ["yes" if may(role, action) else "" for role in ROLES]
        pages = [f"{page.method} {page.path}" for page in CONSOLE_PAGES if page.action == action]
        jobs = [job for job, taken in JOB_ACTIONS.items() if taken == action]
        commands = [command.words for command in COMMANDS if command.action == action]
        faces = [", ".join(f"`{name}`" for name in names) for names in (pages, jobs, commands)]
        lines.append("| " + " | ".join([f"`{action}`", *allowed, *faces]) + " |")
    return "\n".join(lines) + "\n"


ROLES_BEGIN, ROLES_END = "<!-- the table of roles, made from the code -->", "<!-- its end -->"

PAGES = {"settings.md": settings_page, "cli.md": cli_page, "security.md": security_page}


def main() -> int:
    stale = [name for name, page in PAGES.items() if _text(DOCS / name) != page()]
    if "--check" in sys.argv[1:]:
        for name in stale:
            sys.stderr.write(f"docs/{name} is not what the code says: run `make reference`.\n")
        return int(bool(stale))
    for name in stale:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
    return 0


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
