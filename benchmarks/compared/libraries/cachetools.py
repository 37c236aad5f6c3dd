"""cachetools, put to the claims: the decorator with a condition, which lets one thread make a value."""

from collections.abc import Callable
from threading import Condition

from cachetools import Cache, LFUCache, TTLCache, cached

from benchmarks.compared.keeping import TTL, CacheLibrary, Kept

DISTRIBUTION = "cachetools"


class _Kept(Kept):
    def __init__(self, cache: Callable[[Callable[[], float]], Cache[object, object]]) -> None:
        self._now = 0.0
        self._cache = cache(lambda: self._now)
        self._factories: dict[str, Callable[[], object]] = {}
        self._look_up = cached(self._cache, condition=Condition(), info=True, key=_key)(_made)

    def get(self, key: str, factory: Callable[[], object]) -> object:
        return self._look_up(key, factory)

    def elapse(self, seconds: float) -> None:
        self._now += seconds

    def counts(self) -> tuple[int, int]:
        info = self._look_up.cache_info()
        return info.hits, info.misses

    def size(self) -> int:
        return len(self._cache)


def _key(key: str, _: Callable[[], object]) -> str:
    return key


def _made(_: str, factory: Callable[[], object]) -> object:
    return factory()


class _Library(CacheLibrary):
    def cache(self) -> Kept:
        return _Kept(lambda timer: TTLCache(1000, TTL, timer=timer))

    def bounded(self, entries: int) -> Kept:
        return _Kept(lambda timer: TTLCache(entries, TTL, timer=timer))

    def least_frequent(self) -> Kept:
        return _Kept(lambda _: LFUCache(2))


CACHES = _Library()
