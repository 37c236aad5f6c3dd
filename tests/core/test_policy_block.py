"""A policy around a block: the layers that admit it, what it raises, and every way it may end."""

import asyncio
import math
import traceback
from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import copy_context
from typing import Protocol, TypeVar

import pytest

from holdfast import (
    BulkheadFullError,
    CallRateError,
    CircuitOpenError,
    DeadlineExceededError,
    ValidationError,
)
from holdfast.resilience.breaking import Breaker, BreakerLayer
from holdfast.resilience.bulkhead import Bulkhead, BulkheadLayer, Place
from holdfast.resilience.circuit.period import State
from holdfast.resilience.deadline import deadline, remaining
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.hedge import Hedge
from holdfast.resilience.host import current_host
from holdfast.resilience.policy import Policy
from holdfast.resilience.rate_limit import RateLimit
from holdfast.resilience.retry import Retry
from holdfast.resilience.timeout import Deadline, Timeout
from holdfast.testing import FakeClock, RecordingRuntime

_Result = TypeVar("_Result")


class Running(Protocol):
    """Runs a function as the block of a policy."""

    def __call__(self, policy: Policy, body: Callable[[], _Result]) -> _Result:
        """Run it."""
        ...


def on_thread(policy: Policy, body: Callable[[], _Result]) -> _Result:
    """Run it in a plain block."""
    with policy.calling():
        return body()


def on_loop(policy: Policy, body: Callable[[], _Result]) -> _Result:
    """Run it in an asynchronous block, on an event loop of its own."""

    async def run() -> _Result:
        async with policy.acalling():
            return body()

    return asyncio.run(run())


@pytest.fixture(params=[on_thread, on_loop], ids=["thread", "loop"])
def run(request: pytest.FixtureRequest, runtime: RecordingRuntime) -> Running:
    """Run blocks on a thread, then on an event loop, each with a fresh runtime."""
    found: Running = request.param
    return found


def layer_of(policy: Policy, kind: type[_Result]) -> _Result:
    """Return the live layer of a kind."""
    layers = current_host().policies.of(policy).layers
    return next(each for each in layers if isinstance(each, kind))


def in_progress(policy: Policy) -> int:
    """Return how many calls hold a place."""
    return layer_of(policy, BulkheadLayer).places.in_progress


def state_of(policy: Policy) -> State:
    """Return what the circuit does."""
    return layer_of(policy, BreakerLayer).breaker.circuit.state


def fail() -> None:
    """Fail as a dependency does."""
    raise ConnectionError("down")


def test_a_block_holds_a_place(run: Running) -> None:
    """While it runs, and no longer."""
    policy = Policy("stock", Bulkhead(1))

    assert [run(policy, lambda: in_progress(policy)) for _ in range(2)] == [1, 1]
    assert in_progress(policy) == 0


def test_a_block_is_refused_without_a_place(run: Running) -> None:
    """It does not run."""
    policy, ran = Policy("stock", Bulkhead(1)), list[int]()
    layer_of(policy, BulkheadLayer).places.enter(Place())

    with pytest.raises(BulkheadFullError):
        run(policy, lambda: ran.append(1))

    assert ran == []


def test_a_block_waits_for_a_place(runtime: RecordingRuntime) -> None:
    """As a call does: the loop goes on meanwhile, and whoever is before it ends."""
    policy, order = Policy("stock", Bulkhead(1, queue=1, wait=30.0)), list[str]()

    async def enter(name: str) -> None:
        async with policy.acalling():
            order.append(name)
            await FakeClock().asleep(0.0)

    async def both() -> None:
        await asyncio.gather(enter("first"), enter("second"))

    asyncio.run(both())

    assert order == ["first", "second"]


