"""Whether a cache keeps what it is given."""

from dataclasses import KW_ONLY, dataclass, field
from inspect import iscoroutinefunction
from typing import Protocol

from holdfast.health.check import Finding
from holdfast.health.checks.verdict import failed
from holdfast.ids import long_id


class PlainCache(Protocol):
    """What `CacheCheck` asks of a cache; holdfast's `Cache`, Flask-Caching and many clients fit."""

    def get(self, key: str, /) -> object:
        """Return the value of a key, or None."""
        ...

    def set(self, key: str, value: str, seconds: int, /) -> object:
        """Keep a value for so many seconds; False when it could not be written."""
        ...

    def delete(self, key: str, /) -> object:
        """Forget a key."""
        ...


@dataclass(frozen=True, slots=True)
class CacheCheck:
    """Passes when a cache gives back a value it was just given, under a key of its own each time.

    As thread-safe as the cache. It has no time-out: the cache's client has.

    Raises:
        ValueError: When the time is not above 0.
        TypeError: When the cache has not got these methods, or they are asynchronous.

    Example:
        >>> from holdfast import Cache
        >>> CacheCheck(Cache("prices-health"))()
    """

    cache: PlainCache = field(repr=False)
    """Has `get`, `set` and `delete`; none of them asynchronous."""
    _: KW_ONLY
    prefix: str = "holdfast:health:"
    """What the keys begin with."""
    ttl: int = 60
    """Seconds, above 0, after which a value that could not be deleted goes."""

    def __post_init__(self) -> None:
        if not self.ttl > 0:
            raise ValueError(f"CacheCheck: ttl must be above 0 seconds, not {self.ttl}")
        for method in ("get", "set", "delete"):
            found = getattr(self.cache, method, None)
            if not callable(found) or iscoroutinefunction(found):
                kind = type(self.cache).__name__
                raise TypeError(f"CacheCheck: {kind} has no {method}() that is synchronous")

    def __call__(self) -> Finding | None:
        """Keep a value, look for it, and forget it."""
        key, value = f"{self.prefix}{long_id()}", long_id()
        if self.cache.set(key, value, self.ttl) is False:
            return failed("the cache takes no values")
        try:
            found = self.cache.get(key)
        finally:
            self.cache.delete(key)
        if found is None:
            return failed("the cache did not keep a value")
        if found not in (value, value.encode()):
            return failed("the cache gave back another value")
        return None
