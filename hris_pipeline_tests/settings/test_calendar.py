"""When an import is due: two years of quarter hours, in every kind of zone, each period exactly once."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.settings.calendar import latest_due, local_date, next_due
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.validating import settings_from

ZONES = (
    "Pacific/Niue",
    "Pacific/Honolulu",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "UTC",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Kiritimati",
)
FREQUENCIES: tuple[dict[str, object], ...] = (
    {"frequency": "daily", "at": "00:00"},
    {"frequency": "daily", "at": "02:15"},
    {"frequency": "weekly", "at": "02:30", "weekday": "sunday"},
    {"frequency": "monthly", "at": "23:45", "day_of_month": 31},
)
TICK = timedelta(minutes=15)
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
TICKS = tuple(START + TICK * step for step in range((END - START) // TICK))


def period(settings: Settings, day: date) -> tuple[int, ...]:
    periods = {"daily": (day.toordinal(),), "weekly": day.isocalendar()[:2], "monthly": (day.year, day.month)}
    return periods[settings.frequency]


def handled(settings: Settings) -> Iterator[tuple[datetime, datetime]]:
    """(tick, due moment) as a scheduler that asks every quarter hour would start imports."""
    last = latest_due(settings, START - TICK)
    for tick in TICKS:
        due = latest_due(settings, tick)
        if due > last:
            last = due
            yield tick, due


def identity(frequency: dict[str, object]) -> str:
    return f"{frequency['frequency']}-{frequency['at']}"


@pytest.mark.parametrize("frequency", FREQUENCIES, ids=identity)
@pytest.mark.parametrize("zone", ZONES)
def test_each_period_of_two_years_is_due_exactly_once_and_never_drifts(zone: str, frequency: dict[str, object]) -> None:
    settings = settings_from({"time_zone": zone, **frequency})
    time_zone, at = ZoneInfo(zone), time.fromisoformat(settings.at)
    started = [(tick, due.astimezone(time_zone)) for tick, due in handled(settings)]
    periods = [period(settings, local.date()) for _, local in started]
    every = list(dict.fromkeys(period(settings, date(2024, 1, 1) + timedelta(days=day)) for day in range(731)))
    assert len(set(periods)) == len(periods)
    assert set(every[1:-1]) <= set(periods)
    for tick, local in started:
        assert timedelta() <= tick - local < TICK
        assert local.time() == at or skipped(datetime.combine(local, at), time_zone)
        assert settings.frequency != "weekly" or local.weekday() == 6
        assert settings.frequency != "monthly" or (local + timedelta(days=1)).day == 1


def skipped(wall: datetime, zone: ZoneInfo) -> bool:
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    return instant.astimezone(zone).replace(tzinfo=None) != wall


@pytest.mark.parametrize("frequency", FREQUENCIES, ids=identity)
@pytest.mark.parametrize("zone", ZONES)
def test_the_next_due_moment_is_the_latest_one_once_it_has_come(zone: str, frequency: dict[str, object]) -> None:
    settings = settings_from({"time_zone": zone, **frequency})
    moment = START
    while moment < END:
        following = next_due(settings, moment)
        assert following > moment
        assert latest_due(settings, following) == following
        assert latest_due(settings, following - timedelta(seconds=1)) < following
        assert next_due(settings, following - timedelta(seconds=1)) == following
        moment = following


@pytest.mark.parametrize(
    ("zone", "day", "at", "due"),
    [
        ("America/New_York", "2024-07-01", "04:00", "2024-07-01T08:00"),
        ("America/New_York", "2024-03-10", "02:30", "2024-03-10T07:00"),
        ("America/New_York", "2024-03-10", "02:00", "2024-03-10T07:00"),
        ("America/New_York", "2024-11-03", "01:30", "2024-11-03T05:30"),
        ("Australia/Lord_Howe", "2024-10-06", "02:15", "2024-10-05T15:30"),
        ("Australia/Lord_Howe", "2024-04-07", "01:45", "2024-04-06T14:45"),
        ("Africa/Casablanca", "2024-04-14", "02:30", "2024-04-14T02:00"),
        ("Africa/Cairo", "2024-04-26", "00:00", "2024-04-25T22:00"),
        ("Pacific/Apia", "2011-12-30", "04:00", "2011-12-30T10:00"),
        ("Asia/Kathmandu", "2024-01-01", "00:00", "2023-12-31T18:15"),
        ("Pacific/Kiritimati", "2024-01-01", "04:00", "2023-12-31T14:00"),
    ],
)
def test_a_skipped_time_is_the_first_instant_after_and_a_repeated_one_the_first(
    zone: str, day: str, at: str, due: str
) -> None:
    settings = Settings(time_zone=zone, at=at)
    instant = datetime.fromisoformat(due).replace(tzinfo=UTC)
    assert latest_due(settings, instant) == instant
    local = instant.astimezone(ZoneInfo(zone))
    assert local.date().isoformat() == day or zone == "Pacific/Apia"


def test_a_day_past_the_months_end_is_its_last_day() -> None:
    settings = Settings(frequency="monthly", day_of_month=30, time_zone="UTC", at="00:00")
    days, moment = [], datetime(2024, 1, 1, tzinfo=UTC)
    for _ in range(4):
        moment = next_due(settings, moment)
        days.append(moment.date().isoformat())
    assert days == ["2024-01-30", "2024-02-29", "2024-03-30", "2024-04-30"]


@pytest.mark.parametrize(
    ("weekday", "due"), [("monday", "2024-01-01"), ("tuesday", "2023-12-26"), ("sunday", "2023-12-31")]
)
def test_the_latest_weekly_due_moment_is_on_its_weekday(weekday: str, due: str) -> None:
    settings = settings_from({"frequency": "weekly", "weekday": weekday, "time_zone": "UTC"})
    assert latest_due(settings, datetime(2024, 1, 1, 12, tzinfo=UTC)).date().isoformat() == due


def test_which_day_it_is_depends_on_the_zone() -> None:
    now = datetime(2024, 1, 1, 12, tzinfo=UTC)
    days = {zone: local_date(Settings(time_zone=zone), now) for zone in ("Pacific/Niue", "UTC", "Pacific/Kiritimati")}
    assert list(days.values()) == [date(2024, 1, 1), date(2024, 1, 1), date(2024, 1, 2)]


@given(
    st.integers(0, 47 * 366 * 86400).map(lambda seconds: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)),
    st.sampled_from(ZONES),
    st.sampled_from(FREQUENCIES),
    st.integers(0, 95),
)
def test_now_always_lies_between_two_neighbouring_due_moments(
    now: datetime, zone: str, frequency: dict[str, object], quarter: int
) -> None:
    at = f"{quarter // 4:02}:{quarter % 4 * 15:02}"
    settings = settings_from({"time_zone": zone, **frequency, "at": at})
    latest, following = latest_due(settings, now), next_due(settings, now)
    assert latest <= now < following
    assert next_due(settings, latest) == following
    assert latest.utcoffset() == following.utcoffset() == timedelta()


def test_due_moments_do_not_depend_on_when_they_are_asked_for() -> None:
    settings = Settings(time_zone="America/New_York")
    moments = sorted({latest_due(settings, tick) for tick in TICKS[::3]})
    walked = [moments[0]]
    while walked[-1] < moments[-1]:
        walked.append(next_due(settings, walked[-1]))
    assert walked == moments
    assert {later - earlier for earlier, later in pairwise(moments)} == {
        timedelta(hours=hours) for hours in (23, 24, 25)
    }
