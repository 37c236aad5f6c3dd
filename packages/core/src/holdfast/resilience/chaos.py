"""Failing on purpose: what a dependency may do to us, tried before it does."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias, cast

from holdfast.errors import AppError, DeadlineExceededError
from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.deadline import remaining_by
from holdfast.resilience.drivers import Wait
from holdfast.resilience.host import Host
from holdfast.resilience.outcome import Outcome

FaultMade: TypeAlias = BaseException | type[BaseException] | Callable[[], BaseException]
"""An exception, a class of exceptions, or a function that makes one."""


@dataclass(frozen=True, slots=True)
class Chaos:
    """Disturbs some of the calls that reach the dependency: they take longer, fail, or bring something else.

    It is the innermost layer, so that all the others see what it does as the dependency's doing. Which
    calls are disturbed the runtime's `chance` draws; a call that is not disturbed is made as ever.

    A policy with this layer refuses to be made unless the settings `CHAOS` and `ENVIRONMENT` say that
    the process may be disturbed.

    Args:
        rate: Share of the calls that are disturbed, 0 to 1.
        fault: What those end with: an exception, a class or function that makes one, or the code of an
            `AppError`, which settings can hold as well.
        latency: Seconds that those wait before anything else; never longer than the deadline leaves.
        result: What those return instead of being made, if there is no fault; a list with it alone,
            so that it may be None.
        times: Calls that are disturbed at most; without end by default.

    Raises:
        ValueError: For values out of range, or without anything to do.

    Example:
        >>> Chaos(rate=0.1, fault="SERVICE_UNAVAILABLE", latency=0.5).rate
        0.1
    """

    rate: float = 1.0
    fault: str | FaultMade | None = None
    latency: float = 0.0
    result: tuple[object, ...] = ()
    times: int | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate <= 1.0:
            raise ValueError(f"Chaos.rate must be between 0 and 1, not {self.rate}")
        if not 0.0 <= self.latency < math.inf:
            raise ValueError(f"Chaos.latency must be 0 or more, and finite, not {self.latency}")
        if len(self.result) > 1:
            raise ValueError("Chaos.result must hold what is returned, and nothing else")
        if self.times is not None and self.times < 0:
            raise ValueError(f"Chaos.times must be 0 or more, not {self.times}")

    def live(self, name: str, host: Host) -> "ChaosLayer":
        """Return the layer of one policy.

        Raises:
            RuntimeError: When the settings do not say that it may be at work here.
        """
        self.refuse_users(name, host)
        return ChaosLayer(self, host)

    def refuse_users(self, name: str, host: Host) -> None:
        """Raise unless the settings say that this process may be disturbed.

        Raises:
            RuntimeError: With what to change.
        """
        if not host.allows_chaos:
            spell = host.notation.path
            raise RuntimeError(
                f"policy {name!r} has a layer Chaos, which fails on purpose, and this may be production: "
                f"take it out, set {spell('environment')} to one of {spell('chaos', 'environments')}, "
                f"or set {spell('chaos', 'enabled')}"
            )


class ChaosLayer:
    """Disturbances, live; thread-safe.

    Attributes:
        disturbed: Counts the calls that were.
    """

    def __init__(self, spec: Chaos, host: Host) -> None:
        self._spec = spec
        self._host = host
        self._taken = count()
        self._disturbed = 0

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Make the call, unless chance has it otherwise."""
        if not self._is_due():
            return (yield from inner(call))
        spec, clock = self._spec, self._host.clock
        if spec.latency:
            left = remaining_by(clock)
            yield Wait(clock, min(spec.latency, left))
            if left <= spec.latency:
                return Outcome(DeadlineExceededError("No time was left of the call"))
        if spec.fault is not None:
            return Outcome(_made(spec.fault))
        if spec.result:
            return Outcome(None, spec.result[0])
        return (yield from inner(call))

    def snapshot(self) -> dict[str, int]:
        """Return how many calls were disturbed."""
        return {"disturbed": self._disturbed}

    def _is_due(self) -> bool:
        spec = self._spec
        if self._host.chance.random() >= spec.rate:
            return False
        number = next(self._taken)
        if spec.times is not None and number >= spec.times:
            return False
        self._disturbed = number + 1
        return True


def _made(fault: str | FaultMade) -> BaseException:
    if isinstance(fault, str):
        return AppError("Failed on purpose", code=fault)
    if isinstance(fault, BaseException):
        return fault.with_traceback(None)
    return cast("Callable[[], BaseException]", fault)()
