"""How well something is, in the words of the health+json draft."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class HealthStatus(StrEnum):
    """How well something is; `warn` is degraded, and still serves."""

    PASS = "pass"  # noqa: S105  # the draft's word, no password
    WARN = "warn"
    FAIL = "fail"


_ORDER: Final = {status: rank for rank, status in enumerate(HealthStatus)}


def worst(statuses: Iterable[HealthStatus]) -> HealthStatus:
    """Return the worst of several statuses: fail before warn before pass; pass when there are none.

    Example:
        >>> worst([HealthStatus.PASS, HealthStatus.WARN]).value
        'warn'
    """
    return max(statuses, key=_ORDER.__getitem__, default=HealthStatus.PASS)
