"""Handlers by what an error is: its code, its classes, its category.

The order: handlers of the exact code, then of the classes (most specific first), then of the
category; those of one target in order of registration.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from holdfast.classify import Classification, is_named
from holdfast.codes import ErrorCodes
from holdfast.forks import ForkSafeLock
from holdfast.origin import ErrorContext

MAX_CACHED_ROUTES = 2048

Target: TypeAlias = type[BaseException] | ErrorCodes | str
"""What is handled: a class or its dotted name (`redis.exceptions.ConnectionError`), a code as a
member or as text, or a category."""

Handler: TypeAlias = Callable[[BaseException, ErrorContext, Classification], object]
"""Handles an error, `def` or `async def`, and returns None to decline, an exception to answer in the
error's place, or a value to go on with: `Recovered(value)`, or the value itself."""

_Routed = TypeVar("_Routed")


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a handler goes on with in the place of an error, None included.

    Example:
        >>> Recovered([]).value
        []
    """

    value: object = None


class Routes(Generic[_Routed]):
    """What is registered, by target; thread-safe, also while errors are handled."""

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._entries: tuple[tuple[type[BaseException] | str, _Routed], ...] = ()
        self._found: dict[Hashable, tuple[_Routed, ...]] = {}

    def __bool__(self) -> bool:
        """Tell whether anything is registered."""
        return bool(self._entries)

    def __iter__(self) -> Iterator[_Routed]:
        return (routed for _, routed in self._entries)

    def add(self, target: Target, routed: _Routed) -> None:
        """Register something for a target.

        Raises:
            TypeError: When the target is no class of exceptions, code or text.
        """
        entry = _key(target), routed
        with self._lock:
            # Replaced as a whole, the cache last: who reads meanwhile sees the one or the other.
            self._entries = (*self._entries, entry)
            self._found = {}

    def of(self, error: BaseException, said: Classification) -> tuple[_Routed, ...]:
        """Return what is registered for an error, in order, each once."""
        found, entries = self._found, self._entries
        key = type(error), said.code, said.category
        known = found.get(key)
        if known is None:
            known = tuple(_matching(entries, type(error), said))
            if len(found) < MAX_CACHED_ROUTES:
                found[key] = known
        return known


def _key(target: object) -> type[BaseException] | str:
    if isinstance(target, ErrorCodes):
        return target.code
    if isinstance(target, type) and issubclass(target, BaseException):
        return target
    if isinstance(target, str) and target:
        return target
    raise TypeError(
        f"errors are routed by a class of exceptions, a code or a category, not by {target!r:.100}"
    )


def _matching(
    entries: tuple[tuple[type[BaseException] | str, _Routed], ...],
    cls: type[BaseException],
    said: Classification,
) -> Iterator[_Routed]:
    given: list[_Routed] = []
    for wanted in (said.code, *cls.__mro__, said.category):
        for key, routed in entries:
            if _is_for(key, wanted) and routed not in given:
                given.append(routed)
                yield routed


def _is_for(key: object, wanted: object) -> bool:
    if isinstance(key, str) and isinstance(wanted, type):
        return is_named(key, wanted)
    return key == wanted
