"""What pybreaker's users fall into, and where that is cheap to show, that they do; with ours it is gone."""

import gc
import pickle
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Barrier, Event, Thread
from typing import Any

import pybreaker
import pytest

from holdfast.codes import Effect
from holdfast.resilience.breaker import CircuitBreaker, CircuitOpenError
from holdfast.resilience.circuit.rules import CountWindow
from holdfast.testing import FakeClock
from tests.core.breakers import (
    DownError,
    Heard,
    OldStorage,
    SlowStorage,
    age,
    fail,
    is_refused,
    outcome,
    succeed,
    trip,
)

WAIT = 20.0
"""Seconds after which a test that hangs gives up."""


def _started(target: Callable[..., object], *arguments: object) -> Thread:
    thread = Thread(target=target, args=arguments)
    thread.start()
    return thread


# the lock -----------------------------------------------------------------------------------------


def test_calls_run_at_the_same_time() -> None:
    """pybreaker holds its lock while a call runs; here eight calls meet in the middle."""
    breaker = CircuitBreaker()
    together = Barrier(8)

    threads = [_started(breaker.call, together.wait, WAIT) for _ in range(8)]
    for thread in threads:
        thread.join()

    assert not together.broken
    assert breaker.fail_counter == 0


@pytest.mark.parametrize(
    "kind", [pybreaker.CircuitBreaker, CircuitBreaker], ids=["pybreaker", "ours"]
)
def test_an_operator_does_not_wait_for_a_slow_call(kind: Any) -> None:  # noqa: ANN401  # one of two classes
    """With pybreaker the lock that `open` needs is taken until the call ends."""
    breaker = kind()
    running, over = Event(), Event()

    def slow() -> None:
        running.set()
        over.wait(WAIT)

    thread = _started(breaker.call, slow)
    running.wait(WAIT)
    is_free = breaker._lock.acquire(blocking=False) if kind is pybreaker.CircuitBreaker else True
    if kind is CircuitBreaker:
        breaker.open()
        breaker.add_listener(Heard())
        assert is_refused(breaker)
    over.set()
    thread.join()

    assert is_free is (kind is CircuitBreaker)


def test_breakers_nested_in_opposite_order_do_not_wait_for_each_other() -> None:
    """With pybreaker that is a deadlock."""
    first, second = CircuitBreaker(), CircuitBreaker()
    both = Barrier(2)

    def nested(outer: CircuitBreaker, inner: CircuitBreaker) -> None:
        def body() -> None:
            both.wait(WAIT)
            inner.call(succeed)

        outer.call(body)

    threads = [_started(nested, first, second), _started(nested, second, first)]
    for thread in threads:
        thread.join(WAIT)

    assert not any(thread.is_alive() for thread in threads)


def test_a_slow_storage_holds_up_nobody_else() -> None:
    """While one call's failure is being written, others are let through."""
    storage = SlowStorage()
    breaker = CircuitBreaker(state_storage=storage)
    writing, over = Event(), Event()
    writers: list[Thread] = []

    def wait(access: str) -> None:
        if access == "set counter" and not writing.is_set():
            writing.set()
            over.wait(WAIT)

    storage.accessed = wait
    writers.append(_started(outcome, breaker.call, fail))
    writing.wait(WAIT)
    assert breaker.acquire() is not None
    over.set()
    writers[0].join()

    assert breaker.fail_counter == 1


def test_whoever_reads_the_state_corrupts_nothing() -> None:
    """pybreaker's `state` may undo a change that is being written, and forget failures.

    Every access of the storage is followed by a reader on another thread.
    """
    storage = SlowStorage()
    heard = Heard()
    breaker = CircuitBreaker(fail_max=2, state_storage=storage, listeners=[heard])
    readers: list[Thread] = []

    def read(access: str) -> None:
        if access.startswith("set"):
            storage.accessed = str
            reader = _started(lambda: breaker.state)
            reader.join()
            readers.append(reader)
            storage.accessed = read

    storage.accessed = read
    for _ in range(20):
        outcome(breaker.call, fail)
        outcome(breaker.call, fail)
        assert (breaker.current_state, breaker.fail_counter) == ("open", 2)
        breaker.close()

    assert len(readers) > 100
    changes = [told for told in heard.told if "->" in told]
    assert changes == ["closed -> open", "open -> closed"] * 20


# generators ---------------------------------------------------------------------------------------


def _numbers() -> Any:  # noqa: ANN401  # a generator
    try:
        yield 1
    except KeyError:
        yield "handled"
    return "the end"


