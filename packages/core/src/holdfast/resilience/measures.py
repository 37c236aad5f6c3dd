"""Numbers of policies for metrics: read when somebody scrapes, never on the way of a call."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from holdfast.events import Scalar
from holdfast.forks import ForkSafeLock
from holdfast.resilience.circuit.period import Override, State

if TYPE_CHECKING:
    from holdfast.resilience.describing import LayerSnapshot, PolicySnapshot

Shape: TypeAlias = Literal["counter", "gauge"]


class Instrument(NamedTuple):
    """One metric, as all exporters have it."""

    name: str
    """In snake case, without prefix and without the unit's suffix."""
    shape: Shape
    said: str
    """What it counts, in one sentence."""
    label: str = ""
    """What its series are told apart by, beside the policy."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of one policy."""

    instrument: Instrument
    policy: str
    value: float
    what: str = ""
    """The value of the instrument's label."""


CALLS: Final = Instrument("calls", "counter", "Calls of circuits, by how they ended.", "outcome")
STATE: Final = Instrument("circuit_state", "gauge", "1 for the state a circuit is in.", "state")
RETRIES: Final = Instrument("retries", "counter", "Further attempts.")
BUDGET: Final = Instrument("retry_budget", "gauge", "Further attempts that the budget allows.")
PLACES: Final = Instrument("bulkhead_calls", "gauge", "Calls that have a place, or wait.", "state")
ANSWERS: Final = Instrument("cache_answers", "counter", "Answers of caches, by outcome.", "outcome")
DISTURBED: Final = Instrument("disturbed_calls", "counter", "Calls that failed on purpose.")

INSTRUMENTS: Final = (CALLS, STATE, RETRIES, BUDGET, PLACES, ANSWERS, DISTURBED)

_FACTS: Final[Mapping[tuple[str, str], tuple[Instrument, str]]] = {
    **{
        ("Breaker", f"totals.{outcome}"): (CALLS, outcome)
        for outcome in ("success", "failure", "rejected", "ignored")
    },
    ("Retry", "retries"): (RETRIES, ""),
    ("Retry", "tokens"): (BUDGET, ""),
    ("Bulkhead", "in_progress"): (PLACES, "in_progress"),
    ("Bulkhead", "waiting"): (PLACES, "waiting"),
    **{
        ("Cached", fact): (ANSWERS, what)
        for fact, what in (
            ("hits", "hit"),
            ("stale", "stale"),
            ("misses", "miss"),
            ("negative", "negative"),
            ("shared", "shared"),
        )
    },
    ("Chaos", "disturbed"): (DISTURBED, ""),
}
"""What each fact of a layer's snapshot becomes."""

_STATES: Final = (*State, *Override)


def measures(policies: "Iterable[PolicySnapshot]") -> Iterator[Measure]:
    """Yield the numbers of policies; how many there are depends on the policies alone."""
    for policy in policies:
        for layer in policy.layers:
            yield from _measured(policy.name, layer)


class Growth:
    """Turns totals into what was added since they were read last; thread-safe.

    A total that is less than before has begun anew, as that of a circuit does when it is reset.

    Example:
        >>> growth = Growth()
        >>> [growth.since_last("calls", total) for total in (3, 5, 1)]
        [3, 2, 1]
    """

    def __init__(self) -> None:
        self._last: dict[object, float] = {}
        self._lock = ForkSafeLock()

    def since_last(self, key: object, total: float) -> float:
        """Return what a total has grown by."""
        with self._lock:
            last, self._last[key] = self._last.get(key, 0), total
        return total - last if total >= last else total


def _measured(policy: str, layer: "LayerSnapshot") -> Iterator[Measure]:
    for fact, value in layer.facts.items():
        instrument, what = _FACTS.get((layer.kind, fact), (None, ""))
        if instrument is not None and isinstance(value, int | float):
            yield Measure(instrument, policy, value, what)
    if layer.kind == "Breaker" and "state" in layer.facts:
        now = _state(layer.facts)
        for state in _STATES:
            yield Measure(STATE, policy, float(state.value == now), state.value)


def _state(facts: Mapping[str, Scalar]) -> Scalar:
    return facts.get("override") or facts["state"]
