"""Health of a service and of what it needs."""

from holdfast.health.registry import (
    Check,
    CheckResult,
    HealthRegistry,
    HealthReport,
    HealthStatus,
)

__all__ = ["Check", "CheckResult", "HealthRegistry", "HealthReport", "HealthStatus"]