def test_the_value_that_a_generator_returns_arrives() -> None:
    """With pybreaker `yield from` gets None."""
    ends = {}

    for kind in (pybreaker.CircuitBreaker, CircuitBreaker):

        def outer(guarded: Any) -> Iterator[Any]:  # noqa: ANN401  # a generator function
            ends[kind] = yield from guarded()  # noqa: B023  # called at once

        list(outer(kind()(_numbers)))

    assert ends == {pybreaker.CircuitBreaker: None, CircuitBreaker: "the end"}


def test_the_value_that_a_generator_yields_on_throw_arrives() -> None:
    """With pybreaker it is lost."""
    stock: Any = pybreaker.CircuitBreaker()
    theirs: Any = stock(_numbers)()
    ours: Any = CircuitBreaker()(_numbers)()
    next(theirs)
    next(ours)

    with pytest.raises(StopIteration):
        theirs.throw(KeyError())

    assert ours.throw(KeyError()) == "handled"


def test_a_generator_of_a_former_probe_does_not_close_the_circuit() -> None:
    """Begun half-open, ended after the circuit opened again: with pybreaker it closes it."""
    states = {}

    for kind in (pybreaker.CircuitBreaker, CircuitBreaker):
        breaker: Any = kind(fail_max=1)
        breaker.half_open()
        late: Any = breaker(_numbers)()
        next(late)
        breaker.open()
        list(late)
        states[kind] = breaker.current_state

    assert states == {pybreaker.CircuitBreaker: "closed", CircuitBreaker: "open"}


# states and clocks --------------------------------------------------------------------------------


def test_an_open_state_without_a_time_stays_open() -> None:
    """From when it was noticed; pybreaker lets the first call through."""
    clock = FakeClock()
    theirs = pybreaker.CircuitBreaker(state_storage=pybreaker.CircuitMemoryStorage("open"))
    ours = CircuitBreaker(state_storage=pybreaker.CircuitMemoryStorage("open"), clock=clock)

    assert not is_refused(theirs)
    assert is_refused(ours)
    clock.advance(59)
    assert is_refused(ours)
    clock.advance(1)

    assert not is_refused(ours)


class JumpingClock(FakeClock):
    """Its wall time can be set."""

    offset = timedelta()

    def now(self) -> Any:  # noqa: ANN401  # a point in time
        """Return the wall time."""
        return super().now() + self.offset


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_wall_clock_that_is_set_changes_nothing(hours: int) -> None:
    """pybreaker's open circuits go by it: back, and they stay open for hours."""
    clock = JumpingClock()
    breaker = CircuitBreaker(fail_max=1, clock=clock)
    trip(breaker)

    clock.offset = timedelta(hours=hours)
    clock.advance(59)
    assert is_refused(breaker)
    clock.advance(1)

    assert not is_refused(breaker)


def test_a_circuit_opened_by_a_clock_ahead_opens_no_longer_than_ours() -> None:
    """Another machine's clock is five hours ahead."""
    clock = FakeClock()
    storage = pybreaker.CircuitMemoryStorage("open")
    storage.opened_at = clock.now() + timedelta(hours=5)
    breaker = CircuitBreaker(state_storage=storage, clock=clock)
    assert is_refused(breaker)

    clock.advance(60)

    assert not is_refused(breaker)


def test_a_storage_from_before_there_were_counters_of_successes_works() -> None:
    """With pybreaker 1.4 the first probe that succeeds ends in a TypeError."""
    theirs = pybreaker.CircuitBreaker(state_storage=OldStorage())
    ours = CircuitBreaker(state_storage=OldStorage(), success_threshold=2)
    theirs.half_open()
    ours.half_open()

    with pytest.raises(TypeError):
        theirs.call(succeed)
    ours.call(succeed)
    assert (ours.current_state, ours.success_counter) == ("half-open", 1)
    ours.call(succeed)

    assert ours.current_state == "closed"


# counting -----------------------------------------------------------------------------------------


def test_one_fault_within_a_call_of_the_same_breaker_counts_once() -> None:
    """pybreaker counts it as often as the calls are nested; the same object raised again counts again."""
    counters: dict[type, list[int]] = {}
    same = DownError("kept by a mock")

    def raise_same() -> None:
        raise same

    for kind in (pybreaker.CircuitBreaker, CircuitBreaker):
        breaker: Any = kind(fail_max=9)
        guarded = breaker(raise_same)
        outer = breaker(guarded)
        counters[kind] = []
        for call in (guarded, outer, guarded, outer):
            outcome(call)
            counters[kind].append(breaker.fail_counter)
        outcome(breaker.call, breaker.call, raise_same)
        counters[kind].append(breaker.fail_counter)

    assert counters == {
        pybreaker.CircuitBreaker: [1, 3, 4, 6, 8],
        CircuitBreaker: [1, 2, 3, 4, 5],
    }


