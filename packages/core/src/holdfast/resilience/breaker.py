"""`CircuitBreaker`: pybreaker's, without a lock around the call; the home of pybreaker."""

import pybreaker

from holdfast import errors
from holdfast.codes import Severity
from holdfast.events import Event
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.circuit.circuit import Circuit, Gate
from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.host import Host
from holdfast.resilience.judging import cause


class CircuitOpenError(errors.CircuitOpenError, pybreaker.CircuitBreakerError):
    """A circuit is open: the call was not made.

    Attributes:
        name: Of the circuit.
        reason: `open`, `half-open`, `ramp` or `forced`.
    """

    name: str = ""
    reason: str = ""


class CircuitBreaker(pybreaker.CircuitBreaker):
    """A circuit breaker; code that uses pybreaker's may use it by changing the import."""

    def __init__(self, *, circuit: Circuit, name: str) -> None:
        super().__init__(name=name)
        self.circuit = circuit

    def acquire(self) -> Permit:
        """Return leave to make one call.

        Raises:
            CircuitOpenError: The call must not be made.
        """
        return self.circuit.acquire()

    def watch(self, gate: Gate) -> None:
        """Keep a gate open while the circuit is closed."""
        self.circuit.watch(gate)


class _Telling:
    """Tells the reporters of changes of one circuit."""

    def __init__(self, name: str, host: Host) -> None:
        self._name = name
        self._host = host

    def transition(self, before: State, after: State, reason: str) -> None:
        """Emit an event."""
        event = Event(
            name=f"circuit.{_PAST[after]}",
            severity=Severity.WARNING if after is State.OPEN else Severity.INFO,
            time=self._host.clock.now(),
            attributes={"circuit": self._name, "before": before.value, "reason": reason},
        )
        self._host.emit(event)


_PAST = {State.OPEN: "opened", State.HALF_OPEN: "half_opened", State.CLOSED: "closed"}


def of_policy(spec: Breaker, name: str, host: Host) -> CircuitBreaker:
    """Return the circuit breaker that a policy asks for."""

    def refuse(reason: str, retry_after: float) -> CircuitOpenError:
        error = CircuitOpenError(f"Circuit {name!r} is {reason}", retry_after=retry_after)
        error.name, error.reason = name, reason
        return error

    circuit = Circuit(
        spec,
        clock=host.clock,
        refusal=refuse,
        chance=host.chance,
        watchers=(_Telling(name, host),),
        cause=lambda error: cause(error, host.read(error)),
    )
    return CircuitBreaker(circuit=circuit, name=name)
