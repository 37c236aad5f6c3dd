"""What a rendering is made from."""

from dataclasses import dataclass
from datetime import datetime

from holdfast.health.report import HealthReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A report, and what of it may be shown to one caller."""

    report: HealthReport
    detailed: bool
    """Whether the caller sees more than the status."""
    time: datetime
    """When it is asked for; aware, UTC."""
    service: str = ""
    release: str = ""


def timestamp(time: datetime) -> str:
    """Return a time in UTC as RFC 3339 has it, to the millisecond."""
    return f"{time.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def milliseconds(seconds: float) -> float:
    """Return a duration in milliseconds, to the tenth."""
    return round(seconds * 1000, 1)
