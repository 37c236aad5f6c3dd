"""A policy: its layers, their order, and the ways to use it."""

import pytest

from holdfast import ServiceUnavailableError
from holdfast.resilience.binding import _shape
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.bulkhead import Bulkhead
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.hedge import Hedge
from holdfast.resilience.policy import Policy, Spec
from holdfast.resilience.rate_limit import RateLimit
from holdfast.resilience.retry import Retry
from holdfast.resilience.timeout import Timeout
from holdfast.resilience.weaving import Gate
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

    def cached(value: str) -> str:
        return f"{value}, from the cache"

    policy = Policy("stock", Timeout(2.0), Breaker(failure_threshold=2), Retry(5), Fallback(cached))

    answer = way.decorate(policy, flaky)("881")

    assert answer == "881, from the cache"
    assert flaky.calls == 2
    names = [event.name for event in runtime.recorded.events]
    assert names[:2] == ["retry.scheduled", "circuit.opened"]


def test_two_layers_of_a_kind_are_refused() -> None:
    """Which one would hold, nobody could tell."""
    with pytest.raises(ValueError, match="two layers of kind Retry"):
        Policy("stock", Retry(2), Retry(3))


@pytest.mark.parametrize(
    ("layer", "is_short"),
    [
        (Fallback(value=None), True),
        (Bulkhead(1), False),
        (RateLimit(1.0), False),
        (Hedge(0.1), False),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("others", [(), (Timeout(1.0), Retry(2), Breaker())], ids=["alone", "more"])
def test_a_layer_that_the_short_way_does_not_know_is_never_passed_by(
    runtime: RecordingRuntime, layer: Spec, others: tuple[Spec, ...], *, is_short: bool
) -> None:
    """Calls take the way through all layers, unless what is left out has nothing to do."""
    policy, gate = Policy("stock", layer, *others), Gate()

    runtime.policies.of(policy).open(gate, _shape(policy))

    assert (gate.period is not None) is is_short
