"""Long work in a process of its own: how far it is, and how it ended, whatever happened to it."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from hris_pipeline.console.jobs import Jobs, write_state
from hris_pipeline.environment import VARIABLES
from hris_pipeline.operations.services import Services
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.processes import until

REQUEST: dict[str, Any] = {
    "actor": "dana",
    "tags": {},
    "run_id": "00000000-0000-4000-8000-000000000001",
    "started_at": "2026-03-02T15:00:00+00:00",
    "import_id": None,
}


@pytest.fixture
def jobs(services: Services, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.setenv("HRIS_HOME", str(services.environment.home))
    return Jobs(services.environment)


def state_file(services: Services) -> Path:
    return services.environment.home / "console" / "acme.json"


def written(services: Services, **state: object) -> None:
    document = {"name": "preview_import", "state": "running", "run_id": "r", "started_at": "2026-03-02T15:00:00+00:00"}
    write_state(state_file(services), document | state)


def test_what_was_never_started_is_nothing(jobs: Jobs) -> None:
    assert jobs.latest("acme") is None


def test_a_process_says_how_far_it_is(jobs: Jobs, services: Services) -> None:
    written(services, pid=os.getpid(), read=4200)
    job = jobs.latest("acme")
    assert job is not None
    assert (job.state, job.read, job.ended) == ("running", 4200, False)


def test_a_process_that_is_gone_without_a_word_has_failed(jobs: Jobs, services: Services) -> None:
    written(services, pid=2**22 - 3)
    job = jobs.latest("acme")
    assert job is not None
    assert (job.state, job.ended) == ("failed", True)
    assert "start it again" in str(job.message)


def test_another_server_is_told_of_one_that_never_began(services: Services) -> None:
    written(services, pid=0, state="starting")
    job = Jobs(services.environment).latest("acme")
    assert job is not None
    assert job.state == "failed"


def test_a_file_that_was_cut_is_nothing(jobs: Jobs, services: Services) -> None:
    written(services)
    state_file(services).write_text("{")
    assert jobs.latest("acme") is None


def test_a_job_that_cannot_run_says_why_in_its_own_words(jobs: Jobs, services: Services) -> None:
    jobs.start("preview_import", "nobody", REQUEST)
    assert jobs.latest("nobody") is not None
    until(lambda: (job := jobs.latest("nobody")) is not None and job.ended, what="the end of the job")
    job = jobs.latest("nobody")
    assert job is not None
    assert job.state == "failed"
    assert "There is no integration 'nobody'" in str(job.message)
    assert job.run_id == REQUEST["run_id"]
    path = services.environment.home / "console" / "nobody.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_text())) <= {
        *("name", "state", "run_id", "started_at", "pid", "read", "import_id", "message", "exit_code")
    }


def test_a_job_that_this_machine_keeps_from_running_says_what_is_in_its_way(
    jobs: Jobs, services: Services, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HRIS_SECRET_KEY", ",".join(services.environment.secret_keys))
    monkeypatch.setenv("NO_PROXY", "[::1]")
    for name in ("JUSTWORKS_CLIENT_ID", "JUSTWORKS_CLIENT_SECRET"):
        monkeypatch.setenv(name, "x")
    jobs.start("preview_import", "acme", REQUEST)
    until(lambda: (job := jobs.latest("acme")) is not None and job.ended, what="the end of the job")
    job = jobs.latest("acme")
    assert job is not None
    assert job.state == "failed"
    assert "NO_PROXY holds what is no host" in str(job.message)
