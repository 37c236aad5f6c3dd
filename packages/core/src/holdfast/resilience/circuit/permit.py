"""Leave to make one call, given back with how the call ended."""

from typing import Protocol

from holdfast.resilience.circuit.period import Period


class Settling(Protocol):
    """Takes note of how calls ended."""

    def settle_success(self, permit: "Permit", seconds: float | None) -> None:
        """Count a call that succeeded."""
        ...

    def settle_failure(
        self, permit: "Permit", error: BaseException | None, seconds: float | None
    ) -> None:
        """Count a call that failed."""
        ...

    def settle_ignored(self, permit: "Permit") -> None:
        """Take back the permit of a call that says nothing of the other side."""
        ...


class Permit:
    """Leave to make one call; give it back once, by one of its three methods.

    What is given back after the circuit has changed its state, or a second time, changes nothing.
    Durations are seconds, wanted when `period.timed` says so.

    Attributes:
        period: The stay of the circuit that the call belongs to.
        place: Which place of a half-open circuit it takes; 0 for none.
        spent: Seconds that the call took, when it has ended before the permit is handed on.
    """

    __slots__ = ("_circuit", "period", "place", "spent")

    def __init__(
        self, circuit: Settling, period: Period, place: int = 0, spent: float | None = None
    ) -> None:
        self._circuit: Settling | None = circuit
        self.period = period
        self.place = place
        self.spent = spent

    def success(self, seconds: float | None = None) -> None:
        """Tell that the call succeeded, and how long it took."""
        circuit, self._circuit = self._circuit, None
        if circuit is not None:
            circuit.settle_success(self, seconds)

    def failure(self, error: BaseException | None = None, seconds: float | None = None) -> None:
        """Tell that the call failed, with what, and how long it took."""
        circuit, self._circuit = self._circuit, None
        if circuit is not None:
            circuit.settle_failure(self, error, seconds)

    def ignore(self) -> None:
        """Tell that the call says nothing of the other side: it was cancelled, or wrong by itself."""
        circuit, self._circuit = self._circuit, None
        if circuit is not None:
            circuit.settle_ignored(self)
