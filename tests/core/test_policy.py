"""A policy: its layers, their order, and the ways to use it."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from holdfast import ServiceUnavailableError
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.bulkhead import Bulkhead
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.hedge import Hedge
from holdfast.resilience.policy import Policy, Spec
from holdfast.resilience.rate_limit import RateLimit
from holdfast.resilience.retry import Retry
from holdfast.resilience.timeout import Deadline, Timeout
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
    policy = Policy("stock", layer, *others)

    assert runtime.policies.of(policy).is_short is is_short


class MissingError(Exception):
    """There is no such article."""


def test_an_error_is_let_go_with_its_last_name(runtime: RecordingRuntime) -> None:
    """Nothing of ours holds it, or what its frames hold, until the garbage collector comes."""
    layers: tuple[Spec, ...] = (
        Deadline(9.0),
        Retry(2, on=(MissingError,)),
        Breaker(99),
        Bulkhead(1),
    )
    policies = [Policy(f"stock-{kept}", *layers[kept:]) for kept in range(len(layers))]
    policies += [Policy("short", Breaker(99)), Policy("retried", Retry(2, on=(MissingError,)))]
    made: list[weakref.ref[MissingError]] = []

    def fail(*_: object) -> None:
        error = MissingError("no such article")
        made.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error  # or it would hold itself by this frame

    async def fail_later() -> None:
        fail()

    policies.append(Policy("answered", Fallback(fail), Breaker(99)))
    gc.disable()
    try:
        for policy in policies:
            plain, later = policy(fail), policy(fail_later)
            for _ in range(3):
                with suppress(MissingError):
                    plain()
                with suppress(MissingError):
                    policy.call(fail)
                with suppress(MissingError):
                    asyncio.run(_awaited(later))
        assert [made.index(each) for each in made if each() is not None] == []
    finally:
        gc.enable()


async def _awaited(call: Callable[[], Awaitable[None]]) -> None:
    with suppress(MissingError):
        await call()


@dataclass(frozen=True)
class FrozenError(Exception):
    """Lets nobody set an attribute, not even its traceback."""

    sku: str


def test_an_error_of_a_frozen_class_comes_out_as_it_is(way: Way, runtime: RecordingRuntime) -> None:
    """On the short way as on the long one, after every attempt, and without growing a traceback."""
    error = FrozenError("881")

    def fail() -> None:
        raise error

    decorated = way.decorate(Policy("stock", Retry(2, on=(FrozenError,)), Breaker(99)), fail)

    for _ in range(3):
        with pytest.raises(FrozenError) as caught:
            decorated()
        assert caught.value is error


def test_a_policy_without_a_name_is_refused() -> None:
    """Its first layer would be taken for the name, and protect nothing."""
    with pytest.raises(TypeError, match="needs a name before its layers, not Retry"):
        Policy(Retry(2))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
