"""Whether the daemon that starts automatic imports has been seen: asked of the heartbeats in Dagster's instance.

Dagster is only loaded to ask, and never while a page waits. What is shown of the answer is the pages' and the doctor's.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread

from hris_pipeline.environment import Environment

__all__ = ["DaemonWatch", "ask_for_daemon"]

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
        """The same, after the answer that is on its way."""
        self()
        thread = self._thread
        if thread is not None:
            thread.join()
        return self._seen

    def _refresh(self) -> None:
        seen = self._ask()
        with self._lock:
            self._seen, self._answered_at = seen, self._clock()
