"""How cumulative numbers grew: what was counted within a window, in memory that does not grow."""

from collections import deque
from typing import Final

GRAIN: Final = 64
"""Parts of a window that are not told apart."""


class Line:
    """Cumulative numbers at points in time; not safe for threads.

    The first numbers are those that nobody dates one by one, such as of successes: between two points
    they are taken to be spread evenly. The others are taken to have grown at the later point. A
    failure makes a point, and so does every 64th success when the latest point is older than a 64th
    of the window. So what a window holds differs from the truth by no more than what happened within
    some 64th of it, and 64 successes, which the stretch across its old edge takes for spread.

    Args:
        seconds: Length of the window.
        start: The first point, in monotonic seconds; everything is 0 there.
        width: How many numbers.
        spread: How many of them grow evenly.
    """

    __slots__ = ("_grain", "_points", "_seconds", "_spread")

    def __init__(self, seconds: float, start: float, width: int, spread: int = 1) -> None:
        self._seconds = seconds
        self._spread = spread
        self._grain = seconds / GRAIN
        self._points = deque([(start, (0,) * width)])

    def mark(self, now: float, numbers: tuple[int, ...]) -> None:
        """Take note of the numbers at a point in time, what happened there included."""
        points = self._points
        if len(points) > 1 and now - points[-2][0] < self._grain:
            points[-1] = (now, numbers)
        else:
            points.append((now, numbers))
        self._forget(now)

    def within(self, now: float, numbers: tuple[int, ...]) -> list[float]:
        """Return how much of the numbers as they are now was counted within the window."""
        self._forget(now)
        points = self._points
        begun, before = points[0]
        edge = now - self._seconds
        grown: list[float] = [number - early for number, early in zip(numbers, before, strict=True)]
        if begun < edge:
            ended, after = points[1] if len(points) > 1 else (now, numbers)
            gone = min(1.0, (edge - begun) / (ended - begun))
            for place in range(self._spread):
                grown[place] -= (after[place] - before[place]) * gone
        return grown

    def _forget(self, now: float) -> None:
        points, edge = self._points, now - self._seconds
        while len(points) > 1 and points[1][0] <= edge:
            points.popleft()
