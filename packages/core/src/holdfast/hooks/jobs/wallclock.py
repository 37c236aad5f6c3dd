"""When a clock on the wall of some place shows a time next: what cron runs by, twice a year included.

The rules are those of Debian's cron, and of the crons that follow it. A job at a fixed time of day
that is skipped when clocks go forward is due when they have; one whose time comes twice when they go
back is due the first time. A job with a `*` in its minute or hour goes by the clock: it has no turn
in an hour that is skipped and two in an hour that comes twice.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, TypeAlias

Step: TypeAlias = Callable[[datetime], datetime]
"""Returns the next time of a schedule after a time; both naive, as the wall shows them."""

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


def next_on_wall(moment: datetime, zone: tzinfo, step: Step, *, fixed: bool) -> datetime:
    """Return when a schedule is due next after a moment, aware and in UTC.

    Args:
        moment: Aware.
        zone: Whose wall the clock hangs on.
        step: The schedule, by which time never goes back.
        fixed: Whether it names times of day, rather than going by the clock.
    """
    moment = moment.astimezone(UTC)
    wall = _wall_at(moment, zone, fixed=fixed)
    while True:
        offset = _offset(moment, zone)
        shown = step(wall)
        due = shown.replace(tzinfo=UTC) - offset
        change = _change(moment, due, zone)
        if change is None:
            return due
        after = _offset(change, zone)
        if fixed and after > offset and shown < _naive(change) + after:
            return change  # it would have been within what is skipped
        wall, moment = _wall_after(change, offset, after, fixed=fixed), change


def _wall_at(moment: datetime, zone: tzinfo, *, fixed: bool) -> datetime:
    """Return what the wall shows, or, where it shows that a second time, what it shows after that."""
    local = moment.astimezone(zone)
    if fixed and local.fold:
        return local.replace(tzinfo=None) + _repeated(local)
    return local.replace(tzinfo=None)


def _repeated(local: datetime) -> timedelta:
    """Return how long until the wall shows what it has not shown before."""
    first = local.replace(fold=0)
    gone_back = (first.utcoffset() or timedelta()) - (local.utcoffset() or timedelta())
    zone = local.tzinfo or UTC
    moment = local.astimezone(UTC)
    change = _change(moment - gone_back, moment, zone) or moment
    return change + gone_back - moment - _SECOND


def _wall_after(change: datetime, before: timedelta, after: timedelta, *, fixed: bool) -> datetime:
    """Return from where to look on behind a change of the clocks: what they show then is to be found."""
    shown = before if fixed and after < before else after
    return _naive(change) + shown - _SECOND


def _change(start: datetime, end: datetime, zone: tzinfo) -> datetime | None:
    """Return the first moment after a start, and not after an end, at which the clocks are changed."""
    offset = _offset(start, zone)
    while start < end:
        following = min(start + _DAY, end)
        if _offset(following, zone) != offset:
            return _between(start, following, zone)
        start = following
    return None


def _between(start: datetime, end: datetime, zone: tzinfo) -> datetime:
    offset = _offset(start, zone)
    while end - start > _SECOND:
        middle = start + (end - start) / 2
        if _offset(middle, zone) == offset:
            start = middle
        else:
            end = middle
    return end.replace(microsecond=0)


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)
