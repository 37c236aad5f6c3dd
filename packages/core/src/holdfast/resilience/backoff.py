"""How long to wait before the next attempt."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from holdfast.resilience.validity import LONGEST, check_number, check_seconds

_MAX_GROWTH: Final = 64
"""Retries after which a wait that no ceiling bounds grows no more."""

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

    Raises:
        ValueError: For a wait or a jitter that makes no sense.
        TypeError: For what is no number.
    """

    seconds: float = 0.0
    jitter: Jitter = "none"

    def __post_init__(self) -> None:
        check_seconds("Constant.seconds", self.seconds)
        _check_jitter("Constant.jitter", self.jitter)

    def delay(self, retries: int, previous: float, chance: random.Random) -> float:  # noqa: ARG002  # as `Backoff` says
        """Return the seconds to wait; thread-safe, as the chance is."""
        return _JITTERS[self.jitter](self.seconds, chance)


@dataclass(frozen=True, slots=True)
class Exponential:
    """Waits that double, up to a ceiling.

    Args:
        base: Seconds before the first retry, 0 or more.
        ceiling: Seconds that are not exceeded, jitter included; at least `base`.
        factor: What each wait is multiplied by; at least 1.
        jitter: What chance does to each; `full` spreads those who failed together best.

    Raises:
        ValueError: For a number or a jitter that makes no sense.
        TypeError: For what is no number.

    Example:
        >>> waits = Exponential(base=0.5, ceiling=3.0, jitter="none")
        >>> [waits.delay(retries, 0.0, random.Random()) for retries in range(4)]
        [0.5, 1.0, 2.0, 3.0]
    """

    base: float = 0.1
    ceiling: float = 10.0
    factor: float = 2.0
    jitter: Jitter = "full"

    def __post_init__(self) -> None:
        check_seconds("Exponential.base", self.base)
        _check_ceiling("Exponential", self.base, self.ceiling)
        check_number("Exponential.factor", self.factor, "times", least=1.0)
        _check_jitter("Exponential.jitter", self.jitter)

    def delay(self, retries: int, previous: float, chance: random.Random) -> float:  # noqa: ARG002  # as `Backoff` says
        """Return the seconds to wait; thread-safe, as the chance is."""
        widest = _grown(self.base, self.factor, retries, self.ceiling)
        return min(self.ceiling, _JITTERS[self.jitter](widest, chance))


@dataclass(frozen=True, slots=True)
class Decorrelated:
    """Waits between the base and three times the wait before, up to a ceiling.

    Args:
        base: Seconds that every wait takes at least; 0 or more.
        ceiling: Seconds that are not exceeded; at least `base`.

    Raises:
        ValueError: For a number that makes no sense.
        TypeError: For what is no number.

    Example:
        >>> 0.5 <= Decorrelated(base=0.5, ceiling=3.0).delay(1, 0.5, random.Random(7)) <= 1.5
        True
    """

    base: float = 0.1
    ceiling: float = 10.0

    def __post_init__(self) -> None:
        check_seconds("Decorrelated.base", self.base)
        _check_ceiling("Decorrelated", self.base, self.ceiling)

    def delay(self, retries: int, previous: float, chance: random.Random) -> float:  # noqa: ARG002  # as `Backoff` says
        """Return the seconds to wait; thread-safe, as the chance is."""
        before = max(self.base, min(previous, self.ceiling))
        return min(self.ceiling, chance.uniform(self.base, before * 3.0))


def full_jitter(
    retries: int, *, base: float, ceiling: float = math.inf, chance: random.Random
) -> float:
    """Return the seconds to wait by exponential backoff with full jitter.

    Anything from nothing to `base` before the first retry, then to twice, four times, eight times as
    much, and never more than a year: those who failed together do not come back together.

    Args:
        retries: How often was tried again before; less than none counts as none.
        base: Seconds.
        ceiling: Seconds that the backoff does not exceed.
        chance: Draws the jitter.

    Example:
        >>> full_jitter(2, base=1.0, ceiling=60.0, chance=random.Random(7))
        1.295...
    """
    return _full(_grown(base, 2.0, retries, ceiling), chance)


def _grown(base: float, factor: float, retries: int, ceiling: float) -> float:
    most = min(ceiling, LONGEST)
    try:
        return min(most, base * factor ** min(max(retries, 0), _MAX_GROWTH))
    except OverflowError:
        return most


def _full(seconds: float, chance: random.Random) -> float:
    return chance.random() * seconds


def _proportional(seconds: float, chance: random.Random) -> float:
    return (0.5 + chance.random()) * seconds


def _none(seconds: float, chance: random.Random) -> float:  # noqa: ARG001  # as the others
    return seconds


_JITTERS: Final[dict[Jitter, Callable[[float, random.Random], float]]] = {
    "full": _full,
    "proportional": _proportional,
    "none": _none,
}


def _check_jitter(where: str, jitter: object) -> None:
    if jitter not in _JITTERS:
        raise ValueError(f"{where} must be one of {', '.join(_JITTERS)}, not {jitter!r:.100}")


def _check_ceiling(name: str, base: float, ceiling: float) -> None:
    check_seconds(f"{name}.ceiling", ceiling)
    if ceiling < base:
        raise ValueError(f"{name}.ceiling must be at least its base, {base:g}, not {ceiling:g}")
