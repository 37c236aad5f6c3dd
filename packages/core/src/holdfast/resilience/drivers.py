"""What the layers of a policy wait for: the call itself, a delay, a signal.

The two drivers of `holdfast.flow` do the waiting, on a thread or on an event loop.
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NoReturn, cast

from holdfast.clock import Clock
from holdfast.resilience.deadline import overrun
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.signal import Signal

_NO_NAMES: Final[Mapping[str, Any]] = MappingProxyType({})

MIN_WAIT: Final = 1e-6
"""Seconds below which nothing is waited for: `time.sleep(0)` alone costs a tenth of a millisecond."""


class Invoke:
    """Call a function and bring back its outcome; nothing that it raises goes through.

    Args:
        function: Plain, or returning an awaitable, which only an event loop can wait for.
        args: Its arguments.
        kwargs: Those by name.
        timeout: Seconds after which an event loop cancels it; a plain function goes on to its end.
    """

    __slots__ = ("args", "function", "kwargs", "timeout")

    def __init__(
        self,
        function: Callable[..., object],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, Any] = _NO_NAMES,
        timeout: float = math.inf,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.timeout = timeout

    def now(self) -> Outcome:
        """Call it on this thread."""
        try:
            value = self.function(*self.args, **self.kwargs)
            if hasattr(type(value), "__await__"):
                refuse_awaitable(value)
        except BaseException as error:  # noqa: BLE001  # the layers say what it means
            return Outcome(error)
        return Outcome(None, value)

    async def later(self) -> Outcome:
        """Call it, and wait for what it returns if that can be awaited."""
        try:
            value: Any = self.function(*self.args, **self.kwargs)
            if hasattr(cast("type[object]", type(value)), "__await__"):
                if self.timeout != math.inf:
                    return await _within(value, self.timeout)
                value = await value
        except BaseException as error:  # noqa: BLE001  # the layers say what it means
            return Outcome(error)
        return Outcome(None, value)


@dataclass(slots=True)
class Wait:
    """Let time pass."""

    clock: Clock
    seconds: float

    def now(self) -> None:
        """Block this thread."""
        if self.seconds > MIN_WAIT:
            self.clock.sleep(self.seconds)

    async def later(self) -> None:
        """Leave the event loop to others."""
        if self.seconds > MIN_WAIT:
            await self.clock.asleep(self.seconds)


@dataclass(slots=True)
class WaitFor:
    """Wait for a signal, a limited time; brings back whether it was given."""

    signal: Signal
    seconds: float

    def now(self) -> bool:
        """Block this thread."""
        return self.signal.wait(self.seconds)

    async def later(self) -> bool:
        """Leave the event loop to others."""
        return await self.signal.await_(self.seconds)


async def _within(awaitable: Any, seconds: float) -> Outcome:  # noqa: ANN401  # whatever the function returned
    asyncio = sys.modules["asyncio"]  # who runs a loop has loaded it
    try:
        async with asyncio.timeout(seconds):
            try:
                return Outcome(None, await awaitable)
            except Exception as error:  # noqa: BLE001  # its own, a TimeoutError too
                return Outcome(error)
    except TimeoutError as ended:  # ours alone comes here
        late = overrun(seconds)
        late.__cause__ = ended
        return Outcome(late)


def refuse_awaitable(awaitable: object) -> NoReturn:
    """Raise because a plain call returned what only an event loop can wait for."""
    close: Callable[[], None] | None = getattr(awaitable, "close", None)
    if close is not None:
        close()  # or Python warns that nobody waited for it
    raise TypeError(
        "a plain call returned an awaitable; decorate the coroutine function itself, "
        "or use `await policy.acall(...)`"
    )
