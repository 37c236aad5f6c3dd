"""Whether something is asynchronous, as Django marks it."""

from asgiref.sync import iscoroutinefunction


def is_async(function: object) -> bool:
    """Tell whether calling gives an awaitable; sees Django's marks, which `inspect` misses before Python 3.12."""
    return iscoroutinefunction(function)  # pyright: ignore[reportDeprecated]  # needed for Python 3.11
