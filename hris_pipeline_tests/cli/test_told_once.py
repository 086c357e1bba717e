"""What is told once, and by its right figure: an import that is applied already, a metadata name that moved, the users
as an import left them."""

from pathlib import Path
from typing import Any

from hris_pipeline_tests.kit.command_line import Hris


def test_an_import_that_is_applied_is_told_in_one_line(saved: dict[str, Any], hris: Hris) -> None:
    again = hris("save", "acme", saved["import_id"])
    assert (again.exit_code, len(again.stdout.strip().splitlines())) == (0, 1)
    assert "applied already; nothing was done" in again.stdout
    payload = hris("save", "acme", saved["import_id"], "--json").document
    assert (payload["import_id"], payload["status"], payload["counts"]) == (
        saved["import_id"],
        "applied",
        saved["counts"],
    )
    assert "rows" in hris("save", "acme", saved["import_id"], "--rows", "--json").document


def test_a_renamed_name_tells_whose_value_moved_and_whom_an_import_would_write(
    saved: dict[str, Any], hris: Hris
) -> None:
    renamed = hris("mapping", "rename", "acme", "JobTitle", "Position", "--json").document
    assert renamed["users_touched"] == 0, "their values are there already"
    assert 0 < renamed["users_renamed"] <= saved["counts"]["created"]
    assert hris("mapping", "add", "acme", "Given", "first_name", "--json").document["users_renamed"] == 0


def test_what_if_names_whom_it_touches_and_the_guard_that_would_hold_it(saved: dict[str, Any], hris: Hris) -> None:
    users = saved["counts"]["created"]
    change = ("--with", "mapping.email=secondary_email")
    looked = hris("preview", "acme", *change, "--json").document
    [guard] = [
        guard for guard in looked["then"]["guards"] if guard["tripped"] and guard["name"] == "email_change_limit"
    ]
    assert 0 < looked["users_touched"] <= users
    text = hris("preview", "acme", *change).stdout
    assert f"This touches {looked['users_touched']} users." in text
    assert f"with {change[1]}: email_change_limit: {guard['observed']}, limit {guard['limit']}" in text
    assert "held by" in text


def test_the_users_as_an_import_left_them_are_a_file(saved: dict[str, Any], hris: Hris, tmp_path: Path) -> None:
    target = tmp_path / "then.csv"
    written = hris("user-file", "acme", "-o", str(target), "--as-of", saved["import_id"], "--json").document
    assert written["users"] == saved["counts"]["created"]
    assert len(target.read_bytes().decode("utf-8-sig").strip().splitlines()) == 1 + written["users"]
    assert hris("user-file", "acme", "-o", str(target), "--as-of", "nonsense").exit_code == 2


def test_a_user_as_an_import_left_them(saved: dict[str, Any], hris: Hris) -> None:
    then = hris("user", "acme", "0002", "--as-of", saved["import_id"], "--json").document
    assert (then["user"]["status"], then["as_of"]) == ("active", saved["finished_at"])
    assert hris("user", "acme", "0002", "--as-of", "20260102-030405-0123abcd").exit_code == 2
