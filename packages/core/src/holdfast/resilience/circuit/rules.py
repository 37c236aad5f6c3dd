"""When a circuit opens: rules over the calls of one closed period."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from holdfast.resilience.circuit.line import Line

NEVER: Final = math.inf
"""The duration from which a rule calls a call slow that does not ask for durations."""


class Tally(Protocol):
    """What a rule has counted in one closed period; called under the circuit's lock.

    `now` is monotonic seconds, `successes` how many calls of the period have succeeded so far, and
    `seconds` how long the call took, 0 when nobody measured it.
    """

    def failed(self, now: float, successes: int, seconds: float) -> str:
        """Count a failure; return why the circuit has to open, or an empty text."""
        ...

    def slow(self, now: float, successes: int, seconds: float) -> str:
        """Take note of a slow call among the successes; return why the circuit has to open."""
        ...

    def tick(self, now: float, successes: int) -> None:
        """Date the successes so far."""
        ...


class Rule(Protocol):
    """When a circuit opens; a value."""

    @property
    def slower_than(self) -> float:
        """Seconds from which on a call is slow; infinite when the rule asks for no durations."""
        ...

    def begin(self, now: float) -> Tally:
        """Return a fresh count for a circuit that has just closed."""
        ...


@dataclass(frozen=True, slots=True)
class Consecutive:
    """Opens after so many failures without a success between them.

    Args:
        failures: At least 1.
    """

    failures: int = 5

    def __post_init__(self) -> None:
        _check_count("Consecutive.failures", self.failures)

    @property
    def slower_than(self) -> float:
        """No call is slow."""
        return NEVER

    def begin(self, now: float) -> "ConsecutiveTally":
        """Return a fresh count."""
        return ConsecutiveTally(self.failures)


class ConsecutiveTally:
    """Failures in a row; a success since the last failure is seen by the number of successes."""

    __slots__ = ("_limit", "_row", "_successes")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._row = 0
        self._successes = 0

    def failed(self, now: float, successes: int, seconds: float) -> str:
        """Count a failure."""
        self._row = self._row + 1 if successes == self._successes else 1
        self._successes = successes
        return f"{self._row} failures in a row" if self._row >= self._limit else ""

    def slow(self, now: float, successes: int, seconds: float) -> str:
        """Let it be."""
        return ""

    def tick(self, now: float, successes: int) -> None:
        """Date nothing."""


@dataclass(frozen=True, slots=True)
class CountWindow:
    """Opens when too large a share of the latest calls failed.

    Exact: the number of calls between two failures is known by the successes counted at each.

    Args:
        rate: The share, above 0 and at most 1.
        calls: How many calls are looked at.
        minimum: How many have to be known before it may open; at most `calls`.
    """

    rate: float = 0.5
    calls: int = 100
    minimum: int = 20

    def __post_init__(self) -> None:
        _check_rate("CountWindow", self.rate)
        _check_count("CountWindow.calls", self.calls)
        _check_count("CountWindow.minimum", self.minimum)
        if self.minimum > self.calls:
            raise ValueError(
                f"CountWindow.minimum must not exceed calls ({self.calls}), or it never opens: {self.minimum}"
            )

    @property
    def slower_than(self) -> float:
        """No call is slow."""
        return NEVER

    def begin(self, now: float) -> "CountTally":
        """Return a fresh count."""
        return CountTally(self)


class CountTally:
    """The numbers of the calls that failed, among the latest."""

    __slots__ = ("_failures", "_rule", "_where")

    def __init__(self, rule: CountWindow) -> None:
        self._rule = rule
        self._failures = 0
        self._where: deque[int] = deque()

    def failed(self, now: float, successes: int, seconds: float) -> str:
        """Count a failure."""
        self._failures += 1
        calls = successes + self._failures
        where = self._where
        where.append(calls)
        while where[0] <= calls - self._rule.calls:
            where.popleft()
        known = min(calls, self._rule.calls)
        return _verdict(len(where), known, self._rule.rate, self._rule.minimum, "failed")

    def slow(self, now: float, successes: int, seconds: float) -> str:
        """Let it be."""
        return ""

    def tick(self, now: float, successes: int) -> None:
        """Date nothing."""


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Opens when too large a share of the calls of the last seconds failed.

    Failures are dated to within a 64th of the window, successes to within as much or 64 of them.

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

    def failed(self, now: float, successes: int, seconds: float) -> str:
        """Count a failure."""
        self._failures += 1
        self._slow += seconds >= self._rule.slower_than
        return self._judged(now, successes)

    def slow(self, now: float, successes: int, seconds: float) -> str:
        """Count a slow success."""
        if seconds < self._rule.slower_than:
            return ""
        self._slow += 1
        return self._judged(now, successes)

    def tick(self, now: float, successes: int) -> None:
        """Date the successes so far."""
        self._line.mark(now, (successes, self._failures, self._slow))

    def _judged(self, now: float, successes: int) -> str:
        self.tick(now, successes)
        succeeded, failed, slow = self._line.within(now, (successes, self._failures, self._slow))
        part, what = (failed, "failed") if self._rule.slower_than == NEVER else (slow, "were slow")
        return _verdict(part, succeeded + failed, self._rule.rate, self._rule.minimum, what)


@dataclass(frozen=True, slots=True, init=False)
class AnyOf:
    """Opens when one of several rules says so.

    Args:
        rules: At least one.

    Example:
        >>> AnyOf(Consecutive(5), SlowRate(slower_than=2.0)).slower_than
        2.0
    """

    rules: tuple[Rule, ...]

    def __init__(self, *rules: Rule) -> None:
        if not rules:
            raise ValueError("AnyOf needs at least one rule")
        object.__setattr__(self, "rules", rules)

    @property
    def slower_than(self) -> float:
        """The shortest duration that one of them calls slow."""
        return min(rule.slower_than for rule in self.rules)

    def begin(self, now: float) -> "AnyTally":
        """Return a fresh count."""
        return AnyTally([rule.begin(now) for rule in self.rules])


class AnyTally:
    """What each of several rules has counted."""

    __slots__ = ("_tallies",)

    def __init__(self, tallies: list[Tally]) -> None:
        self._tallies = tallies

    def failed(self, now: float, successes: int, seconds: float) -> str:
        """Have each count a failure."""
        return _first([each.failed(now, successes, seconds) for each in self._tallies])

    def slow(self, now: float, successes: int, seconds: float) -> str:
        """Have each take note of a slow success."""
        return _first([each.slow(now, successes, seconds) for each in self._tallies])

    def tick(self, now: float, successes: int) -> None:
        """Have each date the successes."""
        for each in self._tallies:
            each.tick(now, successes)


def _first(reasons: list[str]) -> str:
    return next(filter(None, reasons), "")


def _verdict(part: float, calls: float, rate: float, minimum: int, what: str) -> str:
    if calls < minimum or part < rate * calls:
        return ""
    return f"{part:.0f} of {calls:.0f} calls {what}"


def _check_count(name: str, number: int) -> None:
    if number < 1:
        raise ValueError(f"{name} must be at least 1, not {number}")


def _check_rate(name: str, rate: float) -> None:
    if not 0 < rate <= 1:
        raise ValueError(f"{name}.rate is a share, above 0 and at most 1, not {rate}")


def _check_window(name: str, rate: float, seconds: float, minimum: int) -> None:
    _check_rate(name, rate)
    _check_count(f"{name}.minimum", minimum)
    if not 0 < seconds < math.inf:
        raise ValueError(f"{name}.seconds must be more than 0, and finite, not {seconds}")
