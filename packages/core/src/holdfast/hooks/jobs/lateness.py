"""Whether a job is late: a decision by its schedule and its last success, and a health check of it.

A job that is never started raises nothing anywhere; that it is late is all there is to see.
"""

import importlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol, cast

from holdfast.clock import Clock, SystemClock
from holdfast.environment import found
from holdfast.errors import ServiceUnavailableError
from holdfast.hooks.jobs.outcome import checked_name
from holdfast.hooks.jobs.state import StateFolder, configured_folder

EARLY: Final = timedelta(seconds=10)
"""A run that starts so long before its turn had that turn: clocks of machines differ."""
GRACE: Final = 900.0
"""Seconds a job may take by default from its turn until it has succeeded."""
_BOOT_TIME: Final = Path("/proc/stat")


class Schedule(Protocol):
    """When a job is to run."""

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time after a moment; both aware."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """A schedule without a clock: so many seconds after the last time.

    Example:
        >>> Every(3600).next_after(datetime(2024, 1, 15, 10, 30, tzinfo=UTC)).isoformat()
        '2024-01-15T11:30:00+00:00'
    """

    seconds: float
    """Above 0."""

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"a schedule of every so many seconds takes more than {self.seconds}")

    def next_after(self, moment: datetime) -> datetime:
        """Return the moment so many seconds later."""
        return moment + timedelta(seconds=self.seconds)


class JobLateError(ServiceUnavailableError):
    """A job did not do its work when it should have."""


def late(
    last: datetime,
    schedule: Schedule,
    *,
    grace: float,
    now: datetime,
    booted: datetime | None = None,
) -> bool:
    """Tell whether a job should have run since it last started what it then did well.

    What came due while the machine was off counts from when it was on again: whatever catches up
    with missed jobs, as anacron does, has its grace too.

    Args:
        last: Start of the last run that succeeded; of a job that never ran, since when it should.
        schedule: When it is to run.
        grace: Seconds it may take from its turn until it has succeeded.
        now: The time.
        booted: When the machine was started, if that is known.

    Example:
        >>> nine, ten = (datetime(2024, 1, 15, hour, tzinfo=UTC) for hour in (9, 10))
        >>> late(nine, Every(3000), grace=300, now=ten)
        True
        >>> late(nine, Every(3000), grace=900, now=ten)
        False
    """
    due = due_after(last, schedule)
    awake = due if booted is None else max(due, booted)
    return now > awake + timedelta(seconds=grace)


def due_after(last: datetime, schedule: Schedule) -> datetime:
    """Return when a job is due again after a run that started at a time."""
    return schedule.next_after(last + EARLY)


def schedule_of(schedule: str | Schedule, timezone: str = "UTC") -> Schedule:
    """Return a schedule, which may be given as five fields of cron.

    Args:
        schedule: Such as `0 3 * * *`, `@daily`, or a schedule.
        timezone: Whose clocks the fields mean, by its name in the IANA database.

    Raises:
        ValueError: When it is no schedule, or there is no such time zone.
        ImportError: When croniter is not installed.
    """
    if not isinstance(schedule, str):
        return schedule
    # Loaded by name, as every integration is.
    module = importlib.import_module("holdfast.integrations.croniter")
    return cast("Schedule", module.CronSchedule(schedule, timezone))


def job_check(
    name: str,
    schedule: str | Schedule,
    *,
    timezone: str = "UTC",
    grace: float = GRACE,
    state: Path | str | None = None,
    clock: Clock | None = None,
) -> Callable[[], dict[str, object]]:
    """Return a health check that fails while a job is late.

    A job that never ran is late when it should have since the check was first made; that is kept
    beside the job's state, or where that cannot be written, in this process.

    Args:
        name: Of the job.
        schedule: When it is to run: five fields of cron, or a schedule such as `Every(3600)`.
        timezone: Whose clocks the fields mean.
        grace: Seconds it may take from its turn until it has succeeded.
        state: Folder of the job's state; by default that of the job itself.
        clock: Source of the time.

    Example:
        >>> from holdfast import health_check
        >>> check = job_check("nightly-invoices", Every(86_400), state="/var/lib/shop/jobs")
        >>> health_check.register_check("nightly-invoices", check, critical=False)
    """
    checked_name(name)
    return _JobCheck(name, schedule_of(schedule, timezone), grace, state, clock or SystemClock())


class _JobCheck:
    def __init__(
        self,
        name: str,
        schedule: Schedule,
        grace: float,
        state: Path | str | None,
        clock: Clock,
    ) -> None:
        self._name = name
        self._schedule = schedule
        self._grace = grace
        self._state = state
        self._clock = clock
        self._made = clock.now()

    def __call__(self) -> dict[str, object]:
        folder = configured_folder(self._state, found())
        state = folder.read(self._name)
        last = state.succeeded or self._since(folder)
        now = self._clock.now()
        success = None if state.succeeded is None else state.succeeded.isoformat()
        due = due_after(last, self._schedule).isoformat()
        if late(last, self._schedule, grace=self._grace, now=now, booted=boot_time()):
            raise JobLateError(
                f"job {self._name!r} is late: it was due at {due}, and succeeded last "
                f"at {success or 'no time known'} (last outcome: {state.outcome or 'none'})"
            )
        return {"last_success": success, "last_outcome": state.outcome, "due": due}

    def _since(self, folder: StateFolder) -> datetime:
        with suppress(OSError):  # a reader need not be able to write
            return folder.watched(self._name, self._made)
        return self._made


def boot_time() -> datetime | None:
    """Return when this machine was started, where that can be known."""
    try:
        words = _BOOT_TIME.read_text(encoding="ascii").split()
        return datetime.fromtimestamp(int(words[words.index("btime") + 1]), UTC)
    except (OSError, ValueError, IndexError):
        return None
