"""`MemoryStore`: the embedded default, a dictionary with a bound.

It stands in the place of a library because a hit needs neither a lock nor a reordering here: reading
marks an entry as used, and when room is needed the oldest entry goes, unless it was used since it was
last looked at (second chance). An exact order of use, as cachetools keeps it, costs several times more.
"""

from collections.abc import Iterator

from holdfast.clock import Clock, SystemClock
from holdfast.forks import ForkSafeLock


class _Slot:
    __slots__ = ("until", "used", "value")

    def __init__(self, value: object, until: float) -> None:
        self.value = value
        self.until = until
        self.used = False


class MemoryStore:
    """Keeps values in this process, as they are; thread-safe.

    Args:
        max_entries: How many at most; at least 1.
        clock: Source of time.

    Raises:
        ValueError: When nothing could be kept.

    Example:
        >>> store = MemoryStore(max_entries=2)
        >>> for sku in ("a", "b", "c"):
        ...     store.set(sku, sku.upper(), ttl=60.0)
        >>> store.get("a"), store.get("c")
        (None, 'C')
    """

    blocking = False
    keeps_objects = True

    def __init__(self, max_entries: int = 1_000, clock: Clock | None = None) -> None:
        if max_entries < 1:
            raise ValueError(f"MemoryStore.max_entries must be at least 1, not {max_entries}")
        self._most = max_entries
        self._monotonic = (clock or SystemClock()).monotonic
        self._slots: dict[str, _Slot] = {}
        self._lock = ForkSafeLock()

    def __len__(self) -> int:
        """Return how many entries there are, those included that have expired."""
        return len(self._slots)

    def get(self, key: str) -> object:
        """Return the value of a key, or None."""
        slot = self._slots.get(key)
        if slot is None or slot.until <= self._monotonic():
            return None
        slot.used = True
        return slot.value

    def set(self, key: str, value: object, ttl: float) -> None:
        """Keep a value for so many seconds."""
        slot = _Slot(value, self._monotonic() + ttl)
        with self._lock:
            self._put(key, slot)

    def add(self, key: str, value: object, ttl: float) -> bool:
        """Keep a value unless the key has one; False when it has."""
        now = self._monotonic()
        with self._lock:
            there = self._slots.get(key)
            if there is not None and there.until > now:
                return False
            self._put(key, _Slot(value, now + ttl))
        return True

    def delete(self, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._slots.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._slots.clear()

    def iterate(self, prefix: str) -> Iterator[str]:
        """Yield every key that begins with a prefix."""
        with self._lock:
            keys = [*self._slots]
        return (key for key in keys if key.startswith(prefix))

    def purge(self) -> int:
        """Forget what has expired; return how many entries that were."""
        now = self._monotonic()
        with self._lock:
            over = [key for key, slot in self._slots.items() if slot.until <= now]
            for key in over:
                del self._slots[key]
        return len(over)

    def _put(self, key: str, slot: _Slot) -> None:
        self._slots.pop(key, None)  # a new place, at the end
        self._slots[key] = slot
        while len(self._slots) > self._most:
            oldest = next(iter(self._slots))
            candidate = self._slots.pop(oldest)
            if candidate.used and candidate.until > self._monotonic():
                candidate.used = False
                self._slots[oldest] = candidate
