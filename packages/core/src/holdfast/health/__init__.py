"""Health of a service and of what it needs."""

from holdfast.health.check import Check, CheckResult, Finding, Ttl, degraded
from holdfast.health.registry import HealthRegistry
from holdfast.health.report import HealthReport
from holdfast.health.status import HealthStatus

__all__ = [
    "Check",
    "CheckResult",
    "Finding",
    "HealthRegistry",
    "HealthReport",
    "HealthStatus",
    "Ttl",
    "degraded",
]
