"""The circuit breakers of policies: they are drop-ins too, and tell the runtime what they do."""

from typing import TYPE_CHECKING, cast

import pybreaker
import pytest

from holdfast import Policy
from holdfast.resilience.breaker import CircuitBreaker, CircuitOpenError, of_policy
from holdfast.resilience.breaking import Breaker
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.breakers import DownError, Heard, fail, outcome, succeed
from tests.core.ways import Way

if TYPE_CHECKING:
    from holdfast.resilience.host import Host


def test_changes_of_a_policy_s_circuit_are_events(way: Way, runtime: RecordingRuntime) -> None:
    """Opened, half-opened and closed, with the circuit, what it was before, and why."""
    clock = runtime.clock
    assert isinstance(clock, FakeClock)
    terms = Breaker(failure_threshold=1, recovery_timeout=30, success_threshold=1, ramp=())
    policy = Policy("stock", terms)

    outcome(way.call, policy, fail)
    assert outcome(way.call, policy, succeed) is CircuitOpenError
    clock.advance(30)
    way.call(policy, succeed)

    told = [event for event in runtime.recorded.events if event.name.startswith("circuit.")]
    assert [(event.name, dict(event.attributes)) for event in told] == [
        (
            "circuit.opened",
            {
                "circuit": "stock",
                "before": "closed",
                "reason": "1 failures in a row",
                "retry_after": 30.0,
            },
        ),
        (
            "circuit.half_opened",
            {"circuit": "stock", "before": "open", "reason": "time for a probe"},
        ),
        (
            "circuit.closed",
            {"circuit": "stock", "before": "half-open", "reason": "probes succeeded"},
        ),
    ]


def test_a_policy_s_circuit_may_be_used_as_a_breaker(runtime: RecordingRuntime) -> None:
    """Listeners of pybreaker's hear of it; what counts is what the policy counts."""
    breaker = of_policy(Breaker(failure_threshold=2), "stock", cast("Host", runtime))
    heard = Heard()
    breaker.add_listener(heard)

    assert isinstance(breaker, CircuitBreaker)
    for _ in range(2):
        outcome(breaker.call, divmod, "a mistake of ours", 1)  # a TypeError
    assert (breaker.fail_counter, breaker.current_state) == (0, "closed")
    assert outcome(breaker.call, fail) is DownError
    with pytest.raises(pybreaker.CircuitBreakerError) as caught:
        breaker.call(fail)

    assert isinstance(caught.value, CircuitOpenError)
    assert (caught.value.name, caught.value.reason) == ("stock", "trip")
    assert (breaker.fail_counter, breaker.current_state) == (2, "open")
    assert heard.told[-2:] == ["failure", "closed -> open"]
