"""Dagster's own folders are their owner's alone, also where somebody made them before."""

from pathlib import Path

import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.running import open_instance


def test_folders_that_somebody_made_become_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    home = tmp_path / "dagster"
    for name in ("", "storage", "history"):
        (home / name).mkdir(mode=0o755, parents=True, exist_ok=True)
        (home / name).chmod(0o755)
    environment = Environment.read({"HRIS_HOME": str(tmp_path), "DAGSTER_HOME": str(home)})
    with open_instance(environment):
        modes = {path.name: path.stat().st_mode & 0o777 for path in (home, *home.iterdir()) if path.is_dir()}
    assert {modes[name] for name in ("dagster", "storage", "history")} == {0o700}
