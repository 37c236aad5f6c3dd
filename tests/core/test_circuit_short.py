"""Decorated functions: what they tell a circuit without asking it, and how it refuses them."""

import asyncio
import weakref
from collections.abc import Generator

import pytest

from holdfast import CircuitOpenError, environment
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.circuit.windows import SlowRate
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.live import LivePolicy
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.testing import RecordingRuntime
from tests.core.circuits import Ear

SLOW = SlowRate(0.5, slower_than=1.0, seconds=60.0, minimum=4)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Generator[RecordingRuntime, None, None]:
    """Have a process with one runtime, in which calls take the short way from the second on."""
    monkeypatch.setattr(environment, "_known", weakref.WeakSet[environment.Environment]())
    runtime = RecordingRuntime()
    with environment.activated(runtime):
        yield runtime


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Count the calls that take the long way."""
    taken: list[object] = []
    run, arun = LivePolicy.run, LivePolicy.arun

    def counting(self: LivePolicy, *rest: object) -> object:
        taken.append(rest)
        return run(self, *rest)  # type: ignore[arg-type]  # handed on

    async def acounting(self: LivePolicy, *rest: object) -> object:
        taken.append(rest)
        return await arun(self, *rest)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(LivePolicy, "run", counting)
    monkeypatch.setattr(LivePolicy, "arun", acounting)
    return taken


def test_slow_calls_are_seen_on_the_short_way(
    alone: RecordingRuntime, long_ways: list[object]
) -> None:
    """Successes and failures alike, and the circuit opens by them."""

    @Policy("stock", Breaker(rule=SLOW))
    def call(seconds: float, error: Exception | None = None) -> float:
        alone.clock.sleep(seconds)
        if error is not None:
            raise error
        return seconds

    assert [call(0.1), call(0.1), call(2.0)] == [0.1, 0.1, 2.0]
    with pytest.raises(ConnectionError):
        call(3.0, ConnectionError())

    circuit = alone.policies.circuit("stock")
    assert len(long_ways) == 1
    assert circuit.snapshot().reason == "2 of 4 calls were slow"
    metrics = circuit.snapshot().metrics
    assert (metrics.slow, metrics.failures, metrics.p50, metrics.p99) == (2, 1, 0.1, 3.0)


def test_a_coroutine_function_is_measured_as_well(
    alone: RecordingRuntime, long_ways: list[object]
) -> None:
    """Until it has been awaited."""

    @Policy("stock", Breaker(durations=True))
    async def call(seconds: float) -> None:
        await alone.clock.asleep(seconds)

    async def main() -> None:
        for _ in range(4):
            await call(2.0)

    asyncio.run(main())

    assert len(long_ways) == 1
    assert alone.policies.circuit("stock").snapshot().metrics.p50 == 2.0


def test_an_open_circuit_refuses_within_the_function(
    alone: RecordingRuntime, long_ways: list[object]
) -> None:
    """With an error of its own for each call, counted, until it is time for a probe."""
    calls: list[int] = []

    @Policy("stock", Breaker(1, 10.0, 1))
    def call(number: int) -> int:
        calls.append(number)
        if number == 1:
            raise ConnectionError
        return number

    call(0)
    with pytest.raises(ConnectionError):
        call(1)
    refused: list[CircuitOpenError] = []
    for number in range(2, 5):
        with pytest.raises(CircuitOpenError) as raised:
            call(number)
        refused.append(raised.value)
    went_long = len(long_ways)
    alone.clock.sleep(10.0)
    call(7)

    assert calls == [0, 1, 7]
    assert went_long == 1
    assert [error.retry_after for error in refused] == [10.0] * 3
    assert len({id(error) for error in refused}) == 3
    circuit = alone.policies.circuit("stock")
    assert circuit.state == "closed"
    assert circuit.snapshot().metrics.rejections == 3


def negated(number: int) -> int:
    """Answer in the place of a call."""
    return -number


@pytest.mark.parametrize(
    "layer", [Fallback(negated), Retry(2)], ids=lambda layer: type(layer).__name__
)
def test_whoever_has_an_answer_to_a_refusal_is_asked(
    alone: RecordingRuntime, long_ways: list[object], layer: Fallback | Retry
) -> None:
    """A refusal comes out of the function itself only where no layer further out would see it."""

    @Policy("stock", Breaker(1, 10.0, 1), layer)
    def call(number: int) -> int:
        raise ConnectionError

    for _ in range(3):
        if isinstance(layer, Fallback):
            assert call(3) == -3
        else:
            with pytest.raises((ConnectionError, CircuitOpenError)):
                call(3)

    assert len(long_ways) == 3


def test_who_watches_refusals_is_told_of_each(alone: RecordingRuntime) -> None:
    """Then they take the long way, as everything that is watched."""

    @Policy("stock", Breaker(1, 10.0, 1))
    def call() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        call()
    ear = Ear("rejected")
    alone.policies.circuit("stock").add_watcher(ear)

    for _ in range(3):
        with pytest.raises(CircuitOpenError):
            call()

    assert ear.heard == [("rejected", "open", 10.0)] * 3


def test_overrides_reach_decorated_functions(alone: RecordingRuntime) -> None:
    """From the next call on, and back."""

    @Policy("stock", Breaker())
    def call() -> int:
        return 881

    assert [call(), call()] == [881, 881]
    circuit = alone.policies.circuit("stock")
    circuit.force_open()
    with pytest.raises(CircuitOpenError) as forced:
        call()
    circuit.normal()

    assert call() == 881
    assert getattr(forced.value, "reason", "") == "forced"
