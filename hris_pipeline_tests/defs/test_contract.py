"""The names that stay, and how the definitions load."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from hris_pipeline.definitions import build_defs, defs

ASSETS = {
    "justworks_members",
    "employees",
    "mapped_users",
    "change_set",
    "applied_changes",
    "user_file",
    "upcoming_milestones",
    "reporting_lines",
    "integration_settings",
}
LINE = {"justworks_members", "employees", "mapped_users", "change_set", "user_file"}


def names(keys: object) -> set[str]:
    return {key.to_user_string() for key in keys}  # type: ignore[attr-defined]


def test_the_assets_are_those_of_the_contract() -> None:
    assert names(defs.resolve_asset_graph().get_all_asset_keys()) == ASSETS


def test_every_asset_is_partitioned_by_integration_and_says_what_it_is() -> None:
    for node in defs.resolve_asset_graph().asset_nodes:
        assert node.partitions_def == dg.DynamicPartitionsDefinition(name="integration")
        assert node.description
        assert len(node.description) > 80
        assert node.kinds
        assert node.owners


@pytest.mark.parametrize(
    ("job", "assets"),
    [
        ("preview_import", LINE),
        ("save_import", {"applied_changes"}),
        ("import_users", ASSETS - {"integration_settings"}),
    ],
)
def test_the_jobs_materialize_what_the_contract_says(job: str, assets: set[str]) -> None:
    assert names(defs.resolve_job_def(job).asset_layer.selected_asset_keys) == assets


@pytest.mark.parametrize("job", ["preview_import", "save_import", "import_users", "pause_imports", "__ASSET_JOB"])
def test_every_job_runs_in_one_process(job: str) -> None:
    assert defs.resolve_job_def(job).executor_def is dg.in_process_executor


def test_the_schedules_and_sensors_run_unless_somebody_stops_them() -> None:
    repository = defs.get_repository_def()
    schedules = {def_.name: def_.default_status for def_ in repository.schedule_defs}
    assert set(schedules) == {"daily_imports", "weekly_imports", "monthly_imports", "connection_refresh", "daily_prune"}
    assert set(schedules.values()) == {dg.DefaultScheduleStatus.RUNNING}
    assert {def_.default_status for def_ in repository.sensor_defs} == {dg.DefaultSensorStatus.RUNNING}


def test_there_is_a_check_for_every_guard() -> None:
    keys = {(key.asset_key.to_user_string(), key.name) for key in defs.resolve_asset_graph().asset_check_keys}
    assert {check for asset, check in keys if asset == "change_set"} == {
        "incomplete_extract",
        "archive_limit",
        "slow_bleed",
        "create_limit",
        "employee_id_mismatch",
        "email_change_limit",
        "identity_change",
        "quarantine_growth",
        "unread_field",
        "field_wipe",
    }
    assert ("employees", "rows_valid") in keys
    assert ("employees", "extract_usable") in keys
    assert ("mapped_users", "rows_valid") in keys


def test_a_resource_can_be_replaced_by_a_plain_object() -> None:
    assert build_defs(resource_overrides={"progress": object()}).resources is not None


def test_loading_opens_nothing_and_needs_no_environment(tmp_path: Path) -> None:
    code = "import hris_pipeline.definitions as d; d.defs.get_repository_def().load_all_definitions()"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join(sys.path)}, check=False
    )
    assert loaded.returncode == 0
    assert list(tmp_path.iterdir()) == []
