"""Attributes that are made when they are first read, once for all threads."""

from collections.abc import Callable
from typing import Generic, TypeVar, overload

_Owner = TypeVar("_Owner")
_Value = TypeVar("_Value")


class once(Generic[_Owner, _Value]):  # noqa: N801  # a decorator, as `property` is
    """Make an attribute of what a method returns, when it is first read.

    Threads that come together may call the method more than once, and all get the same value;
    `functools.cached_property` gives each its own from Python 3.12 on.

    Example:
        >>> class Shop:
        ...     @once
        ...     def stock(self) -> list[str]:
        ...         return ["SKU-881"]
        >>> shop = Shop()
        >>> shop.stock is shop.stock
        True
    """

    def __init__(self, make: Callable[[_Owner], _Value]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, owner: None, kind: type[_Owner]) -> "once[_Owner, _Value]": ...
    @overload
    def __get__(self, owner: _Owner, kind: type[_Owner]) -> _Value: ...
    def __get__(self, owner: _Owner | None, kind: type[_Owner]) -> "_Value | once[_Owner, _Value]":
        if owner is None:
            return self
        # One atomic step; from then on the attribute is found before this descriptor.
        kept: dict[str, _Value] = vars(owner)
        return kept.setdefault(self._name, self._make(owner))
