"""What is told so that nobody is taken for somebody else: ids that a spreadsheet cut short, and a made-up company."""

from pathlib import Path

from hris_pipeline.contract import MADE_UP
from hris_pipeline.sandbox.server import Sandbox
from hris_pipeline_tests.kit.command_line import Hris


def test_ids_that_differ_by_leading_zeros_alone_are_warned_about(acme: str, hris: Hris, tmp_path: Path) -> None:
    file = tmp_path / "local.csv"
    file.write_text("Employee Id,First Name,Last Name\n0001,Ana,Lima\n")
    assert "leading zeros" not in hris("users", "load", acme, str(file)).stdout
    file.write_text("Employee Id,First Name,Last Name\n1,Ana,Lima\n")
    loaded = hris("users", "load", acme, str(file))
    assert loaded.exit_code == 0
    assert "leading zeros" in loaded.stdout
    assert "0001" in loaded.stdout


def test_setup_says_which_company_is_made_up(acme: str, hris: Hris, sandbox: Sandbox) -> None:
    assert hris("settings", "set", acme, f"display_name={MADE_UP}").exit_code == 0
    begun = hris("setup", "real", "--accept-terms", "--json").document
    sandboxed, other = begun["notes"]
    assert "everybody in real is made up" in sandboxed
    assert "holds acme, a made-up company" in other
    assert "hris delete acme --confirm acme" in other
