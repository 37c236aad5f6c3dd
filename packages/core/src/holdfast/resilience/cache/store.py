"""What a cache asks of a store: four methods, and four more that a store may have."""

import pickle
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeVar, runtime_checkable

_Value = TypeVar("_Value")

_UNREADABLE: Final = (
    *(pickle.UnpicklingError, zlib.error, EOFError, ValueError),
    *(AttributeError, ImportError, IndexError, KeyError, TypeError),
)
"""What reading broken bytes, or those of a class that has moved, comes to in caches that pickle."""


class Store(Protocol):
    """Keeps values by key for a limited time; thread-safe.

    Keys are printable ASCII without spaces, at most 250 characters, as Memcached wants them, unless
    the store keeps objects. An error that is raised means that the store is down; an `UnreadableError`
    that this one value is broken.
    """

    @property
    def blocking(self) -> bool:
        """Whether its calls wait for a network or a disk; an event loop makes those on a thread."""
        ...

    @property
    def keeps_objects(self) -> bool:
        """Whether it keeps values as they are, by any key; others are given bytes."""
        ...

    def get(self, key: str) -> object:
        """Return the value of a key, or None."""
        ...

    def set(self, key: str, value: object, ttl: float) -> None:
        """Keep a value for so many seconds, at least; a store may round up."""
        ...

    def add(self, key: str, value: object, ttl: float) -> bool:
        """Keep a value unless the key has one; False when it has. One of many callers gets True."""
        ...

    def delete(self, key: str) -> None:
        """Forget a key; harmless when it is not there."""
        ...


class UnreadableError(ValueError):
    """A store found a value that it cannot read; the cache takes it for missing."""


def readable(read: Callable[[], _Value]) -> _Value:
    """Read from a cache that decodes values by itself, and tell broken ones from an outage.

    Raises:
        UnreadableError: A value is broken.
    """
    try:
        return read()
    except _UNREADABLE as error:
        raise UnreadableError(f"a value cannot be read: {type(error).__qualname__}") from error


@runtime_checkable
class ReadsMany(Protocol):
    """A store that reads several keys in one go."""

    def get_many(self, keys: Sequence[str]) -> Mapping[str, object]:
        """Return the values of those keys that have one."""
        ...


@runtime_checkable
class Iterates(Protocol):
    """A store that can list its keys, which invalidation by pattern needs."""

    def iterate(self, prefix: str) -> Iterator[str]:
        """Yield every key that begins with a prefix."""
        ...


@runtime_checkable
class Purges(Protocol):
    """A store that keeps what has expired until it is told to let go of it."""

    def purge(self) -> int:
        """Forget what has expired; return how many entries that were."""
        ...


@runtime_checkable
class Counts(Protocol):
    """A store that knows how many entries it has."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...
