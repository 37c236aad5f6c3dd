"""Brokers that are away, schedules that are broken: one record an outage, however often Celery tries again."""

from collections import OrderedDict
from typing import Final

from holdfast.clock import Clock

QUIET: Final = 90.0
"""Seconds without a failed attempt that end an outage; a connection is tried more often."""
MAX_PLACES: Final = 64
"""Addresses and entries that are remembered."""


class Outages:
    """Tells the first failed attempt from those that follow."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: OrderedDict[str, float] = OrderedDict()

    def begins(self, place: str) -> bool:
        """Note a failed attempt; True when it is the first of an outage."""
        now = self._clock.monotonic()
        latest = self._latest.pop(place, None)
        self._latest[place] = now
        if len(self._latest) > MAX_PLACES:
            self._latest.popitem(last=False)
        return latest is None or now - latest > QUIET
