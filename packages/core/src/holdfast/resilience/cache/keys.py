"""Keys: as stores want them, and made of the arguments of a call."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from inspect import Parameter, signature
from typing import Final, cast
from uuid import UUID

from holdfast.callables import name_of

MAX_KEY: Final = 170
"""Characters of a key; Memcached takes 250, with the name of the cache and what a site prefixes."""
MAX_NAME: Final = 40
"""Characters of the name of a cache, in its keys."""
_PLAIN: Final = frozenset(
    (str, int, float, bool, bytes, type(None), date, datetime, time, timedelta, Decimal, UUID)
)
"""What tells itself apart by its `repr`, in every process alike."""
_POSITIONAL: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def safe_key(key: str, most: int = MAX_KEY) -> str:
    """Return a key that every store takes: the key itself, or a hash of what is long or strange.

    Args:
        key: Any text.
        most: Characters that it may have; at least 33.

    Raises:
        TypeError: For what is no text.

    Example:
        >>> safe_key("price:881"), safe_key("price of 881")[:9]
        ('price:881', '#55dbee03')
    """
    key = plain_key(key)
    is_safe = len(key) <= most and key.isascii() and key.isprintable() and " " not in key
    # What begins like a hash would be taken for the key that has this hash.
    return key if is_safe and key[:1] != "#" else _hash(key)


def safe_name(name: str) -> str:
    """Return what the keys of a cache begin with: without a colon, or one cache could name another's keys.

    Example:
        >>> safe_name("prices"), safe_name("prices:v:eu")[:9]
        ('prices', '#82390ddc')
    """
    return _hash(name) if ":" in name else safe_key(name, MAX_NAME)


def plain_key(key: object) -> str:
    """Return a key as it is.

    Raises:
        TypeError: For what is no text.
    """
    if not isinstance(key, str):
        raise TypeError(f"the key of a cache must be a text, not a {type(key).__qualname__}")
    return key


class CallKey:
    """Makes keys of the calls of one function: its dotted name and the arguments.

    Positional or by name, the same arguments make the same key; a default that is left out and one
    that is passed make two.

    Args:
        function: Whose calls.
    """

    __slots__ = ("_function", "_name", "_names")

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._name = name_of(function)
        self._names: list[str] | None = None

    def of(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> str:
        """Return the key of a call.

        Raises:
            TypeError: For an argument that is no plain value, so that two of them might look alike.
        """
        named = ""
        if kwargs:
            args, named = self._by_position(args, kwargs)
        for each in args:
            if type(each) not in _PLAIN:
                self._check(each)
        return f"{self._name}{args!r}{named}"

    def _by_position(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> tuple[tuple[object, ...], str]:
        """Return the arguments that can have a position, and the others as text."""
        if self._names is None:
            parameters = signature(self._function).parameters.values()
            self._names = [each.name for each in parameters if each.kind in _POSITIONAL]
        rest, ordered = dict(kwargs), list(args)
        for name in self._names[len(args) :]:
            if name not in rest:
                break
            ordered.append(rest.pop(name))
        for value in rest.values():
            self._check(value)
        return tuple(ordered), f"{sorted(rest.items())!r}" if rest else ""

    def _check(self, value: object) -> None:
        if type(value) is tuple:
            for each in cast("tuple[object, ...]", value):
                self._check(each)
        elif type(value) not in _PLAIN and not isinstance(value, Enum):
            raise TypeError(
                f"{self._name} was called with a {type(value).__qualname__}, of which no key can be "
                "made; pass a function of its arguments as key="
            )


def _hash(key: str) -> str:
    return f"#{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def key_of(
    function: Callable[..., object],
    key: Callable[..., str] | None,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> str:
    """Return the key of one call: what a function says of the arguments, or else by `CallKey`."""
    return CallKey(function).of(args, kwargs) if key is None else key(*args, **kwargs)
