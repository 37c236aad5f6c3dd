"""Schedules of cron: what croniter reads, and that clocks are changed as cron knows it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integrations.conftest import need

need("croniter")

from croniter import croniter  # noqa: E402  # not before it is known to be there

from holdfast.hooks.jobs import job_check  # noqa: E402
from holdfast.hooks.jobs.lateness import late, schedule_of  # noqa: E402
from holdfast.integrations.croniter import CronSchedule  # noqa: E402
from holdfast.testing import FakeClock  # noqa: E402

PARIS = ZoneInfo("Europe/Paris")
MINUTE = timedelta(minutes=1)


def field(lowest: int, highest: int) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """Draw a field of a crontab, and the numbers it stands for."""
    numbers = st.integers(lowest, highest)
    every = st.integers(2, 15).map(lambda n: (f"*/{n}", frozenset(range(lowest, highest + 1, n))))
    several = st.sets(numbers, min_size=1, max_size=3).map(
        lambda found: (",".join(map(str, sorted(found))), frozenset(found))
    )
    span = (
        st.tuples(numbers, numbers)
        .map(sorted)
        .map(lambda ends: (f"{ends[0]}-{ends[1]}", frozenset(range(ends[0], ends[1] + 1))))
    )
    return several | span | every | st.just(("*", frozenset(range(lowest, highest + 1))))


@given(
    minutes=field(0, 59),
    hours=field(0, 23),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001  # made aware below
)
def test_times_of_day_are_those_of_the_fields(
    minutes: tuple[str, frozenset[int]], hours: tuple[str, frozenset[int]], start: datetime
) -> None:
    """Minute by minute through the next two days, the schedule is due when its fields say."""
    moment = start.replace(tzinfo=UTC)
    schedule = CronSchedule(f"{minutes[0]} {hours[0]} * * *")

    due = schedule.next_after(moment)

    looked = moment.replace(second=0, microsecond=0) + MINUTE
    while not (looked.minute in minutes[1] and looked.hour in hours[1]):
        looked += MINUTE
    assert due == looked


@pytest.mark.parametrize(
    ("expression", "start", "due"),
    [
        ("30 2 * * *", "2026-03-28T12:00+01:00", "2026-03-29T03:00+02:00"),
        ("30 2 * * *", "2026-10-24T12:00+02:00", "2026-10-25T02:30+02:00"),
        ("30 2 * * *", "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"),
        ("*/30 * * * *", "2026-10-25T02:30+02:00", "2026-10-25T02:00+01:00"),
        ("@hourly", "2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"),
        ("@daily", "2026-10-25T02:00+02:00", "2026-10-26T00:00+01:00"),
        ("0 12 * * sun", "2026-03-24T12:00+01:00", "2026-03-29T12:00+02:00"),
        ("0 0 29 2 *", "2026-01-01T00:00+01:00", "2028-02-29T00:00+01:00"),
        ("0 3 1 * *", "2026-01-31T04:00+01:00", "2026-02-01T03:00+01:00"),
        ("5-5 3-3/2 * * mon-mon", "2026-11-01T00:00+01:00", "2026-11-02T03:05+01:00"),
        ("0 3 * * fri-mon", "2026-11-03T00:00+01:00", "2026-11-06T03:00+01:00"),
        ("0 3 13 * fri", "2026-11-01T00:00+01:00", "2026-11-06T03:00+01:00"),
    ],
)
def test_schedules_of_paris(expression: str, start: str, due: str) -> None:
    """Days, months and weekdays, and the two days on which clocks are changed."""
    schedule = CronSchedule(expression, "Europe/Paris")

    found = schedule.next_after(datetime.fromisoformat(start)).astimezone(PARIS)

    assert found.isoformat(timespec="minutes") == due


def test_what_croniter_itself_gets_wrong() -> None:
    """Why it is asked less than it offers: 02:30 twice a night, `5-5` each minute. May change."""
    twice = croniter("30 2 * * *", datetime(2026, 10, 25, tzinfo=PARIS))

    assert croniter("5-5 * * * *", datetime(2026, 1, 1)).get_next(datetime).minute == 1  # noqa: DTZ001
    found = [twice.get_next(datetime) for _ in range(2)]

    assert [f"{moment:%d %H:%M %z}" for moment in found] == ["25 02:30 +0200", "25 02:30 +0100"]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "five fields"),
        ("0 3 * *", "five fields"),
        ("0 3 * * * 30", "five fields"),
        ("60 * * * *", "no schedule"),
        ("0 3 31 2 *", "no schedule"),
        ("0 3 * * someday", "no schedule"),
        ("@reboot", "no schedule"),
        ("H 3 * * *", "to chance"),
        ("R 3 * * *", "to chance"),
    ],
)
def test_what_is_no_schedule_is_refused(expression: str, said: str) -> None:
    """The message names the expression and what is wrong with it."""
    with pytest.raises(ValueError, match=said):
        CronSchedule(expression)


@pytest.mark.parametrize("zone", ["", "Europe/Atlantis", "../etc/passwd", "Europe"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    """A misspelt zone is told when the schedule is made, not when it is asked."""
    with pytest.raises(ValueError, match="no time zone"):
        CronSchedule("0 3 * * *", zone)


@pytest.mark.parametrize("run", ["2026-10-25T02:30:05+02:00", "2026-03-29T03:00:05+02:00"])
def test_a_job_that_ran_on_the_day_clocks_are_changed_is_not_late(run: str) -> None:
    """Through the whole day after it, whatever the clock shows a second time or not at all."""
    schedule = schedule_of("30 2 * * *", "Europe/Paris")
    last = datetime.fromisoformat(run)

    assert not late(last, schedule, grace=60, now=last + timedelta(hours=22))
    assert late(last, schedule, grace=60, now=last + timedelta(hours=26))


def test_a_check_takes_the_fields_of_a_crontab(tmp_path: object) -> None:
    """What stands in the crontab is what the check is given."""
    clock = FakeClock(datetime(2026, 3, 28, 12, tzinfo=UTC))
    check = job_check(
        "nightly", "30 2 * * *", timezone="Europe/Paris", state=str(tmp_path), clock=clock
    )

    assert check()["due"] == "2026-03-29T01:00:00+00:00"
