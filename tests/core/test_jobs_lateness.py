"""A job is late when its turn and its grace are over and it has not succeeded; nothing else tells."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.environment import activated
from holdfast.hooks.jobs import (
    Every,
    Job,
    JobLateError,
    JobReport,
    Outcome,
    StateFolder,
    job_check,
    late,
)
from holdfast.hooks.jobs.lateness import boot_time, schedule_of
from holdfast.testing import FakeClock, RecordingRuntime

HOUR = 3600.0
START = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """Return a moment so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def succeeded(folder: StateFolder, started: datetime) -> None:
    """Note a run that succeeded."""
    folder.note(JobReport(job="nightly", run_id="run", started=started, outcome=Outcome.SUCCEEDED))


@pytest.mark.parametrize(
    ("now", "is_late"), [(0, False), (HOUR, False), (HOUR + 909, False), (HOUR + 911, True)]
)
def test_a_job_is_late_after_its_turn_and_its_grace(now: float, *, is_late: bool) -> None:
    """Not while its time is still going on, nor within its grace."""
    assert late(START, Every(HOUR), grace=900, now=after(now)) is is_late


def test_a_run_that_began_a_little_early_had_its_turn() -> None:
    """A clock that was put back by some seconds makes no job late for a day."""

    class AtNoon:
        def next_after(self, moment: datetime) -> datetime:
            noon = moment.replace(hour=12, minute=0, second=0, microsecond=0)
            return noon if noon > moment else noon + timedelta(days=1)

    early = datetime(2024, 1, 15, 11, 59, 55, tzinfo=UTC)

    assert not late(early, AtNoon(), grace=60, now=early + timedelta(hours=20))


def test_what_came_due_while_the_machine_was_off_counts_from_when_it_was_on_again() -> None:
    """Whatever catches up with missed jobs has its grace; after that the job is late."""
    booted = after(10 * HOUR)

    assert not late(START, Every(HOUR), grace=900, now=after(10.2 * HOUR), booted=booted)
    assert late(START, Every(HOUR), grace=900, now=after(10.3 * HOUR), booted=booted)


def test_a_boot_before_the_turn_changes_nothing() -> None:
    """Only what was due while the machine was off is put off."""
    assert late(START, Every(HOUR), grace=900, now=after(2 * HOUR), booted=after(-HOUR))


@given(st.floats(1, 1e6), st.floats(0, 1e6), st.floats(0, 1e7), st.none() | st.floats(-1e7, 1e7))
def test_once_late_a_job_stays_late_until_it_succeeds(
    period: float, grace: float, now: float, booted: float | None
) -> None:
    """Time alone never makes a late job punctual."""
    on = None if booted is None else after(booted)

    def is_late(moment: float) -> bool:
        return late(START, Every(period), grace=grace, now=after(moment), booted=on)

    assert not is_late(now) or is_late(now + 1000)
    assert not is_late(0)


def test_the_machine_says_when_it_was_started() -> None:
    """Where the system tells, it is in the past."""
    booted = boot_time()

    assert booted is None or booted < FakeClock(datetime(2100, 1, 1, tzinfo=UTC)).now()


@pytest.mark.parametrize("seconds", [0, -5, float("nan")])
def test_a_schedule_without_a_period_is_refused(seconds: float) -> None:
    """Every 0 seconds is never."""
    with pytest.raises(ValueError, match="every"):
        Every(seconds)


def test_a_schedule_of_ones_own_is_taken_as_it_is() -> None:
    """Whatever tells the next time is a schedule; no library is needed for it."""
    schedule = Every(HOUR)

    assert schedule_of(schedule) is schedule


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    """Give a folder of state; this machine was started long ago."""
    monkeypatch.setattr("holdfast.hooks.jobs.lateness.boot_time", lambda: None)
    return StateFolder(tmp_path)


