"""How often the processes of a service may leave by themselves: decided here, on plain values."""

from dataclasses import dataclass
from enum import Enum


class Ruling(Enum):
    """What became of a wish to leave."""

    GRANTED = "granted"
    SPENT = "spent"
    """Refused, for the first time within a window: somebody should be told."""
    REFUSED = "refused"
    """Refused, and somebody was told."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the processes of a service remember together; points in time are monotonic seconds."""

    restarts: tuple[float, ...] = ()
    """When a process was allowed to leave, oldest first."""
    warned: float | None = None
    """When it was last said that the budget is spent."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many restarts within a window.

    Example:
        >>> ruling, ledger = Budget(restarts=1, window=600).judge(Ledger(), now=0.0)
        >>> ruling, Budget(restarts=1, window=600).judge(ledger, now=5.0)[0]
        (<Ruling.GRANTED: 'granted'>, <Ruling.SPENT: 'spent'>)
    """

    restarts: int
    window: float
    """Seconds."""

    def judge(self, ledger: Ledger, now: float) -> tuple[Ruling, Ledger]:
        """Return whether one more may leave, and what is to be remembered."""
        recent = tuple(when for when in ledger.restarts if self._counts(when, now))
        warned = ledger.warned
        if warned is not None and not self._counts(warned, now):
            warned = None
        if len(recent) < self.restarts:
            return Ruling.GRANTED, Ledger((*recent, now), warned)
        if warned is None:
            return Ruling.SPENT, Ledger(recent, now)
        return Ruling.REFUSED, Ledger(recent, warned)

    def _counts(self, when: float, now: float) -> bool:
        # What seems to lie ahead was written before the machine started anew.
        return 0 <= now - when < self.window
