"""Deadlines: points in time that nested calls inherit, so that time runs out once for all of them."""

import math
from collections.abc import Generator
from contextlib import contextmanager

from holdfast.clock import Clock
from holdfast.codes import Effect
from holdfast.errors import DeadlineExceededError
from holdfast.resilience.host import current_host
from holdfast.resilience.scope import current_scope


@contextmanager
def deadline(seconds: float) -> Generator[None, None, None]:
    """Give a block so many seconds; within a shorter deadline that one holds.

    Nothing interrupts code that does not ask: policies refuse to begin what no time is left for,
    shorten what they wait for, and cancel coroutines at the deadline; anything else reads
    `remaining()`.

    Raises:
        DeadlineExceededError: At once, when no time is left.

    Example:
        >>> with deadline(2.0):
        ...     remaining() <= 2.0
        True
    """
    clock = current_host().clock
    outer, attempt = current_scope.get()
    token = current_scope.set((min(outer, clock.monotonic() + seconds), attempt))
    try:
        refuse_when_over(clock)
        yield
    finally:
        current_scope.reset(token)


def remaining() -> float:
    """Return the seconds left until the deadline; infinite without one, and 0 when it has passed.

    Example:
        >>> remaining()
        inf
    """
    return remaining_by(current_host().clock)


def remaining_by(clock: Clock) -> float:
    """Return the seconds left by a clock."""
    at = current_scope.get()[0]
    return at if at == math.inf else max(0.0, at - clock.monotonic())


def refuse_when_over(clock: Clock) -> None:
    """Raise when no time is left: nothing is begun that nobody waits for any more."""
    if remaining_by(clock) <= 0.0:
        raise refusal()


def refusal() -> DeadlineExceededError:
    """Return the error of a call that was not made because no time was left."""
    error = DeadlineExceededError("No time was left to make the call")
    error.effect = Effect.NONE
    return error
