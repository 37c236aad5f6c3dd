"""A limited rate: calls in their slots, and never more of them than the rate allows."""

import asyncio
import math
import threading
from contextlib import suppress
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import CallRateError, Effect, ErrorCode, Fault
from holdfast.environment import activated
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.policy import Policy
from holdfast.resilience.rate_limit import RateLimit
from holdfast.resilience.retry import Retry
from holdfast.resilience.timeout import Deadline
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.ways import Way

seconds = st.floats(0.0, 100.0)


def clock_of(runtime: RecordingRuntime) -> FakeClock:
    """Return the clock of a runtime, to let time pass."""
    assert isinstance(runtime.clock, FakeClock)
    return runtime.clock


@given(
    pauses=st.lists(st.one_of(st.just(0.0), seconds), min_size=1, max_size=30),
    rate=st.floats(0.01, 1000.0),
    per=st.floats(0.01, 1000.0),
    burst=st.integers(1, 5),
    patience=st.one_of(st.just(0.0), seconds),
)
def test_no_interval_has_more_calls_than_the_rate_allows(
    pauses: list[float], rate: float, per: float, burst: int, patience: float
) -> None:
    """In any t seconds there are at most `burst + rate / per * t` calls, whoever waits for how long."""
    slots, now, made = RateLimit(rate, per=per, burst=burst).slots(), 0.0, list[float]()
    for pause in pauses:
        now += pause
        taken, delay = slots.take(now, patience)
        assert taken is (delay <= patience)
        if taken:
            made.append(now + delay)

    assert made == sorted(made)
    for first, last in combinations(range(len(made)), 2):
        allowed = burst + rate / per * (made[last] - made[first])
        assert last - first + 1 <= allowed * (1 + 1e-6) + 1e-6


@given(rate=st.floats(0.01, 1000.0), burst=st.integers(1, 20), pause=st.floats(0.0, 100.0))
def test_the_rate_is_used_up(rate: float, burst: int, pause: float) -> None:
    """A burst is there at once, and everybody refused is let in when it was told to come."""
    slots = RateLimit(rate, burst=burst).slots()
    assert all(slots.take(pause, 0.0) == (True, 0.0) for _ in range(burst))

    taken, delay = slots.take(pause, 0.0)

    assert not taken
    assert delay == pytest.approx(1 / rate)
    assert slots.take(pause + delay, 0.0)[0]


def test_calls_above_the_rate_are_refused_until_their_slot(
    way: Way, runtime: RecordingRuntime
) -> None:
    """The refusal says when to come back, and coming back then helps."""
    policy = Policy("stock", RateLimit(2.0))
    assert [way.call(policy, str, number) for number in range(2)] == ["0", "1"]

    with pytest.raises(CallRateError, match="'stock' makes no more than 2 calls in 1 s") as refused:
        way.call(policy, str, 2)

    error = refused.value
    assert (error.code, error.status) == (str(ErrorCode.CALL_RATE_EXCEEDED), 503)
    assert (error.fault, error.effect) == (Fault.DEPENDENCY, Effect.NONE)
    assert error.learned == {"policy": "stock", "rate": 2.0, "per": 1.0}
    assert error.retry_after == pytest.approx(0.5)
    clock_of(runtime).advance(error.retry_after or 0.0)
    assert way.call(policy, str, 2) == "2"


def test_calls_wait_for_their_slot_as_long_as_they_may(way: Way, runtime: RecordingRuntime) -> None:
    """Those that would have to wait longer are refused at once."""
    policy = Policy("stock", RateLimit(1.0, per=2.0, wait=3.0))
    clock = clock_of(runtime)

    begun = [way.call(policy, clock.monotonic) for _ in range(3)]

    assert begun == [0.0, 2.0, 4.0]


def test_nobody_waits_for_a_slot_after_the_deadline(way: Way, runtime: RecordingRuntime) -> None:
    """The call would come too late: it is refused without waiting at all."""
    policy = Policy("stock", RateLimit(1.0, per=10.0, wait=60.0), Deadline(5.0))
    way.call(policy, str, 1)

    with pytest.raises(CallRateError) as refused:
        way.call(policy, str, 2)

    assert refused.value.retry_after == pytest.approx(10.0)
    assert clock_of(runtime).monotonic() == 0.0


def test_a_refusal_is_no_failure_and_uses_up_nothing(way: Way, runtime: RecordingRuntime) -> None:
    """The circuit stays closed, and the next slot is still there for who comes in time."""
    policy = Policy("stock", RateLimit(1.0), Breaker(failure_threshold=1))
    way.call(policy, str, 0)
    for _ in range(5):
        with pytest.raises(CallRateError):
            way.call(policy, str, 1)

    clock_of(runtime).advance(1.0)

    assert way.call(policy, str, 2) == "2"


def test_further_attempts_take_no_slots(way: Way, runtime: RecordingRuntime) -> None:
    """The rate is that of calls; what a retry may do its budget says."""
    policy, calls = Policy("stock", RateLimit(1.0, burst=1), Retry(3)), list[int]()

    def fail_twice() -> int:
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionError
        return len(calls)

    assert way.call(policy, fail_twice) == 3


def test_threads_and_tasks_share_the_slots(runtime: RecordingRuntime) -> None:
    """While time stands still no more calls are made than the burst, whoever makes them."""
    policy, made = Policy("stock", RateLimit(10.0, burst=25)), list[int]()

    async def append(number: int) -> None:
        made.append(number)

    def on_thread() -> None:
        with activated(runtime):
            for number in range(10):
                with suppress(CallRateError):
                    policy.call(made.append, number)

    async def tasks() -> None:
        calls = (policy.acall(append, number) for number in range(10))
        await asyncio.gather(*calls, return_exceptions=True)

    def on_loop() -> None:
        with activated(runtime):
            asyncio.run(tasks())

    threads = [threading.Thread(target=target) for target in (on_thread, on_loop) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 25


@pytest.mark.parametrize(("rate", "burst"), [(0.5, 1), (1.0, 1), (7.9, 7)])
def test_without_a_burst_of_ones_own_a_time_of_calls_may_be_made_at_once(
    rate: float, burst: int
) -> None:
    """As many as the rate says, but at least one: or no call could ever be made."""
    slots = RateLimit(rate).slots()

    assert [slots.take(0.0, 0.0)[0] for _ in range(burst + 1)] == [True] * burst + [False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "RateLimit.rate must be more than 0"),
        ({"rate": math.inf}, "RateLimit.rate must be more than 0"),
        ({"rate": 1.0, "per": 0.0}, "RateLimit.per must be more than 0"),
        ({"rate": 1.0, "burst": 0}, "RateLimit.burst must be 1"),
        ({"rate": 1.0, "wait": -1.0}, "RateLimit.wait must be at least 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, float], message: str) -> None:
    """When the policy is written, not when it is used."""
    with pytest.raises(ValueError, match=message):
        RateLimit(**options)  # type: ignore[arg-type]  # what is tried
