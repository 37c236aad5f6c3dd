"""The live caches of one runtime, by name."""

from typing import TYPE_CHECKING

from holdfast.forks import ForkSafeLock
from holdfast.resilience.cache.live import LiveCache

if TYPE_CHECKING:
    from holdfast.resilience.cache.cache import Cache
    from holdfast.resilience.host import Host


class Caches:
    """Keeps the live state of caches by name; thread-safe.

    Args:
        host: The runtime they live in.
    """

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._live: dict[str, LiveCache] = {}
        self._lock = ForkSafeLock()

    def __getitem__(self, name: str) -> LiveCache:
        """Return a cache that is in use."""
        return self._live[name]

    def names(self) -> list[str]:
        """Return the names of those in use."""
        with self._lock:
            return sorted(self._live)

    def of(self, cache: "Cache") -> LiveCache:
        """Return the live state of a cache; it is made when it is first asked for.

        Raises:
            ValueError: When another cache of this name is in use.
        """
        live = self._live.get(cache.name)
        if live is not None and live.spec is cache:
            return live
        with self._lock:
            live = self._live.get(cache.name)
            if live is None:
                live = self._live[cache.name] = LiveCache(cache, self._host)
        if live.spec != cache:
            raise ValueError(
                f"two caches are named {cache.name!r}, with different options: {live.spec} and {cache}"
            )
        return live
