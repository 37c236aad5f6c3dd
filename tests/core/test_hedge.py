"""Hedging: a further attempt while the first is slow; one answer, and no task left behind."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest

from holdfast import DeadlineExceededError
from holdfast.resilience.breaking import Breaker, BreakerLayer
from holdfast.resilience.budget import Budget
from holdfast.resilience.bulkhead import Bulkhead, BulkheadLayer
from holdfast.resilience.circuit.period import State
from holdfast.resilience.hedge import Hedge
from holdfast.resilience.host import current_host
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.resilience.scope import Attempt, current_attempt
from holdfast.resilience.timeout import Timeout
from holdfast.testing import FakeClock, RecordingRuntime

_Layer = TypeVar("_Layer")


@pytest.fixture(autouse=True)
def _one_runtime(runtime: RecordingRuntime) -> None:
    """Have a fresh runtime for every test."""


class Replicas:
    """Answers each attempt in the way that was written for it; the clock stands still meanwhile."""

    def __init__(self, *behaviours: Callable[[], Awaitable[str]]) -> None:
        self.behaviours = behaviours
        self.begun = 0
        self.cancelled: list[int] = []

    async def ask(self) -> str:
        """Make the next attempt."""
        number = self.begun
        self.begun += 1
        try:
            return await self.behaviours[number]()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise


async def at_once() -> str:
    """Answer."""
    return "at once"


async def never() -> str:
    """Hang."""
    await asyncio.Event().wait()
    return "never"


async def fail() -> str:
    """Fail at once."""
    raise ConnectionError


def after(turns: int, then: Callable[[], Awaitable[str]] = at_once) -> Callable[[], Awaitable[str]]:
    """Return what others of the loop go before, some times; each delay of a hedge takes one turn."""

    async def answer() -> str:
        for _ in range(turns):
            await FakeClock().asleep(0.0)
        return await then()

    return answer


def run(work: Coroutine[Any, Any, str]) -> str:
    """Run a call on a loop that looks closely, and see that no task is left."""

    async def alone() -> str:
        try:
            return await work
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    return asyncio.run(alone(), debug=True)


def layer_of(policy: Policy, kind: type[_Layer]) -> _Layer:
    """Return the live layer of a kind."""
    layers = current_host().policies.of(policy).layers
    return next(each for each in layers if isinstance(each, kind))


def assert_nothing_is_held(policy: Policy) -> None:
    """See that every place was given back, and that the circuit has counted nothing."""
    assert layer_of(policy, BulkheadLayer).places.in_progress == 0
    assert layer_of(policy, BreakerLayer).breaker.circuit.state is State.CLOSED


def test_a_call_that_answers_in_time_is_made_once() -> None:
    """Hedging costs nothing then but a timer."""
    replicas = Replicas(at_once)

    assert run(Policy("stock", Hedge(0.1)).acall(replicas.ask)) == "at once"
    assert replicas.begun == 1


def test_a_further_attempt_answers_for_one_that_is_slow() -> None:
    """The slow one is cancelled and gives back what it holds; no circuit counts it."""
    policy = Policy("stock", Hedge(0.1), Bulkhead(2), Breaker(failure_threshold=1))
    replicas = Replicas(never, at_once)

    assert run(policy.acall(replicas.ask)) == "at once"
    assert (replicas.begun, replicas.cancelled) == (2, [0])
    assert_nothing_is_held(policy)


def test_the_first_attempt_may_still_win() -> None:
    """Then the further one is cancelled."""
    replicas = Replicas(after(5), never)

    assert run(Policy("stock", Hedge(0.1)).acall(replicas.ask)) == "at once"
    assert (replicas.begun, replicas.cancelled) == (2, [1])


def test_a_failure_in_time_is_the_outcome() -> None:
    """Whether to try again is for a retry to say."""
    replicas = Replicas(fail, at_once)

    with pytest.raises(ConnectionError):
        run(Policy("stock", Hedge(0.1)).acall(replicas.ask))

    assert replicas.begun == 1


def test_a_late_failure_leaves_the_answer_to_the_others() -> None:
    """One success is enough."""

    async def fail_late() -> str:
        while replicas.begun < 2:
            await FakeClock().asleep(0.0)
        raise ConnectionError

    replicas = Replicas(fail_late, after(9))

    assert run(Policy("stock", Hedge(0.1)).acall(replicas.ask)) == "at once"
    assert replicas.begun == 2


def test_when_all_fail_the_first_failure_comes_out() -> None:
    """It is the same object, as of any call."""
    first, second = ConnectionError("first"), ConnectionError("second")

    async def fail_first() -> str:
        raise first

    async def fail_second() -> str:
        raise second

    replicas = Replicas(after(9, fail_first), after(2, fail_second))

    with pytest.raises(ConnectionError) as raised:
        run(Policy("stock", Hedge(0.1)).acall(replicas.ask))

    assert raised.value is second


def test_there_are_no_more_attempts_than_allowed() -> None:
    """One after each delay, and then no other."""
    policy = Policy("stock", Hedge(0.1, extra=3), Bulkhead(9), Breaker(failure_threshold=1))
    replicas = Replicas(never, never, never, after(20))

    assert run(policy.acall(replicas.ask)) == "at once"
    assert (replicas.begun, replicas.cancelled) == (4, [0, 1, 2])
    assert_nothing_is_held(policy)


def test_further_attempts_begin_a_delay_after_each_other(runtime: RecordingRuntime) -> None:
    """By the clock of the runtime."""
    begun: list[float] = []

    async def ask() -> str:
        begun.append(runtime.clock.monotonic())
        return await (never() if len(begun) < 3 else at_once())

    run(Policy("stock", Hedge(0.25, extra=2)).acall(ask))

    assert begun == [0.0, 0.25, 0.5]


def test_further_attempts_spend_the_budget_of_the_retry() -> None:
    """Without a token the first attempt is left alone, for as long as it takes."""
    budget = Budget(ratio=0.0, reserve=0.0, ceiling=1.0)
    policy = Policy("stock", Hedge(0.1, extra=5), Retry(1, budget=budget))
    replicas = Replicas(after(9), never, after(9))

    assert [run(policy.acall(replicas.ask)) for _ in range(2)] == ["at once"] * 2
    assert (replicas.begun, replicas.cancelled) == (3, [1])


def test_a_further_attempt_that_is_refused_changes_nothing() -> None:
    """There is no second place: the first attempt is waited for."""
    policy = Policy("stock", Hedge(0.1), Bulkhead(1))
    replicas = Replicas(after(9))

    assert run(policy.acall(replicas.ask)) == "at once"
    assert replicas.begun == 1


def test_each_attempt_has_the_time_of_an_attempt() -> None:
    """Both run out of it, and what comes out says so."""
    policy = Policy("stock", Hedge(0.001), Timeout(0.3), Bulkhead(2))
    replicas = Replicas(never, never)

    with pytest.raises(DeadlineExceededError):
        run(policy.acall(replicas.ask))

    assert (replicas.begun, replicas.cancelled) == (2, [0, 1])


def test_hedges_are_one_attempt_of_a_retry() -> None:
    """Code that is called learns of the retry's attempts alone, and nested policies do not retry."""
    seen: list[Attempt | None] = []

    async def ask() -> str:
        seen.append(current_attempt())
        return await (never() if len(seen) < 2 else at_once())

    run(Policy("stock", Hedge(0.1), Retry(3)).acall(ask))

    assert seen == [Attempt(1, 3), Attempt(1, 3)]
    assert current_attempt() is None


