"""Check-ins of jobs to Sentry Crons.

Extra: `pip install "holdfast[sentry]"`. Sentry is told of each run when it starts and when it ends,
and at the start also what it is to expect, so that the monitor needs no making by hand. What a run
raises goes to Sentry by the reporter `sentry`, not from here.
"""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final

from holdfast.hooks.jobs.outcome import JobReport, Outcome
from holdfast.integrations.sentry_event import SentryInactiveError

try:
    import sentry_sdk
    from sentry_sdk.crons import MonitorStatus, capture_checkin
except ImportError as error:  # say what to install
    raise ImportError('check-ins need sentry-sdk: pip install "holdfast[sentry]"') from error

if TYPE_CHECKING:
    from sentry_sdk._types import MonitorConfigSchedule
    from sentry_sdk.types import MonitorConfig

_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class SentryMonitor:
    """Tells Sentry Crons of the runs of a job.

    Raises:
        ValueError: When the slug is empty, or a bound is negative.

    Example:
        >>> monitor = SentryMonitor("nightly-invoices", schedule="0 3 * * *", margin=5)
        >>> monitor.config()["checkin_margin"]
        5
    """

    slug: str
    """Of the monitor in Sentry."""
    _: KW_ONLY
    schedule: str | float | None = None
    """Five fields of cron, or seconds between runs, which Sentry counts in minutes; None: the
    monitor stays as it was made in Sentry."""
    timezone: str = "UTC"
    """Whose clocks the fields mean."""
    margin: int | None = None
    """Minutes a check-in may be late before it counts as missed. Default: Sentry's."""
    max_runtime: int | None = None
    """Minutes after which a run counts as timed out. Default: Sentry's."""
    failure_threshold: int | None = None
    """Failed check-ins in a row that make an issue. Default: Sentry's."""
    recovery_threshold: int | None = None
    """Check-ins in a row that close it. Default: Sentry's."""
    patience: float = 5.0
    """Seconds that the end of a run waits for Sentry's transport."""

    def __post_init__(self) -> None:
        if not self.slug:
            raise ValueError("a monitor of Sentry needs its slug")
        if isinstance(self.schedule, int | float) and self.schedule < _MINUTE:
            raise ValueError(f"Sentry counts in minutes: every {self.schedule:g} s is too often")
        for name in ("margin", "max_runtime", "failure_threshold", "recovery_threshold"):
            value: int | None = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} of a monitor of Sentry is at least 1, not {value}")

    @property
    def name(self) -> str:
        """What events call it."""
        return "sentry"

    def config(self) -> "MonitorConfig":
        """Return what Sentry is to expect; empty when that is left as it is."""
        if self.schedule is None:
            return {}
        made: MonitorConfig = {"timezone": self.timezone, "schedule": _schedule(self.schedule)}
        if self.margin is not None:
            made["checkin_margin"] = self.margin
        if self.max_runtime is not None:
            made["max_runtime"] = self.max_runtime
        if self.failure_threshold is not None:
            made["failure_issue_threshold"] = self.failure_threshold
        if self.recovery_threshold is not None:
            made["recovery_threshold"] = self.recovery_threshold
        return made

    def started(self, report: JobReport) -> None:
        """Open a check-in.

        Raises:
            SentryInactiveError: When Sentry is not initialised.
        """
        self._check_in(report, MonitorStatus.IN_PROGRESS, None)

    def finished(self, report: JobReport) -> None:
        """Close the check-in; one that was not opened, because the job was locked, is none.

        Raises:
            SentryInactiveError: When Sentry is not initialised.
        """
        if report.outcome is not Outcome.SKIPPED:
            well = report.outcome is Outcome.SUCCEEDED
            self._check_in(
                report, MonitorStatus.OK if well else MonitorStatus.ERROR, report.duration
            )
            sentry_sdk.flush(self.patience)

    def _check_in(self, report: JobReport, status: str, duration: float | None) -> None:
        taken = capture_checkin(
            monitor_slug=self.slug,
            check_in_id=report.run_id.replace("-", ""),
            status=status,
            duration=duration,
            monitor_config=self.config() or None,
        )
        if taken is None:
            raise SentryInactiveError("Sentry took no check-in: is sentry_sdk.init() given a DSN?")


def activate() -> None:
    """Initialise Sentry from its environment variables, unless the project has done so.

    Raises:
        ValueError: When `SENTRY_DSN` is not set.
    """
    if not sentry_sdk.get_client().is_active():
        sentry_sdk.init(auto_enabling_integrations=False)
    if not sentry_sdk.get_client().is_active() or not sentry_sdk.get_client().dsn:
        raise ValueError("to tell Sentry takes the environment variable SENTRY_DSN")


def _schedule(schedule: str | float) -> "MonitorConfigSchedule":
    if isinstance(schedule, str):
        return {"type": "crontab", "value": schedule}
    return {"type": "interval", "value": round(schedule / _MINUTE), "unit": "minute"}
