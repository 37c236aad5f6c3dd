"""`Cache`: answers of functions, kept for a while, and served a while longer when the function fails."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar, cast, overload

from holdfast.callables import is_async
from holdfast.flow import adrive, drive
from holdfast.resilience.backoff import Backoff, Exponential
from holdfast.resilience.cache.answer import Answer
from holdfast.resilience.cache.codecs import Codec
from holdfast.resilience.cache.counting import CacheStatistics
from holdfast.resilience.cache.decorating import Keeping, Tags, akeeping, keeping
from holdfast.resilience.cache.live import LiveCache, value_of
from holdfast.resilience.cache.place import Place
from holdfast.resilience.cache.store import Store
from holdfast.resilience.validity import check_seconds

_Params = ParamSpec("_Params")
_Value = TypeVar("_Value")


def _backoff() -> Backoff:
    return Exponential(1.0, 60.0, jitter="proportional")


@dataclass(frozen=True, slots=True)
class Cache:
    """Named answers of functions; a value, whose live state the runtime keeps by name.

    A value is fresh for `ttl` seconds. After that one caller asks the function, and all others are
    served the stale value at once, or wait for the result when there is none. When the function fails,
    and not by the caller's fault, the stale value is served, and the function is left alone for a while.
    Nothing that goes wrong with the store reaches a caller.

    Methods without an `a` before their names block while they wait. In a coroutine use the others: they
    await what the factory returns, and call a store that waits for a network or a disk on a thread.
    All are thread-safe.

    Args:
        name: In statistics, events, and before every key.
        ttl: Seconds that a value is fresh.
        stale: Seconds after these that it may be served when the function fails; 0: never.
        store: Where values are kept; None for a dictionary in this process, which keeps them as they
            are, so they must not be changed.
        max_entries: Of that dictionary.
        codec: How values become bytes; JSON unless the store keeps them as they are.
        compress_above: Bytes of an encoded value above which it is compressed; None: never.
        lease: Seconds after which another process may ask, because who asked has not come back.
        wait: Seconds after which who waits for another's result asks by itself; never beyond the deadline.
        backoff: How long a function that failed is left alone while there is a stale value.
        negative: Classes of errors that are answered again, from this process's memory.
        negative_ttl: Seconds that they are.
        jitter: Share of `ttl` that chance may take away, so that not all entries end at once; 0 to 1.
        recovery: Seconds between two looks whether a store that failed is back.
        shadow: Entries of a networked store that are kept in this process for its outages.

    Raises:
        ValueError: For an option out of its range; a year is the longest time.
        TypeError: For a time that is no number.

    Example:
        >>> prices = Cache("prices", ttl=60.0)
        >>> prices.get("881", lambda: 12.5), prices.get("881")
        (12.5, 12.5)
        >>> prices.invalidate("881"), prices.get("881")
        (True, None)
    """

    name: str
    ttl: float = 300.0
    stale: float = 3_600.0
    store: Store | None = None
    max_entries: int = 1_000
    codec: Codec | None = None
    compress_above: int | None = None
    lease: float = 30.0
    wait: float = 5.0
    backoff: Backoff = field(default_factory=_backoff)
    negative: tuple[type[Exception], ...] = ()
    negative_ttl: float = 30.0
    jitter: float = 0.0
    recovery: float = 5.0
    shadow: int = 100
    _place: Place = field(default_factory=Place, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a cache needs a name")
        for name in ("ttl", "lease", "negative_ttl", "recovery"):
            check_seconds(f"Cache.{name}", getattr(self, name), above=True)
        for name in ("stale", "wait"):
            check_seconds(f"Cache.{name}", getattr(self, name))
        self._check("max_entries", self.max_entries >= 1, "at least 1")
        self._check("shadow", self.shadow >= 0, "0 or more")
        self._check("jitter", 0 <= self.jitter <= 1, "a share, from 0 to 1")
        above = self.compress_above
        self._check("compress_above", above is None or above >= 0, "0 or more bytes, or None")

    @overload
    def get(self, key: str) -> object: ...
    @overload
    def get(
        self,
        key: str,
        factory: Callable[[], _Value],
        *,
        ttl: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> _Value: ...
    def get(
        self,
        key: str,
        factory: Callable[[], object] | None = None,
        *,
        ttl: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> object:
        """Return the value of a key; what the factory returns when there is none.

        Args:
            key: Any text.
            factory: Asked for the value; None: a fresh value or None is returned.
            ttl: Seconds that a new value is fresh, in the place of the cache's.
            tags: What a new value can be invalidated by.

        Raises:
            Exception: The factory's, when there is no value that may be served.
        """
        live = self._place.live or self._place.find(self)
        entry = live.peek(key)
        if entry is not None:
            return entry.value
        if factory is None:
            return drive(live.look(key))
        return value_of(drive(live.answer(key, factory, ttl=ttl, tags=tags))).value

    @overload
    async def aget(self, key: str) -> object: ...
    @overload
    async def aget(
        self,
        key: str,
        factory: Callable[[], Awaitable[_Value]],
        *,
        ttl: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> _Value: ...
    async def aget(
        self,
        key: str,
        factory: Callable[[], Awaitable[object]] | None = None,
        *,
        ttl: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> object:
        """Return the value of a key, as `get` does."""
        live = self._place.live or self._place.find(self)
        entry = live.peek(key)
        if entry is not None:
            return entry.value
        if factory is None:
            return await adrive(live.look(key))
        return value_of(await adrive(live.answer(key, factory, ttl=ttl, tags=tags))).value

    def answer(
        self,
        key: str,
        factory: Callable[[], _Value],
        *,
        ttl: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> Answer[_Value]:
        """Return the value of a key and where it comes from, with the parameters of `get`."""
        return value_of(drive(self._live.answer(key, factory, ttl=ttl, tags=tags)))

    async def aanswer(
        self,
        key: str,
        factory: Callable[[], Awaitable[_Value]],
        *,
        ttl: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> Answer[_Value]:
        """Return the value of a key and where it comes from, as `answer` does."""
        return value_of(await adrive(self._live.answer(key, factory, ttl=ttl, tags=tags)))

    def set(
        self, key: str, value: object, ttl: float | None = None, *, tags: tuple[str, ...] = ()
    ) -> bool:
        """Keep a value; False when it could not be written, or the store not be reached."""
        return drive(self._live.put(key, value, ttl, tags))

    async def aset(
        self, key: str, value: object, ttl: float | None = None, *, tags: tuple[str, ...] = ()
    ) -> bool:
        """Keep a value, as `set` does."""
        return await adrive(self._live.put(key, value, ttl, tags))

    def invalidate(self, key: str) -> bool:
        """Forget a key, and what is being computed for it; False when the store could not be told."""
        return drive(self._live.invalidate(key))

    async def ainvalidate(self, key: str) -> bool:
        """Forget a key, as `invalidate` does."""
        return await adrive(self._live.invalidate(key))

    def invalidate_tag(self, tag: str) -> bool:
        """Forget every value that has a tag; False when the store could not be told."""
        return drive(self._live.invalidate_tag(tag))

    async def ainvalidate_tag(self, tag: str) -> bool:
        """Forget every value that has a tag, as `invalidate_tag` does."""
        return await adrive(self._live.invalidate_tag(tag))

    def invalidate_pattern(self, pattern: str) -> int:
        """Forget the keys that match a pattern; return how many there were.

        Args:
            pattern: With `*`, `?` and `[...]`; case matters. Keys that are no printable ASCII, hold
                spaces, or are longer than 170 characters match only in a store that keeps objects.

        Raises:
            TypeError: When the store cannot list its keys.
        """
        return drive(self._live.invalidate_pattern(pattern))

    async def ainvalidate_pattern(self, pattern: str) -> int:
        """Forget the keys that match a pattern, as `invalidate_pattern` does."""
        return await adrive(self._live.invalidate_pattern(pattern))

    delete = invalidate
    adelete = ainvalidate

    def purge(self) -> int:
        """Forget what has expired; return how many entries that were, 0 where the store does it itself."""
        return self._live.purge()

    def statistics(self) -> CacheStatistics:
        """Return what happened in this process so far."""
        return self._live.statistics()

    def cached(
        self,
        key: Callable[..., str] | None = None,
        *,
        ttl: float | None = None,
        tags: Tags = (),
    ) -> Callable[[Callable[_Params, _Value]], Callable[_Params, _Value]]:
        """Return a decorator for a function, plain or asynchronous, whose results are kept.

        Args:
            key: Makes the key of the arguments; by default it is made of the function's dotted name and
                its arguments, which have to be plain values then.
            ttl: Seconds that a value is fresh, in the place of the cache's.
            tags: What values can be invalidated by; or a function of the arguments that returns that.

        Example:
            >>> prices = Cache("prices-cached")
            >>> @prices.cached(key="price:{}".format)
            ... def price_of(sku: str) -> float:
            ...     return 12.5
            >>> price_of("881"), prices.get("price:881")
            (12.5, 12.5)
        """

        def decorate(function: Callable[_Params, _Value]) -> Callable[_Params, _Value]:
            how = Keeping(self, self._place, key, ttl, tags)
            decorated: object = (akeeping if is_async(function) else keeping)(function, how)
            return cast("Callable[_Params, _Value]", decorated)

        return decorate

    @property
    def _live(self) -> LiveCache:
        return self._place.live or self._place.find(self)

    def _check(self, name: str, is_right: bool, wanted: str) -> None:  # noqa: FBT001  # what was found
        if not is_right:
            raise ValueError(f"Cache.{name} must be {wanted}, not {getattr(self, name)!r}")
