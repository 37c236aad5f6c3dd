"""Delivery of events to reporters: queued, bounded, isolated.

Each reporter has its own queue and its own thread, started with its first event, so that one that
hangs holds up neither the caller nor the others. What cannot be delivered is counted.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from holdfast.clock import Clock, SystemClock
from holdfast.complaints import complain
from holdfast.events import Event
from holdfast.reporting.channel import Channel, Closing, Counting, Delivery, Reporter, turn

FORK_PATIENCE = 0.1
"""Seconds that a fork waits for reports to end; a reporter that hangs holds it up no longer."""

__all__ = ["FORK_PATIENCE", "Closing", "Counting", "Delivery", "Dispatcher", "Listener", "Reporter"]


@runtime_checkable
class Listener(Protocol):
    """Hears events where they happen; a reporter may be one, too."""

    def hear(self, event: Event) -> None:
        """Take note of an event; must be quick and must not block."""
        ...


class Dispatcher:
    """Hands events to reporters; `emit` neither blocks nor raises, from any thread or task.

    What a reporter causes by reporting is dropped, so that no event can go in circles.

    Args:
        reporters: Who is told.
        listeners: Who hears every event at once, on the calling thread, before it is queued.
        queue_size: Events one reporter may be behind; later ones are dropped and counted.
        inline: Deliver on the calling thread instead; for tests and short scripts.
        clock: What `flush` and `close` measure their time with.
    """

    def __init__(
        self,
        reporters: Iterable[Reporter],
        *,
        listeners: Iterable[Listener] = (),
        queue_size: int = 1000,
        inline: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._inline = inline
        self._broken: set[str] = set()
        self._clock = clock or SystemClock()
        told = tuple(reporters)
        self._listeners = (*listeners, *(one for one in told if isinstance(one, Listener)))
        self.is_heard = bool(told) or not all(_counts_alone(one) for one in self._listeners)
        """Whether anybody cares for events without an error or a duration; else they need not be made."""
        self._channels = tuple(Channel(reporter, queue_size) for reporter in told)
        self.emit: Callable[[Event], None] = self._emit_inline if inline else self._emit_queued
        _after_fork.add(self)

    def _emit_queued(self, event: Event) -> None:
        self._tell(event)
        for channel in self._channels:
            channel.put(event)

    def _emit_inline(self, event: Event) -> None:
        self._tell(event)
        for channel in self._channels:
            channel.deliver_now(event)

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            try:
                listener.hear(event)
            except Exception as failure:  # noqa: BLE001  # observation never hurts
                self._note(listener, failure)

    def _note(self, listener: Listener, failure: Exception) -> None:
        name = type(listener).__name__
        if name not in self._broken:
            self._broken.add(name)
            complain(f"{name} raised {type(failure).__name__}")

    @property
    def reporters(self) -> tuple[Reporter, ...]:
        """Who is told, in order."""
        return tuple(channel.reporter for channel in self._channels)

    def deliveries(self) -> tuple[Delivery, ...]:
        """Return what was delivered, failed and dropped, by reporter."""
        return tuple(channel.delivery() for channel in self._channels)

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until every event emitted so far is delivered; False when it was not.

        Args:
            timeout: Seconds for all reporters together.
        """
        late = self._late([(channel, channel.flush()) for channel in self._channels], timeout)
        return not late and not any(channel.stranded for channel in self._channels)

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

    def pause(self, until: float) -> list[Callable[[], None]]:
        """Keep reporters from beginning a report, and return what lets each go on.

        Those that are in the middle of one are waited for; those that do not come to its end are
        let be.

        Args:
            until: The monotonic time at which to wait no longer.
        """
        pauses = (
            channel.pause(max(0.0, until - self._clock.monotonic())) for channel in self._channels
        )
        return [go_on for go_on in pauses if go_on is not None]

    def forget_threads(self) -> None:
        """Start over in a forked child: threads did not come along, the parent delivers what waits."""
        for channel in self._channels:
            channel.reset()

    def _late(
        self, marks: Iterable[tuple[Channel, threading.Event | None]], timeout: float
    ) -> list[Channel]:
        """Wait for marks together, and return the channels that did not come to theirs."""
        until = self._clock.monotonic() + timeout
        late: list[Channel] = []
        for channel, mark in marks:
            if mark is not None and not mark.wait(max(0.0, until - self._clock.monotonic())):
                late.append(channel)
        return late


def _counts_alone(listener: Listener) -> bool:
    return getattr(listener, "counts_alone", False) is True


_after_fork: "weakref.WeakSet[Dispatcher]" = weakref.WeakSet()


class _Pauses(threading.local):
    """What this thread lets go on when it has forked."""

    held: tuple[Callable[[], None], ...] = ()


_pauses = _Pauses()


def _pause() -> None:
    """Fork between reports: what a reporter's library holds in the middle of one is held in the child for ever."""
    until = SystemClock().monotonic() + FORK_PATIENCE
    for dispatcher in tuple(_after_fork):
        _pauses.held += tuple(dispatcher.pause(until))


def _go_on() -> None:
    held, _pauses.held = _pauses.held, ()
    for go_on in held:
        go_on()


def _forget_threads() -> None:
    turn.busy = False
    _pauses.held = ()
    for dispatcher in tuple(_after_fork):
        dispatcher.forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause, after_in_parent=_go_on, after_in_child=_forget_threads)
