"""Celery on one machine without any service: messages are files, and every outcome is as right as with a broker."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hris_pipeline.environment import Environment
from hris_pipeline.store.engine import upgrade_store
from hris_pipeline_tests.kit.celery_machines import Site, site_of
from hris_pipeline_tests.kit.processes import until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """No worker yet."""
    home = tmp_path_factory.mktemp("files")
    environ = {"HRIS_HOME": str(home / "hris"), "HRIS_BROKER_URL": "filesystem://"}
    upgrade_store(Environment.read(environ))
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        site_of(home, environ, monkeypatch, terminate_grace_seconds=1) as site,
    ):
        yield site


def waiting(site: Site) -> list[Path]:
    """The messages that no worker has taken."""
    return list((Path(site.environ["HRIS_HOME"]) / "broker" / "messages").iterdir())


def test_runs_wait_as_files_of_their_owner_alone_until_a_worker_comes(site: Site) -> None:
    runs = [site.launch("work"), site.launch("fail")]
    assert len(waiting(site)) == 2
    assert Path(site.environ["HRIS_HOME"], "broker").stat().st_mode & 0o077 == 0
    site.worker()
    assert [site.outcome(run) for run in runs] == ["SUCCESS", "FAILURE"]
    assert [site.starts(run) for run in runs] == [1, 1]
    assert waiting(site) == []


def test_a_run_is_terminated_from_another_process(site: Site) -> None:
    run = site.launch("hang")
    site.process(run)
    assert site.instance.run_launcher.terminate(run.run_id)
    assert site.outcome(run) == "CANCELED"


def test_what_a_killed_worker_had_not_taken_is_done_by_the_next_once(site: Site) -> None:
    hanging = [site.launch("hang"), site.launch("hang")]
    children = [site.process(run) for run in hanging]
    next_one = site.launch("work")
    site.workers[-1].kill()
    until(lambda: not any(map(_is_alive, children)))
    site.worker()
    assert site.outcome(next_one) == "SUCCESS"
    assert [site.starts(run) for run in (*hanging, next_one)] == [1, 1, 1]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
