"""A thread that does something again and again, as long as somebody wants it to."""

import threading
from collections.abc import Callable
from typing import Final

from holdfast.complaints import complain
from holdfast.forks import ForkSafeLock, after_fork

REST: Final = 1.0
"""Seconds after a round that raised."""


class Ticker:
    """Calls a function on a daemon thread, each time after as many seconds as it returned.

    A forked child begins without the thread; whoever needs it there starts it again.

    Args:
        tick: One round; returns the seconds until the next, None for until `wake`.
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
        self._ending = False

    @property
    def is_running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin; harmless when begun.

        Raises:
            RuntimeError: When no thread is to be had.
        """
        with self._lock:
            if self.is_running:
                return
            self._ending = False
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            thread.start()
            self._thread = thread

    def wake(self) -> None:
        """Have the next round now."""
        self._bell.set()

    def stop(self, timeout: float) -> bool:
        """End after the round that is under way; False when that took longer.

        Args:
            timeout: Seconds to wait for it.
        """
        self._ending = True
        self._bell.set()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _run(self) -> None:
        bell, complained = self._bell, False
        while not self._ending:
            bell.clear()
            try:
                wait = self._tick()
            except Exception as failure:  # noqa: BLE001  # observation never hurts
                wait = REST
                if not complained:
                    complained = True
                    complain(f"{self._name}: a round raised {type(failure).__name__}; it goes on")
            if not self._ending:
                bell.wait(wait)
