"""A policy: its layers, their order, and the ways to use it."""

import pytest

from holdfast import ServiceUnavailableError
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.resilience.timeout import Timeout
from holdfast.testing import RecordingRuntime

from tests.core.ways import Way


class Flaky:
    """Fails a number of times, then succeeds."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self, value: str) -> str:
        """Return the value, once it has failed often enough."""
        self.calls += 1
        if self.calls <= self.failures:
            raise ServiceUnavailableError("not yet")
        return value


def test_a_call_that_fails_for_a_while_succeeds_in_the_end(
    way: Way, runtime: RecordingRuntime
) -> None:
    """Attempts are made until one succeeds."""
    flaky = Flaky(2)

    answer = way.call(Policy("stock", Retry(3)), flaky, "881")

    assert answer == "881"
    assert flaky.calls == 3


def test_layers_work_in_their_order_however_they_were_written(
    way: Way, runtime: RecordingRuntime
) -> None:
    """Every attempt passes the circuit, which opens in the middle; the fallback answers."""
    flaky = Flaky(9)
    policy = Policy(
        "stock",
        Timeout(2.0),
        Breaker(failure_threshold=2),
        Retry(5),
        Fallback(lambda value: f"{value}, from the cache"),
    )

    answer = way.decorate(policy, flaky)("881")

    assert answer == "881, from the cache"
    assert flaky.calls == 2
    names = [event.name for event in runtime.recorded.events]
    assert names[:2] == ["retry.scheduled", "circuit.opened"]


def test_two_layers_of_a_kind_are_refused() -> None:
    """Which one would hold, nobody could tell."""
    with pytest.raises(ValueError, match="two layers of kind Retry"):
        Policy("stock", Retry(2), Retry(3))
