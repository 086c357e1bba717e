"""An import's hold on its integration: from its first request to the source to its end, also where its steps are the
ops of one run. A file of its own, because reading, planning and applying share it, and each can also stand alone."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from hris_pipeline.store.engine import Store
from hris_pipeline.store.locks import integration_lock

__all__ = ["ImportHold"]


@dataclass
class ImportHold:
    """The integrations that one run holds: whoever has the same hold goes through, everybody else waits or is told. It
    dies with the process."""

    _held: dict[str, ExitStack] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, store: Store, integration_id: str, wait_seconds: float = 0.0) -> None:
        """Holds the integration until ``release``; held already, nothing happens.

        Raises:
            ImportRunning: somebody else still holds it after ``wait_seconds``.
        """
        with self._lock:
            if integration_id in self._held:
                return
            with ExitStack() as stack:
                stack.enter_context(integration_lock(store, integration_id, wait_seconds))
                self._held[integration_id] = stack.pop_all()

    def release(self, integration_id: str | None = None) -> None:
        """Lets go of one integration, or of all."""
        with self._lock:
            names = list(self._held) if integration_id is None else [integration_id]
            stacks = [self._held.pop(name) for name in names if name in self._held]
        for stack in stacks:
            stack.close()

    @contextmanager
    def within(self, store: Store, integration_id: str, wait_seconds: float = 0.0) -> Iterator[None]:
        """Holds the integration for the block, unless it is held already.

        Raises:
            ImportRunning: somebody else still holds it after ``wait_seconds``.
        """
        if integration_id in self._held:
            yield
            return
        with integration_lock(store, integration_id, wait_seconds):
            yield
