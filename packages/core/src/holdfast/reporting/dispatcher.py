"""Delivery of events to reporters: queued, bounded, isolated.

Each reporter has its own queue and its own thread, started with its first event, so that one that
hangs holds up neither the caller nor the others. What cannot be delivered is counted.
"""

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Protocol, runtime_checkable

from holdfast.clock import Clock, SystemClock
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


@runtime_checkable
class Counting(Protocol):
    """A reporter that knows what became of events after it took them."""

    def counts(self) -> Mapping[str, int]:
        """Return totals by outcome, such as `lost`; any thread may ask."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of the events meant for one reporter."""

    reporter: str
    delivered: int
    failed: int
    """Events on which the reporter raised."""
    dropped: int
    """Events that found the queue full or closed, or that a reporter caused by reporting."""
    waiting: int
    further: Mapping[str, int] = field(default_factory=dict[str, int])
    """What the reporter counts itself, by outcome."""

    def outcomes(self) -> dict[str, int]:
        """Return the totals that only grow, by outcome."""
        ours = {"delivered": self.delivered, "failed": self.failed, "dropped": self.dropped}
        return {**ours, **self.further}


class Dispatcher:
    """Hands events to reporters; `emit` neither blocks nor raises, from any thread or task.

    What a reporter causes by reporting is dropped, so that no event can go in circles.

    Args:
        reporters: Who is told.
        queue_size: Events one reporter may be behind; later ones are dropped and counted.
        inline: Deliver on the calling thread instead; for tests and short scripts.
        clock: What `flush` and `close` measure their time with.
    """

    def __init__(
        self,
        reporters: Iterable[Reporter],
        *,
        queue_size: int = 1000,
        inline: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._inline = inline
        self._clock = clock or SystemClock()
        self._channels = tuple(_Channel(reporter, queue_size) for reporter in reporters)
        self.emit: Callable[[Event], None] = self._emit_inline if inline else self._emit_queued
        _after_fork.add(self)

    def _emit_queued(self, event: Event) -> None:
        for channel in self._channels:
            channel.put(event)

    def _emit_inline(self, event: Event) -> None:
        for channel in self._channels:
            channel.deliver_now(event)

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
        return not self._late(
            [(channel, channel.ask(last=False)) for channel in self._channels], timeout
        )

    def close(self, timeout: float = 2.0) -> bool:
        """Flush, then let reporters finish; False when time ran out. Events after it are dropped.

        Args:
            timeout: Seconds for all reporters together.
        """
        ends = [(channel, channel.close()) for channel in self._channels]
        late = self._late(ends, timeout)
        for channel in late:
            channel.give_up()
        return not late

    def forget_threads(self) -> None:
        """Start over in a forked child: threads did not come along, the parent delivers what waits."""
        for channel in self._channels:
            channel.reset()

    def _late(
        self, marks: "Iterable[tuple[_Channel, threading.Event | None]]", timeout: float
    ) -> "list[_Channel]":
        """Wait for marks together, and return the channels that did not come to theirs."""
        until = self._clock.monotonic() + timeout
        late: list[_Channel] = []
        for channel, mark in marks:
            if mark is not None and not mark.wait(max(0.0, until - self._clock.monotonic())):
                late.append(channel)
        return late


class _Ask:
    """A mark in a queue: set when the worker comes to it."""

    __slots__ = ("done", "last")

    def __init__(self, *, last: bool) -> None:
        self.done = threading.Event()
        self.last = last


class _Turn(threading.local):
    """Whether this thread is in the middle of a delivery."""

    busy = False


_turn = _Turn()


class _Channel:
    """One reporter with its queue, its thread and its counts.

    `put` takes no lock as long as there is room, so that a signal handler or a finaliser may emit
    in the middle of an emit. The lock is reentrant for the same reason.
    """

    def __init__(self, reporter: Reporter, size: int) -> None:
        self.reporter = reporter
        self.name = str(getattr(reporter, "name", type(reporter).__qualname__))
        self._size = size
        self._delivered = self._failed = self._dropped = 0
        self._closed = False
        self.reset()

    def reset(self) -> None:
        self._lock = threading.RLock()
        self._queue: SimpleQueue[Event | _Ask] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, event: Event) -> None:
        if self._closed or _turn.busy or self._queue.qsize() >= self._size:
            self._drop(1)
            return
        self._queue.put(event)
        if self._thread is None:
            self._start()

    def deliver_now(self, event: Event) -> None:
        if self._closed or _turn.busy:
            self._drop(1)
        else:
            self._deliver(event)

    def close(self) -> threading.Event | None:
        if self._closed:
            return None
        self._closed = True
        if self._thread is not None:
            return self.ask(last=True)
        self._deliver_waiting()
        self._finish()
        return None

    def give_up(self) -> None:
        waiting = sum(isinstance(item, Event) for item in self._drain())
        self._drop(waiting)
        _say(
            f"reporter {self.name!r} did not finish in time; events not delivered: {waiting}, "
            "beside the one it was busy with"
        )
        self.ask(last=True)  # should it come round after all, it still finishes

    def delivery(self) -> Delivery:
        return Delivery(
            self.name,
            self._delivered,
            self._failed,
            self._dropped,
            self._queue.qsize(),
            self._further(),
        )

    def _further(self) -> Mapping[str, int]:
        try:
            return self.reporter.counts() if isinstance(self.reporter, Counting) else {}
        except Exception:  # noqa: BLE001  # observation never hurts
            return {}

    def ask(self, *, last: bool) -> threading.Event | None:
        if self._thread is None:
            return None
        ask = _Ask(last=last)
        self._queue.put(ask)
        return ask.done

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            thread = threading.Thread(
                target=self._run, args=(self._queue,), name=f"holdfast-{self.name}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                # No thread is to be had: now, and the next event asks again; or never again,
                # because the interpreter is on its way out.
                if threading.main_thread().is_alive():
                    return
            else:
                self._thread = thread
                return
        self._deliver_waiting()

    def _run(self, queue: "SimpleQueue[Event | _Ask]") -> None:
        while True:
            item = queue.get()
            if isinstance(item, Event):
                self._deliver_here(item)
                continue
            if item.last:
                self._finish()
                self._drop(sum(isinstance(late, Event) for late in self._drain()))
            item.done.set()
            if item.last:
                return

    def _deliver_here(self, event: Event) -> None:
        try:
            self._deliver(event)
        except BaseException as failure:  # noqa: BLE001  # the thread is ours: nobody else would deliver the rest
            self._note(failure)

    def _deliver(self, event: Event) -> None:
        _turn.busy = True
        try:
            self.reporter.report(event)
        except Exception as failure:  # noqa: BLE001  # observation never hurts
            self._note(failure)
        else:
            with self._lock:
                self._delivered += 1
        finally:
            _turn.busy = False

    def _deliver_waiting(self) -> None:
        for item in self._drain():
            if isinstance(item, Event):
                self._deliver(item)
            else:
                item.done.set()

    def _drain(self) -> "Iterable[Event | _Ask]":
        with contextlib.suppress(Empty):
            while True:
                yield self._queue.get_nowait()

    def _drop(self, count: int) -> None:
        with self._lock:
            self._dropped += count

    def _finish(self) -> None:
        if isinstance(self.reporter, Closing):
            try:
                self.reporter.close()
            except Exception as failure:  # noqa: BLE001  # observation never hurts
                self._note(failure)

    def _note(self, failure: BaseException) -> None:
        """Count a failure, and say it once: on standard error, because reporting is what failed."""
        with self._lock:
            self._failed += 1
            first = self._failed == 1
        if first:
            _say(
                f"reporter {self.name!r} raised {type(failure).__name__}; "
                "further failures are only counted"
            )


def _say(sentence: str) -> None:
    with contextlib.suppress(Exception):  # a daemon may have no standard error
        sys.stderr.write(f"holdfast: {sentence}\n")


_after_fork: "weakref.WeakSet[Dispatcher]" = weakref.WeakSet()


def _forget_threads() -> None:
    _turn.busy = False
    for dispatcher in tuple(_after_fork):
        dispatcher.forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
