"""Deadlines: inherited, never longer than the one around, and refused when nothing is left."""

import asyncio
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from holdfast import environment
from holdfast.codes import Effect
from holdfast.errors import DeadlineExceededError, ServiceUnavailableError
from holdfast.hooks.futures import WatchedExecutor
from holdfast.resilience.backoff import Constant
from holdfast.resilience.deadline import deadline, refuse_when_over, remaining, split
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.resilience.timeout import Deadline, Timeout
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.ways import Way

SOON = 0.01
"""Seconds of the real time of a loop; all that is measured is by the clock that stands still."""


def clock_of(runtime: RecordingRuntime) -> FakeClock:
    """Return the clock of a runtime."""
    return cast("FakeClock", runtime.clock)


async def for_ever() -> None:
    """Answer never."""
    await asyncio.get_running_loop().create_future()


def unanswered(_: object) -> None:
    """Answer in the place of a call."""


class Nested(RuleBasedStateMachine):
    """Opens and closes deadlines within each other, as time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.runtime = RecordingRuntime()
        self.clock = clock_of(self.runtime)
        self.activation = environment.activated(self.runtime)
        self.activation.__enter__()
        self.open: list[tuple[deadline, float]] = []

    @property
    def at(self) -> float:
        """When time is over."""
        return min((at for _, at in self.open), default=math.inf)

    @rule(seconds=st.integers(-3, 100) | st.just(math.inf))
    def enter(self, seconds: float) -> None:
        """One more begins, or is refused."""
        block = deadline(seconds)
        at = self.clock.monotonic() + seconds
        if min(at, self.at) <= self.clock.monotonic():
            with pytest.raises(DeadlineExceededError) as caught:
                block.__enter__()
            assert caught.value.effect is Effect.NONE
        else:
            block.__enter__()
            self.open.append((block, at))

    @precondition(lambda self: self.open)
    @rule()
    def leave(self) -> None:
        """The innermost ends."""
        block, _ = self.open.pop()
        block.__exit__(None, None, None)

    @rule(seconds=st.integers(0, 30))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @invariant()
    def the_shortest_holds(self) -> None:
        """What is left is what the shortest of those around leaves; never below nothing."""
        assert remaining() == max(0.0, self.at - self.clock.monotonic())
        policy = Policy("stock", Retry(1))
        if remaining() > 0.0:
            assert policy.call(lambda: "made") == "made"
        else:
            with pytest.raises(DeadlineExceededError):
                policy.call(lambda: "made")

    def teardown(self) -> None:
        """Leave everything."""
        while self.open:
            self.leave()
        self.activation.__exit__(None, None, None)


TestNested = Nested.TestCase


@pytest.mark.parametrize("seconds", [0, 0.0, -1, -math.inf])
def test_nothing_left_is_refused_and_never_no_limit(
    seconds: float, runtime: RecordingRuntime
) -> None:
    """Nothing was attempted, and the error says so."""
    with pytest.raises(DeadlineExceededError) as caught, deadline(seconds):
        pytest.fail("the block ran")

    assert caught.value.effect is Effect.NONE
    assert remaining() == math.inf


@pytest.mark.parametrize(
    ("seconds", "error"),
    [(math.nan, ValueError), ("2", TypeError), (None, TypeError), (True, TypeError)],
)
def test_what_is_no_number_of_seconds_is_refused(seconds: object, error: type[Exception]) -> None:
    """None is no deadline without a limit either: leave the block out."""
    with pytest.raises(error, match=r"deadline\(\) seconds must be a number"):
        deadline(cast("float", seconds))


def test_a_deadline_is_used_once_at_a_time(runtime: RecordingRuntime) -> None:
    """Two blocks with one would end each other."""
    block = deadline(2.0)

    with block, pytest.raises(RuntimeError, match="in use"), block:
        pytest.fail("the block ran")


def test_a_call_is_not_made_after_the_deadline(way: Way, runtime: RecordingRuntime) -> None:
    """Whatever layers its policy has."""
    calls: list[int] = []
    with deadline(1.0):
        clock_of(runtime).advance(1.0)
        for policy in (
            Policy("a", Retry(2)),
            Policy("b", Timeout(2.0)),
            Policy("c", Deadline(2.0)),
        ):
            with pytest.raises(DeadlineExceededError) as caught:
                way.decorate(policy, lambda: calls.append(1))()
            assert caught.value.effect is Effect.NONE
    assert calls == []


def test_a_deadline_bounds_a_call_with_all_its_attempts(
    way: Way, runtime: RecordingRuntime
) -> None:
    """On whichever way; the attempt's own limit is what is left of both."""
    left: list[float] = []

    def failing() -> None:
        left.append(remaining())
        clock_of(runtime).advance(2.0)
        raise ServiceUnavailableError("down")

    policy = Policy("stock", Deadline(5.0), Retry(9, backoff=Constant(0.0)), Timeout(4.0))
    decorated = way.decorate(policy, failing)
    for _ in range(2):
        with pytest.raises(ServiceUnavailableError):
            decorated()

    assert left == [4.0, 3.0, 1.0] * 2


