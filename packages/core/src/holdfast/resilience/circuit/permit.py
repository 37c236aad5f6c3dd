"""Leave to make one call, given back with how the call ended."""

from typing import Protocol

from holdfast.resilience.circuit.period import Period


class Settling(Protocol):
    """Takes note of how calls ended."""

    def settle_success(self, period: Period) -> None:
        """Count a call that succeeded."""
        ...

    def settle_failure(self, period: Period, error: BaseException | None) -> None:
        """Count a call that failed."""
        ...

    def settle_ignored(self, period: Period) -> None:
        """Take back the permit of a call that says nothing of the other side."""
        ...


class Permit:
    """Leave to make one call; give it back once, by one of its three methods.

    What is given back after the circuit has changed its state, or a second time, changes nothing.
    """

    __slots__ = ("_circuit", "period")

    def __init__(self, circuit: Settling, period: Period) -> None:
        self._circuit: Settling | None = circuit
        self.period = period

    def success(self) -> None:
        """Tell that the call succeeded."""
        circuit, self._circuit = self._circuit, None
        if circuit is not None:
            circuit.settle_success(self.period)

    def failure(self, error: BaseException | None = None) -> None:
        """Tell that the call failed, and with what."""
        circuit, self._circuit = self._circuit, None
        if circuit is not None:
            circuit.settle_failure(self.period, error)

    def ignore(self) -> None:
        """Tell that the call says nothing of the other side: it was cancelled, or wrong by itself."""
        circuit, self._circuit = self._circuit, None
        if circuit is not None:
            circuit.settle_ignored(self.period)
