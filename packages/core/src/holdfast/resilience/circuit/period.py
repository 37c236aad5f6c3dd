"""One stay of a circuit in one state; results that come after it concern nobody."""

from enum import StrEnum
from itertools import count
from typing import Final

from holdfast.resilience.circuit.rules import Tally

EVERY: Final = 64
"""Successes after which a closed circuit looks at the clock; a power of two."""


class State(StrEnum):
    """What a circuit does with calls."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Period:
    """One stay in one state.

    A success in a closed circuit is one step of `succeeded`, which is atomic and needs no lock: a
    window is looked at when a call fails, and its successes are dated by `tick` now and then.

    Attributes:
        state: Which state.
        since: When it began, in monotonic seconds.
        succeeded: Counts a success; returns how many there were before.
        tally: What the rule has counted; None unless closed.
    """

    __slots__ = ("_counter", "since", "state", "succeeded", "tally", "until")

    def __init__(
        self, state: State, since: float, *, tally: Tally | None = None, until: float = 0.0
    ) -> None:
        self._counter = count()
        self.succeeded = self._counter.__next__
        self.state = state
        self.since = since
        self.tally = tally
        self.until = until
        """When an open circuit lets a probe through."""

    @property
    def successes(self) -> int:
        """How many calls succeeded; read without a step, which `repr` alone does on every Python."""
        return int(repr(self._counter)[6:-1])

    def tick(self) -> None:
        """Date the successes so far."""