def test_a_check_passes_while_the_job_is_in_time(folder: StateFolder) -> None:
    """Its details say when the job last succeeded and when it is due."""
    clock = FakeClock(after(HOUR))
    succeeded(folder, START)

    check = job_check("nightly", Every(HOUR), state=folder.path, clock=clock)

    assert check() == {
        "last_success": "2024-01-15T10:30:00+00:00",
        "last_outcome": "succeeded",
        "due": "2024-01-15T11:30:10+00:00",
    }


def test_a_check_fails_while_the_job_is_late(folder: StateFolder) -> None:
    """It raises, until the job has succeeded again."""
    clock = FakeClock(START)
    succeeded(folder, START)
    check = job_check("nightly", Every(HOUR), grace=60, state=folder.path, clock=clock)

    clock.advance(HOUR + 100)
    with pytest.raises(JobLateError, match="'nightly' is late"):
        check()
    succeeded(folder, clock.now())

    assert check()["last_outcome"] == "succeeded"


def test_a_failed_run_does_not_make_a_job_punctual(folder: StateFolder) -> None:
    """Only a success counts."""
    clock = FakeClock(after(2 * HOUR))
    succeeded(folder, START)
    folder.note(
        JobReport(job="nightly", run_id="r", started=after(HOUR), outcome=Outcome.FAILED, code="X")
    )

    with pytest.raises(JobLateError):
        job_check("nightly", Every(HOUR), state=folder.path, clock=clock)()


def test_a_job_that_never_ran_is_late_since_somebody_looked(folder: StateFolder) -> None:
    """Also over restarts of whoever looks: since when is kept."""
    clock = FakeClock(START)
    check = job_check("nightly", Every(HOUR), grace=60, state=folder.path, clock=clock)
    assert check()["last_success"] is None

    clock.advance(HOUR + 100)
    restarted = job_check("nightly", Every(HOUR), grace=60, state=folder.path, clock=clock)

    with pytest.raises(JobLateError):
        restarted()


def test_a_check_that_may_not_write_counts_from_its_own_start(folder: StateFolder) -> None:
    """Where nothing can be kept, it looks all the same."""
    clock = FakeClock(START)
    (folder.path / "nightly.watched").mkdir()
    check = job_check("nightly", Every(HOUR), grace=60, state=folder.path, clock=clock)

    assert check()["last_success"] is None
    clock.advance(HOUR + 100)
    with pytest.raises(JobLateError):
        check()


def test_a_check_registers_with_the_health_of_a_runtime(folder: StateFolder) -> None:
    """As any other check; a late job that is not critical is a warning."""
    clock = FakeClock(START)
    runtime = RecordingRuntime()
    check = job_check("nightly", Every(HOUR), state=folder.path, clock=clock)
    runtime.health.register_check("nightly", check, critical=False)

    before = runtime.health.get_health_status().status
    clock.advance(2 * HOUR)

    assert (before, runtime.health.get_health_status().status) == ("pass", "warn")


@pytest.mark.parametrize(("since", "told"), [(HOUR, 0), (3 * HOUR, 1)])
def test_a_run_tells_of_one_that_is_missing(tmp_path: Path, since: float, told: int) -> None:
    """A job that knows its schedule says at its start that it should have run before."""
    runtime = RecordingRuntime()
    succeeded(StateFolder(tmp_path), START)
    job = Job("nightly", schedule=Every(HOUR), state=tmp_path, clock=FakeClock(after(since)))

    with activated(runtime), job:
        pass

    late_events = [e for e in runtime.recorded.events if e.name == "job.late"]
    assert len(late_events) == told
    if told:
        assert late_events[0].attributes["last_success"] == START.isoformat()


def test_a_schedule_that_fails_does_not_fail_the_job(tmp_path: Path) -> None:
    """Looking back is no part of the work."""

    class Broken:
        def next_after(self, moment: datetime) -> datetime:
            raise RuntimeError("no such time")

    runtime = RecordingRuntime()
    succeeded(StateFolder(tmp_path), START)

    with activated(runtime), Job("nightly", schedule=Broken(), state=tmp_path):
        pass

    names = [event.name for event in runtime.recorded.events]
    assert names == ["job.state_failed", "job.started", "job.succeeded"]
