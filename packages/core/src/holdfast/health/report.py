"""What several checks add up to."""

from dataclasses import dataclass

from holdfast.health.check import CheckResult
from holdfast.health.status import HealthStatus, worst


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """What all checks of a group together say."""

    results: tuple[CheckResult, ...]
    group: str = ""
    """Which checks were asked; empty: all."""

    @property
    def status(self) -> HealthStatus:
        """The worst that any check said; pass without checks."""
        return worst(result.status for result in self.results)