def test_a_plain_function_goes_on_to_its_end(runtime: RecordingRuntime) -> None:
    """Nothing interrupts it, and its result counts."""

    @Policy("stock", Deadline(1.0), Timeout(0.5))
    def slow() -> str:
        clock_of(runtime).advance(9.0)
        return "late"

    assert slow() == "late"


# On an event loop ----------------------------------------------------------------------------------


@pytest.mark.parametrize("decorated", [False, True])
@pytest.mark.parametrize("layer", [Timeout(SOON), Deadline(SOON)], ids=["timeout", "deadline"])
def test_a_coroutine_is_cancelled_when_its_time_is_over(
    layer: Timeout | Deadline, runtime: RecordingRuntime, *, decorated: bool
) -> None:
    """At every call, the first included; what it did is in doubt."""
    policy = Policy("stock", layer)
    ended: list[str] = []

    async def hanging() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    function = policy(hanging)

    async def call() -> None:
        if decorated:
            await function()
        else:
            await policy.acall(hanging)

    for _ in range(2):
        with pytest.raises(DeadlineExceededError) as caught:
            asyncio.run(call())
        assert caught.value.effect is Effect.IN_DOUBT
        assert isinstance(caught.value.__cause__, TimeoutError)
    assert ended == ["cancelled", "cancelled"]


def test_a_timed_out_attempt_is_made_again(runtime: RecordingRuntime) -> None:
    """A time-out is transient."""
    calls: list[int] = []

    async def slow_at_first() -> str:
        calls.append(1)
        if len(calls) < 3:
            await for_ever()
        return "done"

    policy = Policy("stock", Retry(3, backoff=Constant(0.0)), Timeout(SOON))

    assert asyncio.run(policy.acall(slow_at_first)) == "done"


def test_an_inherited_deadline_cancels_too(runtime: RecordingRuntime) -> None:
    """A policy without any limit of its own does what the block around it says."""

    async def call() -> None:
        with deadline(SOON):
            await Policy("stock", Retry(3)).acall(for_ever)

    with pytest.raises(DeadlineExceededError):
        asyncio.run(call())


def test_a_time_out_of_the_function_itself_is_its_own(runtime: RecordingRuntime) -> None:
    """The same object comes out, with the limit far away and after it."""
    own = TimeoutError("the socket's")

    async def failing() -> None:
        raise own

    async def failing_when_cancelled() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            raise own from None

    for function, seconds in ((failing, 60.0), (failing_when_cancelled, SOON)):
        policy = Policy(f"stock {seconds}", Timeout(seconds))
        with pytest.raises(TimeoutError) as caught:
            asyncio.run(policy.acall(function))
        assert caught.value is own


def test_a_cancellation_from_outside_stays_one(runtime: RecordingRuntime) -> None:
    """It is no time-out, and nothing is tried again."""
    calls: list[int] = []

    async def hanging(begun: asyncio.Event) -> None:
        calls.append(1)
        begun.set()
        await for_ever()

    async def cancelled() -> None:
        begun = asyncio.Event()
        policy = Policy("stock", Retry(3), Timeout(60.0), Fallback(unanswered))
        task = asyncio.create_task(policy.acall(hanging, begun))
        await begun.wait()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert calls == [1]


