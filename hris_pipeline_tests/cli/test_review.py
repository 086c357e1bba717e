"""Reviewing on the command line: filters, masks, files, what is discarded, who is in quarantine, and the doctor."""

import json
from pathlib import Path
from typing import Any

import pytest

from hris_pipeline.cli.common import account
from hris_pipeline.operations.roles import decisions_of
from hris_pipeline.operations.services import open_services
from hris_pipeline.sandbox.server import Sandbox
from hris_pipeline_tests.kit.command_line import Hris


@pytest.fixture
def changed(saved: dict[str, Any], hris: Hris, sandbox: Sandbox) -> dict[str, Any]:
    """One person has another EmployeeId and email, one is gone; the preview's document."""
    first, second = [member for member in sandbox.ground_truth() if member["active"]][5:7]
    sandbox.company.edit(first["id"], work_id="N-1", work_email="canary@acme.example")
    sandbox.company.remove(second["id"])
    result = hris("preview", "acme", "--rows", "--json")
    assert result.exit_code == 0
    return dict(result.document)


def test_rows_say_both_ids_and_only_when_revealed_names_and_values(changed: dict[str, Any], hris: Hris) -> None:
    [row] = [row for row in changed["rows"] if "employee_id" in row["changed"]]
    assert (row["employee_id_after"], "name" in row, "changes" in row) == ("N-1", False, False)
    assert row["employee_id_before"] not in (None, "N-1")
    rows = hris("show", changed["import_id"], "--rows", "--reveal", "--json").document["rows"]
    [revealed] = [row for row in rows if row["employee_id"] == "N-1"]
    assert revealed["changes"]["email"]["after"] == "canary@acme.example"
    assert revealed["changes"]["employee_id"] == {"before": row["employee_id_before"], "after": "N-1"}
    assert all(row["name"] for row in rows), "also who is archived has a name"
    masked = hris("show", changed["import_id"], "--rows").stdout
    assert f"{row['employee_id_before']} → N-1" in masked
    assert "canary" not in masked
    assert "canary@acme.example" in hris("show", changed["import_id"], "--reveal", "--rows").stdout


FILTERS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("--only", "archive"), 1),
    (("--field", "employee_id"), 1),
    (("--search", "CANARY@acme"), 1),
    (("--only", "create"), 0),
    (("--guard", "archive_limit"), 0),
)
"""Options, and how many rows they leave."""


def test_filters_are_the_same_for_show_and_for_files(changed: dict[str, Any], hris: Hris, tmp_path: Path) -> None:
    file = tmp_path / "review.csv"
    for options, rows in FILTERS:
        assert len(hris("show", changed["import_id"], *options, "--json").document["rows"]) == rows, options
        assert hris("review", "acme", "-o", str(file), *options, "--json").document["rows"] == rows, options
        assert len(file.read_text("utf-8-sig").splitlines()) == rows + 1, options


def test_a_review_is_a_private_file_that_replaces_nothing_but_a_file(
    changed: dict[str, Any], hris: Hris, tmp_path: Path
) -> None:
    for ending in ("html", "csv", "xlsx"):
        file = tmp_path / f"review.{ending}"
        assert hris("review", "acme", changed["import_id"], "-o", str(file)).exit_code == 0
        assert file.stat().st_mode & 0o777 == 0o600
    assert f"hris save acme {changed['import_id']}" in (tmp_path / "review.html").read_text()
    (tmp_path / "link.html").symlink_to(tmp_path / "review.html")
    assert hris("review", "acme", changed["import_id"], "-o", str(tmp_path / "link.html")).exit_code == 0
    assert (tmp_path / "link.html").is_symlink()
    assert ".html, .csv, .xlsx" in hris("review", "acme", "-o", str(tmp_path / "review.pdf")).error
    assert "no action 'remove'" in hris("show", changed["import_id"], "--only", "remove").error


def test_what_nobody_wants_is_discarded(changed: dict[str, Any], hris: Hris) -> None:
    assert hris("discard", changed["import_id"], "--json").document["status"] == "discarded"
    assert hris("save", "acme", changed["import_id"]).exit_code == 4
    assert hris("discard", changed["import_id"]).exit_code == 4


def test_a_preview_of_no_change_never_says_applied(saved: dict[str, Any], hris: Hris) -> None:
    output = hris("preview", "acme").stdout
    assert "nothing to change" in output
    assert "applied" not in output.replace("not applied", "").lower()


