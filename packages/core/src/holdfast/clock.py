"""Time as a parameter: everything that measures, stamps or waits takes a `Clock`."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of time, so that tests need not wait."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        ...

    def now(self) -> datetime:
        """Return the wall time, aware and in UTC."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Let time pass on this thread."""
        ...

    async def asleep(self, seconds: float) -> None:
        """Let time pass, and leave the running event loop to others."""
        ...


class SystemClock:
    """The time of this machine; safe for threads and tasks."""

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)

    def now(self) -> datetime:
        """Return the wall time, aware and in UTC."""
        return datetime.now(UTC)

    async def asleep(self, seconds: float) -> None:
        """Let time pass, and leave the running event loop to others."""
        import asyncio  # noqa: PLC0415  # loaded by whoever runs a loop, and by nobody else

        await asyncio.sleep(seconds)
