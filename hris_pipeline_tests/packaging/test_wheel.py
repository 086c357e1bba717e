"""A wheel, installed outside the checkout, is the whole product: the demo runs, Dagster loads its definitions."""

import os
import socket
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from hris_pipeline_tests.kit.processes import Group, until

PROJECT = Path(__file__).parents[2]
LIBRARIES = [path for path in sys.path if Path(path).name == "site-packages"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the files that git tracks, so that nothing of a developer's folder can stand in for a missing one."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True).stdout
    archive = subprocess.run(
        ["tar", "--create", "--null", "--files-from=-", "--file=-"],
        cwd=PROJECT,
        input=tracked,
        capture_output=True,
        check=True,
    ).stdout
    subprocess.run(["tar", "--extract", "--file=-"], cwd=tree, input=archive, check=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(tree),
    ]
    subprocess.run(command, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel, and the libraries of this one; gives its folder."""
    root = tmp_path_factory.mktemp("elsewhere")
    venv.create(root, with_pip=False, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(root), "platbase": str(root)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "libraries.pth").write_text("\n".join(LIBRARIES))
    return root


def run(installed: Path, *command: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "HRIS_HOME": str(home / "hris")}
    python = str(installed / "bin" / "python")
    return subprocess.run(
        [python, *command], cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_the_wheel_has_no_tests_and_all_of_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert not [name for name in names if "_tests/" in name]
    package = subprocess.run(
        ["git", "ls-files", "hris_pipeline"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(package) <= names


def test_the_demo_runs_to_its_end_from_a_wheel(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "-c", "from hris_pipeline.cli import main; main()", "demo", home=tmp_path)
    assert done.returncode == 0, done.stderr


def test_dagster_dev_serves_the_wheel_s_definitions_by_the_wheel_s_workspace(installed: Path, tmp_path: Path) -> None:
    where = run(
        installed,
        "-c",
        "import hris_pipeline, pathlib; print(pathlib.Path(hris_pipeline.__file__).parent)",
        home=tmp_path,
    )
    package = Path(where.stdout.strip())
    assert installed in package.parents
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DAGSTER_HOME": str(tmp_path)}
    options = ("-w", str(package / "workspace.yaml"), "-h", "127.0.0.1", "-p", port)
    python = str(installed / "bin" / "python")
    group = Group(["dagster", "dev", *options], environ, tmp_path / "dev.log", python=python)
    try:
        assets = until(lambda: served_assets(port) or (set() if group.alive else {"dead"}), 240, what="the assets")
        assert group.alive, group.output[-2000:]
        assert {"justworks_members", "change_set", "applied_changes"} <= assets
    finally:
        group.stop()


def served_assets(port: str) -> set[str]:
    """The assets that the UI shows; none until it has loaded them."""
    query = {"query": "{ assetNodes { assetKey { path } } }"}
    try:
        answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json=query, timeout=60)
    except httpx.TransportError:
        return set()
    nodes = answer.json()["data"]["assetNodes"] if answer.is_success else []
    return {node["assetKey"]["path"][0] for node in nodes}
