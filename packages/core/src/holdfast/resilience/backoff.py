"""How long to wait before the next attempt."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

_MAX_DOUBLINGS: Final = 64
"""More would be too large for a float, in the end."""

Jitter: TypeAlias = Literal["full", "proportional", "none"]
"""What chance does to a delay: anything from nothing to all of it; half to one and a half times of
it; nothing."""


class Backoff(Protocol):
    """How long to wait before each further attempt; a value."""

    def delay(self, retries: int, previous: float, chance: random.Random) -> float:
        """Return the seconds to wait.

        Args:
            retries: How often was tried again before; 0 the first time.
            previous: What this returned the last time; 0 the first time.
            chance: Draws the jitter.
        """
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """The same wait each time.

    Args:
        seconds: 0 or more.
        jitter: What chance does to it.
    """

    seconds: float = 0.0
    jitter: Jitter = "none"

    def delay(self, retries: int, previous: float, chance: random.Random) -> float:
        """Return the seconds to wait."""
        return _JITTERS[self.jitter](self.seconds, chance)


@dataclass(frozen=True, slots=True)
class Exponential:
    """Waits that double, up to a ceiling.

    Args:
        base: Seconds before the first retry.
        ceiling: Seconds that are not exceeded, jitter included.
        factor: What each wait is multiplied by.
        jitter: What chance does to each; `full` spreads those who failed together best.
    """

    base: float = 0.1
    ceiling: float = 10.0
    factor: float = 2.0
    jitter: Jitter = "full"

    def delay(self, retries: int, previous: float, chance: random.Random) -> float:
        """Return the seconds to wait."""
        widest = min(self.ceiling, self.base * self.factor ** min(max(retries, 0), _MAX_DOUBLINGS))
        return min(self.ceiling, _JITTERS[self.jitter](widest, chance))


@dataclass(frozen=True, slots=True)
class Decorrelated:
    """Waits between the base and three times the wait before, up to a ceiling.

    Args:
        base: Seconds that every wait takes at least.
        ceiling: Seconds that are not exceeded.
    """

    base: float = 0.1
    ceiling: float = 10.0

    def delay(self, retries: int, previous: float, chance: random.Random) -> float:
        """Return the seconds to wait."""
        return min(self.ceiling, chance.uniform(self.base, max(self.base, previous * 3.0)))


def full_jitter(
    retries: int, *, base: float, ceiling: float = math.inf, chance: random.Random
) -> float:
    """Return the seconds to wait by exponential backoff with full jitter.

    Anything from nothing to `base` before the first retry, then to twice, four times, eight times as
    much: those who failed together do not come back together.

    Args:
        retries: How often was tried again before; less than none counts as none.
        base: Seconds.
        ceiling: Seconds that the backoff does not exceed.
        chance: Draws the jitter.

    Example:
        >>> full_jitter(2, base=1.0, ceiling=60.0, chance=random.Random(7))
        1.295...
    """
    return Exponential(base, ceiling).delay(retries, 0.0, chance)


def _full(seconds: float, chance: random.Random) -> float:
    return chance.random() * seconds


def _proportional(seconds: float, chance: random.Random) -> float:
    return (0.5 + chance.random()) * seconds


def _none(seconds: float, chance: random.Random) -> float:
    return seconds


_JITTERS: Final[dict[Jitter, Callable[[float, random.Random], float]]] = {
    "full": _full,
    "proportional": _proportional,
    "none": _none,
}
