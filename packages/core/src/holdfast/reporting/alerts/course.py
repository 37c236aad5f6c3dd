"""The course of one alert, as a state without time or thread of its own: quiet, open, quiet again."""

import math
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from holdfast.reporting.alerts.message import Stage
from holdfast.reporting.alerts.rules import AlertRule

SLOTS: Final = 20
"""Parts of a window: it slides by one of them."""
MEMORY: Final = 12
"""Windows over which the usual number of events is averaged."""
WARM_UP: Final = 5
"""Windows before which nothing is known to be usual."""
_FORGOTTEN: Final = 0.01


class Turn(NamedTuple):
    """A message that is due."""

    stage: Stage
    id: str
    events: int
    """Since the message before."""
    total: int
    """Events since the alert opened."""
    since: float
    """When it opened, in seconds."""


@dataclass(slots=True)
class Course:
    """Where the alert of one rule and key is; all times are seconds of one clock.

    A clock that goes back stands still instead.
    """

    begun: float
    """Since when events are counted."""
    last: float
    """When it was looked at last."""
    id: str = ""
    """Of the open alert; empty: quiet."""
    since: float = 0.0
    """When it opened."""
    said: float = 0.0
    """When the last message was due."""
    met: float = 0.0
    """When its condition held the last time."""
    pending: int = 0
    """Events since the last message."""
    total: int = 0
    """Events since it opened."""
    slots: list[list[int]] = field(default_factory=list[list[int]])
    """Number of each part of the window that had events, and how many."""
    period: int = 0
    """Number of the window that `current` counts, for what is usual."""
    current: int = 0
    usual: float = 0.0
    """Events in a window, on average."""

    @property
    def is_open(self) -> bool:
        """Whether somebody was told, and not yet that it is over."""
        return bool(self.id)

    def is_blank(self, rule: AlertRule, now: float) -> bool:
        """Tell whether nothing would be lost with it."""
        self._slide(rule, 0, now)
        return not (self.id or self.slots or self.usual > _FORGOTTEN)

    def step(
        self, rule: AlertRule, count: int, now: float, *, new_id: str, is_new: bool = False
    ) -> Turn | None:
        """Count events and let time pass; return the message that is due.

        Args:
            rule: The rule it belongs to.
            count: Events since the last step.
            now: Seconds.
            new_id: Id of the alert, should it open.
            is_new: Whether the key was not seen before, for rules that ask for that.
        """
        self._set_back(rule, now)
        self._slide(rule, count, now)
        holds = self._holds(rule, count, now, is_new=is_new)
        if self.id:
            return self._go_on(rule, count, now, holds=holds)
        return self._open(rule, count, now, new_id) if holds else None

    def finish(self, now: float) -> Turn | None:
        """Return a last summary, should there be anything to say: nobody will count any more."""
        return self._tell(Stage.CONTINUES, now) if self.id and self.pending else None

    def shift(self, seconds: float) -> None:
        """Let it be as it would be if its clock had shown more."""
        self.since, self.said, self.met = (
            self.since + seconds,
            self.said + seconds,
            self.met + seconds,
        )
        self.begun, self.last = self.begun + seconds, self.last + seconds

    def join(self, other: "Course", events: int) -> None:
        """Go on for another one of the same alert, too, which is open.

        Args:
            other: Its times are of the same clock.
            events: What it has counted for itself alone.
        """
        self.pending += other.pending
        self.total += events
        self.met, self.said = max(self.met, other.met), max(self.said, other.said)

    def _open(self, rule: AlertRule, count: int, now: float, new_id: str) -> Turn:
        self.id, self.since, self.met = new_id, now, now
        self.pending = self.total = self._in_window() if _has_window(rule) else count
        return self._tell(Stage.OPENED, now)

    def _go_on(self, rule: AlertRule, count: int, now: float, *, holds: bool) -> Turn | None:
        self.pending += count
        self.total += count
        if holds:
            self.met = now
        elif now - self.met >= rule.recover_after:
            turn = self._tell(Stage.RECOVERED, now)
            self.id, self.slots, self.total = "", [], 0
            return turn
        due = self.pending > 0 and now - self.said >= rule.cool_down
        return self._tell(Stage.CONTINUES, now) if due else None

    def _tell(self, stage: Stage, now: float) -> Turn:
        turn = Turn(stage, self.id, self.pending, self.total, self.since)
        self.pending, self.said = 0, now
        return turn

    def _holds(self, rule: AlertRule, count: int, now: float, *, is_new: bool) -> bool:
        if rule.when in {"first_seen", "new_in_release"}:
            return is_new or (self.is_open and count > 0)
        if not _has_window(rule):
            return count > 0
        found = self._in_window()
        if rule.when == "change":
            known = now - self.begun >= WARM_UP * rule.window
            return known and found >= max(rule.count, rule.factor * self.usual)
        return found >= rule.count

    def _in_window(self) -> int:
        return sum(count for _, count in self.slots)

    def _slide(self, rule: AlertRule, count: int, now: float) -> None:
        if not _has_window(rule):
            return
        slot = math.floor(now / _width(rule))
        self.slots = [part for part in self.slots if part[0] > slot - SLOTS]
        if count and self.slots and self.slots[-1][0] == slot:
            self.slots[-1][1] += count
        elif count:
            self.slots.append([slot, count])
        if rule.when == "change":
            self._learn(math.floor(now / rule.window), count)

    def _learn(self, period: int, count: int) -> None:
        passed = period - self.period
        if passed > 0:
            self.usual += (self.current - self.usual) / MEMORY
            self.usual *= (1 - 1 / MEMORY) ** min(passed - 1, 1000)
            self.period, self.current = period, 0
        self.current += count

    def _set_back(self, rule: AlertRule, now: float) -> None:
        """Let no time have passed where the clock went back."""
        back = self.last - now
        if back > 0:
            slots = math.floor(self.last / _width(rule)) - math.floor(now / _width(rule))
            self.slots = [[slot - slots, count] for slot, count in self.slots]
            self.period -= math.floor(self.last / rule.window) - math.floor(now / rule.window)
            self.since, self.said = self.since - back, self.said - back
            self.met, self.begun = self.met - back, self.begun - back
        self.last = now


def _width(rule: AlertRule) -> float:
    return rule.window / SLOTS


def _has_window(rule: AlertRule) -> bool:
    return rule.when == "change" or (rule.when == "count" and rule.count > 1)
