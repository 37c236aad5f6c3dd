"""How a service is watched: how often, what makes an outage, and what is tried to end one."""

import random
from dataclasses import dataclass, field
from typing import Final

from holdfast.health.check import CheckFunction
from holdfast.health.monitor.standing import Thresholds
from holdfast.resilience.backoff import Exponential

ACTION_TIMEOUT: Final = 30.0
_CHANCE: Final = random.Random(0)  # noqa: S311  # never asked: these waits have no jitter


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What is tried to end an outage, and when.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> recovery = Recovery(after=60.0, attempts=5)
        >>> [recovery.delay(attempts) for attempts in range(5)]
        [60.0, 120.0, 240.0, 480.0, 900.0]
    """

    action: CheckFunction | None = None
    """Called, sync or async, with nothing; None: the service is only looked at once more. That it
    returns False or raises means that it has failed."""
    after: float = 60.0
    """Seconds, above 0, from the beginning of an outage to the first attempt."""
    factor: float = 2.0
    """What the wait before each further attempt is multiplied by; at least 1."""
    ceiling: float = 900.0
    """Seconds between two attempts at most."""
    attempts: int = 5
    """Attempts in one outage, 0 and above."""
    timeout: float = ACTION_TIMEOUT
    """Seconds, above 0, that the action gets."""

    def __post_init__(self) -> None:
        if not self.after > 0:
            raise ValueError(f"Recovery.after must be above 0 seconds, not {self.after}")
        if not self.timeout > 0:
            raise ValueError(f"Recovery.timeout must be above 0 seconds, not {self.timeout}")
        if self.attempts < 0:
            raise ValueError(f"Recovery.attempts must be 0 or more, not {self.attempts}")
        self._backoff()

    def delay(self, attempts: int) -> float | None:
        """Return the seconds until the next attempt, after so many; None when there is none."""
        if attempts >= self.attempts:
            return None
        return self._backoff().delay(attempts, 0.0, _CHANCE)

    @property
    def longest(self) -> float:
        """Seconds between two attempts at most."""
        return max(self.after, self.ceiling)

    def _backoff(self) -> Exponential:
        return Exponential(self.after, self.longest, self.factor, jitter="none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How a service is watched.

    Raises:
        ValueError: When an option makes no sense.
    """

    interval: float = 30.0
    """Seconds, above 0, between two looks; spread by a tenth."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    recovery: Recovery = field(default_factory=Recovery)

    def __post_init__(self) -> None:
        if not self.interval > 0:
            raise ValueError(f"interval must be above 0 seconds, not {self.interval}")
