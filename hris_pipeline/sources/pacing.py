"""How often, how patiently, how much and how many at once: the rate limiter, retries, the ceilings of an answer and of
a reading; and threads that die with the process, so that an interrupt is heard at once: the next item fetched while
the caller works on this one, calls with a deadline, calls side by side, and what may not be cut in the middle.

What is called, and what its answer means, is not known here.
"""

import atexit
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

__all__ = [
    "LEAST_PART",
    "RECOVERY",
    "UNLIMITED",
    "AdaptiveRateLimiter",
    "Bucket",
    "Buckets",
    "Ceilings",
    "Lease",
    "RateLimiter",
    "Retries",
    "SharedRateLimiter",
    "Workers",
    "prefetch",
    "uninterrupted",
]

RECOVERY = 1.02
"""After a 429 the rate grows by so much a request, until it is the ceiling's again."""

LEAST_PART = 1 / 20
"""However often a source says 429, this part of the ceiling is left."""

FIRST_LEASE = 5
"""So many turns are taken at first: a small company needs no more."""


class RateLimiter(Protocol):
    """When the next request may go out."""

    def reserve(self, path: str = "") -> float:
        """Takes the next turn for a request to ``path``; gives the seconds until it comes."""
        ...

    def on_throttled(self, seconds: float, path: str = "") -> None:
        """The source said 429 to a request to ``path``, and to leave it alone for so long."""
        ...


@dataclass(frozen=True)
class Bucket:
    """A ceiling that processes share: at most ``per_second`` requests a second, after ``burst`` free ones."""

    bucket_id: str
    per_second: float
    burst: int = 5

    @property
    def interval(self) -> float:
        """Seconds between two turns."""
        return 1 / self.per_second


@dataclass(frozen=True)
class Lease:
    """Turns of a bucket: the first in ``start`` seconds (it may lie behind), the others ``interval`` seconds apart."""

    start: float
    interval: float


class Buckets(Protocol):
    """Where buckets are kept for all processes."""

    def take(self, buckets: Sequence[Bucket], turns: int) -> Sequence[Lease] | None:
        """The next ``turns`` turns of each of the buckets; None when nobody can be asked."""
        ...

    def slow(self, buckets: Sequence[Bucket], seconds: float) -> None:
        """No turn for so long, and half as many afterwards."""
        ...


class SharedRateLimiter:
    """Turns from buckets that all processes share; a request waits for all of its buckets. Safe for several threads.

    Turns are leased some at a time: five, then twice as many as before, for a second at most; so companies take turns
    by short slices, however many requests one of them has. While the buckets cannot be asked, the process keeps to
    their ceilings by itself.
    """

    def __init__(
        self,
        shared: Buckets,
        buckets_of: Callable[[str], Sequence[Bucket]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._buckets_of = buckets_of
        self._clock = clock
        self._leased: dict[tuple[Bucket, ...], _Leased] = {}
        self._lock = threading.Lock()

    def reserve(self, path: str = "") -> float:
        """Takes the next turn for a request to ``path``; gives the seconds until it comes."""
        buckets = tuple(self._buckets_of(path))
        with self._lock:
            leased = self._leased.setdefault(buckets, _Leased(buckets))
            if not leased.turns:
                leased.fill(self._shared.take(buckets, leased.next_size), self._clock())
            return max(0.0, leased.turns.popleft() - self._clock())

    def on_throttled(self, seconds: float, path: str = "") -> None:
        """Slows the buckets down for everybody, and gives up the turns that were leased."""
        buckets = tuple(self._buckets_of(path))
        with self._lock:
            self._leased.pop(buckets, None)
        self._shared.slow(buckets, seconds)


class _Leased:
    """The turns left of a lease, as moments of the limiter's clock."""

    def __init__(self, buckets: Sequence[Bucket]) -> None:
        self.turns: deque[float] = deque()
        self._most = max(1, int(min(bucket.per_second for bucket in buckets)))
        self._interval = max(bucket.interval for bucket in buckets)
        self._last = float("-inf")
        self.next_size = min(FIRST_LEASE, self._most)

    def fill(self, leases: Sequence[Lease] | None, now: float) -> None:
        """With a new lease, or without one at the pace of the slowest bucket."""
        size = self.next_size
        if leases is None:
            start = max(now, self._last + self._interval)
            self.turns.extend(start + turn * self._interval for turn in range(size))
        else:
            moments = (max(lease.start + turn * lease.interval for lease in leases) for turn in range(size))
            self.turns.extend(now + moment for moment in moments)
        self._last = self.turns[-1]
        self.next_size = min(2 * size, self._most)


class AdaptiveRateLimiter:
    """At most ``per_second`` requests a second, after ``burst`` free ones; a 429 halves the rate, which then recovers
    by 2 % a request. Safe for several threads."""

    def __init__(
        self, per_second: float = 10.0, burst: int = 5, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = self._rate = per_second
        self._burst = burst
        self._clock = clock
        self._next = float("-inf")
        self._lock = threading.Lock()

    def reserve(self, path: str = "") -> float:  # noqa: ARG002
        """Takes the next turn; gives the seconds until it comes."""
        with self._lock:
            now, interval = self._clock(), 1 / self._rate
            start = max(self._next, now - (self._burst - 1) * interval)
            self._next = start + interval
            self._rate = min(self._limit, self._rate * RECOVERY)
        return max(0.0, start - now)

    def on_throttled(self, seconds: float, path: str = "") -> None:  # noqa: ARG002
        """Halves the rate, down to a twentieth of the ceiling, and leaves the source alone for ``seconds``."""
        with self._lock:
            self._rate = max(self._limit * LEAST_PART, self._rate / 2)
            self._next = max(self._next, self._clock() + seconds)


class _NoCeiling:
    def reserve(self, path: str = "") -> float:  # noqa: ARG002
        return 0.0

    def on_throttled(self, seconds: float, path: str = "") -> None:
        pass


UNLIMITED: RateLimiter = _NoCeiling()
"""For a source on this machine."""


@dataclass(frozen=True)
class Retries:
    """``attempts`` in all; waits double from ``first`` to ``longest`` seconds, jittered; a Retry-After beyond
    ``max_retry_after`` seconds is not waited for. ``sleep`` replaces the waiting itself."""

    attempts: int = 5
    first: float = 0.5
    longest: float = 30.0
    max_retry_after: float = 120.0
    sleep: Callable[[float], None] | None = None
    chance: random.Random = field(default_factory=random.SystemRandom)

    def delay(self, attempt: int) -> float:
        """Seconds to wait after the ``attempt``-th failure (1 for the first)."""
        return min(self.longest, self.first * 2.0 ** (attempt - 1)) * self.chance.uniform(0.5, 1.0)


@dataclass(frozen=True)
class Ceilings:
    """What nothing may exceed: seconds until an answer is there wholly, its bytes after decompression, and of one
    reading of all members the pages and the seconds."""

    answer_seconds: float = 120.0
    answer_bytes: int = 32 << 20
    reading_pages: int = 50_000
    reading_seconds: float = 12 * 3600.0


T = TypeVar("T")

A = TypeVar("A")

_GRACE_SECONDS = 0.3
"""How long is waited for a thread's present work when the caller stops early."""

_AT_EXIT_SECONDS = 1.5
"""How long the end of the process waits for what may not be cut."""


class Workers:
    """Threads, as many as there is work at a time; the end of the process never waits for them."""

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
    """Calls ``function`` so that an interrupt of the caller does not stop it, and the end of the process waits a moment
    for it: for results that are lost when cut, such as the answer to a refresh token that was just spent."""
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
