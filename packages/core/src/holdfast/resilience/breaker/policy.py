"""The circuit breaker of a policy: it goes by the policy's terms, and tells the runtime what it does."""

from typing import Final

import pybreaker

from holdfast.codes import Severity
from holdfast.events import Event
from holdfast.resilience.breaker.breaker import CircuitBreaker
from holdfast.resilience.breaker.refusal import Refusals
from holdfast.resilience.breaker.storing import LocalStorage
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
        attributes: dict[str, str | float] = {
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


class PolicyBreaker(CircuitBreaker):
    """The circuit breaker of a policy: its circuit decides alone, and counts what the policy counts."""

    def __init__(self, circuit: Circuit, refusals: Refusals, host: Host) -> None:
        self._host = host
        storage = LocalStorage()
        self._take(circuit, host.clock, storage, refusals)
        pybreaker.CircuitBreaker.__init__(
            self,
            fail_max=circuit.terms.failure_threshold,
            reset_timeout=circuit.terms.recovery_timeout,
            success_threshold=circuit.terms.success_threshold,
            state_storage=storage,
            name=refusals.name,
        )
        self._begin()

    def is_system_error(self, exception: BaseException) -> bool:
        """Tell whether an exception says that the other side fails, as the runtime reads it."""
        return counts(exception, self._host.read(exception))


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
    return PolicyBreaker(circuit, refusals, host)
