"""What is protected: calls that succeed, that fail, and that wait; and how they are made cases."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from threading import Barrier, Thread
from time import sleep

from case import Case

MANY = 1000
"""Calls within one measured call, where a loop around them has to be part of it."""
FEWER = 300
"""The same, of calls that take long."""
THREADS = 16
WAIT = 0.01
"""Seconds that a call of `waiting` takes."""
CALLS = 3
"""Calls of each thread within one measured call."""


class NoConnection(ConnectionError):
    """The other side is away."""


def work() -> int:
    """Succeed."""
    return 881


async def awork() -> int:
    """Succeed, without waiting for anything."""
    return 881


def failing() -> int:
    """Fail."""
    raise NoConnection("no route")


async def afailing() -> int:
    """Fail."""
    raise NoConnection("no route")


def waiting() -> int:
    """Take its time, as a call over a network does."""
    sleep(WAIT)
    return 881


class Flaky:
    """Fails twice, succeeds once, and so on."""

    def __init__(self) -> None:
        self._calls = 0

    def call(self) -> int:
        """Succeed every third time."""
        self._calls += 1
        if self._calls % 3:
            raise NoConnection("no route")
        return 881

    async def acall(self) -> int:
        """Succeed every third time."""
        return self.call()


def awaited(function: Callable[[], Awaitable[object]], times: int = MANY) -> Case:
    """Return a case of awaiting a function, many times within one run of an event loop."""

    async def batch() -> None:
        for _ in range(times):
            await function()

    return _run(batch, times)


def arejected(function: Callable[[], Awaitable[object]]) -> Case:
    """Return a case of awaiting a function that raises."""

    async def batch() -> None:
        for _ in range(MANY):
            try:
                await function()
            except Exception:
                pass

    return _run(batch, MANY)


def _run(batch: Callable[[], Coroutine[object, object, None]], times: int) -> Case:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return Case(lambda: loop.run_until_complete(batch()), times=times)


def rejected(function: Callable[[], object]) -> Case:
    """Return a case of calling a function that raises."""

    def call() -> None:
        try:
            function()
        except Exception:
            pass

    return Case(call)


def opened(function: Callable[[], object], failures: int = 30) -> Callable[[], object]:
    """Return a function after it failed so often that its circuit is open."""
    for _ in range(failures):
        rejected(function).call()
    try:
        function()
    except NoConnection as error:
        raise AssertionError("still closed") from error
    except Exception:
        pass
    return function


def aopened(
    function: Callable[[], Awaitable[object]], failures: int = 30
) -> Callable[[], Awaitable[object]]:
    """Return a coroutine function after it failed so often that its circuit is open."""

    async def fail() -> None:
        for _ in range(failures):
            try:
                await function()
            except Exception:
                pass
        try:
            await function()
        except NoConnection as error:
            raise AssertionError("still closed") from error
        except Exception:
            pass

    asyncio.run(fail())
    return function


def in_threads(function: Callable[[], object]) -> Case:
    """Return a case of threads that call a function at the same time; they live as long as the process."""
    start, end = Barrier(THREADS + 1), Barrier(THREADS + 1)

    def serve() -> None:
        while True:
            start.wait()
            for _ in range(CALLS):
                function()
            end.wait()

    for _ in range(THREADS):
        Thread(target=serve, daemon=True).start()

    def call() -> None:
        start.wait()
        end.wait()

    return Case(call, waits=True)
