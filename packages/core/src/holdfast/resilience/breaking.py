"""The circuit breaker as a layer of a policy."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.circuit.rules import Consecutive, Rule
from holdfast.resilience.host import Host
from holdfast.resilience.judging import counts
from holdfast.resilience.outcome import Outcome

if TYPE_CHECKING:
    from holdfast.resilience.breaker import CircuitBreaker


@dataclass(frozen=True, slots=True)
class Breaker:
    """Stops making calls that keep failing, and tries again after a while.

    Args:
        failure_threshold: Failures in a row after which it opens; at least 1.
        recovery_timeout: Seconds until a probe is let through.
        success_threshold: Probes in a row that have to succeed before it closes; at least 1.
        rule: When it opens, in the place of `failure_threshold`.
    """

    failure_threshold: int = 5
    recovery_timeout: float = 60.0
    success_threshold: int = 2
    rule: Rule | None = None

    def live(self, name: str, host: Host) -> "BreakerLayer":
        """Return the layer of one policy."""
        # Loaded when the first circuit is made: it brings pybreaker along.
        make = importlib.import_module("holdfast.resilience.breaker").of_policy
        return BreakerLayer(make(self, name, host), host)

    def trip_rule(self) -> Rule:
        """Return when it opens."""
        return self.rule or Consecutive(self.failure_threshold)


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
        try:
            outcome = yield from inner(call)
        except BaseException:
            permit.ignore()
            raise
        error = outcome.error
        if error is None:
            permit.success()
        elif counts(error, self._host.read(error)):
            permit.failure(error)
        else:
            permit.ignore()
        return outcome
