"""Many threads that want the same at once."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

_Value = TypeVar("_Value")


def herd(ask: Callable[[], _Value], threads: int = 20) -> list[_Value]:
    """Return what each thread got; all ask at once, in the context of the caller."""
    barrier = threading.Barrier(threads)
    found: list[_Value] = []

    def one() -> None:
        barrier.wait(10)
        found.append(ask())

    asking = [threading.Thread(target=copy_context().run, args=(one,)) for _ in range(threads)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(20)
    return found
