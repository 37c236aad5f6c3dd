"""A bound on how many different values a consumer of events tells apart."""

from typing import Final

from holdfast.forks import ForkSafeLock

OTHER: Final = "other"
"""Stands for every value beyond a bound."""
MAX_VALUE: Final = 200
"""Characters kept of one value."""


class Bound:
    """Keeps the first so many combinations of values; what comes later is `other` throughout; thread-safe.

    Example:
        >>> bound = Bound(1)
        >>> bound.keep("a", "b"), bound.keep("c", "d"), bound.keep("a", "b")
        (('a', 'b'), ('other', 'other'), ('a', 'b'))
    """

    def __init__(self, most: int, other: str = OTHER) -> None:
        self._most = most
        self._other = other
        self._known: set[tuple[str, ...]] = set()
        self._lock = ForkSafeLock()

    def keep(self, *values: str) -> tuple[str, ...]:
        """Return the values, shortened, or `other` in the place of each."""
        cut = tuple(value[:MAX_VALUE] for value in values)
        if cut in self._known:
            return cut
        with self._lock:
            if len(self._known) < self._most:
                self._known.add(cut)
                return cut
        return (self._other,) * len(cut)
