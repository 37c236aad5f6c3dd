"""Caches over those of cachelib and Flask-Caching: `Cache("prices", store=CachelibStore(cache))`.

Neither is imported: whatever has their methods will do.
"""

import hashlib
import hmac
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, cast

from flask import Flask

from holdfast.resilience.cache.codecs import SignedPickle
from holdfast.resilience.cache.store import readable

_IN_PROCESS: Final = frozenset({"SimpleCache", "NullCache"})


class Backend(Protocol):
    """What cachelib's caches, and the extension of Flask-Caching, have in common."""

    def get(self, key: str) -> object:
        """Return the value of a key, or None."""
        ...

    def get_many(self, *keys: str) -> Iterable[object]:
        """Return the values of keys, or None, in their order."""
        ...

    def set(self, key: str, value: object, timeout: int) -> bool | None:
        """Keep a value for so many seconds; False when that failed."""
        ...

    def add(self, key: str, value: object, timeout: int) -> bool:
        """Keep a value unless the key has one."""
        ...

    def delete(self, key: str) -> bool:
        """Forget a key."""
        ...


class _Extension(Protocol):
    @property
    def cache(self) -> Backend: ...


class CachelibStore:
    """Keeps values in a cache of cachelib, or in that of Flask-Caching; thread-safe if the cache is.

    One call is made for all processes if they share the cache and its `add` is atomic: with Redis and
    Memcached. With `SimpleCache` it is for all threads and tasks of a process, with files for nearly
    all processes.

    Args:
        cache: A cache, such as `cachelib.FileSystemCache(...)`, or the `flask_caching.Cache` of an
            application, which is first used within it.
    """

    keeps_objects = False

    def __init__(self, cache: object) -> None:
        self._given = cache
        self._is_extension = isinstance(getattr(type(cache), "cache", None), property)
        self._last: Backend | None = None

    @property
    def blocking(self) -> bool:
        """Whether the cache is anywhere but in this process."""
        return _IN_PROCESS.isdisjoint(cls.__name__ for cls in type(self._cache()).__mro__)

    def get(self, key: str) -> object:
        """Return the value of a key, or None."""
        cache = self._cache()
        return readable(lambda: cache.get(key))

    def get_many(self, keys: Sequence[str]) -> Mapping[str, object]:
        """Return the values of those keys that have one."""
        cache = self._cache()
        found = readable(lambda: [*cache.get_many(*keys)])
        return {key: value for key, value in zip(keys, found, strict=True) if value is not None}

    def set(self, key: str, value: object, ttl: float) -> None:
        """Keep a value for so many seconds.

        Raises:
            OSError: The cache says that it could not.
        """
        if self._cache().set(key, value, _seconds(ttl)) is False:
            raise OSError("the cache did not keep a value")

    def add(self, key: str, value: object, ttl: float) -> bool:
        """Keep a value unless the key has one; False when it has."""
        cache, seconds = self._cache(), _seconds(ttl)
        if cache.add(key, value, seconds):
            return True
        # Files that have expired are in the way of cachelib's `add`.
        if readable(lambda: cache.get(key)) is not None:
            return False
        cache.delete(key)
        return bool(cache.add(key, value, seconds))

    def delete(self, key: str) -> None:
        """Forget a key."""
        self._cache().delete(key)

    def _cache(self) -> Backend:
        """Return the cache; that of Flask-Caching is the current application's, or the last one's."""
        if not self._is_extension:
            return cast("Backend", self._given)
        try:
            self._last = cast("_Extension", self._given).cache
        except (
            AttributeError,
            RuntimeError,
        ):  # outside of any application, as on a thread of our own
            if self._last is None:
                raise
        return self._last


def signed_pickle(app: Flask) -> SignedPickle:
    """Return a codec for values that JSON cannot say, signed with a key made of `SECRET_KEY`.

    Signatures of the keys in `SECRET_KEY_FALLBACKS` are taken, too.

    Raises:
        ValueError: When the application has no `SECRET_KEY`.
    """
    if not app.secret_key:
        raise ValueError("signed_pickle() needs the application's SECRET_KEY")
    config = cast("Mapping[str, object]", app.config)
    former = cast("Iterable[str | bytes]", config.get("SECRET_KEY_FALLBACKS") or ())
    return SignedPickle(_derived(app.secret_key), tuple(_derived(key) for key in former))


def _derived(secret: str | bytes) -> bytes:
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.digest(key, b"holdfast.cache", hashlib.sha256)


def _seconds(ttl: float) -> int:
    return max(1, math.ceil(ttl)) + 1  # cachelib counts whole seconds from the last full one
