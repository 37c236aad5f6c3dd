"""Numbers of policies for metrics: what is read of snapshots, and how totals become increments."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import CircuitOpenError, ServiceUnavailableError
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.bulkhead import Bulkhead
from holdfast.resilience.cached import Cached
from holdfast.resilience.chaos import Chaos
from holdfast.resilience.measures import INSTRUMENTS, Growth
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.runtime import Runtime
from holdfast.settings import Settings
from holdfast.testing import RecordingRuntime, fail_times


def numbers(runtime: RecordingRuntime) -> dict[tuple[str, str, str], float]:
    """Return what there is, by instrument, policy and what it is told apart by."""
    return {
        (each.instrument.name, each.policy, each.what): each.value
        for each in runtime.policy_measures()
    }


def test_calls_are_counted_by_outcome(runtime: RecordingRuntime) -> None:
    """Success, failure, refusal and what says nothing; on the short way and on the long one."""
    policy = Policy("stock", Breaker(failure_threshold=2))
    decorated = policy(int)
    for argument in ("1", "2", "3"):
        decorated(argument)
    with pytest.raises(TypeError):
        policy.call(int, [])  # type: ignore[arg-type]  # a programmer's error
    with fail_times(2, ServiceUnavailableError, policy="stock"):
        for _ in range(2):
            with pytest.raises(ServiceUnavailableError):
                decorated("4")
    with pytest.raises(CircuitOpenError):
        decorated("5")

    found = numbers(runtime)

    assert {
        what: found["calls", "stock", what]
        for what in ("success", "failure", "rejected", "ignored")
    } == {
        "success": 3,
        "failure": 2,
        "rejected": 1,
        "ignored": 1,
    }
    states = {what: value for (name, _, what), value in found.items() if name == "circuit_state"}
    assert [what for what, value in states.items() if value] == ["open"]


def test_an_override_is_the_state(runtime: RecordingRuntime) -> None:
    """What calls meet is what metrics say."""
    policy = Policy("stock", Breaker())
    runtime.policies.of(policy)
    runtime.policies.circuit("stock").force_open()

    found = numbers(runtime)

    assert found["circuit_state", "stock", "forced-open"] == 1
    assert found["circuit_state", "stock", "closed"] == 0


def test_other_layers_say_what_they_know(runtime: RecordingRuntime) -> None:
    """Retries and what is left of the budget, places, answers of a cache, disturbances."""
    policy = Policy(
        "stock",
        Retry(3),
        Bulkhead(2),
        Cached(ttl=60.0),
        Chaos(fault="SERVICE_UNAVAILABLE", times=2),
    )

    @policy
    def stock_of(sku: str) -> int:
        assert numbers(runtime)["bulkhead_calls", "stock", "in_progress"] == 1
        return len(sku)

    assert stock_of("881") == stock_of("881") == 3

    found = numbers(runtime)
    assert found["retries", "stock", ""] == 2
    assert 0 < found["retry_budget", "stock", ""] <= 50
    assert found["bulkhead_calls", "stock", "in_progress"] == 0
    assert found["cache_answers", "stock", "hit"] == 1
    assert found["cache_answers", "stock", "miss"] == 1
    assert found["disturbed_calls", "stock", ""] == 2
    assert {name for name, _, _ in found} < {each.name for each in INSTRUMENTS}


def test_nothing_is_loaded_for_a_runtime_without_policies() -> None:
    """Whoever exports metrics and protects no call pays nothing."""
    runtime = Runtime(Settings(reporters=()))

    assert [*runtime.policy_measures()] == []
    assert "policies" not in vars(runtime)
    assert sys.modules
    runtime.close()


@given(st.lists(st.integers(0, 100)))
def test_increments_of_a_total_add_up(totals: list[int]) -> None:
    """To what was counted, where it begins anew as well; never less than nothing."""
    growth, expected, before = Growth(), 0, 0
    found = [growth.since_last("calls", total) for total in totals]
    for total in totals:
        expected += total - before if total >= before else total
        before = total

    assert sum(found) == expected
    assert all(each >= 0 for each in found)
