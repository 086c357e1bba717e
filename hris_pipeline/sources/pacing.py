"""How often, how patiently and how much: the rate limiter, retries, and the ceilings of an answer and of a reading."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["UNLIMITED", "AdaptiveRateLimiter", "Ceilings", "RateLimiter", "Retries"]


class RateLimiter(Protocol):
    """When the next request may go out."""

    def reserve(self) -> float:
        """Takes the next turn; gives the seconds until it comes."""
        ...

    def on_throttled(self, seconds: float) -> None:
        """The source said 429, and to leave it alone for so long."""
        ...


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

    def reserve(self) -> float:
        """Takes the next turn; gives the seconds until it comes."""
        with self._lock:
            now, interval = self._clock(), 1 / self._rate
            start = max(self._next, now - (self._burst - 1) * interval)
            self._next = start + interval
            self._rate = min(self._limit, self._rate * 1.02)
        return max(0.0, start - now)

    def on_throttled(self, seconds: float) -> None:
        """Halves the rate, down to a twentieth of the ceiling, and leaves the source alone for ``seconds``."""
        with self._lock:
            self._rate = max(self._limit / 20, self._rate / 2)
            self._next = max(self._next, self._clock() + seconds)


class _NoCeiling:
    def reserve(self) -> float:
        return 0.0

    def on_throttled(self, seconds: float) -> None:
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
