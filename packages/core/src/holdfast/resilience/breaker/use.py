"""One guarded call, from when it was let through until its end is told."""

from typing import TYPE_CHECKING, Final

from holdfast.resilience.breaker.calling import ends_later, until_its_end
from holdfast.resilience.circuit.permit import Permit

if TYPE_CHECKING:
    from holdfast.resilience.breaker.counting import Counting

_MOST: Final = 64


class Use:
    """One call that was let through.

    Args:
        breaker: By which.
        permit: Its leave.
        begun: How many failures the breaker had counted when it began: one that it has counted
            since, further in, is not counted again.
    """

    __slots__ = ("_begun", "_breaker", "_permit", "_started")

    def __init__(self, breaker: "Counting", permit: Permit, begun: int) -> None:
        self._breaker = breaker
        self._permit = permit
        self._begun = begun
        self._started = breaker.clock.monotonic() if breaker.is_timed else None

    def succeeded(self) -> None:
        """Tell that it succeeded."""
        self._breaker.settle_success(self._permit, self._seconds())

    def failed(self, error: BaseException) -> None:
        """Tell what it raised.

        Raises:
            CircuitOpenError: That opened the circuit.
        """
        self._breaker.settle_error(self._permit, error, self._seconds(), since=self._begun)

    def ignored(self) -> None:
        """Tell that nobody knows how it ended."""
        self._breaker.settle_ignored(self._permit)

    def returned(self, result: object) -> object:
        """Tell that the function returned, which is the end unless its result goes on."""
        if ends_later(result):
            return until_its_end(self, result)
        if len(self._breaker.seen) < _MOST:
            self._breaker.seen.add(type(result))
        self.succeeded()
        return result

    def _seconds(self) -> float | None:
        return None if self._started is None else self._breaker.clock.monotonic() - self._started


class Settling:
    """Takes note of how calls ended whose permits are in somebody else's hands."""

    def __init__(self, breaker: "Counting") -> None:
        self._breaker = breaker

    def settle_success(self, permit: Permit, seconds: float | None) -> None:
        """Count a call that succeeded."""
        self._breaker.settle_success(self._of_circuit(permit), seconds)

    def settle_failure(
        self, permit: Permit, error: BaseException | None, seconds: float | None
    ) -> None:
        """Count a call that failed; that it opens the circuit is told to later calls."""
        self._breaker.settle_failure(self._of_circuit(permit), error, seconds)

    def settle_ignored(self, permit: Permit) -> None:
        """Take back the permit of a call that says nothing of the other side."""
        self._breaker.settle_ignored(self._of_circuit(permit))

    def _of_circuit(self, permit: Permit) -> Permit:
        return Permit(self._breaker.circuit, permit.period, permit.place)
