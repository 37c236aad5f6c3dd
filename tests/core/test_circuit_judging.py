"""What counts for a policy's circuit: the other side's failures, and nothing else."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from holdfast import (
    AppError,
    AuthenticationError,
    BulkheadFullError,
    CircuitOpenError,
    CommunicationError,
    DeadlineExceededError,
    DependencyError,
    ResourceNotFoundError,
    ServiceUnavailableError,
    StateConflictError,
    ValidationError,
)
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.circuit.circuit import Circuit
from holdfast.resilience.circuit.windows import SlowRate
from holdfast.resilience.policy import Policy
from holdfast.resilience.timeout import Timeout
from holdfast.testing import RecordingRuntime
from tests.core.ways import Way

STOCK = Policy("stock", Breaker(1, 10.0, 1))


class GreenTimeout(BaseException):
    """As gevent and eventlet have it: no Exception."""


GreenTimeout.__name__ = "Timeout"
GreenTimeout.__module__ = "gevent.timeout"


def of_dependency() -> list[BaseException]:
    """Return errors that say that the other side fails, or that nobody knows anything of."""
    return [
        ConnectionRefusedError(),
        TimeoutError(),
        socket.gaierror(-2, "unknown"),
        CommunicationError("gone"),
        DependencyError("answered wrongly"),
        ServiceUnavailableError("away"),
        DeadlineExceededError("no answer"),
        ValueError("no number"),
        KeyError("missing"),
        RuntimeError("no idea"),
        OSError("disk"),
        ExceptionGroup("both", [ConnectionResetError(), ConnectionResetError()]),
        ExceptionGroup("mixed", [ConnectionResetError(), TypeError()]),
        GreenTimeout(),
    ]


def of_callers() -> list[BaseException]:
    """Return errors that say nothing of the other side."""
    return [
        ValidationError("no date"),
        AuthenticationError("who"),
        ResourceNotFoundError("no such order"),
        StateConflictError("paid already"),
        TypeError("programmer"),
        AttributeError("programmer"),
        NameError("programmer"),
        AssertionError("programmer"),
        NotImplementedError("programmer"),
        ImportError("programmer"),
        ExceptionGroup("all mistakes", [TypeError(), ExceptionGroup("in it", [NameError()])]),
        ExceptionGroup("the caller's", [ValidationError("no date")]),
        AppError("our own"),
        CircuitOpenError("of another circuit"),
        BulkheadFullError("of ours"),
    ]


def control_flow() -> list[BaseException]:
    """Return what is no error at all."""
    return [
        asyncio.CancelledError(),
        BaseExceptionGroup("cancelled", [asyncio.CancelledError(), ConnectionResetError()]),
        GeneratorExit(),
    ]


def raising(error: BaseException) -> Callable[[], None]:
    """Return a function that raises."""

    def call() -> None:
        raise error

    return call


def circuit_of(runtime: RecordingRuntime) -> Circuit:
    """Return the policy's circuit."""
    return runtime.policies.circuit("stock")


@pytest.mark.parametrize("error", of_dependency(), ids=repr)
def test_failures_of_the_other_side_count(
    way: Way, runtime: RecordingRuntime, error: BaseException
) -> None:
    """One opens the circuit, and comes out as it is."""
    with pytest.raises(type(error)) as raised:
        way.call(STOCK, raising(error))

    assert raised.value is error
    assert circuit_of(runtime).state == "open"
    assert circuit_of(runtime).snapshot().metrics.failures == 1


@pytest.mark.parametrize("error", [*of_callers(), *control_flow()], ids=repr)
def test_anything_else_is_ignored(
    way: Way, runtime: RecordingRuntime, error: BaseException
) -> None:
    """It changes nothing, comes out as it is, and is counted as ignored."""
    with pytest.raises(type(error)):
        way.call(STOCK, raising(error))

    assert circuit_of(runtime).state == "closed"
    metrics = circuit_of(runtime).snapshot().metrics
    assert (metrics.failures, metrics.ignored) == (0, 1)


