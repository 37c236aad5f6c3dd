"""The circuit breaker as a layer of a policy."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.circuit.terms import Terms
from holdfast.resilience.host import Host
from holdfast.resilience.judging import counts
from holdfast.resilience.outcome import Outcome

if TYPE_CHECKING:
    from holdfast.resilience.breaker import CircuitBreaker


@dataclass(frozen=True, slots=True)
class Breaker(Terms):
    """Stops making calls that keep failing, and tries again after a while.

    Its options are those of `Terms`; the first three are the ones most often given.

    Raises:
        ValueError: For an option out of its range.

    Example:
        >>> Breaker(failure_threshold=3, recovery_timeout=30.0).success_threshold
        2
    """

    def live(self, name: str, host: Host) -> "BreakerLayer":
        """Return the layer of one policy."""
        # Loaded when the first circuit is made: it brings pybreaker along.
        make = importlib.import_module("holdfast.resilience.breaker").of_policy
        return BreakerLayer(make(self, name, host), host)


class BreakerLayer:
    """A circuit breaker, live."""

    def __init__(self, breaker: "CircuitBreaker", host: Host) -> None:
        self.breaker = breaker
        self._host = host

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Make the call if the circuit allows it, and tell the circuit how it ended."""
        permit, call.permit = call.permit, None
        try:
            permit = permit or self.breaker.acquire()
        except Exception as error:  # noqa: BLE001  # a refusal goes on as an outcome
            return Outcome(error)
        clock = self._host.clock if permit.period.timed else None
        started = clock.monotonic() if clock else 0.0
        try:
            outcome = yield from inner(call)
        except BaseException:
            permit.ignore()
            raise
        seconds = clock.monotonic() - started if clock else None
        error = outcome.error
        if error is None:
            permit.success(seconds)
        elif counts(error, self._host.read(error)):
            permit.failure(error, seconds)
        else:
            permit.ignore()
        return outcome
