"""What a cache counts, and what it says of it."""

from collections import Counter
from dataclasses import dataclass
from itertools import count

from holdfast.forks import ForkSafeLock


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStatistics:
    """What one cache did in this process, since it was first used or its statistics were reset."""

    hits: int = 0
    """Answers from the cache within their time."""
    stale: int = 0
    """Answers from the cache after their time."""
    misses: int = 0
    """Answers that the cache could not give."""
    computed: int = 0
    """Calls of functions that succeeded."""
    errors: int = 0
    """Calls of functions that failed."""
    negative: int = 0
    """Errors that were answered from memory."""
    shared: int = 0
    """Calls that took the result of another call of this process."""
    invalidated: int = 0
    """Invalidations asked for, by key, tag or pattern."""
    encode_errors: int = 0
    """Values that could not be written, and were returned uncached."""
    decode_errors: int = 0
    """Entries that could not be read, a wrong signature included, and were deleted."""
    store_failures: int = 0
    """Calls of the store that failed."""
    store_refused: int = 0
    """Calls of the store that were not made because it is down."""
    size: int | None = None
    """Entries in the store, expired ones included; None where it cannot tell."""
    single_flight: str = "process"
    """Among whom one call is made for all: threads and tasks of this `process`, or of all that share
    the `store`."""

    @property
    def hit_rate(self) -> float:
        """Answers from the cache, stale ones included, by all; 0 before the first.

        Example:
            >>> CacheStatistics(hits=8, stale=1, misses=1).hit_rate
            0.9
        """
        asked = self.hits + self.stale + self.misses
        return (self.hits + self.stale) / asked if asked else 0.0


class Tallies:
    """The numbers of one cache; thread-safe.

    Attributes:
        hit: Counts a hit, by one atomic step without a lock.
    """

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._numbers: Counter[str] = Counter()
        self._hits = count()
        self.hit = self._hits.__next__

    def add(self, name: str) -> None:
        """Count one of a field of `CacheStatistics`."""
        with self._lock:
            self._numbers[name] += 1

    def snapshot(self, size: int | None, single_flight: str) -> CacheStatistics:
        """Return the numbers so far."""
        with self._lock:
            numbers = dict(self._numbers)
        # Read without a step, which `repr` alone does on every Python.
        hits = int(repr(self._hits)[6:-1])
        return CacheStatistics(hits=hits, size=size, single_flight=single_flight, **numbers)