def test_a_block_that_is_cancelled_while_it_waits_leaves_the_queue(
    runtime: RecordingRuntime,
) -> None:
    """At once, and not when somebody lets go of it."""
    policy = Policy("stock", Bulkhead(1, queue=1, wait=30.0))
    places = layer_of(policy, BulkheadLayer).places
    places.enter(Place())
    block = policy.acalling()

    async def enter() -> None:
        async with block:
            pass

    async def cancel() -> None:
        task = asyncio.create_task(enter())
        await FakeClock().asleep(0.0)
        assert places.waiting == 1
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()

    asyncio.run(cancel())

    assert (places.in_progress, places.waiting) == (1, 0)


def test_blocks_are_calls_of_the_rate(run: Running) -> None:
    """They use up slots, and are refused without one."""
    policy = Policy("stock", RateLimit(1.0))
    run(policy, lambda: None)

    with pytest.raises(CallRateError):
        run(policy, lambda: None)


def test_the_circuit_counts_how_blocks_end(run: Running) -> None:
    """It opens, and the next block does not run."""
    policy, ran = Policy("stock", Breaker(failure_threshold=2)), list[int]()
    for _ in range(2):
        with pytest.raises(ConnectionError):
            run(policy, fail)

    with pytest.raises(CircuitOpenError):
        run(policy, lambda: ran.append(1))

    assert ran == []


def test_a_block_that_succeeds_closes_the_circuit(run: Running, runtime: RecordingRuntime) -> None:
    """It is a probe like any call."""
    policy = Policy(
        "stock", Breaker(failure_threshold=1, recovery_timeout=1.0, success_threshold=1)
    )
    with pytest.raises(ConnectionError):
        run(policy, fail)
    clock = runtime.clock
    assert isinstance(clock, FakeClock)
    clock.advance(1000.0)

    while state_of(policy) is not State.CLOSED:
        run(policy, lambda: None)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("down"),
        ValidationError("wrong"),
        StopIteration("next"),
        StopAsyncIteration("next"),
        TimeoutError("the block's own"),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_block_raises_comes_out_unchanged(
    runtime: RecordingRuntime, error: BaseException
) -> None:
    """The same object, with the frames it had, and no error chained to it."""
    policy = Policy("stock", Timeout(5.0), Breaker(), Bulkhead(1))

    def raising() -> None:
        raise error

    async def in_a_block() -> None:
        async with policy.acalling():
            raising()

    def seen() -> list[str]:
        return [frame.name for frame in traceback.extract_tb(error.__traceback__)]

    with pytest.raises(type(error)) as raised, policy.calling():
        raising()
    plain = seen()
    error.__traceback__ = None
    coroutine = in_a_block()
    # On a loop some of these would end the loop itself.
    with pytest.raises((type(error), RuntimeError)) as also_raised:
        asyncio.run(coroutine)

    assert raised.value is error
    assert plain[-2:] == ["test_what_a_block_raises_comes_out_unchanged", "raising"]
    assert also_raised.value is error or also_raised.value.__cause__ is error
    assert "in_a_block" in seen()
    assert seen()[-1] == "raising"
    assert (error.__context__, error.__cause__) == (None, None)
    assert in_progress(policy) == 0


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit, ValidationError]
)
def test_ends_that_say_nothing_of_the_other_side_are_not_counted(
    run: Running, error: type[BaseException]
) -> None:
    """The circuit stays closed, and every place is given back."""
    policy = Policy("stock", Breaker(failure_threshold=1), Bulkhead(1))

    def end() -> None:
        raise error

    with pytest.raises(error):
        run(policy, end)

    assert state_of(policy) is State.CLOSED
    assert in_progress(policy) == 0


def test_a_block_sees_the_time_it_has(run: Running) -> None:
    """The shorter of deadline and time-out; afterwards there is none."""
    assert run(Policy("stock", Timeout(2.0), Deadline(5.0)), remaining) == 2.0
    assert remaining() == math.inf


