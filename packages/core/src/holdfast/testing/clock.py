"""A clock one sets."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """A clock that stands still until it is told to go on.

    Example:
        >>> clock = FakeClock()
        >>> clock.advance(1.5)
        >>> clock.monotonic(), clock.now().isoformat()
        (1.5, '2024-01-15T10:30:01.500000+00:00')
    """

    def __init__(self, start: datetime = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0

    def monotonic(self) -> float:
        """Return the seconds told so far."""
        return self._elapsed

    def now(self) -> datetime:
        """Return the start plus the seconds told so far."""
        return self._start + timedelta(seconds=self._elapsed)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._elapsed += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass, at once."""
        self.advance(seconds)

    async def asleep(self, seconds: float) -> None:
        """Let time pass, and give others of the event loop a turn."""
        import asyncio  # noqa: PLC0415  # loaded by whoever runs a loop, and by nobody else

        self.advance(seconds)
        await asyncio.sleep(0)  # noqa: TID251  # a turn, not a wait
