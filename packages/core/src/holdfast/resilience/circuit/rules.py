"""When a circuit opens: rules over the calls of one closed period."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

NEVER: Final = math.inf
"""The duration from which a rule calls a call slow that does not ask for durations."""


class Result(NamedTuple):
    """How a call of a closed period ended that a rule has to hear of: it failed, or was slow."""

    now: float
    """Monotonic seconds."""
    successes: int
    """How many calls of the period have succeeded so far, this one included if it did."""
    seconds: float = 0.0
    """How long it took; 0 when nobody measured it."""
    failed: bool = False


FURTHER: Final = ("holdfast.resilience.circuit.windows",)
"""Modules of further rules, for settings that name one; loaded when some do."""


class Tally(Protocol):
    """What a rule has counted in one closed period; called under the circuit's lock."""

    def told(self, result: Result) -> str:
        """Count a failure, or a slow success; return why the circuit has to open, or an empty text."""
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

    @property
    def window(self) -> float:
        """Seconds that the rule looks back; infinite when it does not go by time."""
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
        check_count("Consecutive.failures", self.failures)

    @property
    def slower_than(self) -> float:
        """No call is slow."""
        return NEVER

    @property
    def window(self) -> float:
        """It does not go by time."""
        return NEVER

    def begin(self, now: float) -> "ConsecutiveTally":  # noqa: ARG002  # as `Rule` says
        """Return a fresh count."""
        return ConsecutiveTally(self.failures)


class ConsecutiveTally:
    """Failures in a row; a success since the last failure is seen by the number of successes."""

    __slots__ = ("_limit", "_row", "_successes")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._row = 0
        self._successes = 0

    def told(self, result: Result) -> str:
        """Count a failure."""
        if not result.failed:
            return ""
        self._row = self._row + 1 if result.successes == self._successes else 1
        self._successes = result.successes
        return f"{self._row} failures in a row" if self._row >= self._limit else ""

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
        check_rate("CountWindow", self.rate)
        check_count("CountWindow.calls", self.calls)
        check_count("CountWindow.minimum", self.minimum)
        if self.minimum > self.calls:
            raise ValueError(
                f"CountWindow.minimum must not exceed calls ({self.calls}), or it never opens: {self.minimum}"
            )

    @property
    def slower_than(self) -> float:
        """No call is slow."""
        return NEVER

    @property
    def window(self) -> float:
        """It does not go by time."""
        return NEVER

    def begin(self, now: float) -> "CountTally":  # noqa: ARG002  # as `Rule` says
        """Return a fresh count."""
        return CountTally(self)


class CountTally:
    """The numbers of the calls that failed, among the latest."""

    __slots__ = ("_failures", "_rule", "_where")

    def __init__(self, rule: CountWindow) -> None:
        self._rule = rule
        self._failures = 0
        self._where: deque[int] = deque()

    def told(self, result: Result) -> str:
        """Count a failure."""
        if not result.failed:
            return ""
        self._failures += 1
        calls = result.successes + self._failures
        where = self._where
        where.append(calls)
        while where[0] <= calls - self._rule.calls:
            where.popleft()
        known = min(calls, self._rule.calls)
        return verdict(len(where), known, self._rule.rate, self._rule.minimum, "failed")

    def tick(self, now: float, successes: int) -> None:
        """Date nothing."""


@dataclass(frozen=True, slots=True, init=False)
class AnyOf:
    """Opens when one of several rules says so.

    Args:
        rules: At least one.

    Example:
        >>> AnyOf(Consecutive(5), CountWindow(rate=0.5)).slower_than
        inf
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

    @property
    def window(self) -> float:
        """The shortest time that one of them looks back."""
        return min(rule.window for rule in self.rules)

    def begin(self, now: float) -> "AnyTally":
        """Return a fresh count."""
        return AnyTally([rule.begin(now) for rule in self.rules])


class AnyTally:
    """What each of several rules has counted."""

    __slots__ = ("_tallies",)

    def __init__(self, tallies: list[Tally]) -> None:
        self._tallies = tallies

    def told(self, result: Result) -> str:
        """Have each count it; the first that has a reason says so."""
        reasons = [each.told(result) for each in self._tallies]
        return next(filter(None, reasons), "")

    def tick(self, now: float, successes: int) -> None:
        """Have each date the successes."""
        for each in self._tallies:
            each.tick(now, successes)


def verdict(part: float, calls: float, rate: float, minimum: int, what: str) -> str:
    """Return why a circuit has to open, or an empty text."""
    if calls < minimum or part < rate * calls:
        return ""
    return f"{part:.0f} of {calls:.0f} calls {what}"


def check_count(name: str, number: int) -> None:
    """Raise unless it is at least 1."""
    if number < 1:
        raise ValueError(f"{name} must be at least 1, not {number}")


def check_rate(name: str, rate: float) -> None:
    """Raise unless it is a share."""
    if not 0 < rate <= 1:
        raise ValueError(f"{name}.rate is a share, above 0 and at most 1, not {rate}")
