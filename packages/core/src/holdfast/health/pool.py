"""A bounded number of threads for checks: they end when idle, and do not hold up the end of the process."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

from holdfast.forks import ForkSafeLock, after_fork

Work: TypeAlias = Callable[[], None]

IDLE: Final = 10.0
"""Seconds that a thread waits for more work."""


class Pool:
    """Runs work on at most so many threads; a forked child begins with none.

    Not `concurrent.futures`: its threads are waited for when the process ends, so that a check which
    hangs would keep it from ending.

    Args:
        most: Threads at a time, at least 1; what is submitted beyond waits its turn.
        idle: Seconds that a thread waits for more work before it ends.

    Raises:
        ValueError: When there may be no thread.
    """

    def __init__(self, most: int, idle: float = IDLE) -> None:
        if most < 1:
            raise ValueError(f"checks need at least 1 thread, not {most}")
        self._most = most
        self._idle_time = idle
        self._lock = ForkSafeLock()
        self._reset()
        after_fork(self._reset)

    def _reset(self) -> None:
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._threads = 0
        self._idle = 0
        self._waiting = 0
        self._leaving = 0
        self._resting = False

    @property
    def threads(self) -> int:
        """How many there are."""
        return self._threads

    def submit(self, work: Work) -> None:
        """Have something run soon; it must not raise.

        Raises:
            RuntimeError: When there is no thread, and none is to be had.
        """
        with self._lock:
            self._resting = False
            self._queue.put(work)
            self._waiting += 1
            if self._waiting <= self._idle or self._threads >= self._most:
                return
            try:
                threading.Thread(
                    target=self._serve, args=(self._queue,), name="holdfast-health", daemon=True
                ).start()
            except (RuntimeError, MemoryError):
                if not self._threads:
                    self._queue.get_nowait()
                    self._waiting -= 1
                    raise
            else:
                self._threads += 1
                self._idle += 1

    def rest(self) -> None:
        """Let threads end when they have nothing to do, until more is submitted."""
        with self._lock:
            self._resting = True
            for _ in range(self._idle - self._waiting):
                self._queue.put(None)
                self._waiting += 1
                self._leaving += 1

    def _serve(self, queue: "SimpleQueue[Work | None]") -> None:
        while True:
            try:
                work = queue.get(timeout=0.0 if self._resting else self._idle_time)
            except Empty:
                if self._retired():
                    return
                continue
            if work is None:
                if self._sent_away():
                    return
                continue
            with self._lock:
                self._waiting -= 1
                self._idle -= 1
            work()
            del work  # which knows its registry: nobody else may
            with self._lock:
                self._idle += 1

    def _sent_away(self) -> bool:
        """Let a thread go that was told to, unless there is work again."""
        with self._lock:
            self._waiting -= 1
            self._leaving -= 1
            if self._waiting > self._leaving:
                return False
            self._threads -= 1
            self._idle -= 1
            return True

    def _retired(self) -> bool:
        """Let a thread go, unless work came in the meantime."""
        with self._lock:
            if self._waiting:
                return False
            self._threads -= 1
            self._idle -= 1
            return True
