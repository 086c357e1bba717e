"""Threads that die with the process, so that an interrupt is heard at once: the next item fetched while the caller
works on this one, calls with a deadline, calls side by side, and what may not be cut in the middle."""

import atexit
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from queue import SimpleQueue
from typing import Any, TypeVar

__all__ = ["Workers", "prefetch", "uninterrupted"]

T = TypeVar("T")
A = TypeVar("A")

_GRACE_SECONDS = 0.3
"""How long is waited for a thread's present work when the caller stops early."""

_AT_EXIT_SECONDS = 1.5
"""How long the end of the process waits for what may not be cut."""


class Workers:
    """As many threads as there is work at a time; never waited for at the end of the process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, function: Callable[[], T]) -> "Future[T]":
        """Starts ``function`` in a thread."""
        future: Future[T] = Future()
        self._work.put((future, function))
        if not self._idle.acquire(blocking=False):
            thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def call(self, function: Callable[[], T], seconds: float) -> T:
        """What ``function`` gives.

        Raises:
            TimeoutError: it did not within ``seconds``; it is left to end by itself.
        """
        future = self.submit(function)
        try:
            return future.result(seconds)
        except FutureTimeout:
            if future.done():
                raise
            raise TimeoutError from None

    def map(self, function: Callable[[A], T], items: Iterable[A], at_once: int) -> list[T]:
        """What ``function`` gives for each item, in their order, at most so many side by side."""
        waiting = list(enumerate(items))[::-1]
        results: dict[int, T] = {}

        def work() -> None:
            while waiting and not self._closed:
                try:
                    place, item = waiting.pop()
                except IndexError:
                    return
                results[place] = function(item)

        futures = [self.submit(work) for _ in range(min(at_once, len(waiting)))]
        for future in futures:
            future.result()
        return [results[place] for place in range(len(results))]

    def close(self) -> None:
        """Lets the threads end; those at work are waited for only a moment."""
        self._closed = True
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_GRACE_SECONDS / len(self._threads))

    def _serve(self) -> None:
        while (item := self._work.get()) is not None:
            future, function = item
            try:
                future.set_result(function())
            except BaseException as error:  # it belongs to whoever waits for the result
                future.set_exception(error)
            del item, future, function
            self._idle.release()


def prefetch(items: Iterator[T]) -> Iterator[T]:
    """The same items in the same order, never more than one ahead of the caller.

    An error of ``items`` is raised where its item would have come. When the caller stops, nothing more is fetched.
    """
    end = object()
    workers = Workers("ahead")
    try:
        pending = workers.submit(lambda: next(items, end))
        while (item := pending.result()) is not end:
            pending = workers.submit(lambda: next(items, end))
            yield item  # type: ignore[misc]
    finally:
        workers.close()


_uncut = threading.Condition()
_uncut_calls = 0


def uninterrupted(function: Callable[[], T]) -> T:
    """What ``function`` gives; an interrupt of the caller does not stop it, and the end of the process waits for it for
    a moment. For what is lost when it is cut, as a refresh token that has been spent."""
    global _uncut_calls  # noqa: PLW0603

    def counted() -> T:
        global _uncut_calls  # noqa: PLW0603
        try:
            return function()
        finally:
            with _uncut:
                _uncut_calls -= 1
                _uncut.notify_all()

    with _uncut:
        _uncut_calls += 1
    return Workers("uncut").submit(counted).result()


@atexit.register
def _wait_for_uncut() -> None:
    with _uncut:
        _uncut.wait_for(lambda: _uncut_calls == 0, _AT_EXIT_SECONDS)
