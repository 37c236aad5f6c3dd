"""Single-flight within one process: of many calls for one key, one asks and the others wait."""

import os

from holdfast.forks import ForkSafeLock
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.signal import Signal


class Flight:
    """One call under way, for all who want the same.

    Attributes:
        signal: Given when it has ended.
        outcome: How it ended; None when it came to nothing, as by a cancellation.
    """

    __slots__ = ("outcome", "pid", "signal")

    def __init__(self) -> None:
        self.signal = Signal()
        self.outcome: Outcome | None = None
        self.pid = os.getpid()


class Flights:
    """The calls under way by key; for threads and tasks alike."""

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._flights: dict[str, Flight] = {}

    def join(self, key: str) -> tuple[Flight, bool]:
        """Return the flight of a key, and whether it is for the caller to fly it, and to land it."""
        with self._lock:
            there = self._flights.get(key)
            if there is not None and there.pid == os.getpid():  # its thread came along a fork
                return there, False
            flight = self._flights[key] = Flight()
            return flight, True

    def land(self, key: str, flight: Flight, outcome: Outcome | None) -> None:
        """End a flight, and let those go on who wait for it."""
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
        flight.outcome = outcome
        flight.signal.give()