def test_a_block_does_not_begin_after_the_deadline(run: Running, runtime: RecordingRuntime) -> None:
    """Nobody would wait for it."""
    ran = list[int]()
    clock = runtime.clock
    assert isinstance(clock, FakeClock)

    with deadline(1.0):
        clock.advance(1.0)
        with pytest.raises(DeadlineExceededError):
            run(Policy("stock", Breaker()), lambda: ran.append(1))

    assert ran == []


def test_layers_that_would_call_again_or_answer_are_left_out(run: Running) -> None:
    """A block runs once, and its error comes out."""
    policy, ran = Policy("stock", Retry(3), Hedge(0.1), Fallback(value="none")), list[int]()

    def count_and_fail() -> None:
        ran.append(1)
        fail()

    with pytest.raises(ConnectionError):
        run(policy, count_and_fail)

    assert ran == [1]


def test_an_asynchronous_block_is_cancelled_when_its_time_is_over(
    runtime: RecordingRuntime,
) -> None:
    """What comes out says so, and the circuit counts it."""
    policy = Policy("stock", Timeout(0.01), Breaker(failure_threshold=1))

    async def hang() -> None:
        async with policy.acalling():
            await asyncio.Event().wait()

    with pytest.raises(DeadlineExceededError):
        asyncio.run(hang())

    assert state_of(policy) is State.OPEN


def test_who_cancels_a_block_from_outside_sees_it_cancelled(runtime: RecordingRuntime) -> None:
    """The task is cancelled, and not late; the circuit does not count it."""
    policy = Policy("stock", Timeout(30.0), Breaker(failure_threshold=1), Bulkhead(1))

    async def hang() -> None:
        async with policy.acalling():
            await asyncio.Event().wait()

    async def cancel() -> bool:
        task = asyncio.create_task(hang())
        await FakeClock().asleep(0.0)
        assert in_progress(policy) == 1
        task.cancel()
        await asyncio.wait((task,))
        return task.cancelled()

    assert asyncio.run(cancel())
    assert state_of(policy) is State.CLOSED
    assert in_progress(policy) == 0


def test_a_generator_may_hold_a_block_open(runtime: RecordingRuntime) -> None:
    """Closed early, in whatever context, it gives its place back and is not counted."""
    policy = Policy("stock", Timeout(30.0), Breaker(failure_threshold=1), Bulkhead(1))

    def rows() -> Generator[float, None, None]:
        with policy.calling():
            yield remaining()

    here, elsewhere = rows(), rows()
    assert next(here) == 30.0
    here.close()
    assert copy_context().run(next, elsewhere) == 30.0
    elsewhere.close()

    assert (in_progress(policy), state_of(policy)) == (0, State.CLOSED)
    assert remaining() == math.inf


def test_an_asynchronous_generator_may_hold_a_block_open(runtime: RecordingRuntime) -> None:
    """Left in the middle, it is closed by its loop in another task, and gives its place back."""
    policy = Policy("stock", Timeout(30.0), Breaker(failure_threshold=1), Bulkhead(1))

    async def rows() -> AsyncGenerator[int, None]:
        async with policy.acalling():
            yield 1
            yield 2

    async def first() -> int:
        async for row in rows():
            return row
        return 0

    assert asyncio.run(first()) == 1
    assert (in_progress(policy), state_of(policy)) == (0, State.CLOSED)


def test_blocks_may_be_nested(run: Running) -> None:
    """Each has its own way through the layers, and the inner one the shorter time."""
    outer, inner = Policy("outer", Timeout(5.0), Bulkhead(1)), Policy("inner", Timeout(9.0))

    def within() -> tuple[float, float]:
        with inner.calling():
            return remaining(), in_progress(outer)

    assert run(outer, within) == (5.0, 1)


def test_a_block_is_entered_once(runtime: RecordingRuntime) -> None:
    """A second time nothing would protect it."""
    block = Policy("stock", Timeout(1.0)).calling()
    with block:
        pass

    with pytest.raises(RuntimeError, match="entered before"), block:
        pass
