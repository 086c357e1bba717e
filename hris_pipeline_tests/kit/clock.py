"""A clock that stands still until a test moves it, unless it ``ticks``; the sandbox and the pipeline both read it."""

from datetime import UTC, datetime, timedelta

__all__ = ["MONDAY", "Clock"]

MONDAY = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
"""Ten in the morning in New York."""


class Clock:
    """Calling it gives the time, aware, in UTC; one that ``ticks`` moves on by a microsecond then, as real ones do."""

    def __init__(self) -> None:
        self.time = MONDAY
        self.ticks = False

    def __call__(self) -> datetime:
        self.time += timedelta(microseconds=self.ticks)
        return self.time

    def advance(self, **by: float) -> datetime:
        """Moves the time on by a ``timedelta`` of these parts."""
        self.time += timedelta(**by)
        return self.time
