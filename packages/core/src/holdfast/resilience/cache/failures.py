"""What a cache remembers of functions that failed, in this process."""

import copy
from dataclasses import dataclass
from typing import Final

from holdfast.resilience.backoff import Backoff
from holdfast.resilience.cache.memory import MemoryStore
from holdfast.resilience.host import Host

MAX_REMEMBERED: Final = 1_000
"""Keys whose failures are remembered."""
_FORGOTTEN_AFTER: Final = 600.0
"""Seconds after its pause that a row of failures is forgotten."""


@dataclass(frozen=True, slots=True)
class _Row:
    """Failures of one key without a success between them."""

    times: int
    pause: float


class Failures:
    """Errors that are answered again, and keys whose function is left alone for a while; thread-safe.

    Args:
        negative: Classes of the errors that are remembered.
        ttl: Seconds that they are.
        backoff: How long a function that failed is left alone.
        host: The runtime.
    """

    def __init__(
        self, negative: tuple[type[Exception], ...], ttl: float, backoff: Backoff, host: Host
    ) -> None:
        self._negative = negative
        self._ttl = ttl
        self._backoff = backoff
        self._chance = host.chance
        self._known = MemoryStore(MAX_REMEMBERED, host.clock)
        self._pauses = MemoryStore(MAX_REMEMBERED, host.clock)
        self._rows = MemoryStore(MAX_REMEMBERED, host.clock)

    def known(self, key: str) -> Exception | None:
        """Return the error that a key is known to have, as one of its own for each caller."""
        known = self._known.get(key)
        return copied(known) if isinstance(known, Exception) else None

    def remember(self, key: str, error: Exception) -> None:
        """Keep an error, if it is one of those that are remembered."""
        if isinstance(error, self._negative) and (kept := copied(error)) is not None:
            self._known.set(key, kept, self._ttl)

    def is_paused(self, key: str) -> bool:
        """Tell whether the function of a key is left alone."""
        return self._pauses.get(key) is not None

    def pause(self, key: str) -> float:
        """Leave the function of a key alone, longer each time; return for how many seconds."""
        row = self._rows.get(key)
        times, before = (row.times, row.pause) if isinstance(row, _Row) else (0, 0.0)
        seconds = self._backoff.delay(times, before, self._chance)
        self._rows.set(key, _Row(times + 1, seconds), seconds + _FORGOTTEN_AFTER)
        self._pauses.set(key, True, seconds)  # noqa: FBT003  # a mark
        return seconds

    def forget(self, key: str) -> None:
        """Remember nothing of a key."""
        if len(self._rows) or len(self._known):
            for memory in (self._known, self._pauses, self._rows):
                memory.delete(key)

    def clear(self) -> None:
        """Remember nothing."""
        for memory in (self._known, self._pauses, self._rows):
            memory.clear()


def copied(error: BaseException) -> Exception | None:
    """Return an error's equal, without its traceback, or None where it cannot be copied.

    An exception that is raised again and again gathers a traceback without end.
    """
    try:
        made = copy.copy(error)
    except Exception:  # noqa: BLE001  # a class of the user's, whose copies need more than it gives
        return None
    if type(made) is not type(error) or made is error or not isinstance(made, Exception):
        return None
    made.__traceback__ = made.__context__ = made.__cause__ = None
    return made
