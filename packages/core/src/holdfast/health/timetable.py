"""When each of several things is due next: a little earlier or later than told, so that they spread."""

import random
from typing import Final

from holdfast.clock import Clock

JITTER: Final = 0.1
"""Share of a period by which a turn comes earlier or later, at most."""


class Timetable:
    """Turns of several things, by name; not safe for threads.

    Args:
        clock: The time.
        chance: Draws the jitter.
        jitter: Share of the period, 0 to 1, by which a turn comes earlier or later at most.

    Example:
        >>> from holdfast.testing import FakeClock
        >>> clock = FakeClock()
        >>> table = Timetable(clock, random.Random(1), jitter=0.0)
        >>> table.plan("database", 30.0)
        >>> table.wait(), table.due()
        (30.0, [])
        >>> clock.advance(30.0)
        >>> table.due()
        ['database']
    """

    def __init__(self, clock: Clock, chance: random.Random, *, jitter: float = JITTER) -> None:
        self._clock = clock
        self._chance = chance
        self._jitter = jitter
        self._turns: dict[str, float] = {}

    def plan(self, name: str, seconds: float) -> None:
        """Let something be due in so many seconds, instead of when it was to be.

        Args:
            name: Of what.
            seconds: From now, before the jitter.
        """
        spread = 1 + self._jitter * (2 * self._chance.random() - 1)
        self._turns[name] = self._clock.monotonic() + seconds * spread

    def cancel(self, name: str) -> None:
        """Forget something; harmless when it was not planned."""
        self._turns.pop(name, None)

    def due(self) -> list[str]:
        """Take out and return what is due, longest overdue first."""
        now = self._clock.monotonic()
        names = [name for name, turn in self._turns.items() if turn <= now]
        names.sort(key=self._turns.__getitem__)
        for name in names:
            del self._turns[name]
        return names

    def wait(self) -> float | None:
        """Return the seconds until something is due, 0 and above; None when nothing is planned."""
        if not self._turns:
            return None
        return max(0.0, min(self._turns.values()) - self._clock.monotonic())
