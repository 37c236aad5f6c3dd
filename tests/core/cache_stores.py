"""A store that fails when it is told to, and ways to ask a cache."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from holdfast.clock import Clock
from holdfast.resilience.cache import Answer, Cache, MemoryStore

_Value = TypeVar("_Value")


class RemoteStore:
    """Bytes in a place that may be away, as on another machine.

    Attributes:
        error: Raised by every call, unless it is None.
        calls: Names of the methods that were called.
        threads: Names of the threads that called them.
    """

    blocking = True
    keeps_objects = False

    def __init__(self, clock: Clock) -> None:
        self.kept = MemoryStore(10_000, clock)
        self.error: Exception | None = None
        self.calls: list[str] = []
        self.threads: set[str] = set()

    def get(self, key: str) -> object:
        """Return the value of a key, or None."""
        self._called("get")
        return self.kept.get(key)

    def get_many(self, keys: Sequence[str]) -> Mapping[str, object]:
        """Return the values of those keys that have one."""
        self._called("get_many")
        found = {key: self.kept.get(key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    def set(self, key: str, value: object, ttl: float) -> None:
        """Keep a value for so many seconds."""
        self._called("set")
        assert isinstance(value, bytes)
        self.kept.set(key, value, ttl)

    def add(self, key: str, value: object, ttl: float) -> bool:
        """Keep a value unless the key has one."""
        self._called("add")
        assert isinstance(value, bytes)
        return self.kept.add(key, value, ttl)

    def delete(self, key: str) -> None:
        """Forget a key."""
        self._called("delete")
        self.kept.delete(key)

    def iterate(self, prefix: str) -> Iterator[str]:
        """Yield every key that begins with a prefix."""
        self._called("iterate")
        return self.kept.iterate(prefix)

    def entry_name(self) -> str:
        """Return the key of the one entry there is."""
        (name,) = (key for key in self.kept.iterate("hf:") if ":v:" in key)
        return name

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self.threads.add(threading.current_thread().name)
        if self.error is not None:
            raise self.error


def finish_probes() -> None:
    """Wait until every trial of a store that was away has ended."""
    for thread in threading.enumerate():
        if thread.name == "holdfast-cache-probe":
            thread.join(10)


class Asking(Protocol):
    """Asks a cache; the same test runs on a thread and on an event loop."""

    def get(
        self,
        cache: Cache,
        key: str,
        factory: Callable[[], _Value],
        *,
        ttl: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> _Value:
        """Call `get`, or `aget` with the factory as a coroutine function."""
        ...

    def answer(self, cache: Cache, key: str, factory: Callable[[], _Value]) -> Answer[_Value]:
        """Call `answer`, or `aanswer`."""
        ...

    def look(self, cache: Cache, key: str) -> object:
        """Call `get` without a factory, or `aget`."""
        ...

    def set(self, cache: Cache, key: str, value: object, *, tags: tuple[str, ...] = ()) -> bool:
        """Call `set`, or `aset`."""
        ...

    def invalidate(self, cache: Cache, key: str) -> bool:
        """Call `invalidate`, or `ainvalidate`."""
        ...

    def invalidate_tag(self, cache: Cache, tag: str) -> bool:
        """Call `invalidate_tag`, or `ainvalidate_tag`."""
        ...

    def invalidate_pattern(self, cache: Cache, pattern: str) -> int:
        """Call `invalidate_pattern`, or `ainvalidate_pattern`."""
        ...

    def decorate(self, cache: Cache, function: Callable[..., _Value]) -> Callable[..., _Value]:
        """Decorate a function, as it is or as a coroutine function; what is returned is plain."""
        ...


class AskingOnThread:
    """Asks on this thread."""

    def get(
        self,
        cache: Cache,
        key: str,
        factory: Callable[[], _Value],
        *,
        ttl: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> _Value:
        """Ask for a value."""
        return cache.get(key, factory, ttl=ttl, tags=tags)

    def answer(self, cache: Cache, key: str, factory: Callable[[], _Value]) -> Answer[_Value]:
        """Ask for a value and where it comes from."""
        return cache.answer(key, factory)

    def look(self, cache: Cache, key: str) -> object:
        """Look for a value."""
        return cache.get(key)

    def set(self, cache: Cache, key: str, value: object, *, tags: tuple[str, ...] = ()) -> bool:
        """Keep a value."""
        return cache.set(key, value, tags=tags)

    def invalidate(self, cache: Cache, key: str) -> bool:
        """Forget a key."""
        return cache.invalidate(key)

    def invalidate_tag(self, cache: Cache, tag: str) -> bool:
        """Forget a tag."""
        return cache.invalidate_tag(tag)

    def invalidate_pattern(self, cache: Cache, pattern: str) -> int:
        """Forget a pattern."""
        return cache.invalidate_pattern(pattern)

    def decorate(self, cache: Cache, function: Callable[..., _Value]) -> Callable[..., _Value]:
        """Decorate a function."""
        return cache.cached()(function)


class AskingOnLoop:
    """Asks on an event loop, each time on one of its own."""

    def get(
        self,
        cache: Cache,
        key: str,
        factory: Callable[[], _Value],
        *,
        ttl: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> _Value:
        """Ask for a value."""

        async def ask() -> _Value:
            return factory()

        return asyncio.run(cache.aget(key, ask, ttl=ttl, tags=tags))

    def answer(self, cache: Cache, key: str, factory: Callable[[], _Value]) -> Answer[_Value]:
        """Ask for a value and where it comes from."""

        async def ask() -> _Value:
            return factory()

        return asyncio.run(cache.aanswer(key, ask))

    def look(self, cache: Cache, key: str) -> object:
        """Look for a value."""
        return asyncio.run(cache.aget(key))

    def set(self, cache: Cache, key: str, value: object, *, tags: tuple[str, ...] = ()) -> bool:
        """Keep a value."""
        return asyncio.run(cache.aset(key, value, tags=tags))

    def invalidate(self, cache: Cache, key: str) -> bool:
        """Forget a key."""
        return asyncio.run(cache.ainvalidate(key))

    def invalidate_tag(self, cache: Cache, tag: str) -> bool:
        """Forget a tag."""
        return asyncio.run(cache.ainvalidate_tag(tag))

    def invalidate_pattern(self, cache: Cache, pattern: str) -> int:
        """Forget a pattern."""
        return asyncio.run(cache.ainvalidate_pattern(pattern))

    def decorate(self, cache: Cache, function: Callable[..., _Value]) -> Callable[..., _Value]:
        """Decorate a coroutine function of the same name."""

        async def asynchronous(*args: object, **kwargs: object) -> _Value:
            return function(*args, **kwargs)

        decorated = cache.cached()(asynchronous)
        return lambda *args, **kwargs: asyncio.run(decorated(*args, **kwargs))


class Factory:
    """Answers by number of call; fails while it has an error.

    Attributes:
        error: Raised, unless it is None.
        calls: How often it was called.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls = 0

    def __call__(self, *_: object, **__: object) -> str:
        """Return which call it was."""
        self.calls += 1
        if self.error is not None:
            raise self.error
        return f"value {self.calls}"
