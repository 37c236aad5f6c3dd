"""`Circuit`: the live state machine of one circuit."""

import weakref
from collections.abc import Callable
from typing import Protocol

from holdfast.clock import Clock
from holdfast.forks import ForkSafeLock
from holdfast.resilience.circuit.period import Period, State
from holdfast.resilience.circuit.permit import Permit
from holdfast.resilience.circuit.rules import Rule


class Gate(Protocol):
    """Where compiled calls look whether the circuit lets everything through."""

    period: object


class Watcher(Protocol):
    """Is told what a circuit does, after its lock is released."""

    def transition(self, before: State, after: State, reason: str) -> None:
        """Take note of a change of state."""
        ...


class Circuit:
    """Decides which calls are made, by how earlier ones ended; thread-safe, holds no lock during calls.

    Args:
        rule: When it opens.
        recovery_timeout: Seconds it stays open before a probe is let through.
        success_threshold: Probes in a row that have to succeed before it closes.
        clock: Source of time.
        watcher: Is told of changes.
        refusal: Makes the error of a call that must not be made, from the reason (`open`,
            `half-open`) and the seconds after which it may.
    """

    def __init__(
        self,
        rule: Rule,
        *,
        recovery_timeout: float,
        success_threshold: int,
        clock: Clock,
        watcher: Watcher,
        refusal: Callable[[str, float], Exception],
    ) -> None:
        self._rule = rule
        self._recovery_timeout = recovery_timeout
        self._success_threshold = success_threshold
        self._clock = clock
        self._watcher = watcher
        self._refusal = refusal
        self._lock = ForkSafeLock()
        self._gates: weakref.WeakSet[Gate] = weakref.WeakSet()
        self._probes = 0
        self.period = self._closed()

    @property
    def state(self) -> State:
        """What it does with calls."""
        return self.period.state

    def watch(self, gate: Gate) -> None:
        """Keep a gate open while the circuit is closed."""
        with self._lock:
            self._gates.add(gate)
            gate.period = self._open_road()

    def unwatch(self, gate: Gate) -> None:
        """Shut a gate for good."""
        with self._lock:
            self._gates.discard(gate)
            gate.period = None

    def acquire(self) -> Permit:
        """Return leave to make one call.

        Raises:
            Exception: As `refusal` makes it: the call must not be made.
        """
        period = self.period
        if period.state is State.CLOSED:
            return Permit(self, period)
        now = self._clock.monotonic()
        if period.state is State.OPEN and now < period.until:
            raise self._refusal("open", period.until - now)
        return self._probe(now)

    def settle_success(self, period: Period) -> None:
        """Count a call that succeeded."""
        period.succeeded()
        if period.state is State.HALF_OPEN:
            self._probed(period)

    def settle_failure(self, period: Period, error: BaseException | None) -> None:
        """Count a call that failed."""
        with self._lock:
            if period is not self.period:
                return
            now = self._clock.monotonic()
            reason = "a probe failed"
            if period.tally is not None:
                reason = period.tally.failed(now, period.successes)
            before = period.state
            if reason:
                self._enter(Period(State.OPEN, now, until=now + self._recovery_timeout))
        if reason:
            self._watcher.transition(before, State.OPEN, reason)

    def settle_ignored(self, period: Period) -> None:
        """Take back the permit of a call that says nothing of the other side."""
        with self._lock:
            if period is self.period:
                self._probes = 0

    def _probe(self, now: float) -> Permit:
        with self._lock:
            period = self.period
            if period.state is State.OPEN:
                period = Period(State.HALF_OPEN, now)
                self._enter(period)
                self._probes = 0
            if period.state is State.HALF_OPEN:
                if self._probes:
                    raise self._refusal("half-open", 0.0)
                self._probes = 1
            return Permit(self, period)

    def _probed(self, period: Period) -> None:
        with self._lock:
            self._probes = 0
            is_over = period is self.period and period.successes >= self._success_threshold
            if is_over:
                self._enter(self._closed())
        if is_over:
            self._watcher.transition(State.HALF_OPEN, State.CLOSED, "probes succeeded")

    def _closed(self) -> Period:
        return Period(State.CLOSED, self._clock.monotonic(), tally=self._rule.begin())

    def _enter(self, period: Period) -> None:
        self.period = period
        for gate in self._gates:
            gate.period = self._open_road()

    def _open_road(self) -> Period | None:
        return self.period if self.period.state is State.CLOSED else None
