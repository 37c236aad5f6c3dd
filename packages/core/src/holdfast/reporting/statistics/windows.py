"""How much happened lately: counts over sliding windows, in memory that does not grow."""

from array import array
from functools import lru_cache
from typing import Final, NamedTuple

SLOT: Final = 5.0
"""Seconds that are not told apart."""
SLICES: Final = 12
"""Parts of a window; what lies in the one at its old edge is known but for its place in there."""
_RING: Final = SLICES + 1
_WIDTHS: Final = (1, 5, 15, 60)
"""Slots of one slice, by window."""
_RINGS: Final = tuple((number * _RING, width) for number, width in enumerate(_WIDTHS))
_HOUR: Final = slice(3 * _RING, 4 * _RING)
_EMPTY: Final = array("d", [0.0] * (len(_WIDTHS) * _RING))
_SECONDS: Final = tuple(SLOT * SLICES * width for width in _WIDTHS)


class Recent(NamedTuple):
    """How much happened in each window up to now.

    A count differs from the truth by no more than what happened within one twelfth of the window,
    at its old edge: that part is taken to be spread evenly.

    Example:
        >>> Recent(30.0, 60.0, 90.0, 360.0).per_second().minute
        0.5
    """

    minute: float
    five_minutes: float
    fifteen_minutes: float
    hour: float

    def per_second(self) -> "Recent":
        """Return the rates: counts divided by the length of their windows, in seconds."""
        return Recent(*(count / length for count, length in zip(self, _SECONDS, strict=True)))

    def minus(self, other: "Recent") -> "Recent":
        """Return what is left without some of it; never below 0."""
        return Recent(*(max(0.0, one - two) for one, two in zip(self, other, strict=True)))

    def over(self, whole: "Recent") -> "Recent":
        """Return the shares of a whole; 0 where there is none."""
        return Recent(*(share(one, all_) for one, all_ in zip(self, whole, strict=True)))


def share(part: float, whole: float) -> float:
    """Return a part of a whole as a number, 0 where there is no whole."""
    return part / whole if whole else 0.0


class Windows:
    """Counts over one, five and fifteen minutes and an hour; not safe for threads.

    Each window is a ring of slices. Points in time are slots, which never go back: what is told of
    an earlier one than the latest counts as of the latest.
    """

    __slots__ = ("_cells", "_slot")

    def __init__(self) -> None:
        self._cells = _EMPTY[:]
        self._slot = 0

    def add(self, slot: int, number: float) -> None:
        """Count what happened in a slot."""
        if slot != self._slot:
            self._go_on(slot)
        cells = self._cells
        for cell in _cells_of(self._slot):
            cells[cell] += number

    def spread(self, since: float, until: float, number: float) -> None:
        """Count what happened at unknown moments of a time, as if evenly.

        Args:
            since: In slots, with a fraction.
            until: The same.
            number: How much it was.
        """
        self._go_on(int(until))
        if until <= since:
            self.add(self._slot, number)
            return
        cells = self._cells
        for start, width in _RINGS:
            newest = int(until) // width
            for piece in range(max(int(since) // width, newest - SLICES), newest + 1):
                begun, ended = max(since, piece * width), min(until, (piece + 1) * width)
                cells[start + piece % _RING] += number * (ended - begun) / (until - since)

    def merge(self, other: "Windows") -> None:
        """Take over what another counted."""
        slot, cells = other.as_of(self._slot)
        self._go_on(slot)
        for cell, number in enumerate(cells):
            self._cells[cell] += number

    def as_of(self, slot: int) -> "tuple[int, array[float]]":
        """Return the cells as of a slot, or of the latest when that is later, with the one it is."""
        self._go_on(slot)
        return self._slot, self._cells

    def recent(self, now: float) -> Recent:
        """Return what happened in each window before a moment.

        Args:
            now: In slots, with a fraction.
        """
        self._go_on(int(now))
        moment = max(now, float(self._slot))
        return Recent(*(self._sum(start, width, moment) for start, width in _RINGS))

    def of_last_hour(self, slot: int) -> float:
        """Return about how much happened in the hour before a slot."""
        self._go_on(slot)
        return sum(self._cells[_HOUR])

    def _sum(self, start: int, width: int, moment: float) -> float:
        slices = moment / width
        newest = int(slices)
        gone = self._cells[start + (newest + 1) % _RING] * (slices - newest)
        return sum(self._cells[start : start + _RING]) - gone

    def _go_on(self, slot: int) -> None:
        before = self._slot
        if slot <= before:
            return
        cells = self._cells
        for start, width in _RINGS:
            new = slot // width
            for passed in range(max(before // width, new - _RING) + 1, new + 1):
                cells[start + passed % _RING] = 0.0
        self._slot = slot


@lru_cache(maxsize=64)
def _cells_of(slot: int) -> tuple[int, ...]:
    """Return where a slot is counted; cached, because most of what is counted is of the present one."""
    return tuple(start + slot // width % _RING for start, width in _RINGS)
