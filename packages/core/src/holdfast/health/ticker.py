"""A thread that does something again and again, as long as somebody wants it to."""

import threading
from collections.abc import Callable
from typing import Final

from holdfast.complaints import complain
from holdfast.forks import ForkSafeLock, after_fork

REST: Final = 1.0
"""Seconds after a round that raised."""
LONGEST: Final = 60.0
"""Seconds between two rounds, at most: one finds nothing to do then, or that it was the last."""
OVER: Final = -1.0
"""Returned by a round that was the last."""


class Ticker:
    """Calls a function on a daemon thread, each time after as many seconds as it returned; thread-safe.

    A forked child begins without the thread; whoever needs it there starts it again.

    Args:
        tick: One round; returns the seconds until the next, a minute at most, None for until `wake`, or
            `OVER`. Two never go on at once.
        name: Of the thread.
    """

    def __init__(self, tick: Callable[[], float | None], name: str) -> None:
        self._tick = tick
        self._name = name
        self._lock = ForkSafeLock()
        self._reset()
        after_fork(self._reset)

    def _reset(self) -> None:
        self._thread: threading.Thread | None = None
        self._bell = threading.Event()
        self._ending = threading.Event()

    @property
    def is_running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin, after the last round of a thread that was told to end; harmless when begun.

        Raises:
            RuntimeError: When no thread is to be had.
        """
        with self._lock:
            if self.is_running and not self._ending.is_set():
                return
            ending = threading.Event()
            thread = threading.Thread(
                target=self._run, args=(ending, self._thread), name=self._name, daemon=True
            )
            thread.start()
            self._thread, self._ending = thread, ending

    def wake(self) -> None:
        """Have the next round now."""
        self._bell.set()

    def stop(self, timeout: float) -> bool:
        """End after the round that is under way; False when that took longer.

        Args:
            timeout: Seconds to wait for it.
        """
        self._ending.set()
        self._bell.set()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _run(self, ending: threading.Event, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        bell, complained = self._bell, False
        while not ending.is_set():
            bell.clear()
            try:
                wait = self._tick()
            except Exception as failure:  # noqa: BLE001  # observation never hurts
                wait = REST
                if not complained:
                    complained = True
                    complain(f"{self._name}: a round raised {type(failure).__name__}; it goes on")
            if wait == OVER:
                return
            if not ending.is_set():
                bell.wait(LONGEST if wait is None else min(wait, LONGEST))
