"""How a service stands, and what a look at it makes of that: a state machine without time or I/O."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from holdfast.health.check import CheckResult
from holdfast.health.status import HealthStatus


class State(StrEnum):
    """How a service is."""

    UNKNOWN = "UNKNOWN"
    """It was not looked at yet."""
    HEALTHY = "HEALTHY"
    DEGRADED = "DEGRADED"
    """It has failed, though not often enough for an outage, or it says so itself."""
    UNHEALTHY = "UNHEALTHY"
    """There is an outage."""


class Change(StrEnum):
    """What has become of a service, as people are told."""

    DEGRADED = "degraded"
    FAILED = "failed"
    """An outage has begun."""
    RECOVERED = "recovered"
    """An outage is over, or what was degraded is healthy again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How often something has to be seen before it is believed.

    Raises:
        ValueError: When one is below 1.
    """

    failures: int = 3
    """Failures in a row that make an outage."""
    successes: int = 1
    """Successes in a row after which what was not healthy is."""

    def __post_init__(self) -> None:
        for name in ("failures", "successes"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a service stands after everything that was seen of it. Times are aware, UTC."""

    state: State = State.UNKNOWN
    since: datetime | None = None
    """Since when it is in this state; None while nothing is known."""
    consecutive_failures: int = 0
    consecutive_successes: int = 0
    last_check: datetime | None = None
    last_success: datetime | None = None
    last_failure: datetime | None = None
    checks: int = 0
    """How often it was looked at."""
    failures: int = 0
    """How often that failed."""
    outages: int = 0
    output: str = ""
    """Why it was not well the last time."""


def after(standing: Standing, result: CheckResult, thresholds: Thresholds) -> Standing:
    """Return how a service stands after one more look at it.

    A warning is no failure: the service serves. It counts as a success that leads to DEGRADED, from an
    outage too, when there were enough of them in a row.

    Args:
        standing: How it stood before.
        result: What the check said.
        thresholds: How often something has to be seen.

    Example:
        >>> from datetime import UTC, datetime
        >>> failure = CheckResult(
        ...     name="database",
        ...     status=HealthStatus.FAIL,
        ...     time=datetime(2024, 1, 15, tzinfo=UTC),
        ...     duration=0.1,
        ... )
        >>> standing = Standing()
        >>> for _ in range(3):
        ...     standing = after(standing, failure, Thresholds())
        ...     print(standing.state, standing.consecutive_failures)
        DEGRADED 1
        DEGRADED 2
        UNHEALTHY 3
    """
    seen = _failed(standing, result) if result.has_failed else _succeeded(standing, result)
    state = _state(standing.state, seen, result, thresholds)
    if state is standing.state:
        return seen
    is_outage = state is State.UNHEALTHY
    return replace(seen, state=state, since=result.time, outages=seen.outages + is_outage)


def change(before: Standing, now: Standing) -> Change | None:
    """Return what people are to be told of the step from one standing to the next, if anything."""
    if now.state is before.state:
        return None
    if now.state is State.UNHEALTHY:
        return Change.FAILED
    if before.state is State.UNHEALTHY:
        return Change.RECOVERED
    if now.state is State.DEGRADED:
        return Change.DEGRADED
    return Change.RECOVERED if before.state is State.DEGRADED else None


def _failed(standing: Standing, result: CheckResult) -> Standing:
    return replace(
        standing,
        consecutive_failures=standing.consecutive_failures + 1,
        consecutive_successes=0,
        last_check=result.time,
        last_failure=result.time,
        checks=standing.checks + 1,
        failures=standing.failures + 1,
        output=result.output,
    )


def _succeeded(standing: Standing, result: CheckResult) -> Standing:
    return replace(
        standing,
        consecutive_failures=0,
        consecutive_successes=standing.consecutive_successes + 1,
        last_check=result.time,
        last_success=result.time,
        checks=standing.checks + 1,
        output=result.output,
    )


def _state(before: State, seen: Standing, result: CheckResult, thresholds: Thresholds) -> State:
    if result.has_failed:
        is_outage = before is State.UNHEALTHY or seen.consecutive_failures >= thresholds.failures
        return State.UNHEALTHY if is_outage else State.DEGRADED
    is_believed = seen.consecutive_successes >= thresholds.successes
    if before is State.UNHEALTHY and not is_believed:
        return before
    if result.status is HealthStatus.WARN or (before is State.DEGRADED and not is_believed):
        return State.DEGRADED
    return State.HEALTHY
