"""The demo and the sandbox as processes and in this one."""

import json
import select
import subprocess
from typing import Any

import httpx
import pytest

from hris_pipeline.cli import demo as demo_company
from hris_pipeline_tests.kit.command_line import PROCESS, Hris


def test_the_demo_tells_the_whole_story_and_can_be_told_again(hris: Hris, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_URL", "AUTHORIZE_URL", "CLIENT_ID", "CLIENT_SECRET", "REQUESTS_PER_SECOND"):
        monkeypatch.setenv(f"JUSTWORKS_{name}", "")  # the demo sets them for this process; afterwards they go
    monkeypatch.setattr(demo_company, "EMPLOYEES", 60)
    result = hris("demo", "--json")
    assert result.exit_code == 0, result.stderr
    first, later = result.document["first"], result.document["later"]
    assert (first["status"], later["status"]) == ("applied", "applied")
    assert first["counts"]["created"] > 30
    assert later["counts"]["unchanged"] > later["counts"]["updated"] > 0
    again = hris("demo")
    assert again.exit_code == 0, again.stderr
    for words in ("The first import", "A week later", "What to try now", "hris conflicts demo-2"):
        assert words in again.stdout
    names = [integration["integration"] for integration in hris("integrations", "--json").document["integrations"]]
    assert names == ["demo", "demo-2"]


def test_the_sandbox_prints_what_to_export_and_serves_until_it_is_stopped(child_environment: dict[str, str]) -> None:
    command = [*PROCESS, "sandbox", "--port", "18085", "--employees", "5", "--json"]
    process = subprocess.Popen(command, env=child_environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        assert select.select([process.stdout], [], [], 30)[0]
        document: dict[str, Any] = json.loads(process.stdout.readline())
        address = document["environment"]["JUSTWORKS_API_URL"]
        transport = httpx.HTTPTransport(retries=50)
        with httpx.Client(transport=transport) as client:
            assert len(client.get(f"{address}/sandbox/members").json()) >= 1
    finally:
        process.send_signal(2)
        assert process.wait(20) == 0
        process.stdout.close()
