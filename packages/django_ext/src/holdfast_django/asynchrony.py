"""Whether something is asynchronous, as Django marks it."""

import asyncio

from asgiref.sync import SyncToAsync, iscoroutinefunction


def is_async(function: object) -> bool:
    """Tell whether calling gives an awaitable; sees Django's marks, which `inspect` misses before Python 3.12."""
    return iscoroutinefunction(function)  # pyright: ignore[reportDeprecated]  # needed for Python 3.11


def serves_from_thread() -> bool:
    """Tell whether this is a thread that an event loop waits for, and not the loop's own."""
    loop = getattr(SyncToAsync.threadlocal, "main_event_loop", None)
    return loop is not None and loop.is_running() and not on_loop()


def on_loop() -> bool:
    """Tell whether an event loop runs on this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
