"""Alerts of one runtime: events are counted where they happen, and judged on a thread of their own.

What a request pays for is a step of a counter for each rule. A thread looks at the counters as long as
there is something to see, lets time pass for what is open, and hands messages to the channels' threads.
"""

import contextlib
import os
import secrets
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from holdfast.clock import Clock, SystemClock
from holdfast.complaints import complain
from holdfast.events import Event, Scalar
from holdfast.kinds import Severity
from holdfast.reporting.alerts.folding import Due, Folding
from holdfast.reporting.alerts.message import AlertChannel, AlertMessage, Stage
from holdfast.reporting.alerts.news import News
from holdfast.reporting.alerts.outbox import Budget, Line, Parcel, Pause, tell_all
from holdfast.reporting.alerts.quiet import Held, QuietHours, summary
from holdfast.reporting.alerts.rules import AlertRule
from holdfast.reporting.alerts.tallies import Tallies
from holdfast.reporting.alerts.written import (
    BUDGET_RULE,
    QUIET_RULE,
    Labels,
    announcement,
    message_of,
)
from holdfast.reporting.channel import Delivery, turn

REST: Final = 0.2
"""Seconds between two looks at the counters while events come."""
QUIET_BEAT: Final = 5.0
"""Seconds between two looks at whether quiet hours are over."""
MAX_HELD_SHOWN: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Who is told, and how."""

    channels: Sequence[AlertChannel] = ()
    budgets: Mapping[str, Budget] = field(default_factory=dict[str, Budget])
    """By channel."""
    pause: Pause = lambda _, __: None
    """Says when to try again; by default never."""
    quiet: QuietHours | None = None
    labels: Labels = field(default_factory=Labels)


class _Ask(NamedTuple):
    """A mark in the queue that wakes the thread: set when it has looked; the last one ends it."""

    done: threading.Event
    last: bool


class _Announced(NamedTuple):
    """What is to be told beside what the rules make of events."""

    news: News
    channels: Collection[str]
    settled: Callable[[], None]


class _Action:
    """A rule's action, as a channel."""

    def __init__(self, rule: AlertRule) -> None:
        self.name = f"action of {rule.name}"
        self._rule = rule

    def send(self, message: AlertMessage) -> None:
        """Call it."""
        if self._rule.action is not None:
            self._rule.action(message)


