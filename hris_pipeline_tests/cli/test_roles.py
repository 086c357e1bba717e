"""The column `hris` of the table of roles: on the command line the account decides, not a role; what it decides is
written down as the table's action, with that account."""

import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from hris_pipeline.cli.app import COMMANDS
from hris_pipeline.environment import ROLES
from hris_pipeline.operations.roles import Decision, decisions_of
from hris_pipeline.operations.services import open_services
from hris_pipeline.sandbox.server import Sandbox
from hris_pipeline_tests.kit.command_line import Hris
from hris_pipeline_tests.kit.role_table import documented_actions

LINES = {
    "integrations": 0,
    "doctor": 0,
    "settings show acme": 0,
    "settings history acme": 0,
    "settings schema": 0,
    "settings export acme": 0,
    "mapping show acme": 0,
    "quarantine acme": 0,
    "history acme": 0,
    "show {import_id}": 0,
    "conflicts acme": 0,
    "decisions acme": 0,
    "verify acme": 0,
    "review acme -o {folder}/review.csv": 0,
    "explain acme 0002": 0,
    "user acme 0002": 0,
    "user-file acme -o {folder}/users.csv": 0,
    "milestones acme": 0,
    "reporting acme": 0,
    "preview acme --with archive_employees=off": 0,
    "save acme {import_id}": 0,
    "import acme": 2,
    "pause acme --reason why": 0,
    "resume acme --reason why": 0,
    "approve {import_id} --digest x --by Lee --reason why": 2,
    "resolve acme --relink": 0,
    "settings set acme at=05:15": 0,
    "settings apply acme {folder}/settings.yaml": 0,
    "mapping add acme Given first_name": 0,
    "mapping set acme Given last_name": 0,
    "mapping rename acme Given Called": 0,
    "mapping change-type acme Called associated": 0,
    "mapping delete acme Called": 0,
    "users load acme {folder}/local.csv": 0,
    "users protect acme 0002": 0,
    "users unprotect acme 0002": 0,
    "undo {import_id}": 0,
    "discard {open}": 0,
    "users erase acme L1 --confirm L1": 0,
    "setup acme --accept-terms": 0,
    "store upgrade": 0,
    "store rotate-key": 0,
    "disconnect acme": 0,
    "delete acme --confirm acme": 0,
}
"""Each command in a form that needs no Dagster run, with its exit code; some are refused for another reason than who
asks (nothing is held, an import must be confirmed)."""

ELSEWHERE = {"demo", "ui", "console", "sandbox", "worker", "connect", "backfill"}
"""Servers, and what the tests of the story run."""

WRITTEN_AS = {"set_up": "accept_terms", "resolve": "relink", "change_mapping": "change_settings"}
"""Where a decision is written down under a nearer word than the action's."""

DECIDING = {
    "pause",
    "resume",
    "approve",
    "resolve",
    "change_settings",
    "change_mapping",
    "load_users",
    "protect",
    "undo",
    "discard",
    "erase",
    "set_up",
    "connect",
    "delete",
}


def words_of(line: str) -> str:
    """The command that a line runs."""
    return next(
        command.words
        for command in sorted(COMMANDS, key=lambda command: -len(command.words))
        if f"{line} ".startswith(f"{command.words} ")
    )


def decisions() -> tuple[Decision, ...]:
    services = open_services()
    try:
        return decisions_of(services, "acme", limit=200)
    finally:
        services.close()


def test_every_command_of_the_table_is_tried() -> None:
    documented = {command for row in documented_actions() for command in row.commands}
    assert documented == {command.words for command in COMMANDS}
    assert {words_of(line) for line in LINES} == documented - ELSEWHERE


def test_the_account_decides_whatever_role_the_console_would_give_it(
    saved: Any, sandbox: Sandbox, hris: Hris, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setenv("HRIS_ROLES", f"{account}={ROLES[0]}")
    (tmp_path / "local.csv").write_text("Employee Id,First Name,Last Name\nL1,Loc,Al\n")
    (tmp_path / "settings.yaml").write_text("at: '05:30'\n")
    names = {"import_id": saved["import_id"], "folder": str(tmp_path), "open": ""}
    for line, exit_code in LINES.items():
        if "{open}" in line:
            names["open"] = hris("history", "acme", "--json").document["imports"][0]["import_id"]
        answer = hris(*line.format(**names).split())
        assert answer.exit_code == exit_code, (line, answer.stderr)
    written = decisions()
    assert {(decision.identity, decision.method, decision.address) for decision in written} == {(account, "os", None)}
    expected = {
        WRITTEN_AS.get(row.action, row.action)
        for row in documented_actions()
        if row.action in DECIDING and row.commands
    }
    assert expected <= {decision.action for decision in written}
