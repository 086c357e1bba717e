"""What the console has of Dagster beside the door: long work that a page starts, the Dagster job it is, in a process of
its own that outlives the page, the log-in and the server; and whether the daemon that starts automatic imports has
been seen.

What long work says of itself stands in a small private file, in ids and counts: that is all there is to look at.
``python -m hris_pipeline.console.jobs`` is that process: it runs the job that it reads from its standard input, and
keeps writing down how far it is. Dagster is only loaded there, or to ask for the daemon, and never while a page
waits.
"""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from hris_pipeline.environment import Environment
from hris_pipeline.errors import HrisError, RunInterrupted
from hris_pipeline.files import machine_words

__all__ = ["DaemonWatch", "Job", "Jobs", "ask_for_daemon", "main", "write_state"]

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
        self.starting = Lock()
        """Held by whoever looks whether one is under way and starts another, so that two clicks start one."""

    def start(self, name: str, integration_id: str, request: Mapping[str, Any]) -> None:
        """Starts a job of an integration.

        Args:
            name: The Dagster job.
            integration_id: For which integration.
            request: What the job's process (``main``) needs beside: ``actor``, ``run_id``, ``started_at``, ``tags`` and
                ``import_id``, which one is saved.
        """
        path = self._job_path(integration_id)
        state = {"name": name, "state": "starting", "run_id": request["run_id"], "started_at": request["started_at"]}
        write_state(path, state | {"pid": 0})
        order = {**request, "job": name, "integration": integration_id, "path": str(path)}
        child = subprocess.Popen(
            [sys.executable, "-m", "hris_pipeline.console.jobs"],
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
            state = json.loads(self._job_path(integration_id).read_text())
        except (OSError, ValueError):
            return None
        pid = state.pop("pid", 0)
        job = Job(**state)
        if job.ended and child is not None and child.pid == pid:
            child.wait()  # it has said its last word
        if job.ended or (_is_process_alive(pid) if pid else child is not None and child.returncode is None):
            return job
        return Job(**{**state, "state": "failed", "message": "Its process ended without saying why: start it again."})

    def _job_path(self, integration_id: str) -> Path:
        return self._environment.home / "console" / f"{integration_id}.json"


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Writes how far a job is, whole, readable by its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(dict(state), file)
    draft.replace(path)


def _is_process_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return _answers_signal(pid)
    return stat[0] != "Z"


def _answers_signal(pid: int) -> bool:
    """Whether a process of that id lives, on systems without /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not Path("/proc/self").exists()


EVERY_SECONDS = 0.5


def main() -> int:
    """Runs the job; the file that the order names always says how it ended."""
    order: dict[str, Any] = json.load(sys.stdin)
    path = Path(order["path"])
    state: dict[str, Any] = {
        "name": order["job"],
        "state": "running",
        "run_id": order["run_id"],
        "started_at": order["started_at"],
        "pid": os.getpid(),
    }
    write_state(path, state)
    try:
        state |= _run(order, path, state)
    except HrisError as error:
        state |= {"state": "failed", "message": str(error), "exit_code": error.exit_code}
    except RunInterrupted as stop:
        state |= {"state": "failed", "message": str(stop), "exit_code": 1}
    except BaseException as error:
        words = machine_words(error)
        message = f"This machine is in the way: {words}." if words else f"It stopped ({type(error).__name__})."
        state |= {"state": "failed", "message": message, "exit_code": 1}
    write_state(path, state)
    return 0 if state["state"] == "done" else 1


def _run(order: dict[str, Any], path: Path, state: dict[str, Any]) -> dict[str, Any]:
    from hris_pipeline.running import apply_config, run_job  # noqa: PLC0415 - Dagster takes seconds; the page shows "starting" meanwhile

    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    written = 0.0

    def progress(read: int) -> None:
        nonlocal written
        if time.monotonic() - written >= EVERY_SECONDS:
            write_state(path, state | {"read": read})
            written = time.monotonic()
        state["read"] = read

    result = run_job(
        order["job"],
        order["integration"],
        actor=order["actor"],
        tags=order["tags"],
        config=apply_config(order["import_id"]) if order["import_id"] else None,
        run_id=order["run_id"],
        progress=progress,
    )
    return {"state": "done", "import_id": result.import_id, "message": result.skipped}


ASKED_AGAIN_AFTER_SECONDS = 30.0


def ask_for_daemon(environment: Environment) -> bool:
    """Whether the heartbeats at ``DAGSTER_HOME`` say that the daemon is alive; False where Dagster was never started,
    and where it cannot be asked. Loads Dagster, which takes seconds."""
    if not (environment.dagster_home / "dagster.yaml").exists():
        return False
    from hris_pipeline.running import daemon_seen, open_instance  # noqa: PLC0415 - Dagster is only loaded to ask it

    with suppress(Exception), open_instance(environment) as instance:  # whatever Dagster's storage raises
        return daemon_seen(instance)
    return False


class DaemonWatch:
    """Keeps the newest answer, and asks again in a thread of its own when it is called and the answer is old."""

    def __init__(self, ask: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = Lock()
        self._thread: Thread | None = None
        self._answered_at = float("-inf")
        self._seen: bool | None = None

    def __call__(self) -> bool | None:
        """What is known; None until the first answer is there."""
        with self._lock:
            asking = self._thread is not None and self._thread.is_alive()
            if not asking and self._clock() - self._answered_at >= ASKED_AGAIN_AFTER_SECONDS:
                self._thread = Thread(target=self._refresh, name="daemon-watch", daemon=True)
                self._thread.start()
        return self._seen

    def wait(self) -> bool | None:
        """The answer that is on its way, waited for."""
        self()
        thread = self._thread
        if thread is not None:
            thread.join()
        return self._seen

    def _refresh(self) -> None:
        seen = self._ask()
        with self._lock:
            self._seen, self._answered_at = seen, self._clock()


if __name__ == "__main__":
    sys.exit(main())
