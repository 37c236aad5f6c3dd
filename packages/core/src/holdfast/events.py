"""What happens, as values: reporters, statistics, alerts and health consume events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

from holdfast.codes import Severity

Scalar: TypeAlias = str | int | float | bool | None
"""What an attribute may hold, so that every consumer can render it."""


def _nothing() -> Mapping[str, Scalar]:
    return _NOTHING


_NOTHING: Mapping[str, Scalar] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    Example:
        >>> from datetime import UTC, datetime
        >>> Event(
        ...     name="cache.purged", severity=Severity.INFO, time=datetime(2024, 1, 15, tzinfo=UTC)
        ... ).name
        'cache.purged'
    """

    name: str
    """Dotted, past participle last: `error.handled`, `retry.scheduled`."""
    severity: Severity
    time: datetime
    """Aware, UTC."""
    attributes: Mapping[str, Scalar] = field(default_factory=_nothing)
    """Flat facts, already redacted."""
