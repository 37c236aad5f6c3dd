"""Functions whose results a cache keeps."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from holdfast.flow import adrive, drive
from holdfast.resilience.cache.keys import CallKey
from holdfast.resilience.cache.live import value_of
from holdfast.resilience.cache.place import Place

if TYPE_CHECKING:
    from holdfast.resilience.cache.cache import Cache

Tags: TypeAlias = tuple[str, ...] | Callable[..., tuple[str, ...]]
"""What values can be invalidated by; or a function of the arguments that returns that."""


class Keeping(NamedTuple):
    """How the results of one function are kept."""

    cache: "Cache"
    place: Place
    key: Callable[..., str] | None
    """Makes the key of the arguments; None: their text does."""
    ttl: float | None
    tags: Tags

    def tags_of(self, args: tuple[object, ...], kwargs: dict[str, Any]) -> tuple[str, ...]:
        """Return the tags of one call."""
        return self.tags(*args, **kwargs) if callable(self.tags) else self.tags


def keeping(function: Callable[..., object], how: Keeping) -> Callable[..., object]:
    """Return a plain function whose results are kept."""
    cache, place, key_of, ttl, _ = how
    of = CallKey(function).of

    @wraps(function)
    def asked(*args: object, **kwargs: object) -> object:
        key = of(args, kwargs) if key_of is None else key_of(*args, **kwargs)
        live = place.live or place.find(cache)
        entry = live.peek(key)
        if entry is not None:
            return entry.value
        tags = how.tags_of(args, kwargs)
        return value_of(drive(live.answer(key, function, args, kwargs, ttl=ttl, tags=tags))).value

    return asked


def akeeping(function: Callable[..., object], how: Keeping) -> Callable[..., Awaitable[object]]:
    """Return a coroutine function whose results are kept."""
    cache, place, key_of, ttl, _ = how
    of = CallKey(function).of

    @wraps(function)
    async def asked(*args: object, **kwargs: object) -> object:
        key = of(args, kwargs) if key_of is None else key_of(*args, **kwargs)
        live = place.live or place.find(cache)
        entry = live.peek(key)
        if entry is not None:
            return entry.value
        tags = how.tags_of(args, kwargs)
        steps = live.answer(key, function, args, kwargs, ttl=ttl, tags=tags)
        return value_of(await adrive(steps)).value

    return asked
