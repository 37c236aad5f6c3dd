"""dogpile.cache, put to the claims: regions in memory."""

import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace

from dogpile import lock
from dogpile.cache import make_region, register_backend
from dogpile.cache import region as regions
from dogpile.cache.api import CacheBackend

from benchmarks.compared.keeping import TTL, CacheLibrary, Kept

DISTRIBUTION = "dogpile.cache"


class _Kept(Kept):
    def __init__(self, backend: str = "dogpile.cache.memory", **options: object) -> None:
        self._past = 0.0
        self.region = make_region().configure(backend, expiration_time=TTL, **options)
        told = SimpleNamespace(time=lambda: time.time() + self._past)
        regions.time = lock.time = told

    def get(self, key: str, factory: Callable[[], object]) -> object:
        return self.region.get_or_create(key, factory)

    def elapse(self, seconds: float) -> None:
        self._past += seconds

    def many(self, keys: Sequence[str], factory: Callable[..., Sequence[object]]) -> list[object]:
        return list(self.region.get_or_create_multi(keys, factory))


class _Away(CacheBackend):
    def __init__(self, arguments: object) -> None:
        pass

    def get(self, key: str) -> object:
        raise ConnectionError("no route")

    def set(self, key: str, value: object) -> None:
        raise ConnectionError("no route")

    def delete(self, key: str) -> None:
        raise ConnectionError("no route")


class _Library(CacheLibrary):
    def cache(self) -> Kept:
        return _Kept()

    def away(self) -> Kept:
        register_backend("away", __name__, "_Away")
        return _Kept("away")

    def garbled(self, key: str) -> Kept:
        kept: dict[str, object] = {}
        cache = _Kept("dogpile.cache.memory_pickle", arguments={"cache_dict": kept})
        cache.get(key, lambda: 1)
        kept[key] = b"|not what was written"
        return cache


CACHES = _Library()
