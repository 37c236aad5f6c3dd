"""Retry storms: a task that is tried again and again, all over a worker."""

import struct
from typing import Final

from holdfast.clock import Clock
from holdfast.integrations.celery.shared import SharedSlots, digest

_LAYOUT: Final = struct.Struct("<8sII")
_MANY: Final = 0xFFFFFFFF


class Storms:
    """Counts the retries of each task in windows of time, over a parent and its forked children.

    Memory is fixed: of two tasks whose slots meet, the one that retries takes the slot over.

    Args:
        most: Retries of one task in a window that are no storm.
        window: Seconds; windows follow each other without overlap.
        clock: Its `monotonic` has to be the machine's when processes count together.
    """

    def __init__(self, most: int, window: float, clock: Clock) -> None:
        if most < 1:
            raise ValueError(f"storm_retries must be at least 1, not {most!r}")
        if not window > 0:
            raise ValueError(f"storm_window must be more than 0 seconds, not {window!r}")
        self._most = most
        self.window = window
        self._clock = clock
        self._slots = SharedSlots()

    def retried(self, task: str) -> int:
        """Count one retry; returns how many there were in this window when that makes it a storm, else 0.

        A window has its storm once, whatever comes after.
        """
        key = digest(task)
        owner = key[:8]
        now = int(self._clock.monotonic() / self.window) & _MANY
        known, window, count = _LAYOUT.unpack(self._slots.read(key))
        count = min(count + 1, _MANY) if (known, window) == (owner, now) else 1
        self._slots.write(key, _LAYOUT.pack(owner, now, count))
        return count if count == self._most + 1 else 0
