"""Checks of our registry, as django-health-check knows checks."""

from dataclasses import dataclass
from datetime import timedelta

from health_check.base import HealthCheck
from health_check.exceptions import HealthCheckException, ServiceUnavailable, ServiceWarning

from holdfast.health import Check, CheckResult, HealthStatus
from holdfast_django.current import project_runtime

SLACK = 1.0
"""Seconds that django-health-check waits longer than our runner, which then says why."""


@dataclass(repr=False)
class RegistryCheck(HealthCheck):  # type: ignore[misc]  # ships no annotations
    """A check that is registered with us, for anybody's `HealthCheckView` and for `health_check --no-http`.

    It runs where all checks of the registry do: once at a time, within its time limit, and what it
    said is kept for as long as for our own endpoints.

    Example:
        >>> RegistryCheck("database")
        database
    """

    name: str
    """Under which it is registered by the time it is asked."""

    async def run(self) -> None:
        """Raise when it did not pass.

        Raises:
            ServiceUnavailable: When it failed, or there is none of this name.
            ServiceWarning: When it is degraded, or failed and is not critical.
        """
        if self._registered is None:
            raise ServiceUnavailable(f"no health check is registered as {self.name!r}")
        error = error_of(await project_runtime().health.acheck(self.name))
        if error is not None:
            raise error

    @property
    def timeout(self) -> timedelta:
        """The time limit that it was registered with, and a little more."""
        found = self._registered
        return timedelta(seconds=SLACK + (found.timeout if found else 0.0))

    @property
    def labels(self) -> dict[str, str]:
        """What tells it apart in metrics."""
        labels = {"check": self.name}
        if (found := self._registered) is not None:
            labels["critical"] = str(found.critical).lower()
            labels["group"] = ",".join(sorted(found.groups))
        return labels

    @property
    def _registered(self) -> Check | None:
        checks = project_runtime().health.checks
        return next((check for check in checks if check.name == self.name), None)

    def __repr__(self) -> str:
        return self.name


def error_of(result: CheckResult) -> HealthCheckException | None:
    """Return what django-health-check would have been raised, or None where all is well."""
    if result.status is HealthStatus.PASS:
        return None
    kind = ServiceUnavailable if result.status is HealthStatus.FAIL else ServiceWarning
    return kind(result.output or "says no more", timestamp=result.time)
