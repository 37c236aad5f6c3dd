"""One reporter with its queue, its thread and its counts; `dispatcher` has one for each."""

import contextlib
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, Protocol, runtime_checkable

from holdfast.clock import SystemClock
from holdfast.complaints import complain
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


OUTCOMES: Final = ("delivered", "failed", "dropped")
"""What may become of an event, by our own count; a reporter may know further ones."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of the events meant for one reporter, in this process."""

    reporter: str
    delivered: int
    failed: int
    """Events on which the reporter raised."""
    dropped: int
    """Events that found the queue full or closed, or that a reporter caused by reporting.

    Errors of finalisers (`unraisable`) that ran in the middle of a report are among these: whose
    object it was cannot be known.
    """
    waiting: int
    further: Mapping[str, int] = field(default_factory=dict[str, int])
    """What the reporter counts itself, by outcome."""

    def outcomes(self) -> dict[str, int]:
        """Return the totals that only grow, by outcome."""
        ours = dict(zip(OUTCOMES, (self.delivered, self.failed, self.dropped), strict=True))
        return {**ours, **self.further}


_LATE = 0.4
"""Seconds that one reporter may take in all for what comes up after it was closed."""


class _Ask:
    """A mark in a queue: set when the worker comes to it."""

    __slots__ = ("done", "last")

    def __init__(self, *, last: bool) -> None:
        self.done = threading.Event()
        self.last = last


class _Turn(threading.local):
    """Whether this thread is in the middle of a delivery."""

    busy = False
    elsewhere = False
    """Whether it is held up there by what others began, as by a finaliser: no report caused that."""

    @contextlib.contextmanager
    def held_up(self) -> Generator[None]:
        """Let events be left to reporters, in the middle of a delivery too."""
        outer, self.elsewhere = self.elsewhere, True
        try:
            yield
        finally:
            self.elsewhere = outer


turn = _Turn()
"""A fork in the middle of a delivery leaves it busy; `dispatcher` then resets it."""


class _LastMoments:
    """Whether this process is ending although its main thread runs, as a child of `multiprocessing` does."""

    began = False


last_moments = _LastMoments()


class Channel:
    """One reporter with its queue, its thread and its counts.

    `put` takes no lock as long as there is room, so that a signal handler or a finaliser may emit
    in the middle of an emit. The lock is reentrant for the same reason.
    """

    def __init__(self, reporter: Reporter, size: int) -> None:
        self.reporter = reporter
        self.name = str(getattr(reporter, "name", type(reporter).__qualname__))
        self._size = size
        self._closed = self._finishing = self._ending = False
        self._late = _LATE
        self.reset()

    def reset(self) -> None:
        """Begin without a thread, with nothing to deliver, and with nothing counted."""
        self._delivered = self._failed = self._dropped = 0
        self._lock = threading.RLock()
        self._delivering = threading.RLock()
        self._queue: SimpleQueue[Event | _Ask] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def pause(self, patience: float) -> Callable[[], None] | None:
        """Wait until the reporter is not in the middle of a report, and keep it from beginning another.

        Returns:
            What lets it go on, to be called on this thread; None when the time was over before.

        Args:
            patience: Seconds.
        """
        paused = self._delivering
        return paused.release if paused.acquire(timeout=patience) else None

    def put(self, event: Event) -> None:
        """Leave an event to the reporter's thread, or count it as dropped."""
        ours = turn.busy and not turn.elsewhere
        if self._closed or ours or self._queue.qsize() >= self._size:
            self._turn_down(event)
            return
        self._queue.put(event)
        if self._thread is None and not turn.busy:  # else this thread delivers what waits
            self._start()

    def deliver_now(self, event: Event) -> None:
        """Deliver an event on this thread, or count it as dropped."""
        if self._closed or turn.busy:
            self._turn_down(event)
        else:
            self._deliver(event)

    @property
    def stranded(self) -> bool:
        """Whether events wait for a thread that cannot be had."""
        return self._thread is None and not self._queue.empty()

    def flush(self) -> threading.Event | None:
        """Return what is set when all so far is delivered, or None when no thread will set it."""
        if self.stranded:
            self._start()
        return self._ask(last=False)

    def close(self) -> threading.Event | None:
        """Return what is set when all is delivered and the reporter closed, or None when it is."""
        if self._closed:
            return None
        self._closed = True
        self._ending = last_moments.began or not threading.main_thread().is_alive()
        if self.stranded or (self._thread is None and isinstance(self.reporter, Closing)):
            self._start()  # for the end alone: the caller waits no longer than it said
        if self._thread is None:
            self._deliver_waiting()
            self._finish()
        return self._ask(last=True)

    def give_up(self) -> None:
        """Count what waits as dropped and say so: the time for closing is over."""
        self._ending = False
        waiting = sum(isinstance(item, Event) for item in self._drain())
        self._drop(waiting)
        busy = "" if self._finishing else ", beside the one it was busy with"
        complain(
            f"reporter {self.name!r} did not finish in time; events not delivered: {waiting}{busy}"
        )
        self._ask(last=True)  # should it come round after all, it still finishes

    def delivery(self) -> Delivery:
        """Return the counts so far."""
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

    def _ask(self, *, last: bool) -> threading.Event | None:
        if self._thread is None or not self._thread.is_alive():
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
                self._here(partial(self._deliver, item))
                continue
            if item.last:
                self._here(self._finish)
            if item.last and not self._ending:
                self._drop(sum(isinstance(late, Event) for late in self._drain()))
                item.done.set()
                return
            item.done.set()

    def _here(self, work: Callable[[], None]) -> None:
        try:
            with self._delivering:
                work()
        except BaseException as failure:  # noqa: BLE001  # the thread is ours: nobody else would deliver the rest
            self._note(failure)

    def _deliver(self, event: Event) -> None:
        turn.busy = True
        try:
            self.reporter.report(event)
        except Exception as failure:  # noqa: BLE001  # observation never hurts
            self._note(failure)
        else:
            with self._lock:
                self._delivered += 1
        finally:
            turn.busy = False

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

    def _turn_down(self, event: Event) -> None:
        """Count an event as dropped, unless it comes up in what runs after us while the process ends.

        What was registered with `atexit` before us fails after the reporter was closed: it is told
        of that too, and closed once more.
        """
        if not self._ending or turn.busy or sys.is_finalizing():  # threads are frozen in the end
            self._drop(1)
            return
        self._queue.put(event)
        done = self._ask(last=True)
        if done is None:
            self._deliver_waiting()
            self._finish()
            return
        clock = SystemClock()
        since = clock.monotonic()
        in_time = done.wait(self._late)
        self._late -= clock.monotonic() - since
        if not in_time or self._late <= 0:
            self.give_up()

    def _drop(self, count: int) -> None:
        with self._lock:
            self._dropped += count

    def _finish(self) -> None:
        self._finishing = True
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
            complain(
                f"reporter {self.name!r} raised {type(failure).__name__}; "
                "further failures are only counted"
            )
