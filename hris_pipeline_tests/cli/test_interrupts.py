"""Ctrl-C ends what a person waits for within two seconds; a busy machine is given more, far less than the wait."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from hris_pipeline.operations.services import open_services
from hris_pipeline.sandbox import Sandbox
from hris_pipeline.store.locks import import_running
from hris_pipeline_tests.kit.processes import hear_interrupts, until

HRIS = (sys.executable, "-m", "hris_pipeline.cli")
ENDS_WITHIN_SECONDS = 15.0


def interrupted(process: subprocess.Popen[str], by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
    """Its exit code and what it still said, when Ctrl-C, or SIGTERM, ended it in time."""
    began = time.monotonic()
    process.send_signal(by)
    exit_code = process.wait(60)
    seconds = time.monotonic() - began
    _, said = process.communicate()
    assert seconds < ENDS_WITHIN_SECONDS, said
    return exit_code, said


def started(*arguments: str, environ: dict[str, str]) -> subprocess.Popen[str]:
    hear_interrupts()
    return subprocess.Popen(
        [*HRIS, *arguments], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM], ids=lambda by: by.name)
def test_a_preview_whose_source_says_nothing_stops(
    acme: str, sandbox: Sandbox, child_environment: dict[str, str], by: signal.Signals
) -> None:
    sandbox.fault("slow", path="/v1/members", seconds=60.0)
    process = started("preview", acme, environ=child_environment)
    services = open_services()
    try:
        until(lambda: import_running(services.store, acme), what="the reading")
        time.sleep(1.0)
        assert process.poll() is None
        exit_code, said = interrupted(process, by)
        assert exit_code == 1
        assert "Stopped. Nothing was applied, nothing is left by halves" in " ".join(said.split())
        assert "Traceback" not in said
        assert not import_running(services.store, acme)
    finally:
        services.close()


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


def metrics_at(port: str) -> str | None:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).raise_for_status().text
    except httpx.ConnectError:
        return None


def test_the_console_stops_and_its_metrics_with_it(home: Path, child_environment: dict[str, str]) -> None:
    metrics_port = free_port()
    arguments = ("--port", free_port(), "--metrics-port", metrics_port)
    process = started("console", *arguments, environ=child_environment)
    assert process.stderr is not None
    until(lambda: "/login/link" in str(process.stderr and process.stderr.readline()), what="the link")
    until(lambda: metrics_at(metrics_port) is not None, what="the metrics")
    assert "# TYPE hris_" in (metrics_at(metrics_port) or "")
    assert interrupted(process)[0] == 0
    assert metrics_at(metrics_port) is None
