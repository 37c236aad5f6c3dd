"""The circuit breaker as a layer of a policy."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, cast

from holdfast.resilience.call import Call, Inner, Steps
from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.circuit.terms import Terms
from holdfast.resilience.host import Host
from holdfast.resilience.judging import counts
from holdfast.resilience.outcome import Outcome

if TYPE_CHECKING:
    from holdfast.resilience.breaker import CircuitBreaker
    from holdfast.resilience.circuit.period import Period


@dataclass(frozen=True, slots=True)
class Breaker(Terms):
    """Stops making calls that keep failing, and tries again after a while.

    Its options are those of `Terms`; the first three are the ones most often given.

    Args:
        shared: Whether it opens and recovers with the other workers of the service, where `CIRCUITS`
            says through which Redis.

    Raises:
        ValueError: For an option out of its range.

    Example:
        >>> Breaker(failure_threshold=3, recovery_timeout=30.0).success_threshold
        2
    """

    shared: bool = True

    def live(self, name: str, host: Host) -> "BreakerLayer":
        """Return the layer of one policy."""
        # Loaded when the first circuit is made: it brings pybreaker along.
        make = importlib.import_module("holdfast.resilience.breaker").of_policy
        layer = BreakerLayer(make(self, name, host), host)
        if self.shared and host.sharing is not None:
            host.sharing.share(name, layer.breaker.circuit)
        return layer


class BreakerLayer:
    """A circuit breaker, live."""

    def __init__(self, breaker: "CircuitBreaker", host: Host) -> None:
        self.breaker = breaker
        self._host = host

    @property
    def is_timed(self) -> bool:
        """Whether calls have to be measured."""
        return self.breaker.circuit.terms.timed()

    def snapshot(self) -> Mapping[str, object]:
        """Return what its circuit does and did."""
        circuit = self.breaker.circuit
        now = circuit.snapshot()
        facts = {each.name: cast("object", getattr(now, each.name)) for each in fields(now)}
        return {**facts, "totals": circuit.totals()}

    def adjusted(self, spec: Breaker) -> "BreakerLayer | None":
        """Go by other options, in the state it is in; None when it has to be made anew."""
        circuit = self.breaker.circuit
        if not isinstance(circuit.terms, Breaker) or circuit.terms.shared is not spec.shared:
            return None
        circuit.terms = spec
        return self

    def permit_of(self, handed: object) -> Permit:
        """Return the permit of a call made on the short way.

        Args:
            handed: What that way handed over: the period, with the seconds if they were measured.
        """
        if not isinstance(handed, tuple):
            return Permit(self.breaker.circuit, cast("Period", handed))
        period, spent = cast("tuple[Period, float]", handed)
        return Permit(self.breaker.circuit, period, spent=spent)

    def steps(self, call: Call, inner: Inner) -> Steps:
        """Make the call if the circuit allows it, and tell the circuit how it ended."""
        permit, call.permit = call.permit, None
        try:
            permit = permit or self.breaker.circuit.acquire()
        except Exception as error:  # noqa: BLE001  # a refusal goes on as an outcome
            return Outcome(error)
        clock = self._host.clock if permit.period.timed and permit.spent is None else None
        started = clock.monotonic() if clock else 0.0
        try:
            outcome = yield from inner(call)
        except BaseException:
            permit.ignore()
            raise
        seconds = clock.monotonic() - started if clock else permit.spent
        failure = outcome.error
        if failure is None:
            permit.success(seconds)
        elif counts(failure, self._host.read(failure)):
            permit.failure(failure, seconds)
        else:
            permit.ignore()
        return outcome
