"""Counts by one fact of an error, such as its code, for a bounded number of its values."""

from collections.abc import Iterator
from datetime import datetime
from heapq import nsmallest
from typing import Final, NamedTuple

from holdfast.reporting.statistics.windows import Windows

OTHER: Final = "other"
"""Stands for every value beyond a bound."""
MAX_LABEL: Final = 200
"""Characters kept of one value."""
_FOLDED_AT_ONCE: Final = 10
"""One so many-th of the values makes room at a time, because choosing looks at all of them."""


class Seen(NamedTuple):
    """Errors that have everything in common, their slot too."""

    slot: int
    number: int
    recovered: bool
    first: datetime
    last: datetime


class Series:
    """What was counted of one value."""

    __slots__ = ("about", "first_seen", "last_seen", "recovered", "total", "windows")

    def __init__(self, first: datetime, about: str = "") -> None:
        self.about = about
        self.total = self.recovered = 0
        self.first_seen = self.last_seen = first
        self.windows = Windows()

    def add(self, seen: Seen) -> None:
        """Count errors."""
        self.total += seen.number
        if seen.recovered:
            self.recovered += seen.number
        self.last_seen = seen.last
        self.windows.add(seen.slot, seen.number)

    def merge(self, other: "Series") -> None:
        """Take over what another counted."""
        self.total += other.total
        self.recovered += other.recovered
        self.first_seen = min(self.first_seen, other.first_seen)
        self.last_seen = max(self.last_seen, other.last_seen)
        self.windows.merge(other.windows)


class Table:
    """Series by value; not safe for threads.

    When there are too many values, the least important tenth is folded into `other`: those with the
    fewest errors in the last hour, among equals those that came first. A flood of values that come
    once so drives out itself, and an error that keeps coming stays or gets its place. Every error is
    in exactly one series.

    Args:
        most: Values that are told apart, at least 10.

    Attributes:
        folded: How often a value was folded away.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._series: dict[str, Series] = {}
        self._other: Series | None = None
        self.folded = 0

    def add(self, value: str, seen: Seen, about: str = "") -> None:
        """Count errors that have a value.

        Args:
            value: Which.
            seen: The errors.
            about: What the value stands for; kept of the first.
        """
        series = self._series.get(value)
        if series is None:
            series = self._new(value, seen, about)
        series.add(seen)

    def items(self) -> Iterator[tuple[str, Series]]:
        """Yield the values with their series, `other` last."""
        yield from self._series.items()
        if self._other is not None:
            yield OTHER, self._other

    def _new(self, value: str, seen: Seen, about: str) -> Series:
        if value == OTHER:
            return self._rest(seen.first)
        if len(self._series) >= self._most:
            self._make_room(seen.slot)
        made = self._series[value] = Series(seen.first, about)
        return made

    def _make_room(self, slot: int) -> None:
        series = self._series
        least = nsmallest(
            self._most // _FOLDED_AT_ONCE,
            series,
            key=lambda value: series[value].windows.of_last_hour(slot),
        )
        for value in least:
            folded = series.pop(value)
            self._rest(folded.first_seen).merge(folded)
            self.folded += 1

    def _rest(self, first: datetime) -> Series:
        if self._other is None:
            self._other = Series(first)
        return self._other


def label(value: object) -> str:
    """Return a value as text of bounded length that any encoding of Unicode takes."""
    text = str(value)
    if len(text) > MAX_LABEL:
        text = text[:MAX_LABEL]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
