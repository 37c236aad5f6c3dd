"""A beat while a process serves, for what has to be told to other processes soon."""

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from holdfast.reporting.statistics.counting import ErrorStatistics

EVERY: Final = 1.0
"""Seconds between two beats."""
_PATIENCE: Final = 0.1
"""Seconds that a fork waits for the end of a beat."""


class Pulse:
    """Calls a function on a thread of its own, soon after requests have begun, until `stop`.

    The thread is started by the first request, in each process that serves, and sleeps as long as
    there are none. A fork waits a moment for the function to end: what it holds would be held in
    the child for ever.

    Args:
        statistics: Know when a request begins.
        work: What is called; what it raises is passed over.
        every: Seconds from a request to the call, at most.
    """

    def __init__(
        self, statistics: ErrorStatistics, work: Callable[[], None], every: float = EVERY
    ) -> None:
        self._statistics = statistics
        self._work = work
        self._every = every
        self.begin_anew()
        _all.add(self)

    def begin_anew(self) -> None:
        """Be without a thread, as a forked child is, until the next request."""
        self._thread: threading.Thread | None = None
        self._asked, self._stopped = threading.Event(), threading.Event()
        self.working = threading.Lock()
        self._statistics.at_next_request(self._ask)

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()
        self._asked.set()

    def _ask(self) -> None:
        self._asked.set()
        if self._thread is None and not self._stopped.is_set():
            self._thread = threading.Thread(target=self._run, name="holdfast-pulse", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        asked, stopped = self._asked, self._stopped
        while True:
            asked.wait()
            if stopped.wait(self._every):
                return
            asked.clear()
            # Before the work: the request after it is for the next beat.
            self._statistics.at_next_request(self._ask)
            with self.working, suppress(Exception):  # observation never hurts
                self._work()


_all: "weakref.WeakSet[Pulse]" = weakref.WeakSet()


class _Forking(threading.local):
    """What this thread holds while it forks."""

    held: tuple[threading.Lock, ...] = ()


_forking = _Forking()


def _hold() -> None:
    locks = [pulse.working for pulse in tuple(_all)]
    _forking.held = tuple(lock for lock in locks if lock.acquire(timeout=_PATIENCE))


def _let_go() -> None:
    held, _forking.held = _forking.held, ()
    for lock in held:
        lock.release()


def _begin_anew() -> None:
    _forking.held = ()
    for pulse in tuple(_all):
        pulse.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_begin_anew)
