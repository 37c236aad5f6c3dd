"""Messages on their way: a queue and a thread for each channel, retries, and a budget."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from holdfast.clock import Clock, SystemClock
from holdfast.complaints import complain
from holdfast.reporting.alerts.message import AlertChannel, AlertMessage, Stage
from holdfast.reporting.channel import Delivery, turn

MAX_WAITING: Final = 1000
"""Messages that wait for one channel; more are lost, and counted."""
MAX_ATTEMPTS: Final = 10
"""Times that one message is sent to one channel."""

Pause = Callable[[Exception, int], float | None]
"""Seconds to wait after a failure and a number of attempts; None: it is of no use."""
Notice = Callable[[str, int, int], AlertMessage]
"""Makes the message that tells a channel how many messages, of how many events, were held back."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many messages a channel is sent within a time; how many more there were, it is told in one."""

    messages: int
    window: float
    """Seconds."""


class Parcel(NamedTuple):
    """A message, and what is called when a channel has it or never will."""

    message: AlertMessage
    done: Callable[[], None]


class _Ask(NamedTuple):
    """A mark in a queue: set when all before it was tried once; the last one ends the thread."""

    done: threading.Event
    last: bool


class Line:
    """One channel with its queue, its thread and its counts; messages arrive in order.

    A summary that still waits when the next one of its alert comes becomes one with it.

    Args:
        channel: Carries the messages.
        clock: Measures waits.
        pause: Says how long to wait before another attempt.
        notice: Makes the message about those that were held back.
        budget: Of the channel; None: as many as there are.
        threaded: False for tests: whoever posts also sends.
    """

    def __init__(
        self,
        channel: AlertChannel,
        *,
        clock: Clock,
        pause: Pause,
        notice: Notice,
        budget: Budget | None = None,
        threaded: bool = True,
    ) -> None:
        self.channel = channel
        self.name = str(channel.name)
        self._clock = clock
        self._pause = pause
        self._notice = notice
        self._budget = budget
        self._threaded = threaded
        self._sent = self._failed = self._lost = 0
        self.reset()

    def reset(self) -> None:
        """Begin without a thread and with nothing to send."""
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._inbox: SimpleQueue[Parcel | _Ask] = SimpleQueue()
        self._waiting: deque[Parcel] = deque()
        self._asked: list[_Ask] = []
        self._attempts = 0
        self._not_before = 0.0
        self._times: deque[float] = deque()
        self._held = self._held_events = 0

    def post(self, parcel: Parcel) -> None:
        """Leave a message to the channel's thread; one too many is lost."""
        if self._inbox.qsize() + len(self._waiting) >= MAX_WAITING:
            self._lose(parcel)
            return
        self._inbox.put(parcel)
        if self._threaded:
            self._start()

    def counts(self) -> Delivery:
        """Return what became of the messages: delivered, failed attempts, lost, waiting."""
        waiting = self._inbox.qsize() + len(self._waiting)
        return Delivery(
            self.name, self._sent, self._failed, self._lost, waiting, {"held": self._held}
        )

    def flush(self) -> threading.Event | None:
        """Return what is set when everything so far was tried, or None when no thread will."""
        return self._ask(last=False)

    def close(self) -> threading.Event | None:
        """Return what is set when everything was tried a last time, or None when no thread will."""
        return self._ask(last=True)

    def send_due(self) -> float | None:
        """Send what is due; return the seconds until more is, or None when nothing waits."""
        while True:
            self._take_in()
            now = self._clock.monotonic()
            wait = self._over_budget(now)
            if wait > 0:
                self._hold_back()
                return wait if self._held else None
            if self._held:
                notice = self._notice(self.name, self._held, self._held_events)
                self._held = self._held_events = 0
                self._waiting.appendleft(Parcel(notice, _nothing))
            if not self._waiting:
                return None
            if now < self._not_before:
                return self._not_before - now
            self._send_next(now)

    def _take_in(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                self._sort(self._inbox.get_nowait())

    def _sort(self, item: Parcel | _Ask) -> None:
        if isinstance(item, _Ask):
            self._asked.append(item)
        elif not self._join(item):
            self._waiting.append(item)

    def _join(self, parcel: Parcel) -> bool:
        """Make one of a summary that still waits and the next message of the same alert."""
        first = 1 if self._attempts else 0  # what may have arrived stays as it was
        for place in range(len(self._waiting) - 1, first - 1, -1):
            before, done = self._waiting[place]
            if before.id == parcel.message.id:
                if before.stage is not Stage.CONTINUES:
                    return False
                count = before.count + parcel.message.count
                joined = replace(parcel.message, count=count)
                self._waiting[place] = Parcel(joined, partial(_both, done, parcel.done))
                return True
        return False

    def _send_next(self, now: float) -> None:
        parcel = self._waiting[0]
        self._attempts += 1
        failure = self._try(parcel)
        if failure is not None and self._attempts < MAX_ATTEMPTS:
            wait = self._pause(failure, self._attempts)
            if wait is not None:
                self._not_before = now + wait
                return
        self._waiting.popleft()
        self._attempts, self._not_before = 0, 0.0
        if failure is None:
            self._sent += 1
            self._times.append(now)
            parcel.done()
        else:
            self._lose(parcel)

    def _try(self, parcel: Parcel) -> Exception | None:
        turn.busy = True
        try:
            self.channel.send(parcel.message)
        except Exception as failure:  # noqa: BLE001  # whatever a channel raises
            self._failed += 1
            if self._failed == 1:
                complain(f"alerts: channel {self.name!r} raised {type(failure).__name__}")
            return failure
        finally:
            turn.busy = False
        return None

    def _over_budget(self, now: float) -> float:
        """Return the seconds until the budget allows for another message."""
        if self._budget is None:
            self._times.clear()
            return 0.0
        while self._times and self._times[0] <= now - self._budget.window:
            self._times.popleft()
        spent = len(self._times) >= self._budget.messages
        return self._times[0] + self._budget.window - now if spent else 0.0

    def _hold_back(self) -> None:
        self._held += len(self._waiting)
        self._attempts, self._not_before = 0, 0.0
        while self._waiting:
            parcel = self._waiting.popleft()
            self._held_events += parcel.message.count
            parcel.done()

    def _lose(self, parcel: Parcel) -> None:
        self._lost += 1
        if self._lost == 1:
            complain(f"alerts: channel {self.name!r} lost a message; further ones are only counted")
        parcel.done()

    def _ask(self, *, last: bool) -> threading.Event | None:
        if self._thread is None or not self._thread.is_alive():
            return None
        ask = _Ask(threading.Event(), last)
        self._inbox.put(ask)
        return ask.done

    def _start(self) -> None:
        if self._thread is not None or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                name = f"holdfast-alerts-{self.name}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            pass  # no thread is to be had now; the next message asks again
        finally:
            self._starting.release()

    def _run(self) -> None:
        wait: float | None = None
        inbox = self._inbox
        while True:
            with contextlib.suppress(Empty):
                self._sort(inbox.get(timeout=wait))
            if any(ask.last for ask in self._asked):
                self._not_before = 0.0  # there is no later
            with contextlib.suppress(
                Exception
            ):  # the thread is ours: nobody else would send the rest
                wait = self.send_due()
            asked, self._asked = self._asked, []
            for ask in asked:
                ask.done.set()
            if any(ask.last for ask in asked):
                self._lost += len(self._waiting)
                return


def tell_all(
    lines: list[Line], until: float, mark: Callable[[Line], threading.Event | None]
) -> bool:
    """Set marks in several lines and wait for them together; False when time ran out.

    Args:
        lines: The lines.
        until: Monotonic time at which to wait no longer.
        mark: `Line.flush` or `Line.close`.
    """
    clock = SystemClock()
    marks = [done for done in map(mark, lines) if done is not None]
    return all(done.wait(max(0.0, until - clock.monotonic())) for done in marks)


def _both(first: Callable[[], None], second: Callable[[], None]) -> None:
    first()
    second()


def _nothing() -> None:
    """Do nothing: nobody waits for this parcel."""
