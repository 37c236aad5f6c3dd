"""What can be said of a project's callable without calling it."""

import inspect
from typing import Final

BINDING: Final[tuple[object, ...]] = (staticmethod, classmethod)
"""What makes a method of a function; to decorate one is to decorate the function in it."""


def is_async(function: object) -> bool:
    """Tell whether a callable is a coroutine function, or an object whose call is one."""
    call: object = getattr(type(function), "__call__", None)  # noqa: B004  # to look at it, not to ask for it
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def name_of(function: object) -> str:
    """Return the dotted name of a callable, for messages; at most 200 characters."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{getattr(named, '__qualname__', '')}"[:200]
