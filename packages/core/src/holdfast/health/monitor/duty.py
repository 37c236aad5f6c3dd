"""The duty to monitor: which process of a host has it, and what goes with it.

Whoever has it tells of what has changed, and leaves word of everything for the others: they show it, and
one of them goes on from there when this process ends.
"""

import os
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from holdfast.clock import Clock
from holdfast.events import Event
from holdfast.forks import ForkSafeLock
from holdfast.health.monitor.report import MonitorReport, parsed
from holdfast.health.monitor.rounds import Rounds, Told
from holdfast.health.monitor.seat import Seat
from holdfast.health.monitor.telling import (
    UNSETTLED,
    Announce,
    Announcer,
    as_json,
    news_parsed,
)
from holdfast.health.running import Run


def _nobody(_: object) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ties:
    """Whom a monitor tells, and with whom it agrees."""

    emit: Callable[[Event], None] = _nobody
    """Takes events."""
    announce: Announce | None = None
    """Takes alerts; None: nobody is alerted."""
    flush: Callable[[float], object] = _nobody
    """Waits so many seconds at most until alerts have arrived."""
    seat: Seat | None = None
    """By which the processes of a host agree who monitors; None: this one does."""


class Duty:
    """What the process that monitors does beside looking; thread-safe, survives a fork.

    Args:
        ties: Whom it tells, and with whom it agrees.
        rounds: What is watched.
        clock: The time.
        wake: Called when there is something to write down.
    """

    def __init__(self, ties: Ties, rounds: Rounds, clock: Clock, wake: Callable[[], None]) -> None:
        self._emit = ties.emit
        self._flush = ties.flush
        self._seat = ties.seat
        self._rounds = rounds
        self._clock = clock
        self._wake = wake
        self._lock = ForkSafeLock()
        announce = ties.announce
        self._announcer = None if announce is None else Announcer(announce, self._settled)
        self.reset()

    def reset(self) -> None:
        """Be without it, as a forked child is."""
        self.is_ours = False
        """Whether this process has it."""
        self._dirty = False

    @property
    def counts(self) -> bool:
        """Whether what this process sees counts: it has the duty, or there is no other process."""
        return self.is_ours or self._seat is None

    def take(self) -> bool:
        """Get it, or keep it, without waiting; go on where the process before has left off."""
        may = self._seat is None or self._takes(self._seat)
        if may and not self.is_ours and self._seat is not None:
            self._go_on_from(self._seat.read())
            self._dirty = True
        elif self.is_ours and not may:
            self._rounds.forget_runs()
        self.is_ours = may
        return may

    def give_back(self, within: float) -> None:
        """Let another process have it, after what people are to be told has arrived.

        Args:
            within: Seconds to wait for that.
        """
        if self.is_ours:
            if self._announcer is not None and self._announcer.unsettled:
                self._flush(within)
            self._leave_word()
        with self._lock:
            self._rounds.forget_runs()
            self.reset()
            if self._seat is not None:
                self._seat.release()

    def take_in(self, given_up: Collection[Run] = ()) -> None:
        """Take note of what has ended, and tell of what has changed.

        Args:
            given_up: What is not waited for, whatever time it has left.
        """
        with (
            self._lock
        ):  # what is noted while the duty is ours is told, whoever gives it back meanwhile
            noted, told = self._rounds.collect(given_up)
            self._dirty = self._dirty or noted > 0
            known = self._kept(told)
        self._spread(known)

    def tell(self, told: Iterable[Told]) -> None:
        """Tell of changes, if they are ours to tell."""
        with self._lock:
            known = self._kept(told)
        self._spread(known)

    def _kept(self, told: Iterable[Told]) -> list[Told]:
        """Return what is ours to tell, the news of it counted among what has not arrived."""
        known = list(told) if self.counts else []
        if self._announcer is not None:
            self._announcer.keep(one.news for one in known if one.news is not None)
        return known

    def _spread(self, known: Iterable[Told]) -> None:
        """Tell; word is left before, lest the next process should tell of another outage."""
        news = [one.news for one in known if one.news is not None]
        if self._dirty or news:
            self._leave_word()
        for one in known:
            if one.event is not None:
                self._emit(one.event)
        if self._announcer is not None:
            self._announcer.announce(news)

    def report(self) -> MonitorReport:
        """Return what the process that has it knows; nothing but names before there was any."""
        if not self.counts and self._seat is not None:
            with suppress(ValueError):
                return parsed(self._seat.read(), self._clock.now())
        services = self._rounds.services
        return MonitorReport(
            services={name: service.report() for name, service in services.items()},
            time=self._clock.now(),
            process=os.getpid() if self.counts else 0,
        )

    def _takes(self, seat: Seat) -> bool:
        try:
            return seat.take()
        except OSError as failure:
            seat.complain(failure)
            return True  # told by several is better than told by none

    def _go_on_from(self, word: object) -> None:
        with suppress(ValueError):
            self._rounds.continue_from(parsed(word, self._clock.now()))
            if self._announcer is not None:
                news = news_parsed(word)
                self._announcer.keep(news)
                self._announcer.announce(news)

    def _settled(self) -> None:
        self._dirty = True
        self._wake()

    def _leave_word(self) -> None:
        with self._lock:  # an older word would go over a newer one
            self._dirty = False
            if self._seat is None or not self._seat.is_held:
                return
            unsettled = () if self._announcer is None else self._announcer.unsettled
            news = [as_json(one) for one in unsettled]
            report = self.report()
            services = {**self._rounds.entrusted, **report.services}
            self._seat.write({**replace(report, services=services).as_json(), UNSETTLED: news})
