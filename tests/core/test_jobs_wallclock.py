"""When a job is due, on the two days on which clocks are changed as on every other."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.hooks.jobs.wallclock import next_on_wall

PARIS = ZoneInfo("Europe/Paris")
ZONES = [
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "Asia/Kathmandu",  # no change at all
    "Africa/Casablanca",  # back and forth around Ramadan
    "America/Santiago",  # at midnight
    "Pacific/Apia",  # skipped a whole day in 2011
    "UTC",
]
MINUTE = timedelta(minutes=1)


def daily(hour: int, minute: int) -> Callable[[datetime], datetime]:
    """Return a schedule of one time a day."""

    def step(shown: datetime) -> datetime:
        today = shown.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return today if today > shown else today + timedelta(days=1)

    return step


def every(minutes: int) -> Callable[[datetime], datetime]:
    """Return a schedule of so many minutes past each full hour, as `*/n` is."""

    def step(shown: datetime) -> datetime:
        shown = shown.replace(second=0, microsecond=0) + MINUTE
        while shown.minute % minutes:
            shown += MINUTE
        return shown

    return step


def dues(
    start: datetime, count: int, step: Callable[[datetime], datetime], *, fixed: bool
) -> list[str]:
    """Return the next so many times in Paris, as its walls show them."""
    found: list[str] = []
    for _ in range(count):
        start = next_on_wall(start, PARIS, step, fixed=fixed)
        found.append(start.astimezone(PARIS).strftime("%d %H:%M %z"))
    return found


def test_a_time_of_day_that_is_skipped_is_due_when_clocks_have_gone_forward() -> None:
    """02:30 does not exist on 29 March 2026: the job is due at 03:00."""
    start = datetime(2026, 3, 28, tzinfo=UTC)

    assert dues(start, 3, daily(2, 30), fixed=True) == [
        "28 02:30 +0100",
        "29 03:00 +0200",
        "30 02:30 +0200",
    ]


def test_a_time_of_day_that_comes_twice_is_due_once() -> None:
    """02:30 exists twice on 25 October 2026: the job is due the first time."""
    start = datetime(2026, 10, 24, tzinfo=UTC)

    assert dues(start, 3, daily(2, 30), fixed=True) == [
        "24 02:30 +0200",
        "25 02:30 +0200",
        "26 02:30 +0100",
    ]


@pytest.mark.parametrize("minute", [0, 15, 29, 30, 31, 59])
def test_a_run_in_the_hour_that_comes_twice_is_followed_by_the_next_days(minute: int) -> None:
    """Whenever in the second 02:00 to 03:00 the job ran, its next time is tomorrow."""
    start = datetime(2026, 10, 25, 2, minute, fold=1, tzinfo=PARIS)

    assert dues(start, 1, daily(2, 30), fixed=True) == ["26 02:30 +0100"]


def test_a_job_by_the_clock_has_no_turn_in_what_is_skipped() -> None:
    """Every half hour goes from 01:30 straight to 03:00."""
    start = datetime(2026, 3, 29, 1, 10, tzinfo=PARIS)

    assert dues(start, 3, every(30), fixed=False) == [
        "29 01:30 +0100",
        "29 03:00 +0200",
        "29 03:30 +0200",
    ]


def test_a_job_by_the_clock_has_two_turns_in_what_comes_twice() -> None:
    """Every half hour is every half hour, also when clocks go back."""
    start = datetime(2026, 10, 25, 1, 40, tzinfo=PARIS)

    assert dues(start, 5, every(30), fixed=False) == [
        "25 02:00 +0200",
        "25 02:30 +0200",
        "25 02:00 +0100",
        "25 02:30 +0100",
        "25 03:00 +0100",
    ]


def by_the_minute(
    moment: datetime, zone: ZoneInfo, matches: Callable[[datetime], bool], *, fixed: bool
) -> datetime:
    """Return when a cron would run next that wakes up each minute and looks at the wall.

    The rules by another way: it remembers what the wall has shown, and of what was skipped whether
    the job would have been in it.
    """
    before = _minute(moment - timedelta(days=1.5))
    latest = before.astimezone(zone).replace(tzinfo=None)
    now = before
    while True:
        now += MINUTE
        shown = now.astimezone(zone).replace(tzinfo=None)
        skipped = _matches_between(latest, shown, matches)
        turn = skipped or (shown > latest and matches(shown)) if fixed else matches(shown)
        latest = max(latest, shown)
        if turn and now > moment:
            return now


def _matches_between(
    latest: datetime, shown: datetime, matches: Callable[[datetime], bool]
) -> bool:
    latest += MINUTE
    while latest < shown:
        if matches(latest):
            return True
        latest += MINUTE
    return False


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


@st.composite
def moments(draw: st.DrawFn) -> tuple[datetime, ZoneInfo]:
    """Draw a zone and a moment within two days of a change of its clocks, where there is one."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    year = draw(st.sampled_from([2011, 2024, 2026]))
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(365)]
    changes = [
        day
        for day in days
        if day.astimezone(zone).utcoffset()
        != (day + timedelta(days=1)).astimezone(zone).utcoffset()
    ]
    near = draw(st.sampled_from(changes or days))
    return near + timedelta(seconds=draw(st.integers(-100_000, 190_000))), zone


@settings(max_examples=50)
@given(moments(), st.integers(0, 23), st.integers(0, 59))
def test_a_time_of_day_is_due_when_a_cron_would_run_it(
    where: tuple[datetime, ZoneInfo], hour: int, minute: int
) -> None:
    """For any moment around a change of clocks, the two ways to say when agree."""
    moment, zone = where

    due = next_on_wall(moment, zone, daily(hour, minute), fixed=True)

    expected = by_the_minute(
        moment, zone, lambda shown: (shown.hour, shown.minute) == (hour, minute), fixed=True
    )
    assert due == expected


@settings(max_examples=50)
@given(moments(), st.sampled_from([1, 5, 15, 20, 30, 60]))
def test_a_job_by_the_clock_is_due_when_a_cron_would_run_it(
    where: tuple[datetime, ZoneInfo], minutes: int
) -> None:
    """The same for what goes by the clock."""
    moment, zone = where

    due = next_on_wall(moment, zone, every(minutes), fixed=False)

    expected = by_the_minute(moment, zone, lambda shown: shown.minute % minutes == 0, fixed=False)
    assert due == expected


@given(where=moments(), fixed=st.booleans())
def test_what_is_due_is_later(where: tuple[datetime, ZoneInfo], *, fixed: bool) -> None:
    """Time goes forward, by at most three days for something daily."""
    moment, zone = where

    due = next_on_wall(moment, zone, daily(2, 30), fixed=fixed)

    assert moment < due <= moment + timedelta(days=3)
    assert due.tzinfo is UTC
