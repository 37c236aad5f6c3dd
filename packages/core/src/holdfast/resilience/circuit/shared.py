"""One circuit as its worker shares it: what it tells the others, and how it does as the fleet does."""

from typing import Protocol

from holdfast.clock import Clock
from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.circuit.period import State
from holdfast.resilience.circuit.sharing import HOLD, Fleet, Order, Own

LONGEST = 86_400.0
"""Seconds open that others are told of at most."""


class Exchange(Protocol):
    """What circuits are shared by."""

    def join(self, name: str, circuit: "SharedCircuit") -> None:
        """Share a circuit, as long as somebody holds it."""
        ...

    def wake(self) -> None:
        """Exchange soon; returns at once."""
        ...


class SharedCircuit:
    """Stands between a circuit and the exchange; thread-safe, and never waits for anything.

    Args:
        circuit: Decides about calls. It is followed from now on.
        clock: The circuit's.
        exchange: Is woken when the circuit decides something, or lacks leave to probe.
    """

    def __init__(self, circuit: Circuit, clock: Clock, exchange: Exchange) -> None:
        self._circuit = circuit
        self._clock = clock
        self._exchange = exchange
        self._known = Fleet()
        self._held_until = 0.0
        """When it goes its own way, in monotonic seconds, unless told again."""
        self._is_asked = False
        circuit.may_probe = self._may_probe
        circuit.add_watcher(self)

    def told(self, member: str) -> Own | None:
        """Return what its worker knows of it by itself; None while somebody decides for it.

        Args:
            member: The worker.
        """
        circuit, now = self._circuit, self._clock.monotonic()
        if circuit.override is not None:
            return None
        period = circuit.period
        trial = period.trial
        is_asked, self._is_asked = self._is_asked, False
        return Own(
            member,
            period.state,
            remaining=min(max(0.0, period.until - now), LONGEST),
            recovery=circuit.terms.recovery_timeout,
            is_ramping=trial is not None and trial.share > 0,
            is_asked=is_asked,
            is_probing=trial is not None and not trial.share and trial.wait(now) > 0,
            known=self._known,
        )

    def take(self, fleet: Fleet, order: Order | None) -> None:
        """Take over a record, and do what it orders."""
        self._known = fleet
        if order is None:
            return
        until = self._clock.monotonic() + order.seconds
        self._held_until = until + HOLD if order.state is State.OPEN else 0.0
        self._circuit.adopt(order.state, until=until, reason=order.reason)

    def decided(self, *_: object) -> None:
        """Have the others know what the circuit decided."""
        self._exchange.wake()

    def _may_probe(self) -> bool:
        """Tell whether the circuit may probe by itself; else ask the fleet for leave, for the next call."""
        if self._clock.monotonic() >= self._held_until:
            return True
        if not self._is_asked:
            self._is_asked = True
            self._exchange.wake()
        return False
