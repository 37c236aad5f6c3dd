"""The circuit breaker of a policy: it goes by the policy's terms, and tells the runtime what it does."""

from typing import Final

from holdfast.codes import Severity
from holdfast.events import Event
from holdfast.resilience.breaker.breaker import CircuitBreaker
from holdfast.resilience.breaker.refusal import Refusals
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.circuit.period import State
from holdfast.resilience.host import Host
from holdfast.resilience.judging import cause, counts

_PAST: Final = {
    State.OPEN: "opened",
    State.HALF_OPEN: "half_opened",
    State.CLOSED: "closed",
}


class _Telling:
    """Tells the reporters of changes of one circuit."""

    def __init__(self, name: str, host: Host) -> None:
        self._name = name
        self._host = host
        self.circuit: Circuit | None = None

    def transition(self, before: State, after: State, reason: str) -> None:
        """Emit an event."""
        attributes: dict[str, object] = {
            "circuit": self._name,
            "before": before.value,
            "reason": reason,
        }
        if after is State.OPEN and self.circuit is not None:
            until = self.circuit.period.until
            attributes["retry_after"] = max(0.0, until - self._host.clock.monotonic())
        self._host.emit(
            Event(
                name=f"circuit.{_PAST[after]}",
                severity=Severity.WARNING if after is State.OPEN else Severity.INFO,
                time=self._host.clock.now(),
                attributes=attributes,
            )
        )


def of_policy(spec: Breaker, name: str, host: Host) -> CircuitBreaker:
    """Return the circuit breaker that a policy asks for."""
    telling = _Telling(name, host)
    refusals = Refusals(name)
    circuit = telling.circuit = Circuit(
        spec,
        clock=host.clock,
        refusal=refusals.refuse,
        chance=host.chance,
        watchers=(telling,),
        cause=lambda error: cause(error, host.read(error)),
    )
    return CircuitBreaker.around(
        circuit, host.clock, refusals, lambda error: counts(error, host.read(error))
    )