def test_results_that_come_late_change_nothing() -> None:
    """A call of before the circuit opened ends after that."""
    breaker = CircuitBreaker(fail_max=2)
    late = [breaker.acquire() for _ in range(3)]
    trip(breaker)
    age(breaker, 61)
    breaker.call(succeed)

    late[0].failure(DownError())
    late[1].failure(DownError())
    late[2].failure(DownError())

    assert (breaker.current_state, breaker.fail_counter) == ("closed", 0)


def test_a_call_that_fails_late_comes_out_with_its_own_error() -> None:
    """It did not open the circuit: somebody else had done so."""
    breaker = CircuitBreaker(fail_max=1)

    def opened_meanwhile() -> None:
        breaker.open()
        fail()

    assert outcome(breaker.call, opened_meanwhile) is DownError
    assert breaker.fail_counter == 0


def test_a_rule_takes_the_place_of_failures_in_a_row() -> None:
    """Half of the last calls failed."""
    breaker = CircuitBreaker(fail_max=1, rule=CountWindow(rate=0.5, calls=4, minimum=4))

    for function in (fail, succeed, fail):
        outcome(breaker.call, function)
    assert breaker.current_state == "closed"
    outcome(breaker.call, fail)

    assert breaker.current_state == "open"


# refusals -----------------------------------------------------------------------------------------


def _refusal(
    breaker: CircuitBreaker, function: Callable[..., object] = succeed
) -> CircuitOpenError:
    with pytest.raises(CircuitOpenError) as caught:
        breaker.call(function)
    return caught.value


def test_a_refusal_says_which_circuit_why_and_until_when() -> None:
    """It is pybreaker's error, and an AppError that gives 503; pybreaker's says nothing but a sentence."""
    clock = FakeClock()
    breaker = CircuitBreaker(fail_max=1, name="stock", clock=clock)
    tripped = _refusal(breaker, fail)
    clock.advance(18)

    refused = _refusal(breaker)

    assert isinstance(refused, pybreaker.CircuitBreakerError)
    assert (refused.code, refused.status, refused.transient) == ("CIRCUIT_OPEN", 503, True)
    assert (refused.name, refused.reason, refused.retry_after) == ("stock", "open", 42.0)
    assert refused.effect is Effect.NONE
    assert refused.last_error is not None
    assert (refused.last_error.type, refused.last_error.text) == (
        "DownError",
        "no route to 10.0.0.7",
    )
    assert refused.details == {}
    assert "10.0.0.7" in str(refused.learned)
    assert str(refused).startswith("Timeout not elapsed yet, circuit breaker still open (circuit")
    assert (tripped.reason, tripped.effect, tripped.retry_after) == ("trip", Effect.IN_DOUBT, 60)


def test_a_refusal_survives_pickle() -> None:
    """With all that it says."""
    breaker = CircuitBreaker(fail_max=1, name="stock")
    trip(breaker)
    refused = _refusal(breaker)

    copied = pickle.loads(pickle.dumps(refused))  # noqa: S301  # made here

    assert type(copied) is CircuitOpenError
    assert str(copied) == str(refused)
    assert (copied.name, copied.reason, copied.retry_after, copied.last_error) == (
        refused.name,
        refused.reason,
        refused.retry_after,
        refused.last_error,
    )


@pytest.mark.parametrize("way", ["call", "decorator", "trip"])
def test_refusals_leave_nothing_behind(way: str) -> None:
    """Each is a new one, with a traceback of its own, and is gone without the garbage collection."""
    breaker = CircuitBreaker(fail_max=1)
    decorated = breaker(fail if way == "trip" else succeed)
    if way != "trip":
        trip(breaker)
    seen: set[int] = set()
    depths: set[int] = set()

    def refused() -> None:
        try:
            decorated() if way != "call" else breaker.call(succeed)
        except CircuitOpenError as error:
            depth, at = 0, error.__traceback__
            while at is not None:
                depth, at = depth + 1, at.tb_next
            depths.add(depth)
            seen.add(id(error))
        if way == "trip":
            breaker.close()

    refused()
    gc.collect()
    gc.disable()
    try:
        before = _alive()
        for _ in range(50):
            refused()
        after = _alive()
    finally:
        gc.enable()

    assert len(depths) == 1
    assert after == before


def _alive() -> int:
    # By `type`: whatever lives in this process is asked, and some of it answers no question.
    return sum(type(each) is CircuitOpenError for each in gc.get_objects())
