"""Hours in which nobody is to be woken for little: what is less grave waits, and comes as one summary."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, tzinfo

from holdfast.kinds import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """Part of the day in which messages below a severity are held.

    Example:
        >>> from datetime import UTC
        >>> night = QuietHours(start=time(22), end=time(7), zone=UTC)
        >>> night.holds(Severity.ERROR, datetime(2024, 1, 15, 23, tzinfo=UTC))
        True
        >>> night.holds(Severity.CRITICAL, datetime(2024, 1, 15, 23, tzinfo=UTC))
        False
    """

    start: time
    end: time
    """May be earlier in the day than the start; the same: the whole day."""
    zone: tzinfo
    below: Severity = Severity.CRITICAL
    """Messages of this severity and above are sent at once."""
    days: frozenset[int] = frozenset(range(7))
    """Days on which they begin; Monday is 0."""

    def holds(self, severity: Severity, now: datetime) -> bool:
        """Tell whether a message of a severity has to wait at a point in time, which is aware."""
        return severity < self.below and self.are_on(now)

    def are_on(self, now: datetime) -> bool:
        """Tell whether it is quiet at a point in time, which is aware."""
        local = now.astimezone(self.zone)
        moment, today = local.time(), local.weekday()
        if self.start < self.end:
            return self.start <= moment < self.end and today in self.days
        since_yesterday = moment < self.end and (today - 1) % 7 in self.days
        return since_yesterday or (moment >= self.start and today in self.days)


@dataclass(slots=True)
class Held:
    """What waits for the end of quiet hours, of one rule and key."""

    rule: str
    key: str
    severity: Severity
    channels: tuple[str, ...]
    messages: int = 0
    count: int = 0
    """Events."""
    over: bool = False
    """Whether the last message said that it is over."""


def summary(held: Iterable[Held]) -> str:
    """Return one line about what was held."""
    each = list(held)
    events = sum(one.count for one in each)
    over = sum(one.over for one in each)
    alerts = f"{len(each)} alert{'s' if len(each) != 1 else ''}"
    return f"{alerts} in quiet hours, {over} over by now; {events} events"
