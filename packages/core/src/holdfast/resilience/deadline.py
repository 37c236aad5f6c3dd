"""Deadlines: points in time that nested calls inherit, so that time runs out once for all of them."""

import math
import sys
from types import TracebackType
from typing import TYPE_CHECKING

from holdfast.clock import Clock
from holdfast.codes import Effect
from holdfast.errors import DeadlineExceededError
from holdfast.resilience.host import current_host
from holdfast.resilience.scope import Scope, current_scope, restore
from holdfast.resilience.validity import check_any_number, check_count, check_number

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from contextvars import Token

_MOST_CALLS = 10_000


class deadline:  # noqa: N801  # reads as the function it stands for, as `suppress` does
    """Gives a block so many seconds; within a shorter deadline that one holds.

    `with` interrupts nothing: policies refuse to begin what no time is left for, shorten what they
    wait for, and cancel coroutines at the deadline; anything else reads `remaining()`. `async with`
    cancels the block itself as well, and what comes out then is `DeadlineExceededError`. Tasks,
    `asyncio.to_thread` and `WatchedExecutor` inherit the deadline, as they inherit every context
    variable; plain threads do not.

    Args:
        seconds: From now; 0 or less means that no time is left, never that there is no limit.

    Raises:
        DeadlineExceededError: On entering, when no time is left; on leaving an `async with` that ran
            out of it.
        TypeError: For what is no number.
        ValueError: For what is not a number of seconds, as NaN.

    Example:
        >>> with deadline(2.0):
        ...     remaining() <= 2.0
        True
    """

    __slots__ = ("_limit", "_seconds", "_token")

    def __init__(self, seconds: float) -> None:
        check_any_number("deadline() seconds", seconds)
        self._seconds = float(seconds)
        self._token: Token[Scope] | None = None
        self._limit: AbstractAsyncContextManager[object] | None = None

    def __enter__(self) -> None:
        """Begin; raises when no time is left."""
        if self._token is not None:
            raise RuntimeError(
                "this deadline is in use; make one for each block: deadline(seconds)"
            )
        clock = current_host().clock
        outer, attempt = current_scope.get()
        at = min(outer, clock.monotonic() + self._seconds)
        if at <= clock.monotonic():
            raise refusal()
        self._token = current_scope.set((at, attempt))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Go back to the deadline around the block."""
        token, self._token = self._token, None
        if token is not None:
            restore(token)

    async def __aenter__(self) -> None:
        """Begin, and have the block cancelled when its time is over."""
        self.__enter__()
        left = remaining()
        asyncio = sys.modules["asyncio"]  # who runs a loop has loaded it
        limit: AbstractAsyncContextManager[object] = asyncio.timeout(
            None if left == math.inf else left
        )
        self._limit = limit
        try:
            await limit.__aenter__()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Go back to the deadline around the block; raises when this one ended it."""
        limit, self._limit = self._limit, None
        try:
            if limit is not None:
                await limit.__aexit__(kind, error, traceback)
        except TimeoutError as ended:
            raise overrun(self._seconds) from ended
        finally:
            self.__exit__(kind, error, traceback)


def remaining() -> float:
    """Return the seconds left until the deadline; infinite without one, and 0 when it has passed.

    Example:
        >>> remaining()
        inf
    """
    return remaining_by(current_host().clock)


def split(calls: int, *, margin: float = 0.2) -> float:
    """Return the seconds for each of several calls to come, out of what the deadline leaves.

    Asked again before each of them, with one less, it hands on what the calls before did not use.

    Args:
        calls: How many are still to be made one after the other, 1 to 10,000.
        margin: Share that is kept for what is done around them; 0 to less than 1.

    Returns:
        Seconds, more than 0; infinite without a deadline.

    Raises:
        DeadlineExceededError: No time is left.
        TypeError: For what is no number.
        ValueError: For a number out of bounds.

    Example:
        >>> with deadline(10.0):
        ...     round(split(2), 1)
        4.0
    """
    check_count("split() calls", calls, least=1, most=_MOST_CALLS)
    check_number("split() margin", margin, "parts of 1")
    if margin >= 1:
        raise ValueError(f"split() margin must be less than 1, not {margin!r:.100}")
    share = remaining() * (1.0 - margin) / calls
    if share <= 0.0:
        raise refusal()
    return share


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


def overrun(seconds: float) -> DeadlineExceededError:
    """Return the error of what was cancelled when its time was over: it may or may not be done."""
    return DeadlineExceededError(f"Cancelled after {seconds:.3g} s: its time was over")
