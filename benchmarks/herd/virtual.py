"""The herd in a time that goes by at once: tasks on an event loop that never waits.

`python -m benchmarks.herd.virtual` prints what arrived and what was served, by second, with ours and
without protection; the same each time.
"""

import asyncio
import json
import random
import selectors
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from benchmarks.herd.dependency import CALLERS, END, NORMAL, Dependency
from benchmarks.herd.ways import aours
from holdfast import environment
from holdfast.testing import RecordingRuntime

_PERIOD = CALLERS / NORMAL


class _Selector(selectors.SelectSelector):
    """Waits for nothing but lets its loop's time go on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Skip the time."""
        self.now += timeout or 0.0
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time goes by at once."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the seconds that would have gone by."""
        return self._virtual.now


class LoopClock:
    """The time of an event loop, as a clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        """Return the loop's time."""
        return self._loop.time()

    def now(self) -> datetime:
        """Return some date, and the loop's time after it."""
        return datetime(2024, 1, 15, tzinfo=UTC) + timedelta(seconds=self._loop.time())

    def sleep(self, seconds: float) -> None:
        """Refuse: nothing may block an event loop."""
        raise RuntimeError(f"a call blocks for {seconds} s")

    async def asleep(self, seconds: float) -> None:
        """Let others go on meanwhile."""
        await asyncio.sleep(seconds)


Protect = Callable[[Callable[[], Awaitable[object]]], Callable[[], Awaitable[object]]]


def run(loop: VirtualLoop, protect: Protect) -> Dependency:
    """Let all callers call until the end, and return what they called."""
    dependency = Dependency()

    async def call() -> None:
        await asyncio.sleep(dependency.take(loop.time()))

    guarded = protect(call)

    async def caller(at: float) -> None:
        while at < END:
            await asyncio.sleep(max(0.0, at - loop.time()))
            with suppress(Exception):
                await guarded()
            at += _PERIOD

    async def herd() -> None:
        await asyncio.gather(*(caller(number / NORMAL) for number in range(CALLERS)))

    loop.run_until_complete(herd())
    return dependency


def main() -> None:
    """Run both, and print what was counted."""
    found: dict[str, dict[str, list[int]]] = {}
    for name, protect in {"holdfast": aours, "none": lambda call: call}.items():
        loop = VirtualLoop()
        runtime = RecordingRuntime()
        runtime.clock, runtime.chance = LoopClock(loop), random.Random(7)  # noqa: S311  # no secret
        with environment.activated(runtime):
            dependency = run(loop, protect)
        loop.close()
        found[name] = {
            "arrived": [dependency.arrived[second] for second in range(int(END))],
            "served": [dependency.served[second] for second in range(int(END))],
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