def test_cancelling_the_call_cancels_every_attempt() -> None:
    """None of them goes on, and each gives back what it holds."""
    policy = Policy("stock", Hedge(0.1), Bulkhead(2), Breaker(failure_threshold=1))
    replicas = Replicas(never, never)

    async def cancelled() -> str:
        call = asyncio.create_task(policy.acall(replicas.ask))
        while replicas.begun < 2:
            await FakeClock().asleep(0.0)
        call.cancel()
        await asyncio.wait((call,))
        assert call.cancelled()
        return "cancelled"

    assert run(cancelled()) == "cancelled"
    assert replicas.cancelled == [0, 1]
    assert_nothing_is_held(policy)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_exit_comes_out_at_once(stop: type[BaseException]) -> None:
    """It is not hidden by an answer of somebody else, and leaves no task."""

    async def leave() -> str:
        raise stop

    replicas = Replicas(never, leave)

    with pytest.raises(stop):
        run(Policy("stock", Hedge(0.1)).acall(replicas.ask))

    assert replicas.cancelled == [0]


def test_a_plain_call_is_refused() -> None:
    """One thread cannot make two attempts: that is said at the first call, which is not made."""
    policy = Policy("stock", Hedge(0.1), Retry(3), Bulkhead(1), Breaker())
    calls: list[int] = []

    with pytest.raises(TypeError, match="'stock' has a Hedge, which only coroutine functions"):
        policy.call(calls.append, 1)
    with pytest.raises(TypeError, match="'stock' has a Hedge"):
        policy(calls.append)(1)

    assert calls == []
    assert_nothing_is_held(policy)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delay": 0.0}, "Hedge.delay must be more than 0"),
        ({"delay": float("nan")}, "Hedge.delay must be more than 0"),
        ({"delay": 1.0, "extra": 0}, "Hedge.extra must be 1 to 10"),
        ({"delay": 1.0, "extra": 11}, "Hedge.extra must be 1 to 10"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, float], message: str) -> None:
    """When the policy is written, not when it is used."""
    with pytest.raises(ValueError, match=message):
        Hedge(**options)  # type: ignore[arg-type]  # what is tried
