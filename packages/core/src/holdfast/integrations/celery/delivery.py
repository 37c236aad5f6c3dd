"""Delivery of what a child of a worker captured: it may be killed next, and never ends by itself."""

import os
from typing import Final

from holdfast.clock import Clock
from holdfast.hooks.process import responsible

BUDGET: Final = 0.5
"""Seconds that a failing task may wait for its record to be delivered."""
PAUSE: Final = 30.0
"""Seconds for which nobody waits any more after waiting in vain."""


class Delivery:
    """Sees to it that events leave a process that ends without any hook at its exit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._parent = 0
        self._in_child = False
        self._next = 0.0

    def worker_began(self, **_: object) -> None:
        """Know the parent's process: pools without children announce those all the same."""
        self._parent = os.getpid()

    def child_began(self, **_: object) -> None:
        """Know whether this process is a child, which leaves by `os._exit`."""
        self._in_child = os.getpid() != self._parent

    @property
    def is_apart(self) -> bool:
        """Whether this is a child that was not forked: it cannot note what its parent need not tell."""
        return self._in_child and not self._parent

    def process_ends(self, **_: object) -> None:
        """Deliver what waits, within the time that the settings give for closing."""
        owner = responsible()
        if owner is not None:
            owner.flush()

    def deliver(self) -> bool:
        """Deliver at once in a child; False when that is not known to have succeeded."""
        if not self._in_child:
            return True
        owner, now = responsible(), self._clock.monotonic()
        if owner is None or now < self._next:
            return False
        delivered = owner.flush(BUDGET)
        if not delivered:
            self._next = now + PAUSE
        return delivered
