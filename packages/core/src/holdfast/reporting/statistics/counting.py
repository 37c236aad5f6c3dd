"""Counting of errors and requests as they happen, on the thread they happen on.

What is heard is kept as a key, and folded into series by whoever reads next, or when many have come
together: what the series of an error cost is shared by all errors that are alike.
"""

import os
import weakref
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from operator import itemgetter
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from holdfast.clock import Clock, SystemClock
from holdfast.codes import ErrorKind, Fault
from holdfast.events import Event
from holdfast.forks import ForkSafeLock
from holdfast.record import ErrorHandled, ErrorRecord
from holdfast.reporting.statistics.ledger import Ledger
from holdfast.reporting.statistics.series import Seen, label
from holdfast.reporting.statistics.snapshot import StatisticsSnapshot
from holdfast.reporting.statistics.tap import Labels, Taken, Tap
from holdfast.reporting.statistics.windows import SLOT

if TYPE_CHECKING:
    from datetime import datetime

MAX_HEARD: Final = 512
"""Errors, and durations, that wait to be folded."""
MAX_DURATION: Final = 1e9
"""Seconds; what took thirty years is no duration."""

_Key: TypeAlias = tuple[int, str, ErrorKind, Fault, str, str, str, bool]
"""Slot, code, kind, fault, boundary, operation, fingerprint, and whether it was recovered from."""


class ErrorStatistics:
    """Counts the errors, the requests and the durations of one runtime in one process.

    Safe for threads, tasks and signal handlers, but for `snapshot`, which is not for signal handlers.
    A forked child begins anew: what happened before is the parent's, and would be counted twice where
    processes are added up.

    Args:
        clock: Source of time.

    Attributes:
        request: Called once for every request, task, run or message that begins; one step of a
            counter. Look it up for each call.

    Example:
        >>> statistics = ErrorStatistics()
        >>> _ = statistics.request()
        >>> statistics.snapshot().requests
        1
    """

    counts_alone: ClassVar[bool] = True
    """Of all events it takes note of errors and durations only."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._monotonic = self._clock.monotonic
        self._counter = count()
        self._step: Callable[[], int] = self._counter.__next__
        self._taps: list[Tap] = []
        self._lock = ForkSafeLock()
        self.begin_anew()
        _all.add(self)

    def begin_anew(self) -> None:
        """Forget everything, as a forked child does."""
        self.request: Callable[[], int] = self._step
        self._callers: deque[Callable[[], None]] = deque()
        self._heard: deque[tuple[_Key, datetime]] = deque()
        self._timed: deque[tuple[str, float]] = deque()
        self._last: ErrorRecord | None = None
        self._before = self._steps()
        self._offset = 0
        now = self._monotonic() / SLOT
        self._slot = int(now)
        self._ledger = Ledger(self._clock.now(), now)
        for tap in self._taps:
            tap.clear()

    def hear(self, event: Event) -> None:
        """Count an event; quick, neither blocks nor raises."""
        if not isinstance(event, ErrorHandled):
            self._time(event)
            return
        slot = int(self._monotonic() / SLOT) + self._offset
        if slot != self._slot:
            slot = self._turn(slot)
        record = event.record
        said, origin = record.classification, record.origin
        key = (
            slot,
            said.code,
            said.kind,
            said.fault,
            origin.boundary,
            origin.operation,
            record.fingerprint,
            event.attributes.get("recovered") is True,
        )
        self._heard.append((key, event.time))
        self._last = record
        if len(self._heard) >= MAX_HEARD:
            self._fold_if_free()

    def snapshot(self) -> StatisticsSnapshot:
        """Return what was counted up to now, of this process alone."""
        with self._lock:
            self._fold()
            now = self._advance()
            self._ledger.look(now, self._requests())
            return self._ledger.snapshot(self._clock.now(), now, self._last)

    def tap(self) -> Tap:
        """Return what gives every count from now on once, for whoever counts elsewhere."""
        made = Tap(self._take)
        with self._lock:
            self._fold()
            made.empty(self._requests())
            self._taps.append(made)
        return made

    def at_next_request(self, call: Callable[[], None]) -> None:
        """Have a function called when the next request begins, once; it must be quick.

        For what has to run only in processes that serve: until then, and from then on, a request costs
        no more than ever.
        """
        self._callers.append(call)
        self.request = self._first

    def _first(self) -> int:
        self.request = self._step  # before the calls: one of them may ask for the next again
        with suppress(IndexError):
            while True:
                call = self._callers.popleft()
                with suppress(Exception):  # observation never hurts
                    call()
        return self._step()

    def _time(self, event: Event) -> None:
        seconds = event.attributes.get("duration")
        if isinstance(seconds, bool) or not isinstance(seconds, float | int):
            return
        if 0 <= seconds <= MAX_DURATION:
            self._timed.append((event.name, float(seconds)))
            if len(self._timed) >= MAX_HEARD:
                self._fold_if_free()

    def _take(self, tap: Tap) -> Taken:
        with self._lock:
            self._fold()
            return tap.empty(self._requests())

    def _steps(self) -> int:
        # What it would say next, without a step: there is no other way to ask that every Python has.
        return int(repr(self._counter)[len("count(") : -1])

    def _requests(self) -> int:
        return self._steps() - self._before

    def _turn(self, slot: int) -> int:
        """Return the slot of an error that seems to be in another than the one before it."""
        if not self._lock.try_acquire():  # whoever interrupts a fold must not wait for it
            return max(slot, self._slot)
        try:
            return int(self._advance())
        finally:
            self._lock.release()

    def _advance(self) -> float:
        """Return the time in slots, which never goes back: where the clock does, it stands still."""
        now = self._monotonic() / SLOT + self._offset
        behind = self._slot - int(now)
        if behind > 1:  # by one it is a thread that looked just before another
            self._offset += behind
            now += behind
        if int(now) > self._slot:
            self._slot = int(now)
            self._ledger.look(now, self._requests())
        return max(now, float(self._slot))

    def _fold_if_free(self) -> None:
        if self._lock.try_acquire():
            try:
                self._fold()
            finally:
                self._lock.release()

    def _fold(self) -> None:
        heard = [self._heard.popleft() for _ in range(len(self._heard))]
        timed = [self._timed.popleft() for _ in range(len(self._timed))]
        first, last = dict(reversed(heard)), dict(heard)
        for key, number in Counter(map(itemgetter(0), heard)).items():
            slot, code, kind, fault, boundary, operation, fingerprint, recovered = key
            labels = Labels(
                label(code), label(kind), label(fault), label(boundary), label(operation), recovered
            )
            seen = Seen(slot, number, recovered, first[key], last[key])
            self._ledger.count(labels, label(fingerprint), seen)
            for tap in self._taps:
                tap.add(labels, number, seen.last)
        for name, seconds in timed:
            self._ledger.took(name, seconds)
        for tap in self._taps:
            tap.add_durations(timed)


_all: "weakref.WeakSet[ErrorStatistics]" = weakref.WeakSet()


def _begin_anew() -> None:
    for statistics in tuple(_all):
        statistics.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