class Alerts:
    """Tells people of events by rules; never raises, never blocks whom it hears.

    Args:
        rules: The rules.
        folding: Makes few messages of many events.
        sending: Channels, budgets, quiet hours.
        clock: The time.
        threaded: False for tests: whoever is heard also folds and sends.
    """

    def __init__(
        self,
        rules: Iterable[AlertRule],
        folding: Folding,
        sending: Sending,
        *,
        clock: Clock,
        threaded: bool = True,
    ) -> None:
        self.rules = tuple(rules)
        self._folding = folding
        self._sending = sending
        self._clock = clock
        self._threaded = threaded
        self._labels = sending.labels
        self._tallies = Tallies(self.rules, clock)
        self.failures = 0
        """Times that folding raised."""
        actions = [_Action(rule) for rule in self.rules if rule.action is not None]
        self.lines = [self._line(channel) for channel in (*sending.channels, *actions)]
        self._named = [line.name for line in self.lines[: len(sending.channels)]]
        self._reset()
        _after_fork.add(self)

    def hear(self, event: Event) -> None:
        """Count an event: takes no lock, so that signal handlers and finalisers may emit."""
        if turn.busy and not turn.elsewhere:
            return  # what telling people causes would go in circles
        if not self._tallies.hear(event):
            return
        if not self._threaded:
            self.tick()
        elif self._asleep:
            self._rouse()

    def announce(self, news: News, channels: Collection[str], settled: Callable[[], None]) -> None:
        """Tell people of something that no rule is about; quiet hours, budgets and retries hold for it.

        Args:
            news: What.
            channels: Who is told, by name; empty: all channels.
            settled: Called once, on a thread of the alerts, when all of them have it or never will, or
                when it waits for the end of quiet hours.
        """
        self._announced.put(_Announced(news, channels, settled))
        if self._threaded:
            self._rouse()
        else:
            self.tick()

    def watch(self) -> None:
        """Look after alerts that other processes have left open, before anything happens in this one."""
        if self.rules and self._threaded:
            self._rouse()

    def tick(self) -> None:
        """Fold what was counted and post what is due; for tests, where no thread does."""
        self._round()
        for line in self.lines:
            line.send_due()

    def flush(self, timeout: float) -> bool:
        """Try to send everything counted so far; False when not all channels came to it in time.

        Args:
            timeout: Seconds.
        """
        until = SystemClock().monotonic() + timeout
        if self._thread is not None:
            ask = _Ask(threading.Event(), last=False)
            self._wake.put(ask)
            if not ask.done.wait(timeout):
                return False
        return tell_all(self.lines, until, Line.flush)

    def close(self, timeout: float) -> bool:
        """Fold and send a last time; False when time ran out. Events after it are not told.

        What is open and has anything to tell gets a last summary. That it is over is not told: an end
        of the process does not show that.

        Args:
            timeout: Seconds.
        """
        until = SystemClock().monotonic() + timeout
        if self._thread is not None and self._thread.is_alive():
            last = _Ask(threading.Event(), last=True)
            self._wake.put(last)
            if not last.done.wait(timeout):
                return False
        elif not (self._asleep and self._threaded):
            self._finish()
        in_time = tell_all(self.lines, until, Line.close)
        with contextlib.suppress(Exception):  # others find out by themselves
            self._folding.leave()
        return in_time

    def deliveries(self) -> tuple[Delivery, ...]:
        """Return what became of messages, by channel."""
        return tuple(line.counts() for line in self.lines)

    def forget_threads(self) -> None:
        """Begin anew in a forked child: threads did not come along, the parent tells what it counted."""
        self._tallies.reset()
        self._folding.reset()
        for line in self.lines:
            line.reset()
        self._reset()

    def _reset(self) -> None:
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake: SimpleQueue[_Ask | None] = SimpleQueue()
        self._announced: SimpleQueue[_Announced] = SimpleQueue()
        self._asleep = True
        self._held: dict[tuple[str, str], Held] = {}

    def _rouse(self) -> None:
        self._asleep = False
        self._wake.put(None)
        if self._thread is not None or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="holdfast-alerts", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            self._asleep = True  # no thread is to be had now; the next event asks again
        finally:
            self._starting.release()

    def _run(self) -> None:
        turn.busy = True  # what this thread causes would go in circles
        wake, wait = self._wake, None
        while True:
            ask = None
            with contextlib.suppress(Empty):
                ask = wake.get(timeout=wait)
            if ask is not None and ask.last:
                self._finish()
                ask.done.set()
                return
            wait = self._look()
            if ask is not None:
                ask.done.set()

    def _look(self) -> float | None:
        """Let time pass; return the seconds until the next look."""
        heard, wait = self._round()
        if not heard:
            self._asleep = True
            heard, wait = self._round()  # an event that saw us awake did not wake us
        if heard:
            self._asleep = False
            return REST
        return wait

    def _round(self) -> tuple[bool, float | None]:
        try:
            heard = self._tallies.take()
            self._post_announced()  # first, as folding may raise
            self._post(self._folding.fold(heard))
            self._end_quiet()
            waits = [self._folding.wait(), QUIET_BEAT if self._held else None]
            return bool(heard), min((wait for wait in waits if wait is not None), default=None)
        except Exception as failure:  # noqa: BLE001  # observation never hurts
            self._note(failure)
            return False, REST

    def _finish(self) -> None:
        self._round()
        try:
            self._post(self._folding.finish())
            self._end_quiet(at_once=True)
        except Exception as failure:  # noqa: BLE001  # observation never hurts
            self._note(failure)

    def _note(self, failure: Exception) -> None:
        self.failures += 1
        if self.failures == 1:
            complain(
                f"alerts: folding raised {type(failure).__name__}; further failures are only counted"
            )

    def _post(self, dues: Iterable[Due]) -> None:
        now = self._clock.now()
        for due in dues:
            self._tell(message_of(due, self._labels, now), self._lines_of(due.rule), due.settled)

    def _post_announced(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                news, channels, settled = self._announced.get_nowait()
                named = channels or self._named
                lines = [line for line in self.lines if line.name in named]
                self._tell(announcement(news, self._labels, self._clock.now()), lines, settled)

    def _tell(
        self, message: AlertMessage, lines: Sequence[Line], settled: Callable[[], None]
    ) -> None:
        quiet = self._sending.quiet
        if quiet is not None and quiet.holds(message.severity, message.time):
            self._hold(message, lines)
            lines = []
        self._hand_over(message, lines, settled)

    def _hand_over(
        self, message: AlertMessage, lines: Sequence[Line], settled: Callable[[], None]
    ) -> None:
        if not lines:
            settled()
            return
        done = _Countdown(len(lines), settled)
        for line in lines:
            line.post(Parcel(message, done))
            if not self._threaded:
                line.send_due()

    def _lines_of(self, rule: AlertRule) -> list[Line]:
        wanted = rule.channels or (() if rule.action else self._named)
        action = f"action of {rule.name}" if rule.action else ""
        return [line for line in self.lines if line.name in wanted or line.name == action]

    def _hold(self, message: AlertMessage, lines: Sequence[Line]) -> None:
        place = message.rule, message.key
        held = self._held.get(place)
        if held is None:
            names = tuple(line.name for line in lines)
            held = self._held[place] = Held(*place, message.severity, names)
        held.severity = max(held.severity, message.severity)
        held.count += message.count
        held.over = message.stage is Stage.RECOVERED

    def _end_quiet(self, *, at_once: bool = False) -> None:
        """Send one summary to each channel of what it was not told, when quiet hours are over."""
        quiet, now = self._sending.quiet, self._clock.now()
        if not self._held or (quiet is not None and quiet.are_on(now) and not at_once):
            return
        waiting, self._held = list(self._held.values()), {}
        for line in self.lines:
            held = [one for one in waiting if line.name in one.channels]
            if held:
                facts = {f"{one.rule}: {one.key}": one.count for one in held[:MAX_HELD_SHOWN]}
                count = sum(one.count for one in held)
                severity = max(one.severity for one in held)
                message = self._notice(QUIET_RULE, summary(held), facts, count, severity)
                self._hand_over(message, [line], _nothing)

    def _held_back(self, channel: str, messages: int, events: int) -> AlertMessage:
        title = f"{messages} message{'s' if messages != 1 else ''} to {channel} held back"
        facts: dict[str, Scalar] = {"channel": channel, "messages": messages}
        return self._notice(BUDGET_RULE, title, facts, events, Severity.WARNING)

    def _notice(
        self, rule: str, title: str, facts: Mapping[str, Scalar], count: int, severity: Severity
    ) -> AlertMessage:
        """Return a message about messages."""
        now = self._clock.now()
        news = News(
            id=secrets.token_hex(16),
            source=rule,
            key="",
            stage=Stage.CONTINUES,
            severity=severity,
            title=title,
            since=now,
            count=count,
            total=count,
            attributes=facts,
        )
        return announcement(news, self._labels, now)

    def _line(self, channel: AlertChannel) -> Line:
        return Line(
            channel,
            clock=self._clock,
            pause=self._sending.pause,
            notice=self._held_back,
            budget=self._sending.budgets.get(channel.name),
            threaded=self._threaded,
        )


class _Countdown:
    """Calls something when it was itself called as often as told; for several threads."""

    def __init__(self, times: int, then: Callable[[], None]) -> None:
        self._last = times - 1
        self._step = count().__next__
        self._then = then

    def __call__(self) -> None:
        if self._step() == self._last:
            self._then()


def _nothing() -> None:
    """Do nothing: nobody waits for this message."""


_after_fork: "weakref.WeakSet[Alerts]" = weakref.WeakSet()


def _forget_threads() -> None:
    for alerts in tuple(_after_fork):
        alerts.forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
