"""What the current call runs within: a deadline and an attempt; this module's variable is ambient."""

import math
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which attempt of how many a call is."""

    number: int
    """From 1."""
    of: int
    """At most so many."""


Scope: TypeAlias = tuple[float, Attempt | None]
"""The deadline in monotonic seconds, infinite without one, and the attempt; a plain tuple, because
one is made for every call that has a time limit."""

UNBOUNDED: Final[Scope] = (math.inf, None)

current_scope: ContextVar[Scope] = ContextVar("holdfast_scope", default=UNBOUNDED)
"""What the call at hand runs within; set by policies, deadlines and boundaries, read by whoever waits."""


def current_attempt() -> Attempt | None:
    """Return which attempt of a retried call this code is part of, or None outside of any.

    Example:
        >>> current_attempt() is None
        True
    """
    return current_scope.get()[1]
