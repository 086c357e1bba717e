"""What is decided on the command line, or in Dagster past every door, is written down with who was authenticated."""

import os
import pwd
from typing import Any

import pytest

from hris_pipeline.cli import printing
from hris_pipeline.operations.roles import Decision, decisions_of
from hris_pipeline.operations.services import open_services
from hris_pipeline.running import run_job
from hris_pipeline_tests.kit.command_line import Hris
from hris_pipeline_tests.kit.job_configs import reason_config


def decisions(name: str = "acme") -> tuple[Decision, ...]:
    services = open_services()
    try:
        return decisions_of(services, name)
    finally:
        services.close()


def test_the_account_of_the_operating_system_stands_beside_the_typed_name(
    saved: Any, hris: Hris, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert hris("pause", "acme", "--reason", "holidays").exit_code == 0
    assert hris("approve", saved["import_id"], "--digest", "x", "--by", "Lee", "--reason", "y").exit_code == 2
    approve, pause = decisions()[:2]
    account = pwd.getpwuid(os.getuid()).pw_name
    assert (pause.action, pause.name, pause.identity, pause.method) == ("pause", "somebody-else", account, "os")
    assert (approve.action, approve.name, approve.identity) == ("approve", "Lee", account)
    assert (pause.outcome, approve.outcome) == ("done", "UsageError")
    assert approve.subject == saved["import_id"]
    monkeypatch.setattr(printing, "WIDTH_IN_FILES", 400)
    line = hris("decisions", "acme").stdout.splitlines()[1].split("  ")
    assert [cell.strip() for cell in line if cell.strip()][1:] == [
        "approved an import",
        saved["import_id"],
        f"{account} (as Lee)",
        "account on this machine",
        "y",
        "refused",
    ]


def test_every_decision_of_the_command_line_is_written_down(saved: Any, hris: Hris) -> None:
    lines = (
        ("undo", saved["import_id"]),
        ("settings", "set", "acme", "at=05:15"),
        ("users", "protect", "acme", "0001"),
        ("users", "unprotect", "acme", "0001"),
        ("resolve", "acme", "--relink"),
        ("resume", "acme", "--reason", "done"),
        ("disconnect", "acme"),
    )
    for line in lines:
        assert hris(*line).exit_code == 0, line
    expected = ["disconnect", "resume", "relink", "unprotect", "protect", "change_settings", "undo"]
    assert [decision.action for decision in decisions()][: len(expected)] == expected
    assert {decision.outcome for decision in decisions()} == {"done"}
    listed = hris("decisions", "acme", "--limit", str(len(expected)), "--json").document["decisions"]
    assert [line["action"] for line in listed] == expected
    account = pwd.getpwuid(os.getuid()).pw_name
    assert {(line["identity"], line["method"]) for line in listed} == {(account, "os")}
    assert "protected a user" in hris("decisions", "acme").stdout
    assert hris("decisions", "nobody").exit_code == 2


@pytest.mark.parametrize(
    ("tags", "methods"),
    [({}, ["dagster"]), ({"hris/method": "link"}, ["link"]), ({"hris/method": "os", "hris/decided": "yes"}, [])],
    ids=["past the door", "through it", "from the command line"],
)
def test_a_job_of_dagster_writes_its_decision_down_once(saved: Any, tags: dict[str, str], methods: list[str]) -> None:
    before = len(decisions())
    run_job("pause_imports", "acme", actor="lee", tags=tags, config=reason_config("pause_imports", "", "why"))
    fresh = decisions()[: len(decisions()) - before]
    assert [(line.action, line.identity, line.method) for line in fresh] == [
        ("pause", "lee", method) for method in methods
    ]
