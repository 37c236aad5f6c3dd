"""What is called: fast, then down, then slow and cold, until it has served enough to be warm again."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

NORMAL: Final = 100
"""Calls per second when all is well."""
CALLERS: Final = 200
DOWN: Final = (4.0, 9.0)
"""Seconds from the beginning between which it refuses everything."""
END: Final = 24.0
LATENCY: Final = 0.005
COLD_LATENCY: Final = 0.1
_CAPACITY: Final = 150.0
"""Calls per second that it can serve when it is warm."""
_COLD: Final = 0.15
"""Share of them that it can serve when it comes back."""
_WARMING: Final = 1 / 200
"""Share that it gains by each call that it serves."""
_REFUSAL: Final = 0.1
"""What it costs to refuse a call, in calls: reading it is work as well."""
_BURST: Final = 10.0
"""Calls that it can take at one moment."""


class Down(ConnectionError):
    """It is not there, or has more to do than it can."""


@dataclass
class Dependency:
    """Counts what arrives, and serves what it can; thread-safe."""

    arrived: Counter[int] = field(default_factory=Counter)
    """Calls that reached it, by the second from the beginning."""
    served: Counter[int] = field(default_factory=Counter)
    _warmth: float = 1.0
    _tokens: float = _BURST
    _last: float = 0.0
    _was_down: bool = False
    _lock: Lock = field(default_factory=Lock)

    def take(self, now: float) -> float:
        """Take a call, and return the seconds that it will need.

        Args:
            now: Seconds from the beginning.

        Raises:
            Down: It cannot be served.
        """
        with self._lock:
            self.arrived[int(now)] += 1
            if DOWN[0] <= now < DOWN[1]:
                self._was_down = True
                raise Down("connection refused")
            if self._was_down:
                self._was_down = False
                self._warmth, self._tokens = _COLD, 0.0
                self._last = DOWN[1]
            self._tokens += (now - self._last) * _CAPACITY * self._warmth
            self._tokens = min(self._tokens, _BURST)
            self._last = now
            if self._tokens < 1.0:
                self._tokens = max(self._tokens - _REFUSAL, -_BURST)
                raise Down("overloaded")
            self._tokens -= 1.0
            self.served[int(now)] += 1
            self._warmth = min(1.0, self._warmth + _WARMING)
            return COLD_LATENCY + (LATENCY - COLD_LATENCY) * self._warmth
