"""What a command imports: nothing that it does not need."""

import json
import subprocess
import sys

import pytest

from hris_pipeline.cli.app import COMMANDS, GROUPS, load_command
from hris_pipeline_tests.cli.conftest import PROCESS

PROBE = """
import json, sys
from hris_pipeline.cli.app import run
arguments = json.loads(sys.argv[1])
run(arguments)
heavy = ("dagster", "pandas", "sqlalchemy", "pandera", "httpx", "faker", "alembic")
sys.stderr.write("\\n" + json.dumps([name for name in heavy if name in sys.modules]))
"""


def imported(*arguments: str, **environment: str) -> set[str]:
    command = [sys.executable, "-c", PROBE, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment or None)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["--help"], set()),
        (["settings", "--help"], set()),
        (["nonsense"], set()),
        (["settings", "schema"], set()),
        (["preview"], {"pandas", "sqlalchemy", "httpx"}),
        (["sandbox", "--fault", "nonsense"], {"httpx"}),
    ],
)
def test_a_command_that_reads_nothing_imports_next_to_nothing(arguments: list[str], needed: set[str]) -> None:
    assert imported(*arguments) <= needed


@pytest.mark.parametrize(
    "arguments", [["settings", "show", "acme"], ["integrations"], ["connect", "acme", "--code", "x"]]
)
def test_commands_about_settings_and_connections_need_neither_pandas_nor_dagster(
    arguments: list[str], child_environment: dict[str, str]
) -> None:
    subprocess.run([*PROCESS, "store", "upgrade"], env=child_environment, check=True, capture_output=True)
    assert not imported(*arguments, **child_environment) & {"dagster", "pandas"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_every_command_of_the_table_exists_and_takes_json(command: object) -> None:
    loaded = load_command(command)  # type: ignore[arg-type]
    assert "--json" in {option for parameter in loaded.params for option in parameter.opts}


def test_every_group_has_commands() -> None:
    assert {command.group for command in COMMANDS} - {""} == set(GROUPS)
