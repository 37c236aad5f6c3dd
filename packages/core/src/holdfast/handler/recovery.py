"""Recover actions: tried when no handler answered, within a time limit, and not while they keep failing."""

import inspect
from dataclasses import dataclass, field
from functools import partial
from math import inf, isfinite
from typing import TYPE_CHECKING, cast

from holdfast.callables import is_async, name_of
from holdfast.classify import Classification
from holdfast.forks import ForkSafeLock
from holdfast.handler.asides import Asides, within
from holdfast.handler.routing import Handler
from holdfast.origin import ErrorContext

if TYPE_CHECKING:
    from collections.abc import Awaitable

MAX_AT_ONCE = 20
"""Calls of one action that may be under way on threads at once, whatever its `failures`."""


class Guard:
    """Whether an action may be tried: not for a pause after failures in a row, then once.

    Decides by nothing but what it is told; thread-safe.

    Args:
        failures: In a row, after which it pauses.
        pause: Seconds.
    """

    def __init__(self, failures: int, pause: float) -> None:
        self._failures = failures
        self._pause = pause
        self._lock = ForkSafeLock()
        self._failed = 0
        self._until = -inf
        """When the pause is over, in monotonic seconds."""
        self._on_trial = False

    def admit(self, now: float) -> bool:
        """Tell whether the action may be tried now; after a pause only the first is told so."""
        with self._lock:
            if self._failed < self._failures:
                return True
            if now < self._until:
                return False
            self._until = now + self._pause  # should the trial never end, the next is then
            self._on_trial = True
            return True

    def settle(self, now: float, *, well: bool) -> bool:
        """Take note of how it ended; True when that begins a pause."""
        with self._lock:
            on_trial, self._on_trial = self._on_trial, False
            self._failed = 0 if well else self._failed + 1
            if not (self._failed == self._failures or (on_trial and not well)):
                return False
            self._until = now + self._pause
            return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """One action, with what is known of it.

    Raises:
        ValueError: When a limit makes no sense.
    """

    action: Handler
    timeout: float
    """Seconds it may take."""
    failures: int
    """Failures in a row after which it pauses; nor is it tried while as many hang."""
    pause: float
    """Seconds."""
    guard: Guard = field(init=False)
    asides: Asides = field(init=False)

    def __post_init__(self) -> None:
        for name in ("timeout", "pause"):
            seconds = cast("float", getattr(self, name))
            if not (isfinite(seconds) and seconds > 0):
                raise ValueError(f"{name} is a positive number of seconds, not {seconds!r:.100}")
        if isinstance(self.failures, bool) or self.failures < 1:
            raise ValueError(f"failures is a whole number from 1, not {self.failures!r:.100}")
        asides = Asides(most_left=self.failures, at_once=MAX_AT_ONCE)
        object.__setattr__(self, "guard", Guard(self.failures, self.pause))
        object.__setattr__(self, "asides", asides)

    @property
    def name(self) -> str:
        """Dotted name of the action."""
        return name_of(self.action)


class Attempt:
    """One call of an action; its time is limited."""

    def __init__(
        self,
        recovery: Recovery,
        error: BaseException,
        context: ErrorContext,
        said: Classification,
    ) -> None:
        self._recovery = recovery
        self._call = partial(recovery.action, error, context, said)

    def now(self) -> object:
        """Run it on a thread of its own, which is left behind when time is over."""
        return self._recovery.asides.call(self._call, self._recovery.timeout)

    async def later(self) -> object:
        """Run a coroutine on the loop, anything else on a thread of its own."""
        if not is_async(self._recovery.action):
            return await self._recovery.asides.acall(self._call, self._recovery.timeout)
        answer = self._call()
        if not inspect.isawaitable(answer):
            return answer
        return await within(cast("Awaitable[object]", answer), self._recovery.timeout)
