"""What a circuit did lately: counts over a window, and how long calls took."""

import math
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Final

from holdfast.resilience.circuit.line import Line

MAX_DURATIONS: Final = 1024
"""Of so many latest calls the durations are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitMetrics:
    """What happened within the window; see `Line` for how exact it is.

    Attributes:
        window: Seconds it looks back.
        successes: Calls that succeeded.
        failures: Calls that failed.
        timeouts: Those of the failures that were time-outs.
        rejections: Calls that were not made.
        ignored: Calls that said nothing of the other side.
        slow: Calls that were slow, failed or not.
        blocked_in_shadow: Calls that were made and would not have been without the shadow.
        p50: Half of the measured calls took no longer; seconds, None when nothing was measured.
        p95: Nineteen of twenty took no longer.
        p99: Ninety-nine of a hundred took no longer.
    """

    window: float
    successes: float = 0.0
    failures: float = 0.0
    timeouts: float = 0.0
    rejections: float = 0.0
    ignored: float = 0.0
    slow: float = 0.0
    blocked_in_shadow: float = 0.0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @property
    def calls(self) -> float:
        """Calls that were made and said something of the other side."""
        return self.successes + self.failures

    @property
    def failure_rate(self) -> float:
        """The share of them that failed, from 0 to 1."""
        return self.failures / self.calls if self.calls else 0.0

    @property
    def slow_rate(self) -> float:
        """The share of them that were slow, from 0 to 1."""
        return self.slow / self.calls if self.calls else 0.0


class Metrics:
    """Counts what the calls of a circuit came to; under its lock, but where it says otherwise.

    Attributes:
        window: Seconds that it looks back.
        rejected: Counts a refusal; atomic, needs no lock.
        took: Keeps a duration in seconds; atomic, needs no lock.
    """

    def __init__(self, window: float, now: float) -> None:
        self.window = window
        self._line = Line(window, now, 7, spread=2)
        self._rejections = count()
        self._durations: deque[float] = deque(maxlen=MAX_DURATIONS)
        self.rejected = self._rejections.__next__
        self.took = self._durations.append
        self.failures = self.timeouts = self.ignored = self.slow = self.blocked = 0

    def mark(self, now: float, successes: int) -> None:
        """Date what has been counted so far."""
        self._line.mark(now, self._numbers(successes))

    def within(self, now: float, successes: int) -> CircuitMetrics:
        """Return the counts of the window up to now."""
        counts = self._line.within(now, self._numbers(successes))
        calls = math.ceil(counts[0] + counts[2])
        durations = sorted(list(self._durations)[-calls:]) if calls else []
        p50, p95, p99 = (_quantile(durations, portion) for portion in (0.5, 0.95, 0.99))
        return CircuitMetrics(
            window=self.window,
            successes=counts[0],
            rejections=counts[1],
            failures=counts[2],
            timeouts=counts[3],
            ignored=counts[4],
            slow=counts[5],
            blocked_in_shadow=counts[6],
            p50=p50,
            p95=p95,
            p99=p99,
        )

    def totals(self, successes: int) -> dict[str, int]:
        """Return the counts since it was made."""
        return {
            "success": successes,
            "failure": self.failures,
            "timeout": self.timeouts,
            "rejected": int(repr(self._rejections)[6:-1]),  # read without a step
            "ignored": self.ignored,
        }

    def _numbers(self, successes: int) -> tuple[int, ...]:
        return (
            successes,
            int(repr(self._rejections)[6:-1]),
            self.failures,
            self.timeouts,
            self.ignored,
            self.slow,
            self.blocked,
        )


def _quantile(ordered: list[float], portion: float) -> float | None:
    if not ordered:
        return None
    return ordered[max(1, math.ceil(portion * len(ordered))) - 1]
