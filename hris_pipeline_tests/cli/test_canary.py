"""Made-up people with values that occur nowhere else, and every command of the table, well used and wrongly: nothing of
theirs is printed unasked, told in an error or its traceback, logged, or kept by Dagster."""

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hris_pipeline.cli import app
from hris_pipeline.cli.app import COMMANDS
from hris_pipeline.sandbox.server import Sandbox
from hris_pipeline_tests.kit.command_line import Hris, Result

CANARY = "Zwitscherling"
SECRETS = (CANARY.casefold(), "2125550188", "1961-07-13")
STARTED = "2024-01-08"
"""Not today: where the company is, it may still be yesterday."""

PLANTED: dict[str, Any] = {
    "first_name": f"{CANARY}first",
    "last_name": f"{CANARY}last",
    "preferred_name": f"{CANARY}preferred",
    "work_email": f"{CANARY}work@acme.example",
    "personal_email": f"{CANARY}home@home.example",
    "phones": (("mobile", "+12125550188"),),
    "birth_date": "1961-07-13",
}
FILE = (
    f"Employee Id,First Name,Last Name,Email,Birth Date\nL1,{CANARY},{CANARY}local,{CANARY}l@acme.example,1961-07-13\n"
)

BEFORE = (
    "integrations",
    "doctor",
    "store upgrade",
    "users load acme {folder}/local.csv",
    "preview acme --rows --csv {folder}/users.csv",
    "show {open} --rows --json",
    "preview acme --with exclude_fields=[birth_date]",
    "show {open} --rows --search a",
    "quarantine acme",
    "quarantine acme --json",
    "save acme",
)
AFTER = (
    "settings show acme",
    "settings set acme at=05:15",
    "settings export acme -o {folder}/acme.yaml",
    "settings apply acme {folder}/acme.yaml",
    "settings history acme",
    "settings schema",
    "mapping show acme",
    "mapping add acme Given first_name",
    "mapping set acme Given last_name",
    "mapping rename acme Given Called",
    "mapping change-type acme Called hidden",
    "mapping delete acme Called",
    "import acme",
    "conflicts acme",
    "conflicts acme --json",
    "resolve acme --relink",
    "decisions acme",
    "decisions acme --json",
    "resolve {conflict} --ignore",
    "review acme -o {folder}/review.html",
    "history acme",
    "history acme --json",
    "show {newest} --rows",
    "show {newest} --rows --json",
    "explain acme {person}",
    "explain acme {person} --json",
    "user acme {person}",
    "user acme {person} --json",
    "user-file acme -o {folder}/again.csv",
    "users protect acme {person}",
    "users unprotect acme {person}",
    "milestones acme --json",
    "milestones acme",
    "reporting acme",
    "reporting acme --json",
    "verify acme",
    "resume acme --reason go",
    "pause acme --reason audit",
    "backfill acme",
    "undo {newest} --rows",
    "discard {open} --by Dana",
    "store rotate-key",
    "users erase acme {person} --confirm {person}",
)
WRONG = (
    "demo --nonsense",
    "ui --port nonsense",
    "console --port nonsense",
    "sandbox --fault nonsense",
    "worker --nonsense",
    "setup acme --accept-terms --settings {folder}/bad.yaml",
    "setup acme --accept-terms --code x",
    "connect acme --code x",
    "users load acme {folder}/bad.csv",
    "settings apply acme {folder}/bad.yaml",
    "settings apply acme {folder}/local.csv",
    "resolve nonsense --ignore",
    "show nonsense",
    "approve {newest} --digest x --by me --reason why",
    "save acme",
    "explain acme nobody",
    "user acme {person} --as-of yesterday",
    "undo nonsense",
    "user-file acme -o {folder}",
)
END = ("disconnect acme", "delete acme --confirm acne", "delete acme --confirm acme", "history acme")
REVEALING = (
    "show {newest} --rows --reveal",
    "user acme {person} --reveal",
    "conflicts acme --reveal",
    "user-file acme -o -",
)
"""What a person asks to see on their own terminal: here the values are looked for to prove that the search finds."""


