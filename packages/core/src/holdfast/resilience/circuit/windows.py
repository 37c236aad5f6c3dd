"""Rules over the calls of the last seconds: how many failed, and how many were slow."""

import math
from dataclasses import dataclass

from holdfast.resilience.circuit.line import Line
from holdfast.resilience.circuit.rules import NEVER, Result, check_count, check_rate, verdict


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Opens when too large a share of the calls of the last seconds failed.

    Failures are dated to within a 64th of the window. Of the successes, at most 64 and those of one
    64th of the window may be taken to lie on the wrong side of its old edge.

    Args:
        rate: The share, above 0 and at most 1.
        seconds: Length of the window, more than 0.
        minimum: How many calls it must hold before it may open; at least 1.
    """

    rate: float = 0.5
    seconds: float = 30.0
    minimum: int = 20

    def __post_init__(self) -> None:
        _check_window("TimeWindow", self.rate, self.seconds, self.minimum)

    @property
    def slower_than(self) -> float:
        """No call is slow."""
        return NEVER

    @property
    def window(self) -> float:
        """Seconds that it looks back."""
        return self.seconds

    def begin(self, now: float) -> "TimeTally":
        """Return a fresh count."""
        return TimeTally(self, now)


@dataclass(frozen=True, slots=True)
class SlowRate:
    """Opens when too large a share of the calls of the last seconds was slow, failed or not.

    Asks for durations: callers read the clock twice for each call.

    Args:
        rate: The share, above 0 and at most 1.
        slower_than: Seconds from which on a call is slow; more than 0.
        seconds: Length of the window, more than 0.
        minimum: How many calls it must hold before it may open; at least 1.
    """

    rate: float = 0.5
    slower_than: float = 1.0
    seconds: float = 30.0
    minimum: int = 20

    def __post_init__(self) -> None:
        _check_window("SlowRate", self.rate, self.seconds, self.minimum)
        if not 0 < self.slower_than < math.inf:
            raise ValueError(
                f"SlowRate.slower_than must be more than 0 seconds, and finite, not {self.slower_than}"
            )

    @property
    def window(self) -> float:
        """Seconds that it looks back."""
        return self.seconds

    def begin(self, now: float) -> "TimeTally":
        """Return a fresh count."""
        return TimeTally(self, now)


class TimeTally:
    """Calls of the last seconds: those that succeeded, failed, were slow."""

    __slots__ = ("_failures", "_line", "_rule", "_slow")

    def __init__(self, rule: TimeWindow | SlowRate, now: float) -> None:
        self._rule = rule
        self._line = Line(rule.seconds, now, 3)
        self._failures = 0
        self._slow = 0

    def told(self, result: Result) -> str:
        """Count a failure, or a slow success."""
        self._failures += result.failed
        self._slow += result.seconds >= self._rule.slower_than
        numbers = (result.successes, self._failures, self._slow)
        self._line.mark(result.now, numbers)
        succeeded, failed, slow = self._line.within(result.now, numbers)
        part, what = (failed, "failed") if self._rule.slower_than == NEVER else (slow, "were slow")
        return verdict(part, succeeded + failed, self._rule.rate, self._rule.minimum, what)

    def tick(self, now: float, successes: int) -> None:
        """Date the successes so far."""
        self._line.mark(now, (successes, self._failures, self._slow))


def _check_window(name: str, rate: float, seconds: float, minimum: int) -> None:
    check_rate(name, rate)
    check_count(f"{name}.minimum", minimum)
    if not 0 < seconds < math.inf:
        raise ValueError(f"{name}.seconds must be more than 0, and finite, not {seconds}")
