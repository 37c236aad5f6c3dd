"""When a circuit opens: rules over the calls of one closed period."""

from dataclasses import dataclass
from typing import Protocol


class Tally(Protocol):
    """What a rule has counted in one closed period; called under the circuit's lock."""

    def failed(self, now: float, successes: int) -> str:
        """Count a failure; return why the circuit has to open, or an empty text.

        Args:
            now: Monotonic seconds.
            successes: How many calls of the period have succeeded so far.
        """
        ...


class Rule(Protocol):
    """When a circuit opens; a value."""

    def begin(self) -> Tally:
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
        if self.failures < 1:
            raise ValueError(f"Consecutive.failures must be at least 1, not {self.failures}")

    def begin(self) -> "ConsecutiveTally":
        """Return a fresh count."""
        return ConsecutiveTally(self.failures)


class ConsecutiveTally:
    """Failures in a row; a success since the last failure is seen by the number of successes."""

    __slots__ = ("_limit", "_row", "_successes")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._row = 0
        self._successes = 0

    def failed(self, now: float, successes: int) -> str:
        """Count a failure."""
        self._row = self._row + 1 if successes == self._successes else 1
        self._successes = successes
        return f"{self._row} failures in a row" if self._row >= self._limit else ""
