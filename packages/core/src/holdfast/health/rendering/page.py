"""What a rendering is made from."""

from dataclasses import dataclass

from holdfast.health.report import HealthReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A report, and what of it may be shown to one caller."""

    report: HealthReport
    detailed: bool
    """Whether the caller sees more than the status."""
    service: str = ""
    release: str = ""
