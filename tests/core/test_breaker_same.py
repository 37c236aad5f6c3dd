"""Whatever happens to both, a circuit breaker of ours is in the state that pybreaker's is in."""

from typing import Any

import pybreaker
from hypothesis import given
from hypothesis import strategies as st

from holdfast.resilience.breaker import CircuitBreaker, CircuitOpenError
from tests.core.breakers import Heard, OldStorage, age, fail, outcome, succeed

STEPS = ["succeed", "fail", "excluded", "open", "half_open", "close", "age", "notice", "by hand"]


def _excluded() -> None:
    raise KeyError("881")


def _step(breaker: pybreaker.CircuitBreaker, step: str) -> object:
    if step in {"open", "half_open", "close"}:
        getattr(breaker, step)()
        return None
    if step == "age":
        age(breaker, 61)
        return None
    if step == "notice":
        return breaker.state.name
    if step == "by hand":
        breaker._state_storage.state = "closed"
        return None
    result: Any = outcome(breaker.call, {"succeed": succeed, "fail": fail}.get(step, _excluded))
    is_refused = result in {pybreaker.CircuitBreakerError, CircuitOpenError}
    return "refused" if is_refused else result


class StoredCounters(OldStorage):
    """A user's storage of today."""

    def __init__(self) -> None:
        super().__init__()
        self.kept["successes"] = 0

    @property
    def success_counter(self) -> int:
        """Successes of probes."""
        return int(self.kept["successes"])

    def increment_success_counter(self) -> None:
        """Count one."""
        self.kept["successes"] += 1

    def reset_success_counter(self) -> None:
        """Count anew."""
        self.kept["successes"] = 0


@given(
    steps=st.lists(st.sampled_from(STEPS), max_size=25),
    fail_max=st.integers(1, 4),
    success_threshold=st.integers(1, 3),
    throw=st.booleans(),
    stored=st.booleans(),
)
def test_both_do_the_same(
    steps: list[str], fail_max: int, success_threshold: int, *, throw: bool, stored: bool
) -> None:
    """State, counters, what callers get and what listeners are told of changes, after every step."""
    both: list[tuple[Any, Heard]] = []
    kinds: list[Any] = [pybreaker.CircuitBreaker, CircuitBreaker]
    for kind in kinds:
        heard = Heard()
        breaker = kind(
            fail_max=fail_max,
            success_threshold=success_threshold,
            exclude=[KeyError],
            listeners=[heard],
            throw_new_error_on_trip=throw,
            state_storage=StoredCounters() if stored else None,
        )
        both.append((breaker, heard))

    for step in steps:
        theirs, ours = (
            (
                _step(breaker, step),
                breaker.state.name,
                breaker.fail_counter,
                breaker.success_counter,
                heard.told,
            )
            for breaker, heard in both
        )
        assert ours == theirs
