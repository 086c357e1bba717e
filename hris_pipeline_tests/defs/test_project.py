"""What Dagster's own tools read of the project beside the definitions: where they are, for `dg` and for `dagster`, and
whose every asset is."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from hris_pipeline.definitions import defs

ROOT = Path(__file__).parents[2]
DG = shutil.which("dg")
"""dagster-dg-cli, where somebody has installed it."""


def test_dg_and_the_workspace_name_the_same_definitions() -> None:
    dg = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]
    (entry,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    assert dg["directory_type"] == "project"
    target = dg["project"].get("code_location_target_module", f"{dg['project']['root_module']}.definitions")
    assert target == entry["python_module"]["module_name"]
    assert (ROOT / dg["project"]["root_module"] / "defs" / "__init__.py").exists()


def test_every_asset_has_owners_and_kinds_and_says_what_it_is() -> None:
    specs = list(defs.resolve_all_asset_specs())
    assert len(specs) == 9
    for spec in specs:
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.description, spec.key


@pytest.mark.skipif(DG is None, reason="dagster-dg-cli is not installed")
@pytest.mark.parametrize("command", [("check", "defs"), ("list", "defs")], ids=" ".join)
def test_dg_loads_the_definitions(command: tuple[str, ...], tmp_path: Path) -> None:
    environ = {"HRIS_HOME": str(tmp_path), "PATH": str(Path(str(DG)).parent), "HOME": str(tmp_path)}
    ended = subprocess.run([str(DG), *command], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "applied_changes" in ended.stdout or "All definitions loaded successfully" in ended.stdout
