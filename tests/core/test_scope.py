"""The scope of a call: given back however the call ends, in whatever context that is noticed."""

import asyncio
import gc
import math
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, Final

import pytest

from holdfast.resilience.breaking import Breaker
from holdfast.resilience.bulkhead import Bulkhead, BulkheadLayer
from holdfast.resilience.deadline import deadline, remaining
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.hedge import Hedge
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.resilience.scope import UNBOUNDED, current_scope
from holdfast.resilience.timeout import Deadline, Timeout
from holdfast.testing import RecordingRuntime

SHORT: Final = Policy("short", Retry(3), Breaker())
LONG: Final = Policy(
    "long", Deadline(9.0), Fallback(value=None), Retry(3), Breaker(), Bulkhead(2), Timeout(5.0)
)
HEDGED: Final = Policy("hedged", Retry(3), Hedge(60.0), Breaker())
POLICIES: Final = (SHORT, LONG, HEDGED)


def places_taken(runtime: RecordingRuntime) -> int:
    """Return how many calls are in the bulkhead."""
    layers = runtime.policies.of(LONG).layers
    return sum(each.places.in_progress for each in layers if isinstance(each, BulkheadLayer))


async def turn() -> str:
    """Give others one turn."""
    await asyncio.sleep(0)  # noqa: TID251  # a turn, not a wait
    return "done"


def begun(call: Callable[[], Coroutine[Any, Any, str]]) -> Coroutine[Any, Any, str]:
    """Return a coroutine that has begun, in a context of its own."""
    coroutine = call()
    copy_context().run(coroutine.send, None)
    return coroutine


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_a_call_that_nobody_finishes_may_be_closed_in_another_context(
    runtime: RecordingRuntime, policy: Policy
) -> None:
    """The garbage collector closes it wherever it runs; nothing is complained of, all is given back."""
    call = policy(turn)

    async def run() -> str:
        await call()
        begun(call).close()
        await turn()  # in which attempts that run beside are cancelled
        await turn()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return await call()

    assert asyncio.run(run()) == "done"
    assert current_scope.get() is UNBOUNDED
    assert places_taken(runtime) == 0


@pytest.mark.parametrize("policy", [SHORT, LONG], ids=lambda policy: policy.name)
def test_a_call_may_go_on_in_another_context(runtime: RecordingRuntime, policy: Policy) -> None:
    """Frameworks that drive coroutines themselves may give each step a context."""
    call = policy(turn)

    async def run() -> object:
        await call()
        coroutine = begun(call)
        with pytest.raises(StopIteration) as end:
            copy_context().run(coroutine.send, None)
        return end.value.value

    assert asyncio.run(run()) == "done"


def test_a_deadline_may_end_in_another_context(runtime: RecordingRuntime) -> None:
    """As that of a coroutine which nobody finished."""

    async def call() -> str:
        with deadline(5.0):
            return await turn()

    async def run() -> float:
        begun(call).close()
        return remaining()

    assert asyncio.run(run()) == math.inf


def test_a_block_that_is_never_left_ends_without_a_complaint(
    runtime: RecordingRuntime,
) -> None:
    """What it had taken is given back."""
    runtime.policies.of(LONG)
    block = LONG.calling()
    copy_context().run(block.__enter__)
    assert places_taken(runtime) == 1

    del block
    gc.collect()

    assert places_taken(runtime) == 0
