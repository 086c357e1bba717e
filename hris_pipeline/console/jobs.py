"""Long work that a page starts: the Dagster job it is, in a process of its own that outlives the page, the log-in
and the server. What it says of itself stands in a small private file, in ids and counts: that is all there is to
look at."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from hris_pipeline.environment import Environment

__all__ = ["Job", "Jobs", "write_state"]

ENDED = frozenset({"done", "failed"})


@dataclass(frozen=True)
class Job:
    """The latest long work of an integration. ``state`` is starting, running, done or failed; ``read`` counts the
    members read so far; ``message`` says why it failed, or was skipped."""

    name: str
    state: str
    run_id: str
    started_at: str
    read: int = 0
    import_id: str | None = None
    message: str | None = None
    exit_code: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


class Jobs:
    """Starts long work, and tells how far it is."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, integration_id: str, request: Mapping[str, Any]) -> None:
        """Starts a job of an integration.

        Args:
            name: The Dagster job.
            integration_id: For which integration.
            request: What ``job_process`` needs beside: ``actor``, ``run_id``, ``started_at``, ``tags`` and
                ``import_id``, which one is saved.
        """
        path = self._path(integration_id)
        state = {"name": name, "state": "starting", "run_id": request["run_id"], "started_at": request["started_at"]}
        write_state(path, state | {"pid": 0})
        order = {**request, "job": name, "integration": integration_id, "path": str(path)}
        child = subprocess.Popen(
            [sys.executable, "-m", "hris_pipeline.console.job_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with child.stdin or BytesIO() as pipe:
            pipe.write(json.dumps(order).encode())
        self._children[integration_id] = child

    def latest(self, integration_id: str) -> Job | None:
        """The integration's latest long work, if it had any."""
        child = self._children.get(integration_id)
        if child is not None:
            child.poll()
        try:
            state = json.loads(self._path(integration_id).read_text())
        except (OSError, ValueError):
            return None
        pid = state.pop("pid", 0)
        job = Job(**state)
        if job.ended and child is not None and child.pid == pid:
            child.wait()  # it has said its last word
        if job.ended or (_lives(pid) if pid else child is not None and child.returncode is None):
            return job
        return Job(**{**state, "state": "failed", "message": "Its process ended without saying why: start it again."})

    def _path(self, integration_id: str) -> Path:
        return self._environment.home / "console" / f"{integration_id}.json"


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Writes how far a job is, whole, readable by its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(dict(state), file)
    draft.replace(path)


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return _answers(pid)
    return stat[0] != "Z"


def _answers(pid: int) -> bool:
    """Where there is no /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not Path("/proc/self").exists()
