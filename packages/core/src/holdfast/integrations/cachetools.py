"""An embedded store of cachetools, for a bound in bytes or an exact order of use.

Extra: `pip install "holdfast[cachetools]"`. The store that a cache has by itself needs no library and is
faster; this one drops the entry that was used least recently, and can count bytes.
"""

from collections.abc import Iterator
from typing import NamedTuple

from holdfast.clock import Clock, SystemClock
from holdfast.forks import ForkSafeLock

try:
    from cachetools import TLRUCache
except ImportError as error:  # say what to install
    raise ImportError(
        'a store of cachetools needs it: pip install "holdfast[cachetools]"'
    ) from error


class _Kept(NamedTuple):
    value: object
    ttl: float
    size: int


class CachetoolsStore:
    """Keeps values in this process; thread-safe.

    Args:
        max_entries: How many at most; left aside when bytes are counted.
        max_bytes: Bytes of keys and values at most; values are bytes then, in the cache's codec, and one
            that is larger is not kept. None: values are kept as they are.
        clock: Source of time.

    Raises:
        ValueError: When nothing could be kept.
    """

    blocking = False

    def __init__(
        self,
        max_entries: int = 1_000,
        *,
        max_bytes: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        most = max_entries if max_bytes is None else max_bytes
        if most < 1:
            raise ValueError(f"CachetoolsStore must be able to keep something, not {most}")
        self.keeps_objects = max_bytes is None
        self._lock = ForkSafeLock()
        self._kept: TLRUCache[str, _Kept] = TLRUCache(
            most, _until, timer=(clock or SystemClock()).monotonic, getsizeof=_size_of
        )

    def __len__(self) -> int:
        """Return how many entries there are."""
        with self._lock:
            return len(self._kept)

    def get(self, key: str) -> object:
        """Return the value of a key, or None."""
        with self._lock:
            kept = self._kept.get(key)
        return None if kept is None else kept.value

    def set(self, key: str, value: object, ttl: float) -> None:
        """Keep a value for so many seconds."""
        with self._lock:
            self._put(key, value, ttl)

    def add(self, key: str, value: object, ttl: float) -> bool:
        """Keep a value unless the key has one; False when it has."""
        with self._lock:
            if key in self._kept:
                return False
            self._put(key, value, ttl)
        return True

    def delete(self, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._kept.pop(key, None)

    def iterate(self, prefix: str) -> Iterator[str]:
        """Yield every key that begins with a prefix."""
        with self._lock:
            keys = [*self._kept]
        return (key for key in keys if key.startswith(prefix))

    def purge(self) -> int:
        """Forget what has expired; return how many entries that were."""
        with self._lock:
            return len([*self._kept.expire()])

    def _put(self, key: str, value: object, ttl: float) -> None:
        size = len(key) + len(value) if isinstance(value, bytes) and not self.keeps_objects else 1
        if size > self._kept.maxsize:
            self._kept.pop(key, None)
        else:
            self._kept[key] = _Kept(value, ttl, size)


def _until(_key: str, kept: _Kept, now: float) -> float:
    return now + kept.ttl


def _size_of(kept: _Kept) -> float:
    return kept.size