def test_who_is_in_quarantine_is_listed_with_why(saved: dict[str, Any], hris: Hris, sandbox: Sandbox) -> None:
    member = next(member for member in sandbox.ground_truth() if member["active"])
    sandbox.company.edit(member["id"], last_name="Q" * 60)
    output = hris("preview", "acme").stdout
    assert "quarantined: last_name is longer than 50 characters" in output
    people = hris("quarantine", "acme", "--field", "last_name", "--json").document["quarantined"]
    assert member["id"] in [person["hris_id"] for person in people]
    assert "Q" * 60 not in [person["value"] for person in people]
    revealed = hris("quarantine", "acme", "--reveal", "--json").document["quarantined"]
    assert "Q" * 60 in [person["value"] for person in revealed]
    assert "Did you mean 'email'" in hris("quarantine", "acme", "--field", "emial").error
    read = hris("quarantine", "acme", "--json").document["import_id"]
    planned = hris("undo", saved["import_id"], "--json").document["import_id"]
    assert hris("discard", planned).exit_code == 0
    assert hris("quarantine", "acme", "--json").document["import_id"] == read


def test_a_digest_is_named_by_its_first_twelve_digits(saved: dict[str, Any], hris: Hris, sandbox: Sandbox) -> None:
    for member in [member for member in sandbox.ground_truth() if member["active"]][:20]:
        sandbox.company.remove(member["id"])
    held = hris("preview", "acme")
    assert held.exit_code == 3
    record = hris("history", "acme", "--json").document["imports"][0]
    [guard] = [guard for guard in record["guards"] if guard["name"] == "archive_limit"]
    under = held.stdout.partition("archive_limit")[2].partition("slow_bleed")[0]
    assert guard["employee_ids"][0] in under, "the ids stand under their guard"
    approve = ("approve", record["import_id"], "--by", "me", "--reason", "layoff", "--digest")
    assert hris(*approve, record["digest"][:11]).exit_code == 2
    assert hris(*approve, record["digest"][:12]).exit_code == 0


def test_the_doctor_tells_what_stands_and_fails_for_a_probe(
    saved: dict[str, Any], hris: Hris, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = hris("doctor", "--json")
    verdicts = {finding["what"]: finding["verdict"] for finding in well.document["findings"]}
    assert (well.exit_code, well.document["ok"]) == (0, True)
    assert verdicts["store"] == verdicts["keys"] == verdicts["connection of acme"] == "ok"
    assert verdicts["daemon"] == "ok", "nobody imports automatically yet"
    assert hris("resume", "acme", "--reason", "go").exit_code == 0
    assert hris("doctor").exit_code == 1, "automatic imports without a daemon"
    process = hris("doctor", "--process", "--json")
    assert process.exit_code == 0, "no daemon and no company's connection is this process's fault"
    assert [finding["what"] for finding in process.document["findings"]] == ["keys", "disk", "store"]
    monkeypatch.setenv("HRIS_SECRET_KEY", "c3RvcmUtdGVzdC1rZXktc3RvcmUtdGVzdC1rZXktMTI=")
    broken = {finding["what"]: finding["verdict"] for finding in hris("doctor", "--json").document["findings"]}
    assert broken["connection of acme"] == "failed"
    monkeypatch.setenv("HRIS_STORE_URL", "sqlite:////nowhere/at/all.db")
    assert hris("doctor", "--process").exit_code == 1
    unreachable = hris("doctor", "--json")
    assert (unreachable.exit_code, json.loads(unreachable.stdout)["ok"]) == (1, False)


def test_a_missing_variable_starts_no_run(saved: dict[str, Any], hris: Hris, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUSTWORKS_CLIENT_SECRET")
    for command in (("preview", "acme"), ("import", "acme", "--yes")):
        refused = hris(*command)
        assert refused.exit_code == 2
        assert "JUSTWORKS_CLIENT_SECRET" in refused.error
    assert len(hris("history", "acme", "--json").document["imports"]) == 1


def test_each_decision_records_the_account_beside_the_name(changed: dict[str, Any], hris: Hris) -> None:
    refused = hris("approve", changed["import_id"], "--digest", "0" * 12, "--by", "Dana", "--reason", "x")
    assert refused.exit_code == 2
    assert hris("discard", changed["import_id"], "--by", "Dana").exit_code == 0
    services = open_services()
    try:
        newest, refusal = decisions_of(services, "acme")[:2]
    finally:
        services.close()
    assert (newest.action, newest.subject, newest.outcome) == ("discard", changed["import_id"], "done")
    assert (newest.name, newest.identity, newest.method) == ("Dana", account(), "os")
    assert (refusal.action, refusal.outcome) == ("approve", "UsageError")


def test_the_version_is_told(hris: Hris) -> None:
    assert hris("--version").stdout.startswith("hris-pipeline ")
    assert set(hris("--version", "--json").document) == {"version"}


def test_unknown_guards_and_statuses_are_refused_before_anything_is_read(saved: dict[str, Any], hris: Hris) -> None:
    before = hris("history", "acme", "--json").document["imports"]
    refused = hris("preview", "acme", "--guard", "foo")
    assert (refused.exit_code, "archive_limit" in refused.stderr) == (2, True)
    assert hris("history", "acme", "--json").document["imports"] == before
    unknown = hris("history", "acme", "--status", "foo")
    assert (unknown.exit_code, "discarded" in unknown.stderr) == (2, True)
    assert "No such imports" in hris("history", "acme", "--status", "failed").stdout
