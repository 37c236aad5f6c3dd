"""What one looks at of a circuit, at one moment."""

from dataclasses import dataclass
from datetime import datetime

from holdfast.resilience.circuit.metrics import CircuitMetrics
from holdfast.resilience.circuit.period import Override, State


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSnapshot:
    """A circuit at one moment.

    Attributes:
        state: What it does with calls, unless somebody decided otherwise.
        override: What somebody decided in the place of the state, or None.
        since: When it entered the state; aware, in UTC.
        until: When it lets a probe through; None unless it is open.
        reason: Why it entered the state; empty at the beginning.
        ramp: Share of the calls let through once the probes have succeeded; None unless it is so far.
        metrics: What happened lately.
    """

    state: State
    override: Override | None
    since: datetime
    until: datetime | None
    reason: str
    ramp: float | None
    metrics: CircuitMetrics
