"""`hris ui`: one command, from an empty home to the made-up company in Dagster, until it is told to stop."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from hris_pipeline.console.app import listen
from hris_pipeline_tests.kit.processes import until

HRIS = Path(sys.executable).parent / "hris"
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["employees"]}) {
  ... on AssetNode { partitionKeys } } }"""


ENDS_WITHIN_SECONDS = 20.0
"""Two seconds, for people; a busy machine is given more."""

IN_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""How a script's shell starts what it does not wait for: deaf to Ctrl-C."""


@pytest.mark.parametrize(
    "started",
    [
        pytest.param((), id="in the foreground"),
        pytest.param(IN_BACKGROUND, id="in the background", marks=pytest.mark.soak),
    ],
)
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
        with httpx.Client(base_url=url, follow_redirects=True, timeout=60) as client:
            client.get(until(lambda: link_in(tmp_path / "log"), what="the link"))
            assert "demo" in client.get("/").text
            assert until(lambda: partitions(client, url), what="the made-up company") == ["demo"]
        assert httpx.post(f"{url}/dagster/graphql", json={"query": PARTITIONS}).status_code == 403
        began = time.monotonic()
        ui.send_signal(signal.SIGTERM if started else signal.SIGINT)
        ui.wait(60)
        assert time.monotonic() - began < ENDS_WITHIN_SECONDS
        with pytest.raises(httpx.TransportError):
            httpx.get(url)
        until(lambda: not processes_of(tmp_path), seconds=60, what="the end of all that it started")
    finally:
        if ui.poll() is None:
            os.killpg(ui.pid, signal.SIGKILL)


def link_in(log: Path) -> str:
    """The link that the terminal shows; none until it is there."""
    return next((line.strip() for line in log.read_text().splitlines() if "/login/link" in line), "")


def partitions(client: httpx.Client, url: str) -> list[str]:
    """The integrations that Dagster shows; none until it has loaded them."""
    answer = client.post("/dagster/graphql", json={"query": PARTITIONS}, headers={"origin": url}).json()
    return list(answer["data"]["assetNodeOrError"].get("partitionKeys", []))


def processes_of(home: Path) -> list[str]:
    """The processes that were started for that home and still live."""
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and str(home) in environment_of(pid)]


def environment_of(pid: str) -> str:
    """The environment a process was started with; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        return ""


def test_who_comes_before_the_console_is_ready_waits_instead_of_being_refused() -> None:
    with closing(listen("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname(), 60):
        pass
