"""What a command imports: nothing that it does not need."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hris_pipeline.cli.app import COMMANDS, GROUPS, load_command

PROBE = """
import json, sys
from hris_pipeline.cli.app import run
arguments = json.loads(sys.argv[1])
run(arguments)
heavy = ("dagster", "pandas", "sqlalchemy", "pandera", "pyarrow", "httpx", "fsspec", "faker", "alembic")
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
        (["preview"], {"sqlalchemy"}),
        (["sandbox", "--fault", "nonsense"], {"httpx"}),
    ],
)
def test_a_command_that_reads_nothing_imports_next_to_nothing(arguments: list[str], needed: set[str]) -> None:
    assert imported(*arguments) <= needed


def test_what_it_starts_runs_the_installed_code_whatever_lies_in_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "hris_pipeline").mkdir()
    (tmp_path / "hris_pipeline" / "__init__.py").write_text("raise SystemExit('another checkout')")
    probe = "import hris_pipeline.cli.app as app, subprocess, sys\napp.run = lambda _: subprocess.call(CHILD)\n"
    probe += "from hris_pipeline.cli import main\nmain()"
    child = f"CHILD = [{sys.executable!r}, '-c', 'import hris_pipeline']\n"
    command = [sys.executable, "-P", "-c", child + probe]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


EACH = """
import json, sys
HEAVY = ("dagster", "pandas", "pandera", "pyarrow", "numpy", "httpx", "alembic", "phonenumbers", "apprise", "faker")
from hris_pipeline.cli.app import run
loaded = {}
for line in json.loads(sys.argv[1]):
    exit_code = run(line.split())
    loaded[line] = [exit_code, [name for name in HEAVY if name in sys.modules]]
sys.stderr.write("\\n" + json.dumps(loaded))
"""

LIGHT = {
    "settings show acme": 0,
    "settings export acme -o {folder}/acme.yaml": 0,
    "settings history acme": 0,
    "integrations": 0,
    "history acme": 0,
    "show {import_id}": 0,
    "show {import_id} --rows --reveal": 0,
    "review acme -o {folder}/review.html": 0,
    "review acme -o {folder}/review.csv": 0,
    "quarantine acme": 0,
    "conflicts acme": 0,
    "settings set acme at=05:15": 0,
    "settings apply acme {folder}/acme.yaml": 0,
    "pause acme --reason holidays": 0,
    "resume acme --reason back": 0,
}
"""Command lines that run nothing in Dagster, read no source and look at no frame, in this order, with their exit
codes."""


def test_whoever_runs_nothing_waits_for_no_library_that_only_runs_need(
    saved: dict[str, Any], child_environment: dict[str, str], tmp_path: Path
) -> None:
    lines = {line.format(import_id=saved["import_id"], folder=tmp_path): code for line, code in LIGHT.items()}
    command = [sys.executable, "-c", EACH, json.dumps(list(lines))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=child_environment)
    assert json.loads(done.stderr.splitlines()[-1]) == {line: [code, []] for line, code in lines.items()}
    assert {file.name for file in tmp_path.glob("*.*")} == {"acme.yaml", "review.html", "review.csv"}


def test_settings_that_speak_of_peoples_values_are_checked_without_dagster(
    saved: dict[str, Any], child_environment: dict[str, str]
) -> None:
    """They are tried on the last extract, and for that a frame is read."""
    rule = 'do_not_import=[{name: Nobody, all: [{field: job_title, operator: equals, value: "none such"}]}]'
    loaded = imported("settings", "set", "acme", rule, **child_environment)
    assert "pandas" in loaded
    assert not {"dagster", "httpx"} & loaded


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_every_command_of_the_table_exists_and_takes_json(command: object) -> None:
    loaded = load_command(command)  # type: ignore[arg-type]
    assert "--json" in {option for parameter in loaded.params for option in parameter.opts}


def test_every_group_has_commands() -> None:
    assert {command.group for command in COMMANDS} - {""} == set(GROUPS)
