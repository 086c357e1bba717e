"""Imports from the command line, told as an administrator lives them."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from hris_pipeline.contract import APPLIED_COUNTS, COUNTS
from hris_pipeline.sandbox.server import Sandbox
from hris_pipeline_tests.kit.command_line import Hris

KEYS = {"integration", "import_id", "digest", "status", "counts", "guards", "complete", "extract_id"}


def test_a_preview_is_saved_exactly_once(acme: str, hris: Hris) -> None:
    planned = hris("preview", acme, "--json", "--rows")
    assert planned.exit_code == 0
    document = planned.document
    assert set(document) >= KEYS
    assert document["status"] == "planned"
    assert set(document["counts"]) == set(COUNTS)
    assert len(document["rows"]) == document["counts"]["created"] > 0
    assert {"name", "limit", "observed", "tripped"} <= set(document["guards"][0])
    saved = hris("save", acme, document["import_id"], "--json")
    assert (saved.exit_code, saved.document["status"]) == (0, "applied")
    assert (saved.document["digest"], saved.document["counts"]) == (document["digest"], document["counts"])
    again = hris("save", acme, "--json")
    assert (again.exit_code, again.document["import_id"]) == (0, document["import_id"])
    assert len(hris("history", acme, "--json").document["imports"]) == 1


def test_the_breakdown_names_counts_guards_reasons_digest_and_the_next_command(acme: str, hris: Hris) -> None:
    result = hris("preview", acme, "--rows")
    latest = hris("history", acme, "--json").document["imports"][0]
    for words in (
        *APPLIED_COUNTS,
        "archive_limit",
        latest["digest"],
        "excluded: inactive",
    ):
        assert words in result.stdout
    assert f"hris save acme {latest['import_id']}" in result.stdout
    assert result.stderr == ""


def test_nobody_s_data_reaches_a_log_or_an_answer_that_was_not_asked_for_it(
    acme: str, hris: Hris, sandbox: Sandbox
) -> None:
    results = [hris("preview", acme, "--rows"), hris("save", acme), hris("history", acme), hris("conflicts", acme)]
    results += [hris("mapping", "show", acme), hris("explain", acme, "0001"), hris("integrations")]
    surnames = {member["name"].get("family_name", "") for member in sandbox.ground_truth()}
    emails = {mail.get("email") or "-" for member in sandbox.ground_truth() for mail in member["emails"]}
    for result in results:
        said = result.stdout + result.stderr
        assert result.exit_code == 0
        assert not [name for name in surnames if len(name) > 5 and name in said]
        assert not [mail for mail in emails if len(mail) > 5 and mail in said]


def test_what_is_held_exits_3_until_that_very_change_set_is_approved(
    saved: dict[str, Any], hris: Hris, sandbox: Sandbox
) -> None:
    for member in [record for record in sandbox.ground_truth() if record["active"]][:20]:
        sandbox.company.remove(member["id"])
    held = hris("preview", "acme", "--json")
    assert (held.exit_code, held.document["status"]) == (3, "held")
    assert "archive_limit" in [guard["name"] for guard in held.document["guards"] if guard["tripped"]]
    import_id, digest = held.document["import_id"], held.document["digest"]
    assert hris("save", "acme").exit_code == 3
    assert hris("import", "acme", "--yes", "--json").document["status"] == "held"
    assert "HOLDS" in hris("show", import_id).stdout
    refused = hris("approve", import_id, "--digest", "0" * 64, "--by", "me", "--reason", "layoff")
    assert refused.exit_code == 2
    assert hris("approve", import_id, "--digest", digest, "--by", "me", "--reason", "layoff").exit_code == 0
    applied = hris("save", "acme", "--json")
    assert (applied.exit_code, applied.document["status"]) == (0, "applied")
    assert applied.document["counts"]["archived"] >= 15


def test_a_plan_under_other_settings_is_stale(acme: str, hris: Hris) -> None:
    import_id = hris("preview", acme, "--json").document["import_id"]
    assert hris("settings", "set", acme, "override_emails=on").exit_code == 0
    stale = hris("save", acme, import_id)
    assert stale.exit_code == 4
    assert "settings" in stale.error


def test_undo_plans_and_save_applies_it(saved: dict[str, Any], hris: Hris) -> None:
    planned = hris("undo", saved["import_id"], "--json").document
    assert (planned["status"], planned["trigger"]) == ("planned", "undo")
    assert planned["counts"]["archived"] == saved["counts"]["created"]
    assert hris("save", "acme", "--json").document["status"] == "applied"
    assert hris("verify", "acme", "--json").document["ok"] is True


def test_looking_under_other_settings_stores_nothing(saved: dict[str, Any], hris: Hris) -> None:
    looked = hris(
        "preview", "acme", "--with", "exclude_fields=[birth_date]", "--with", "archive_employees=off", "--json"
    )
    assert looked.exit_code == 0
    assert set(looked.document["today"]["counts"]) == set(looked.document["then"]["counts"]) == set(COUNTS)
    from_extract = hris("preview", "acme", "--extract", saved["extract_id"], "--json").document
    assert from_extract["extract_id"] == saved["extract_id"]
    assert len(hris("history", "acme", "--json").document["imports"]) == 1


def test_the_user_file_is_the_users_as_they_would_be_and_only_the_owner_reads_it(
    acme: str, hris: Hris, tmp_path: Path
) -> None:
    file = tmp_path / "users.csv"
    created = hris("preview", acme, "--csv", str(file), "--json").document["counts"]["created"]
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == created
    assert {"Employee Id", "First Name", "#JobTitle"} <= set(rows[0])
    assert file.stat().st_mode & 0o077 == 0
    assert hris("user-file", acme, "-o", str(tmp_path / "again.csv")).exit_code == 0
    assert (tmp_path / "again.csv").read_bytes() == file.read_bytes()


def test_settings_go_out_and_in_as_yaml_and_every_change_is_a_version(acme: str, hris: Hris, tmp_path: Path) -> None:
    assert hris("settings", "set", acme, "notify=[{to: 'mailto://user:word@host'}]", "at=05:15").exit_code == 0
    result = hris("settings", "show", acme)
    assert "mailto://…" in result.stdout
    assert "word" not in result.stdout + hris("settings", "show", acme, "--json").stdout
    file = tmp_path / "acme.yaml"
    assert hris("settings", "export", acme, "-o", str(file)).exit_code == 0
    assert "word" in file.read_text()
    assert hris("settings", "apply", acme, str(file), "--json").document["version"] == 2
    file.write_text("# read by the board\nat: '06:00'  # after payroll\n")
    applied = hris("settings", "apply", acme, str(file), "--json").document
    assert applied["version"] == 3
    assert {change["key"] for change in applied["changes"]} == {"at", "notify[0].to", "notify[0].on"}
    assert hris("settings", "set", acme, "override_emails=on", "at=07:00").exit_code == 0
    assert hris("settings", "export", acme, "-o", str(file)).exit_code == 0
    assert file.read_text() == "# read by the board\nat: '07:00'  # after payroll\noverride_emails: true\n"
    history = hris("settings", "history", acme, "--json")
    assert [version["version"] for version in history.document["versions"]] == [4, 3, 2, 1]
    assert "word@" not in history.stdout


def test_a_changed_mapping_says_whom_it_touches_and_what_is_out_of_date(saved: dict[str, Any], hris: Hris) -> None:
    created = saved["counts"]["created"]
    changed = hris("mapping", "add", "acme", "Given", "first_name", "--json").document
    assert changed["users_touched"] == created
    assert changed["version"] == 2
    assert hris("mapping", "rename", "acme", "Given", "Called", "--json").document["version"] == 3
    assert hris("mapping", "change-type", "acme", "Called", "hidden", "--json").document["version"] == 4
    assert hris("mapping", "set", "acme", "Called", "last_name", "--json").document["version"] == 5
    assert "mapped_users" in hris("integrations", "--json").document["integrations"][0]["out_of_date"]
    assert hris("preview", "acme", "--json").document["counts"]["updated"] == created
    assert "mapped_users" not in hris("integrations", "--json").document["integrations"][0]["out_of_date"]
    assert hris("mapping", "delete", "acme", "Called", "--json").document["version"] == 6


def test_samples_are_masked_unless_they_are_asked_for(saved: dict[str, Any], hris: Hris) -> None:
    fields = {field["source"]: field for field in hris("mapping", "show", "acme", "--json").document["fields"]}
    assert fields["email"]["feeds"] == ["email"]
    assert "•" in fields["email"]["sample"]
    assert 0 < fields["email"]["fill_rate"] <= 1
    revealed = {
        field["source"]: field for field in hris("mapping", "show", "acme", "--reveal", "--json").document["fields"]
    }
    assert "@" in revealed["email"]["sample"]
    assert "•" not in revealed["email"]["sample"]


def test_one_person_explained_protected_erased(saved: dict[str, Any], hris: Hris) -> None:
    masked = hris("user", "acme", "0001", "--json").document["user"]
    user = hris("user", "acme", "0001", "--reveal", "--json").document["user"]
    assert masked["employee_id"] == user["employee_id"]
    assert masked["email"] != user["email"]
    assert user["employee_id"] == "0001"
    assert hris("user", "acme", "0001", "--as-of", "2001-01-01", "--json").document["user"] is None
    assert f"(1) import {saved['import_id']}, settings 1\n" in hris("explain", "acme", "0001").stdout
    explained = hris("explain", "acme", "0001", "email", "--reveal", "--json").document["fields"][0]
    assert explained["stored"] == user["email"]
    assert explained["written_by"]["import_id"] == saved["import_id"]
    assert "•" in json.dumps(hris("explain", "acme", "0001", "email", "--json").document["fields"], ensure_ascii=False)
    for word in ("protect", "unprotect"):
        assert hris("users", word, "acme", "0001").exit_code == 0
    assert hris("users", "erase", "acme", "0001", "--confirm", "0001").exit_code == 0
    assert user["email"] not in hris("user", "acme", "0001").stdout


def test_local_users_are_loaded_from_a_user_file(acme: str, hris: Hris, tmp_path: Path) -> None:
    file = tmp_path / "local.csv"
    file.write_text("Employee Id,First Name,Last Name\nL1,Ana,Lima\nL2,Bo,Ng\n")
    loaded = hris("users", "load", acme, str(file), "--json").document
    assert (loaded["created"], loaded["updated"]) == (2, 0)
    file.write_text("Employee Id,First Name\nL3,Ana\n")
    assert "Last Name" in hris("users", "load", acme, str(file)).error


def test_automatic_imports_are_paused_and_resumed_with_a_reason(saved: dict[str, Any], hris: Hris) -> None:
    assert hris("resume", "acme", "--reason", "go", "--json").document["automatic"] == "running"
    line = hris("integrations", "--json").document["integrations"][0]
    assert (line["automatic"], line["connection"], line["frequency"]) == ("running", "connected", "daily")
    assert line["next_due"] is not None
    assert line["last_import"]["status"] == "applied"
    assert hris("pause", "acme", "--reason", "audit", "--json").document["automatic"] == "paused"
    assert "audit" in hris("integrations").stdout


def test_a_backfill_plans_from_the_stored_extract_without_asking_the_source(
    saved: dict[str, Any], hris: Hris, sandbox: Sandbox
) -> None:
    asked = sandbox.requests.total()
    done = hris("backfill", "--json")
    assert done.exit_code == 0
    assert done.document["backfill"][0]["trigger"] == "backfill"
    assert done.document["backfill"][0]["extract_id"] == saved["extract_id"]
    assert sandbox.requests.total() == asked


def test_a_backfill_of_single_assets_makes_them_alone(saved: dict[str, Any], hris: Hris, sandbox: Sandbox) -> None:
    asked = sandbox.requests.total()
    reports = hris("backfill", "--asset", "reporting_lines", "--asset", "upcoming_milestones", "--json").document
    assert reports == {"backfill": [{"integration": "acme", "status": "made", "counts": {}, "error": None}]}
    line = ("employees", "mapped_users", "change_set", "applied_changes")
    planned = hris("backfill", "acme", *(word for asset in line for word in ("--asset", asset)), "--json").document

    assert planned["backfill"][0]["extract_id"] == saved["extract_id"]
    assert planned["backfill"][0]["trigger"] == "backfill"
    assert sandbox.requests.total() == asked
    again = hris("backfill", "--asset", "justworks_members", "--fresh", "--json")
    assert again.document["backfill"][0]["status"] == "made"
    assert sandbox.requests.total() > asked
    stale = hris("backfill", "--asset", "change_set", "--json")
    assert stale.exit_code == 1
    assert "materialize mapped_users for acme again" in stale.document["backfill"][0]["error"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--asset", "reporting_line"), "There is no asset 'reporting_line'. Did you mean 'reporting_lines'?"),
        (("--asset", "employees", "--apply"), "--apply makes everything: leave out --asset."),
        (("--asset", "employees", "--fresh"), "Only justworks_members reads the source"),
    ],
)
def test_a_backfill_that_cannot_be_meant_is_refused_before_anything_runs(
    saved: dict[str, Any], hris: Hris, options: tuple[str, ...], says: str
) -> None:
    refused = hris("backfill", *options)
    assert refused.exit_code == 2
    assert says in refused.error


def test_reports_are_tables_of_the_users(saved: dict[str, Any], hris: Hris) -> None:
    assert len(hris("reporting", "acme", "--json").document["reporting_lines"]) == saved["counts"]["created"]
    assert hris("milestones", "acme", "--json").document["milestones"]
    assert hris("reporting", "acme").exit_code == hris("milestones", "acme").exit_code == 0


def test_disconnecting_and_deleting_leave_the_users(saved: dict[str, Any], hris: Hris, home: Path) -> None:
    assert hris("disconnect", "acme", "--json").document["revoked"] is True
    assert "hris connect acme" in hris("preview", "acme").error
    deleted = hris("delete", "acme", "--confirm", "acme", "--json").document
    assert deleted["users_kept"] == saved["counts"]["created"]
    assert hris("integrations", "--json").document == {"integrations": []}
    (former,) = hris("integrations", "--deleted", "--json").document["integrations"]
    newest = hris("history", "acme", "--json").document["imports"]
    assert (former["integration"], former["imports"]) == ("acme", len(newest))
    assert former["last_import"] == newest[0]["import_id"]
    assert saved["import_id"] in hris("history", "acme").stdout
    assert not list(home.glob("files/**/*.parquet"))


@pytest.mark.parametrize("settings", ["{}", "source: finch\n"])
def test_setup_without_a_terminal_imports_nothing_and_starts_nothing(
    settings: str, sandbox: Sandbox, hris: Hris, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINCH_API_URL", sandbox.finch_url)
    monkeypatch.setenv("FINCH_REQUESTS_PER_MINUTE", "60000")
    file = tmp_path / "settings.yaml"
    file.write_text(settings)
    code = sandbox.finch_token if "finch" in settings else sandbox.authorize()
    done = hris("setup", "acme", "--accept-terms", "--settings", str(file), "--code", code, "--json").document
    assert (done["connection"], done["saved"], done["automatic"]) == ("connected", False, "off")
    assert done["next"] == "hris preview acme"
    assert hris("history", "acme", "--json").document["imports"] == []
    assert hris("preview", "acme", "--json").document["counts"]["created"] > 0


def test_setup_without_a_code_tells_where_to_agree(sandbox: Sandbox, hris: Hris) -> None:
    begun = hris("setup", "acme", "--accept-terms", "--json").document
    assert (begun["connection"], begun["next"]) == ("none", "hris connect acme")
    _, code = sandbox.consent(begun["consent_url"])
    assert hris("connect", "acme", "--code", code, "--json").document["company"]
