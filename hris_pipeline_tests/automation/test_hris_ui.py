"""`hris ui`: one command, from an empty home to the made-up company in Dagster, until it is told to stop."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from hris_pipeline_tests.kit.processes import until

HRIS = Path(sys.executable).parent / "hris"
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["employees"]}) {
  ... on AssetNode { partitionKeys } } }"""


IN_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""How a script's shell starts what it does not wait for: deaf to Ctrl-C."""


@pytest.mark.parametrize("started", [(), IN_BACKGROUND], ids=["in the foreground", "in the background"])
def test_the_ui_serves_the_made_up_company_until_it_is_told_to_stop(started: tuple[str, ...], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HRIS_HOME": str(tmp_path / "hris")}
    with (tmp_path / "log").open("wb") as log:
        ui = subprocess.Popen(
            [*started, HRIS, "ui", "--port", url.rpartition(":")[2]],
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        assert until(lambda: partitions(url), what="the made-up company") == ["acme"]
        ui.terminate()
        ui.wait(60)
        with pytest.raises(httpx.TransportError):
            httpx.get(url)
    finally:
        if ui.poll() is None:
            os.killpg(ui.pid, signal.SIGKILL)


def partitions(url: str) -> list[str]:
    """The integrations that the UI shows; none until it is there."""
    try:
        answer = httpx.post(f"{url}/graphql", json={"query": PARTITIONS}, timeout=60).json()
    except httpx.TransportError:
        return []
    return list(answer["data"]["assetNodeOrError"].get("partitionKeys", []))
