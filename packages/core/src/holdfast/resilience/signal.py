"""A signal that threads and coroutines wait for alike."""

import sys
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future


class Signal:
    """Is given once; whoever waits for it, on a thread or on an event loop, goes on.

    Thread-safe. It holds no lock, so `give` may be called from anywhere: from other threads and event
    loops, from handlers of signals, and while the garbage collector closes what was left behind.

    Example:
        >>> signal = Signal()
        >>> signal.give()
        >>> signal.wait(0.0)
        True
    """

    __slots__ = ("_given", "_wakers")

    def __init__(self) -> None:
        self._given = False
        self._wakers: deque[Callable[[], None]] = deque()

    @property
    def given(self) -> bool:
        """Whether nobody needs to wait any more."""
        return self._given

    def give(self) -> None:
        """Let everybody go on, now and later."""
        self._given = True
        while True:
            try:
                waker = self._wakers.popleft()
            except IndexError:
                return
            waker()

    def wait(self, seconds: float) -> bool:
        """Wait on this thread; tell whether the signal was given in time."""
        barrier = threading.Lock()
        barrier.acquire()
        with self._waking(barrier.release):
            return self._given or barrier.acquire(
                timeout=max(0.0, min(seconds, threading.TIMEOUT_MAX))
            )

    async def await_(self, seconds: float) -> bool:
        """Wait on the running event loop; tell whether the signal was given in time."""
        asyncio = sys.modules["asyncio"]  # who runs a loop has loaded it
        loop: AbstractEventLoop = asyncio.get_running_loop()
        future: Future[None] = loop.create_future()

        def wake() -> None:
            with suppress(RuntimeError):  # its loop is closed, and nobody waits there
                loop.call_soon_threadsafe(_finish, future)

        with self._waking(wake):
            if not self._given:
                await asyncio.wait((future,), timeout=min(seconds, threading.TIMEOUT_MAX))
        return self._given

    @contextmanager
    def _waking(self, waker: Callable[[], None]) -> Generator[None, None, None]:
        """Have a function called when the signal is given within the block.

        Whoever gives it sets the mark first and looks for wakers then, and whoever waits does the
        reverse: one of the two sees the other.
        """
        self._wakers.append(waker)
        try:
            yield
        finally:
            with suppress(ValueError):  # called in the meantime
                self._wakers.remove(waker)


def _finish(future: "Future[None]") -> None:
    if not future.done():
        future.set_result(None)
