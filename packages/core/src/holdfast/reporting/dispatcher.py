"""Delivery of events to reporters: queued, bounded, isolated.

Each reporter has its own queue and its own thread, started with its first event, so that one that
hangs holds up neither the caller nor the others. What cannot be delivered is counted.
"""

import os
import sys
import threading
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Protocol, runtime_checkable

from holdfast.events import Event


class Reporter(Protocol):
    """Consumer of events that tells somebody."""

    name: str
    """Under which its losses are counted."""

    def report(self, event: Event) -> None:
        """Tell of one event; called on the reporter's own thread, may block, may raise."""
        ...


@runtime_checkable
class Closing(Protocol):
    """A reporter with something to finish when the process ends."""

    def close(self) -> None:
        """Send what is pending and release what is held."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of the events meant for one reporter."""

    reporter: str
    delivered: int
    failed: int
    """Events on which the reporter raised."""
    dropped: int
    """Events that found the queue full."""
    waiting: int


class Dispatcher:
    """Hands events to reporters; `emit` neither blocks nor raises, from any thread or task.

    Args:
        reporters: Who is told.
        queue_size: Events one reporter may be behind; later ones are dropped and counted.
        inline: Deliver on the calling thread instead; for tests and short scripts.
    """

    def __init__(
        self, reporters: Iterable[Reporter], *, queue_size: int = 1000, inline: bool = False
    ) -> None:
        self._inline = inline
        self._channels = tuple(_Channel(reporter, queue_size) for reporter in reporters)
        self.emit = self._emit_inline if inline else self._emit_queued
        _after_fork.add(self)

    def _emit_queued(self, event: Event) -> None:
        for channel in self._channels:
            channel.put(event)

    def _emit_inline(self, event: Event) -> None:
        for channel in self._channels:
            channel.deliver(event)

    @property
    def reporters(self) -> tuple[Reporter, ...]:
        """Who is told, in order."""
        return tuple(channel.reporter for channel in self._channels)

    def deliveries(self) -> tuple[Delivery, ...]:
        """Return what was delivered, failed and dropped, by reporter."""
        return tuple(channel.delivery() for channel in self._channels)

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until every event emitted so far is delivered; False when time ran out.

        Args:
            timeout: Seconds for all reporters together.
        """
        until = monotonic() + timeout
        marks = [channel.mark() for channel in self._channels]
        return all([mark is None or mark.wait(max(0.0, until - monotonic())) for mark in marks])

    def close(self, timeout: float = 2.0) -> bool:
        """Flush, then let reporters finish; False when time ran out. Events after it are dropped.

        Args:
            timeout: Seconds for all reporters together.
        """
        until = monotonic() + timeout
        done = [channel.close() for channel in self._channels]
        return all([end is None or end.wait(max(0.0, until - monotonic())) for end in done])

    def forget_threads(self) -> None:
        """Start over in a forked child: threads did not come along, the parent delivers what waits."""
        for channel in self._channels:
            channel.reset()


class _Ask:
    """A mark in a queue: set when the worker comes to it."""

    __slots__ = ("done", "last")

    def __init__(self, *, last: bool) -> None:
        self.done = threading.Event()
        self.last = last


class _Channel:
    """One reporter with its queue, its thread and its counts."""

    def __init__(self, reporter: Reporter, size: int) -> None:
        self.reporter = reporter
        self._size = size
        self._lock = threading.Lock()
        self._delivered = self._failed = self._dropped = 0
        self._closed = False
        self.reset()

    def reset(self) -> None:
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Event | _Ask] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, event: Event) -> None:
        if self._closed or self._queue.qsize() >= self._size:
            with self._lock:
                self._dropped += 1
            return
        self._queue.put(event)
        if self._thread is None:
            self._start()

    def mark(self) -> threading.Event | None:
        if self._thread is None:
            return None
        ask = _Ask(last=False)
        self._queue.put(ask)
        return ask.done

    def close(self) -> threading.Event | None:
        if self._closed:
            return None
        self._closed = True
        if self._thread is None:
            self._finish()
            return None
        ask = _Ask(last=True)
        self._queue.put(ask)
        return ask.done

    def deliver(self, event: Event) -> None:
        try:
            self.reporter.report(event)
        except Exception as failure:  # noqa: BLE001  # observation never hurts
            self._note(failure)
        else:
            self._delivered += 1

    def delivery(self) -> Delivery:
        return Delivery(
            self.reporter.name, self._delivered, self._failed, self._dropped, self._queue.qsize()
        )

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            name = f"holdfast-{self.reporter.name}"
            thread = threading.Thread(target=self._run, args=(self._queue,), name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is shutting down, or no thread is to be had
                self._deliver_waiting()
            else:
                self._thread = thread

    def _run(self, queue: "SimpleQueue[Event | _Ask]") -> None:
        while True:
            item = queue.get()
            if not isinstance(item, _Ask):
                self.deliver(item)
                continue
            if item.last:
                self._finish()
            item.done.set()
            if item.last:
                return

    def _deliver_waiting(self) -> None:
        while True:
            try:
                item = self._queue.get_nowait()
            except Empty:
                return
            if not isinstance(item, _Ask):
                self.deliver(item)

    def _finish(self) -> None:
        if isinstance(self.reporter, Closing):
            try:
                self.reporter.close()
            except Exception as failure:  # noqa: BLE001  # observation never hurts
                self._note(failure)

    def _note(self, failure: Exception) -> None:
        """Count a failure, and say it once: on standard error, because reporting is what failed."""
        self._failed += 1
        if self._failed == 1:
            sys.stderr.write(
                f"holdfast: reporter {self.reporter.name!r} raised {type(failure).__name__}; "
                "further failures are only counted\n"
            )


_after_fork: "weakref.WeakSet[Dispatcher]" = weakref.WeakSet()


def _forget_threads() -> None:
    for dispatcher in tuple(_after_fork):
        dispatcher.forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
