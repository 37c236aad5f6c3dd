"""Which circuits do not let calls through as usual."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

from holdfast.environment import Environment, current
from holdfast.health.check import Finding, degraded

if TYPE_CHECKING:
    from holdfast.events import Scalar
    from holdfast.resilience.policies import Policies

_AT_REST: Final = frozenset({"closed", "disabled", "shadow"})
"""States, and what was decided in their place, in which every call is made."""
_MAX_TOLD: Final = 50


class Switch(Protocol):
    """A circuit breaker of its own: ours, or pybreaker's."""

    @property
    def name(self) -> str | None:
        """What it is called."""
        ...

    @property
    def current_state(self) -> str:
        """`closed`, `open` or `half-open`."""
        ...


@dataclass(frozen=True, slots=True)
class CircuitsCheck:
    """Is degraded while a circuit is open or half-open; never fails: the service runs on without it.

    Looked at are the circuits of the current runtime's policies and short forms, in this process;
    not those that are disabled, or in shadow.

    Example:
        >>> from holdfast.resilience.breaker import CircuitBreaker
        >>> CircuitsCheck(breakers=(CircuitBreaker(name="stock"),))()
        {'circuits': 1}
    """

    breakers: Iterable[Switch] = ()
    """Circuit breakers that no policy has: nobody else knows of them."""

    def __call__(self) -> dict[str, object] | Finding:
        """Look at every circuit; nothing is loaded or made for it."""
        seen = [*_of_policies(current()), *(_of(breaker) for breaker in self.breakers)]
        off = {name: facts for name, facts in seen if facts["state"] not in _AT_REST}
        if not off:
            return {"circuits": len(seen)}
        told = dict(list(off.items())[:_MAX_TOLD])
        said = "a circuit lets" if len(off) == 1 else f"{len(off)} circuits let"
        return degraded(
            f"{said} calls through only to probe, or none", circuits=len(seen), off=told
        )


def _of_policies(runtime: Environment) -> Iterator[tuple[str, Mapping[str, "Scalar"]]]:
    made = vars(runtime).get("policies")  # made with the first policy at work
    if made is None:
        return
    for policy in cast("Policies", made).snapshot():
        for layer in policy.layers:
            if layer.kind == "Breaker":
                yield policy.name, _told(layer.facts)


def _told(facts: Mapping[str, "Scalar"]) -> Mapping[str, "Scalar"]:
    state = facts.get("override") or facts["state"]
    further = {"since": "since", "until": "next_probe", "reason": "reason"}
    known = {name: facts.get(fact) for fact, name in further.items()}
    return {"state": state, **{name: value for name, value in known.items() if value}}


def _of(breaker: Switch) -> tuple[str, Mapping[str, "Scalar"]]:
    return str(breaker.name), {"state": breaker.current_state}
