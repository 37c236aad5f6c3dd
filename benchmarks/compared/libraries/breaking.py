"""What a library of circuit breakers cannot do, unless it says that it can."""

from collections.abc import Callable
from typing import NoReturn

from benchmarks.compared.answer import UnableError
from benchmarks.compared.circuits import Circuit


class Breaking:
    """Nothing but plain circuits."""

    def circuit(self, listener: Callable[[str], None] | None = None) -> Circuit:
        """Make one that opens after three failures."""
        raise NotImplementedError

    def generators(self) -> Circuit:
        """Make the same as ever."""
        return self.circuit()

    def windowed(self) -> Circuit:
        """Make the same as ever."""
        return self.circuit()

    def ramped(self) -> Circuit:
        """Make the same as ever."""
        return self.circuit()

    def growing(self) -> Circuit:
        """Make the same as ever."""
        return self.circuit()

    def told(self) -> Circuit:
        """Make the same as ever."""
        return self.circuit()

    def slow(self) -> NoReturn:
        """Refuse."""
        raise UnableError("takes no durations")

    def shadow(self) -> NoReturn:
        """Refuse."""
        raise UnableError("")

    def force_open(self, circuit: Circuit) -> None:
        """Refuse."""
        raise UnableError("no such thing")

    def redis(self, port: int) -> Circuit:
        """Refuse."""
        raise UnableError("keeps no state in Redis")
