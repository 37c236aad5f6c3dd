"""`health_check`: the health registry of the current runtime, found at each call."""

from typing import Protocol, Unpack, cast

from holdfast.environment import current
from holdfast.health.check import CheckFunction, CheckResult
from holdfast.health.registry import CheckOptions, HealthRegistry
from holdfast.health.report import HealthReport


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
        replace: bool = False,
        **options: Unpack[CheckOptions],
    ) -> None:
        """Add a check; see `HealthRegistry.register_check`."""
        _registry().register_check(name, run, replace=replace, **options)

    def unregister_check(self, name: str) -> None:
        """Take a check away; harmless when there is none."""
        _registry().unregister_check(name)

    def run_all_checks(self) -> dict[str, CheckResult]:
        """Run every check at once and return what each said."""
        return _registry().run_all_checks()

    def get_health_status(self) -> HealthReport:
        """Run every check and return what they add up to."""
        return _registry().get_health_status()

    def check(self, name: str, *, fresh: bool = False) -> CheckResult:
        """Return what one check says; see `HealthRegistry.check`."""
        return _registry().check(name, fresh=fresh)

    def mark_unready(self, reason: str) -> None:
        """Let readiness fail until `mark_ready`; see `HealthRegistry.mark_unready`."""
        _registry().mark_unready(reason)

    def mark_ready(self) -> None:
        """Take `mark_unready` back; harmless without it."""
        _registry().mark_ready()


def _registry() -> HealthRegistry:
    return cast("_Healthy", current()).health


health_check = CurrentHealth()
"""The current runtime's registry.

Example:
    >>> health_check.register_check("orders-api", lambda: True, critical=False, timeout=2.0)
    >>> health_check.run_all_checks()["orders-api"].status.value
    'pass'
"""
