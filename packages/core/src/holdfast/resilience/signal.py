"""A signal that threads and coroutines wait for alike."""

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


class Signal:
    """Is given once; whoever waits for it, on a thread or on an event loop, goes on.

    Thread-safe; `give` may be called from anywhere.

    Example:
        >>> signal = Signal()
        >>> signal.give()
        >>> signal.wait(0.0)
        True
    """

    __slots__ = ("_futures", "_given", "_lock", "_thread_event")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given = False
        self._thread_event: threading.Event | None = None
        self._futures: list[asyncio.Future[None]] = []

    @property
    def given(self) -> bool:
        """Whether nobody needs to wait any more."""
        return self._given

    def give(self) -> None:
        """Let everybody go on, now and later."""
        with self._lock:
            self._given = True
            event, futures = self._thread_event, self._futures
            self._futures = []
        if event is not None:
            event.set()
        for future in futures:
            with suppress(RuntimeError):  # its loop is closed, and nobody waits there
                future.get_loop().call_soon_threadsafe(_finish, future)

    def wait(self, seconds: float) -> bool:
        """Wait on this thread; tell whether the signal was given in time."""
        with self._lock:
            if self._given:
                return True
            event = self._thread_event = self._thread_event or threading.Event()
        return event.wait(seconds)

    async def await_(self, seconds: float) -> bool:
        """Wait on the running event loop; tell whether the signal was given in time."""
        asyncio = sys.modules["asyncio"]  # who runs a loop has loaded it
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._given:
                return True
            self._futures.append(future)
        try:
            await asyncio.wait((future,), timeout=seconds)
        finally:
            with self._lock, suppress(ValueError):  # given in the meantime
                self._futures.remove(future)
        return future.done()


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
