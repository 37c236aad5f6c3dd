"""Caches over the project's own: `Cache("prices", store=DjangoStore())`."""

import math
from collections.abc import Mapping, Sequence

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.utils.crypto import salted_hmac

from holdfast.resilience.cache.codecs import SignedPickle
from holdfast.resilience.cache.store import readable


class DjangoStore:
    """Keeps values in one of the caches of the setting `CACHES`; thread-safe.

    One call is made for all processes if the cache is shared by them and its `add` is atomic: with Redis,
    Memcached and the database. In local memory it is for all threads and tasks of a process, with files
    for nearly all processes.

    Args:
        alias: Of the cache.
    """

    keeps_objects = False

    def __init__(self, alias: str = "default") -> None:
        self._alias = alias

    def __eq__(self, other: object) -> bool:
        """Tell whether it is the same cache."""
        return isinstance(other, DjangoStore) and other._alias == self._alias

    def __hash__(self) -> int:
        """Return a number that is the same for the same cache."""
        return hash((DjangoStore, self._alias))

    @property
    def blocking(self) -> bool:
        """Whether the cache is anywhere but in this process."""
        return not isinstance(self._cache, LocMemCache | DummyCache)

    def get(self, key: str) -> object:
        """Return the value of a key, or None."""
        cache = self._cache
        value: object = readable(lambda: cache.get(key))
        return value

    def get_many(self, keys: Sequence[str]) -> Mapping[str, object]:
        """Return the values of those keys that have one."""
        cache = self._cache
        found: Mapping[str, object] = readable(lambda: cache.get_many(keys))
        return found

    def set(self, key: str, value: object, ttl: float) -> None:
        """Keep a value for so many seconds."""
        self._cache.set(key, value, _seconds(ttl))

    def add(self, key: str, value: object, ttl: float) -> bool:
        """Keep a value unless the key has one; False when it has."""
        return bool(self._cache.add(key, value, _seconds(ttl)))

    def delete(self, key: str) -> None:
        """Forget a key."""
        self._cache.delete(key)

    @property
    def _cache(self) -> BaseCache:
        return caches[self._alias]  # Django keeps one for each thread and task


def signed_pickle() -> SignedPickle:
    """Return a codec for values that JSON cannot say, signed with a key made of `SECRET_KEY`.

    Signatures of the keys in `SECRET_KEY_FALLBACKS` are taken, too.
    """
    former = tuple(_derived(key) for key in settings.SECRET_KEY_FALLBACKS)
    return SignedPickle(_derived(settings.SECRET_KEY), former)


def _derived(secret: str | bytes) -> bytes:
    return salted_hmac("holdfast.cache", b"pickle", secret=secret, algorithm="sha256").digest()


def _seconds(ttl: float) -> int:
    return max(1, math.ceil(ttl))  # some backends take whole seconds, and 0 deletes
