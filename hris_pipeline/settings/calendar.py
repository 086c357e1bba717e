"""When an import is due: local calendar days at a local time, as UTC instants. Pure: the clock is an argument.

A local time that a clock change skips is the first instant after it; one that it repeats is the first of the two.
Due moments follow from the calendar alone, never from when something last ran, so they cannot drift.
"""

from bisect import bisect_right
from calendar import monthrange
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hris_pipeline.settings.document import Settings

__all__ = ["FREQUENCIES", "Calendar", "latest_due", "local_date", "next_due"]

FREQUENCIES = ("daily", "weekly", "monthly")


@dataclass(frozen=True)
class Calendar:
    """What of the settings says when an import is due; of ten thousand integrations nothing else need be read."""

    frequency: str
    at: str
    weekday: str
    day_of_month: int
    time_zone: str

    @classmethod
    def of(cls, settings: Settings) -> "Calendar":
        """That of the settings."""
        return cls(*(getattr(settings, field.name) for field in fields(cls)))


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def local_date(settings: Settings | Calendar, now: datetime) -> date:
    """Which day it is at ``now`` (aware) in the integration's time zone."""
    return now.astimezone(ZoneInfo(settings.time_zone)).date()


def latest_due(settings: Settings | Calendar, now: datetime) -> datetime:
    """The latest due moment at or before ``now``; both aware, the result in UTC."""
    moments = _moments_around(settings, now)
    return moments[bisect_right(moments, now) - 1]


def next_due(settings: Settings | Calendar, after: datetime) -> datetime:
    """The first due moment later than ``after``; both aware, the result in UTC."""
    moments = _moments_around(settings, after)
    return moments[bisect_right(moments, after)]


def _moments_around(settings: Settings | Calendar, instant: datetime) -> tuple[datetime, ...]:
    days = _due_days(settings.frequency, settings.weekday, settings.day_of_month, local_date(settings, instant))
    return _due_moments(days, settings.at, settings.time_zone)


@lru_cache(maxsize=4096)
def _due_days(frequency: str, weekday: str, day_of_month: int, day: date) -> tuple[date, ...]:
    """The due days around ``day``, in order: at least one before it and one after it, and one more for safety."""
    if frequency == "daily":
        return tuple(day + timedelta(days=shift) for shift in range(-2, 3))
    if frequency == "weekly":
        latest = day - timedelta(days=(day.weekday() - _WEEKDAYS.index(weekday)) % 7)
        return tuple(latest + timedelta(weeks=shift) for shift in range(-1, 3))
    months = (divmod(day.year * 12 + day.month - 1 + shift, 12) for shift in range(-2, 3))
    return tuple(date(year, month + 1, min(day_of_month, monthrange(year, month + 1)[1])) for year, month in months)


@lru_cache(maxsize=4096)
def _due_moments(days: tuple[date, ...], at: str, time_zone: str) -> tuple[datetime, ...]:
    zone = ZoneInfo(time_zone)
    return tuple(_resolve_wall_time(datetime.combine(day, time.fromisoformat(at)), zone) for day in days)


def _resolve_wall_time(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which clocks in ``zone`` first show ``wall``, or the first one after it when they never do."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=1) // 2)
        if middle.astimezone(zone).replace(tzinfo=None) > wall:
            after = middle
        else:
            before = middle
    return after
