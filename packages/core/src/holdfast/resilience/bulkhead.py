"""How many calls may be in progress at once, so that one slow dependency does not take every thread."""

import os
from collections import deque
from dataclasses import dataclass
from typing import Final

from holdfast.errors import BulkheadFullError
from holdfast.flow import Flow
from holdfast.forks import ForkSafeLock
from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.deadline import remaining_by
from holdfast.resilience.drivers import WaitFor
from holdfast.resilience.host import Host
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.signal import Signal
from holdfast.resilience.validity import check_count, check_seconds

MOST: Final = 1_000_000
"""Places, and calls that wait for one, that make sense in one process."""


@dataclass(frozen=True, slots=True)
class Bulkhead:
    """Lets so many calls be in progress at once, of threads and tasks together; refuses the others.

    A refusal is a `BulkheadFullError`: the call was not made (effect `NONE`), and circuits do not count
    it. Those that wait are let in by their turn; who is cancelled, or out of time, gives its turn on.
    Each process counts by itself. A call that goes through the same policy again takes a second place.

    Args:
        limit: Calls in progress at once; at least 1.
        queue: Calls that may wait for a place, if `wait` gives them time; 0 refuses at once.
        wait: Seconds they wait at most, and never longer than the deadline leaves. On a thread that
            runs an event loop, wait with `acall`: a plain call blocks its thread.

    Raises:
        ValueError: For values out of range.
        TypeError: For what is no number.
    """

    limit: int
    queue: int = 0
    wait: float = 0.0

    def __post_init__(self) -> None:
        check_count("Bulkhead.limit", self.limit, least=1, most=MOST)
        check_count("Bulkhead.queue", self.queue, least=0, most=MOST)
        check_seconds("Bulkhead.wait", self.wait)

    def live(self, name: str, host: Host) -> "BulkheadLayer":
        """Return the layer of one policy."""
        return BulkheadLayer(self, name, host)


class BulkheadLayer:
    """A limited number of places, live.

    Attributes:
        places: Who has one, and who waits for one.
    """

    def __init__(self, spec: Bulkhead, name: str, host: Host) -> None:
        self.places = Places(spec.limit, spec.queue)
        self._spec = spec
        self._name = name
        self._clock = host.clock

    def snapshot(self) -> dict[str, int]:
        """Return who has a place, and who waits for one."""
        return {"in_progress": self.places.in_progress, "waiting": self.places.waiting}

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Take a place, make the call, and give the place back, however the call ends."""
        place = Place()
        try:
            entered = self.places.enter(place) or (yield from self._waited(place))
            if not entered:
                return Outcome(self._refusal())
            return (yield from inner(call))
        finally:
            self.places.leave(place)

    def _waited(self, place: "Place") -> Flow[bool]:
        seconds = min(self._spec.wait, remaining_by(self._clock))
        if place.turn is None or seconds <= 0.0:
            return False
        yield WaitFor(place.turn, seconds)
        return place.taken

    def _refusal(self) -> BulkheadFullError:
        spec = self._spec
        waiting = f"; {spec.queue} more may wait {spec.wait:g} s" if spec.queue else ""
        error = BulkheadFullError(
            f"{self._name!r} has as many calls in progress as it may: {spec.limit}{waiting}"
        )
        error.learned = {"policy": self._name, "limit": spec.limit, "queue": spec.queue}
        return error


class Place:
    """What one call has, or waits for.

    Attributes:
        turn: Is given when a waiting call gets its place; None when it does not wait.
        taken: Whether the call has its place.
    """

    __slots__ = ("taken", "turn")

    def __init__(self) -> None:
        self.turn: Signal | None = None
        self.taken = False


class Places:
    """A semaphore with a bounded queue, first come, first served; thread-safe.

    Nobody blocks on its lock for longer than its bookkeeping takes, and `leave` never blocks at all:
    the garbage collector may close an abandoned coroutine in the middle of that very bookkeeping.

    Args:
        limit: Places at once.
        queue: Who may wait for one.

    Example:
        >>> places = Places(1, 0)
        >>> first, second = Place(), Place()
        >>> places.enter(first), places.enter(second)
        (True, False)
        >>> places.leave(first)
        >>> places.enter(second)
        True
    """

    def __init__(self, limit: int, queue: int) -> None:
        self._limit = limit
        self._room = queue
        self._lock = ForkSafeLock()
        self._process = os.getpid()
        self._taken: set[Place] = set()
        self._waiting: deque[Place] = deque()
        self._leaving: deque[Place] = deque()

    @property
    def in_progress(self) -> int:
        """How many calls have a place."""
        return len(self._taken)

    @property
    def waiting(self) -> int:
        """How many calls wait for one."""
        return len(self._waiting)

    def enter(self, place: Place) -> bool:
        """Take a place; False when none is free, and `place.turn` says then whether it is queued."""
        turn = Signal() if self._room else None
        with self._lock:
            self._begin_anew_in_a_child()
            if len(self._taken) < self._limit and not self._waiting:
                self._taken.add(place)
                place.taken = True
            elif len(self._waiting) < self._room:
                place.turn = turn
                self._waiting.append(place)
        self._settle()
        return place.taken

    def leave(self, place: Place) -> None:
        """Give a place back, or the turn to get one; harmless for who has neither."""
        self._leaving.append(place)
        self._settle()

    def _settle(self) -> None:
        """See to those that leave; whoever holds the lock meanwhile looks for them afterwards."""
        while self._leaving and self._lock.try_acquire():
            try:
                self._begin_anew_in_a_child()
                self._take_away()
                self._call_next()
            finally:
                self._lock.release()

    def _take_away(self) -> None:
        while self._leaving:
            place = self._leaving[0]
            self._taken.discard(place)
            if place in self._waiting:
                self._waiting.remove(place)
            self._leaving.popleft()

    def _call_next(self) -> None:
        while self._waiting and len(self._taken) < self._limit:
            place = self._waiting[0]
            self._taken.add(place)
            place.taken = True
            self._waiting.popleft()
            if place.turn is not None:
                place.turn.give()

    def _begin_anew_in_a_child(self) -> None:
        """Forget the calls of the process that this one was forked from: they end there, if at all."""
        process = os.getpid()
        if process != self._process:
            self._process = process
            self._taken.clear()
            self._waiting.clear()
