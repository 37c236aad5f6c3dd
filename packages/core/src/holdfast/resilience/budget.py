"""How much may be tried again: a share of what succeeds, so that retries never become the load."""

from dataclasses import dataclass
from itertools import count
from typing import Final

from holdfast.clock import Clock
from holdfast.forks import ForkSafeLock
from holdfast.resilience.validity import check_number

_TOLERANCE: Final = 1e-9
"""What ten tenths may lack of one."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Bounds the further attempts of one policy, in one process, by a token bucket.

    Every further attempt takes one token; calls that succeed and time put some back. While a
    dependency is healthy that is plenty, and when it is down the attempts upon it grow by a tenth
    and not threefold.

    Args:
        ratio: Tokens by successful call, 0 to 1.
        reserve: Tokens by second, for policies that are seldom used; 0 or more.
        ceiling: Tokens at most, and at first; at least 1.

    Raises:
        ValueError: For a number out of bounds.
        TypeError: For what is no number.
    """

    ratio: float = 0.1
    reserve: float = 1.0
    ceiling: float = 50.0

    def __post_init__(self) -> None:
        check_number("Budget.ratio", self.ratio, "tokens", most=1.0)
        check_number("Budget.reserve", self.reserve, "tokens")
        check_number("Budget.ceiling", self.ceiling, "tokens", least=1.0)

    def live(self, clock: Clock) -> "Bucket":
        """Return the tokens of one policy in one runtime."""
        return Bucket(self, clock)


class Bucket:
    """The tokens of one policy; thread-safe.

    A success is one step of a counter, which is atomic and takes no lock; what it is worth is
    reckoned when a token is asked for.

    Attributes:
        succeeded: Takes note of a success.
    """

    __slots__ = ("_clock", "_counter", "_lock", "_seen", "_since", "_tokens", "spec", "succeeded")

    def __init__(self, spec: Budget, clock: Clock) -> None:
        self.spec = spec
        self._clock = clock
        self._counter = count()
        self.succeeded = self._counter.__next__
        self._seen = 0
        self._since = clock.monotonic()
        self._tokens = float(spec.ceiling)
        self._lock = ForkSafeLock()

    def take(self) -> bool:
        """Take a token; False when none is left."""
        with self._lock:
            self._refill()
            if self._tokens < 1.0 - _TOLERANCE:
                return False
            self._tokens -= 1.0
            return True

    @property
    def tokens(self) -> float:
        """How many attempts are left at this moment."""
        with self._lock:
            self._refill()
            return self._tokens

    def _refill(self) -> None:
        now = self._clock.monotonic()
        seen = int(repr(self._counter)[6:-1])  # read without a step, on every Python
        gained = (now - self._since) * self.spec.reserve + (seen - self._seen) * self.spec.ratio
        self._tokens = min(float(self.spec.ceiling), self._tokens + gained)
        self._since, self._seen = now, seen