def test_an_asynchronous_block_is_cancelled_itself(runtime: RecordingRuntime) -> None:
    """What comes out is the suite's error, and the deadline is gone."""

    async def block() -> None:
        async with deadline(SOON):
            await for_ever()

    async def around() -> float:
        with pytest.raises(DeadlineExceededError) as caught:
            await block()
        assert caught.value.effect is Effect.IN_DOUBT
        return remaining()

    assert asyncio.run(around()) == math.inf


def test_an_asynchronous_block_lets_errors_out_as_they_are(runtime: RecordingRuntime) -> None:
    """A time-out of its own, too."""
    own = TimeoutError("the socket's")

    async def block() -> None:
        async with deadline(60.0), deadline(math.inf):
            assert remaining() == 60.0
            raise own

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(block())
    assert caught.value is own


# Inherited -----------------------------------------------------------------------------------------


def in_a_task() -> float:
    """Return what a task of a loop sees."""

    async def left() -> float:
        return remaining()

    async def run() -> float:
        with deadline(7.0):
            return await asyncio.create_task(left())

    return asyncio.run(run())


def in_a_thread_of_a_loop() -> float:
    """Return what `asyncio.to_thread` sees."""

    async def run() -> float:
        with deadline(7.0):
            return await asyncio.to_thread(remaining)

    return asyncio.run(run())


def in_an_executor() -> float:
    """Return what a watched pool of threads sees."""
    with WatchedExecutor(ThreadPoolExecutor(1)) as pool, deadline(7.0):
        return pool.submit(remaining).result()


@pytest.mark.parametrize("see", [in_a_task, in_a_thread_of_a_loop, in_an_executor])
def test_a_deadline_travels_with_the_context(
    see: Callable[[], float], runtime: RecordingRuntime
) -> None:
    """Tasks, threads of a loop, and executors that copy contexts."""
    assert see() == 7.0


def test_a_plain_thread_has_no_deadline(runtime: RecordingRuntime) -> None:
    """Python gives it an empty context."""
    seen: list[float] = []
    with deadline(7.0):
        thread = threading.Thread(target=lambda: seen.append(remaining()))
        thread.start()
        thread.join()

    assert seen == [math.inf]


# Shares --------------------------------------------------------------------------------------------


def test_ten_seconds_for_two_calls_are_four_each(runtime: RecordingRuntime) -> None:
    """A fifth is kept for what is done around them."""
    with deadline(10.0):
        assert split(2) == pytest.approx(4.0)
        assert split(3, margin=0.1) == pytest.approx(3.0)
    assert split(2) == math.inf


@given(
    seconds=st.floats(0.1, 1000.0),
    used=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20),
    margin=st.floats(0.0, 0.9),
)
def test_calls_in_a_row_that_keep_to_their_shares_end_in_time(
    seconds: float, used: list[float], margin: float
) -> None:
    """What one does not use goes to those after it, and the margin is left in the end."""
    runtime = RecordingRuntime()
    clock = clock_of(runtime)
    with environment.activated(runtime), deadline(seconds):
        for done, share in enumerate(used):
            with deadline(split(len(used) - done, margin=margin)):
                clock.advance(share * remaining())
        if margin > 0:
            refuse_when_over(clock)
        assert clock.monotonic() <= seconds * (1 + 1e-9)


def test_a_share_of_nothing_is_refused(runtime: RecordingRuntime) -> None:
    """It would be taken for a limit of none somewhere."""
    with deadline(1.0):
        clock_of(runtime).advance(2.0)
        assert remaining() == 0.0
        with pytest.raises(DeadlineExceededError):
            split(1)


@pytest.mark.parametrize(
    ("calls", "margin"),
    [(0, 0.2), (-1, 0.2), (10**9, 0.2), (1.5, 0.2), (2, 1.0), (2, -0.1), (2, math.nan)],
)
def test_shares_that_make_no_sense_are_refused(calls: float, margin: float) -> None:
    """Also without a deadline, so that a test finds them."""
    with pytest.raises((TypeError, ValueError), match=r"split\(\)"):
        split(cast("int", calls), margin=margin)


@pytest.mark.parametrize("kind", [Timeout, Deadline])
@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan, "2", None])
def test_layers_need_a_limit_that_is_one(kind: type[Timeout], seconds: object) -> None:
    """Where they are written."""
    with pytest.raises((TypeError, ValueError), match=rf"{kind.__name__}\.seconds must be"):
        kind(cast("float", seconds))
