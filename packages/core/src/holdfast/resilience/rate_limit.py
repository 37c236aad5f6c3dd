"""How many calls are made in a time: a limit on the side of whoever calls."""

import math
from dataclasses import dataclass
from typing import Final

from holdfast.errors import CallRateError
from holdfast.forks import ForkSafeLock
from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.deadline import remaining_by
from holdfast.resilience.drivers import Wait
from holdfast.resilience.host import Host
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.validity import check_count, check_number, check_seconds

MOST: Final = 1_000_000
"""Calls at once that make sense as a limit."""
_ROUNDING: Final = 1e-9
"""Share of an interval that a slot may be early by, or sums of floats would refuse what is due."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Makes so many calls in a time, as a dependency allows; keeps the others waiting, or refuses them.

    In any t seconds there are at most `burst + rate / per * t` calls. It counts calls, and not the
    attempts of a retry further in, which has a budget of its own. A refusal is a `CallRateError`, with
    the seconds until the next slot as `retry_after`: the call was not made (effect `NONE`), nobody's
    circuit counts it, and callers get a 503; a 429 would say that they send too much, which is
    `RateLimitError`. Each process counts by itself. Thread-safe, for threads and tasks together.

    Args:
        rate: Calls in `per` seconds, spread evenly; more than 0.
        per: Seconds; more than 0.
        burst: Calls that may be made at once after a pause; at least 1. None: as many as `rate`, but at
            least one.
        wait: Seconds that a call waits for its slot at most, and never longer than the deadline leaves;
            who would have to wait longer is refused at once. A call that is cancelled while it waits
            uses its slot up.

    Raises:
        ValueError: For values out of range.
        TypeError: For what is no number.
    """

    rate: float
    per: float = 1.0
    burst: int | None = None
    wait: float = 0.0

    def __post_init__(self) -> None:
        check_number("RateLimit.rate", self.rate, "calls", above=True)
        check_seconds("RateLimit.per", self.per, above=True)
        if self.burst is not None:
            check_count("RateLimit.burst", self.burst, least=1, most=MOST)
        check_seconds("RateLimit.wait", self.wait)

    def live(self, name: str, host: Host) -> "RateLayer":
        """Return the layer of one policy."""
        return RateLayer(self, name, host)

    def slots(self) -> "Slots":
        """Return fresh slots of this rate."""
        burst = max(1, math.floor(self.rate)) if self.burst is None else self.burst
        return Slots(self.per / self.rate, burst)


class RateLayer:
    """A limited rate, live."""

    def __init__(self, spec: RateLimit, name: str, host: Host) -> None:
        self._spec = spec
        self._name = name
        self._clock = host.clock
        self._slots = spec.slots()

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Make the call in the next slot, if that comes in time."""
        patience = min(self._spec.wait, remaining_by(self._clock))
        taken, delay = self._slots.take(self._clock.monotonic(), patience)
        if not taken:
            return Outcome(self._refusal(delay))
        if delay > 0.0:
            yield Wait(self._clock, delay)
        return (yield from inner(call))

    def _refusal(self, delay: float) -> CallRateError:
        spec = self._spec
        error = CallRateError(
            f"{self._name!r} makes no more than {spec.rate:g} calls in {spec.per:g} s",
            retry_after=delay,
        )
        error.learned = {"policy": self._name, "rate": spec.rate, "per": spec.per}
        return error


class Slots:
    """Points in time at which calls may be made, given out in order; thread-safe.

    The generic cell rate algorithm (ITU-T I.371): all that is kept is when the bucket would be full
    again, one number.

    Args:
        interval: Seconds between two slots.
        burst: Slots that may be used at once.

    Example:
        >>> slots = Slots(interval=0.5, burst=1)
        >>> slots.take(now=10.0, patience=0.0)
        (True, 0.0)
        >>> slots.take(now=10.25, patience=0.0)
        (False, 0.25)
        >>> slots.take(now=10.5, patience=0.0)
        (True, 0.0)
    """

    def __init__(self, interval: float, burst: int) -> None:
        self._interval = interval
        self._tolerance = interval * (burst - 1)
        self._full_at = -math.inf
        self._lock = ForkSafeLock()

    def take(self, now: float, patience: float) -> tuple[bool, float]:
        """Take the next slot, if it comes in time.

        Args:
            now: Monotonic seconds.
            patience: Seconds that may be waited.

        Returns:
            Whether it was taken, and the seconds until it comes.
        """
        with self._lock:
            due = max(now, self._full_at)
            delay = due - self._tolerance - now
            if delay <= self._interval * _ROUNDING:
                delay = 0.0
            if delay > patience:
                return False, delay
            self._full_at = due + self._interval
            return True, delay