@pytest.mark.parametrize("error", [*of_callers(), *control_flow()], ids=repr)
def test_a_probe_that_says_nothing_leaves_its_place_to_the_next(
    way: Way, runtime: RecordingRuntime, error: BaseException
) -> None:
    """It neither closes the circuit nor opens it again."""
    with pytest.raises(ConnectionError):
        way.call(STOCK, raising(ConnectionError()))
    runtime.clock.sleep(10.0)
    with pytest.raises(type(error)):
        way.call(STOCK, raising(error))
    assert circuit_of(runtime).state == "half-open"

    way.call(STOCK, lambda: 881)

    assert circuit_of(runtime).state == "closed"


def test_time_outs_are_counted_among_the_failures(way: Way, runtime: RecordingRuntime) -> None:
    """Those of the language, and those of the suite."""
    policy = Policy("stock", Breaker(9))
    for error in (TimeoutError(), DeadlineExceededError("late"), ConnectionError(), GreenTimeout()):
        with pytest.raises(type(error)):
            way.call(policy, raising(error))

    metrics = circuit_of(runtime).snapshot().metrics

    assert (metrics.failures, metrics.timeouts) == (4, 3)


def test_the_other_side_says_how_long_it_wants_to_be_left_alone(
    way: Way, runtime: RecordingRuntime
) -> None:
    """The error's `retry_after` is the time open."""
    with pytest.raises(ServiceUnavailableError):
        way.call(STOCK, raising(ServiceUnavailableError("later", retry_after=33.0)))

    with pytest.raises(CircuitOpenError) as refused:
        way.call(STOCK, lambda: 881)

    assert refused.value.retry_after == 33.0


def test_a_task_that_is_cancelled_gives_its_probe_back(runtime: RecordingRuntime) -> None:
    """As a client that goes away does with every request."""

    async def main() -> list[str]:
        begun = asyncio.Event()

        async def hang() -> None:
            begun.set()
            await asyncio.Event().wait()

        with pytest.raises(ConnectionError):
            await STOCK.acall(_afailing)
        runtime.clock.sleep(10.0)
        probe = asyncio.create_task(STOCK.acall(hang))
        await begun.wait()
        with pytest.raises(CircuitOpenError):
            await STOCK.acall(_afine)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        seen = [circuit_of(runtime).state.value]
        await STOCK.acall(_afine)
        return [*seen, circuit_of(runtime).state.value, circuit_of(runtime).snapshot().reason]

    # The call refused meanwhile makes it a crowd, so it widens first.
    assert asyncio.run(main()) == ["half-open", "half-open", "time for a probe"]


def test_many_tasks_make_one_probe(runtime: RecordingRuntime) -> None:
    """All others are refused, at once."""

    async def main() -> int:
        with pytest.raises(ConnectionError):
            await STOCK.acall(_afailing)
        runtime.clock.sleep(10.0)
        results = await asyncio.gather(
            *(STOCK.acall(_asleepy) for _ in range(50)), return_exceptions=True
        )
        return sum(isinstance(result, CircuitOpenError) for result in results)

    assert asyncio.run(main()) == 49


def test_a_task_that_runs_out_of_time_fails(runtime: RecordingRuntime) -> None:
    """The time-out within the policy cancels the call, which counts; a cancellation from outside does not."""

    async def main() -> None:
        policy = Policy("stock", Breaker(1), Timeout(0.001))
        with pytest.raises(DeadlineExceededError):
            await policy.acall(asyncio.Event().wait)

    asyncio.run(main())

    assert circuit_of(runtime).state == "open"
    assert circuit_of(runtime).snapshot().metrics.timeouts == 1


def test_calls_are_measured_where_the_rule_asks_for_it(way: Way, runtime: RecordingRuntime) -> None:
    """On every way a call may take."""
    policy = Policy("stock", Breaker(rule=SlowRate(0.5, slower_than=1.0, seconds=60.0, minimum=3)))
    slow = way.decorate(policy, lambda: runtime.clock.sleep(2.0))

    slow()
    way.call(policy, lambda: runtime.clock.sleep(0.5))
    slow()

    assert circuit_of(runtime).state == "open"
    metrics = circuit_of(runtime).snapshot().metrics
    assert (metrics.slow, metrics.p50, metrics.p99) == (2, 2.0, 2.0)


async def _afailing() -> None:
    raise ConnectionError


async def _afine() -> int:
    return 881


async def _asleepy() -> None:
    await asyncio.sleep(0)  # noqa: TID251  # gives the others a turn
