"""`health_check`: the health registry of the current runtime, found at each call."""

from typing import Protocol, cast

from holdfast.environment import current
from holdfast.health.registry import (
    DEFAULT_TIMEOUT,
    CheckFunction,
    CheckResult,
    HealthRegistry,
    HealthReport,
)


class _Healthy(Protocol):
    @property
    def health(self) -> HealthRegistry: ...


class CurrentHealth:
    """Passes every call on to the registry of the current application's runtime."""

    def register_check(
        self,
        name: str,
        run: CheckFunction,
        *,
        critical: bool = True,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Add a check, or replace the one of the same name; see `HealthRegistry.register_check`."""
        _registry().register_check(name, run, critical=critical, timeout=timeout)

    def run_all_checks(self) -> dict[str, CheckResult]:
        """Run every check at once and return what each said."""
        return _registry().run_all_checks()

    def get_health_status(self) -> HealthReport:
        """Run every check and return what they add up to."""
        return _registry().get_health_status()


def _registry() -> HealthRegistry:
    return cast("_Healthy", current()).health


health_check = CurrentHealth()
"""The current runtime's registry.

Example:
    >>> health_check.register_check("orders-api", lambda: True, critical=False, timeout=2.0)
    >>> health_check.run_all_checks()["orders-api"].status.value
    'pass'
"""