@dataclass
class Searched:
    """What was said where; text is compared without case."""

    hris: Hris
    folder: Path
    said: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def run(self, line: str) -> Result:
        result = self.hris(*(word.format(folder=self.folder, **self.names) for word in line.split()))
        self.lines.append(line)
        self.said[f"stderr of {line}"] = result.stderr
        if line not in REVEALING:
            self.said[f"stdout of {line}"] = result.stdout
        return result

    def leaks(self) -> list[str]:
        return [where for where, text in self.said.items() if any(secret in text.casefold() for secret in SECRETS)]


@pytest.fixture
def searched(acme: str, hris: Hris, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Searched:
    """A company with somebody full of canaries, a namesake, records that fail, and files that hold canaries."""
    (tmp_path / "local.csv").write_text(FILE)
    (tmp_path / "bad.csv").write_text(f"Employee Id,First Name,Last Name,Birth Date\nA1,{CANARY},{CANARY},{CANARY}\n")
    (tmp_path / "bad.yaml").write_text(f"{CANARY}: 1\ndisplay_name: [\n")
    sandbox.company.add(**PLANTED, work_id="P-1", start_date=STARTED)
    sandbox.company.add(first_name=CANARY, last_name=None, work_email=f"{CANARY}x@acme.example")
    sandbox.company.add(first_name=CANARY, last_name=CANARY, birth_date=f"{CANARY}date")
    sandbox.company.add(first_name=CANARY, last_name=CANARY * 9, raw={"emails": {"value": f"{CANARY}mail"}})
    everything = Searched(hris, tmp_path, names={"person": "P-1"})
    failed = app._report_failure

    def recorded(error: BaseException, *, as_json: bool) -> int:
        everything.said[f"traceback {len(everything.said)}"] = "".join(traceback.format_exception(error))
        return failed(error, as_json=as_json)

    monkeypatch.setattr(app, "_report_failure", recorded)
    return everything


def kept_by_dagster(home: Path) -> dict[str, str]:
    """Every file below its home: its databases, its logs, what the runs printed."""
    files = [path for path in (home / "dagster").rglob("*") if path.is_file()]
    return {f"dagster/{path.relative_to(home)}": path.read_bytes().decode("latin-1") for path in files}


def test_no_value_of_a_person_is_where_it_may_not_be_whatever_command_is_run(
    searched: Searched,
    sandbox: Sandbox,
    home: Path,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    with caplog.at_level(logging.DEBUG):
        _a_life(searched, sandbox)
    searched.said["logs"] = "\n".join(caplog.handler.format(record) for record in caplog.records)
    searched.said |= kept_by_dagster(home)
    size = sum(len(text) for text in searched.said.values())
    record_property("bytes searched for planted values", size)
    commands = {command.words for command in COMMANDS}
    assert {
        words for words in commands if not any(f"{line} ".startswith(f"{words} ") for line in searched.lines)
    } == set()
    assert size > 1_000_000
    assert searched.leaks() == []


def _a_life(searched: Searched, sandbox: Sandbox) -> None:
    def imports() -> list[dict[str, Any]]:
        return list(searched.hris("history", "acme", "--json").document["imports"])

    for line in BEFORE:
        searched.run(line)
        if line.startswith("preview acme --rows"):
            searched.names["open"] = imports()[0]["import_id"]
    namesake = {key: PLANTED[key] for key in ("first_name", "last_name", "birth_date")}
    sandbox.company.add(**namesake, start_date=STARTED)
    searched.run("preview acme")
    searched.run("save acme")
    searched.names |= {"newest": next(record["import_id"] for record in imports() if record["counts"]["created"])}
    [conflict, *_] = searched.hris("conflicts", "acme", "--json").document["conflicts"]
    searched.names |= {"conflict": conflict["conflict_id"]}
    for line in REVEALING:
        result = searched.run(line)
        assert CANARY in result.stdout, f"{line} reveals: {result}"
    for line in AFTER:
        if line.startswith("discard"):
            searched.names["open"] = imports()[0]["import_id"]
        searched.run(line)
    for line in WRONG:
        assert searched.run(line).exit_code != 0, line
    sandbox.fault("not_json")
    searched.run("preview acme")
    sandbox.clear_faults()
    for line in END:
        searched.run(line)
