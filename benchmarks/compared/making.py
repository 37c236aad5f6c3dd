"""What a library of circuit breakers is asked to make."""

from collections.abc import Callable
from typing import Protocol

from benchmarks.compared.circuits import Circuit


class Makes(Protocol):
    """A library of circuit breakers; what it has no setting for raises `UnableError`."""

    def circuit(self, listener: Callable[[str], None] | None = None) -> Circuit:
        """Make one that opens after three failures, for a minute; errors of class `Neutral` are excluded.

        The listener is told of `success` and, where there is such a thing, of `refused`.
        """

    def generators(self) -> Circuit:
        """Make one that protects generator functions, if it can."""

    def windowed(self) -> Circuit:
        """Make one that opens when half of ten calls or more failed, if it can."""

    def slow(self) -> tuple[Circuit, Callable[[float], None]]:
        """Make one that opens when calls of a second are slow; and what lets time pass within a call."""

    def growing(self) -> Circuit:
        """Make one that stays open longer each time a probe fails."""

    def told(self) -> Circuit:
        """Make one that stays open as long as the other side asked for."""

    def ramped(self) -> Circuit:
        """Make one that closes step by step."""

    def shadow(self) -> tuple[Circuit, Callable[[], int]]:
        """Make one that refuses nothing, and counts what it would have refused."""

    def force_open(self, circuit: Circuit) -> None:
        """Open it by hand."""

    def redis(self, port: int) -> Circuit:
        """Make one whose state is in Redis."""
