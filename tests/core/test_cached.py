"""The cache as a layer of a policy, and calls of many threads and tasks at once."""

import asyncio
import os
import threading
from enum import Enum
from typing import cast

import pytest

from holdfast import (
    DependencyError,
    ResourceNotFoundError,
    ServiceUnavailableError,
    environment,
)
from holdfast.clock import SystemClock
from holdfast.errors import CircuitOpenError
from holdfast.resilience.backoff import Constant
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.cache import Cache, Cached, MemoryStore
from holdfast.resilience.cache.flights import Flights
from holdfast.resilience.cache.shelf import PAUSED
from holdfast.resilience.deadline import deadline
from holdfast.resilience.fallback import Fallback
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry
from holdfast.starting import configure
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.cache_stores import Factory, RemoteStore, finish_probes
from tests.core.herd import herd
from tests.core.ways import Way


@pytest.fixture
def clock(runtime: RecordingRuntime) -> FakeClock:
    """Give the clock of the test's runtime."""
    return cast("FakeClock", runtime.clock)


def test_a_policy_answers_from_its_cache(way: Way, runtime: RecordingRuntime) -> None:
    """The call is made once for each set of arguments."""
    factory = Factory()
    stock = way.decorate(Policy("stock", Cached(ttl=10.0), Retry(2), Breaker()), factory.__call__)

    values = [stock("881"), stock("881"), stock("882"), stock("881")]

    assert values == ["value 1", "value 1", "value 2", "value 1"]


def test_a_stale_result_is_served_when_all_attempts_fail(way: Way, clock: FakeClock) -> None:
    """The cache stands outside of the retries, and before the fallback."""
    factory = Factory()
    policy = Policy(
        "stock",
        Cached(ttl=10.0),
        Fallback(value="guess"),
        Retry(3, backoff=Constant(0.0)),
    )
    stock = way.decorate(policy, factory.__call__)
    stock("881")
    clock.advance(10.0)
    factory.error = ServiceUnavailableError("no")

    assert (stock("881"), factory.calls) == ("value 1", 1 + 3)
    assert stock("882") == "guess"


def test_a_stale_result_is_served_while_the_circuit_is_open(way: Way, clock: FakeClock) -> None:
    """Without a call, and without a pause after which it would be tried."""
    factory = Factory()
    policy = Policy(
        "stock", Cached(ttl=10.0, cache=Cache("kept", backoff=Constant(0.0))), Breaker(1)
    )
    stock = way.decorate(policy, factory.__call__)
    stock("881")
    clock.advance(10.0)
    factory.error = ServiceUnavailableError("no")

    values = [stock("881") for _ in range(5)]

    assert values == ["value 1"] * 5
    assert factory.calls == 2
    with pytest.raises(CircuitOpenError):
        stock("882")


def test_a_callers_fault_comes_out_of_a_policy_with_a_cache(way: Way, clock: FakeClock) -> None:
    """Unchanged."""
    factory = Factory()
    stock = way.decorate(Policy("stock", Cached(ttl=10.0)), factory.__call__)
    stock("881")
    clock.advance(10.0)
    factory.error = ResourceNotFoundError("gone")

    with pytest.raises(ResourceNotFoundError) as raised:
        stock("881")

    assert raised.value is factory.error


def test_results_of_a_policy_can_be_invalidated(way: Way, runtime: RecordingRuntime) -> None:
    """Through the cache that was given."""
    cache, factory = Cache("kept"), Factory()
    policy = Policy("stock", Cached(cache=cache, key="stock:{}".format, tags=("stock",)))
    stock = way.decorate(policy, factory.__call__)
    stock("881")

    cache.invalidate("stock:881")
    second = stock("881")
    cache.invalidate_tag("stock")

    assert (second, stock("881")) == ("value 2", "value 3")


def test_a_layer_may_say_how_long(way: Way, clock: FakeClock) -> None:
    """In the place of what its cache says."""
    factory = Factory()
    policy = Policy("stock", Cached(ttl=1.0, stale=1.0, cache=Cache("kept", ttl=900.0)))
    stock = way.decorate(policy, factory.__call__)
    stock("881")
    clock.advance(2.0)
    factory.error = ServiceUnavailableError("no")

    with pytest.raises(ServiceUnavailableError):
        stock("881")


@pytest.mark.parametrize(("ttl", "stale"), [(0.0, None), (None, -1.0)])
def test_times_that_are_none_are_refused(ttl: float | None, stale: float | None) -> None:
    """When the layer is made."""
    with pytest.raises(ValueError, match=r"Cached\.(ttl|stale) must be"):
        Cached(ttl=ttl, stale=stale)


# Many at once


class Slow:
    """Waits for a signal, counts its calls, then answers or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.error = error
        self.clock = SystemClock()

    def __call__(self) -> str:
        """Take a twentieth of a second."""
        self.calls += 1
        self.clock.sleep(0.05)
        if self.error is not None:
            raise self.error
        return "value"

    async def asynchronous(self) -> str:
        """Take as long on a loop."""
        self.calls += 1
        await self.clock.asleep(0.05)
        if self.error is not None:
            raise self.error
        return "value"


def test_threads_that_want_the_same_make_one_call() -> None:
    """The others get its result, and know that."""
    runtime = configure(reporters=[])
    with environment.activated(runtime):
        cache, slow = Cache("herd"), Slow()
        answers = herd(lambda: cache.answer("key", slow))
        seen = cache.statistics()
    runtime.close()

    assert [answer.value for answer in answers] == ["value"] * 20
    assert slow.calls == 1
    assert seen.shared + seen.hits == 19
    assert {answer.reason for answer in answers} <= {"", "shared"}


def test_tasks_that_want_the_same_make_one_call() -> None:
    """So do threads beside them, and tasks of other loops."""
    runtime = configure(reporters=[])
    cache, slow = Cache("herd"), Slow()

    async def ask() -> list[str]:
        return await asyncio.gather(*(cache.aget("key", slow.asynchronous) for _ in range(10)))

    with environment.activated(runtime):
        found = herd(lambda: asyncio.run(ask()), threads=3)
    runtime.close()

    assert found == [["value"] * 10] * 3
    assert slow.calls == 1


def test_threads_share_an_error_of_the_other_side_each_with_one_of_its_own() -> None:
    """One call fails for all."""
    runtime = configure(reporters=[])
    error = DependencyError("no", details={"host": "db"})
    entered: list[int] = []
    calls: list[int] = []
    cache = Cache("herd")

    def fail() -> str:
        calls.append(len(entered))
        while len(entered) < 20:
            SystemClock().sleep(0.001)
        SystemClock().sleep(0.3)  # they are about to wait
        raise error

    def ask() -> Exception:
        entered.append(1)
        with pytest.raises(DependencyError) as raised:
            cache.get("key", fail)
        return raised.value

    with environment.activated(runtime):
        errors = herd(ask)
    runtime.close()

    assert len(calls) == 1
    assert len({id(error) for error in errors}) == 20
    assert {str(each) for each in errors} == {str(error)}


def test_an_error_of_one_caller_is_not_that_of_the_others() -> None:
    """They ask one after the other, each with his own rights."""
    runtime = configure(reporters=[])
    cache, slow = Cache("herd"), Slow(ResourceNotFoundError("not for you"))

    def ask() -> None:
        with pytest.raises(ResourceNotFoundError):
            cache.get("key", slow)

    with environment.activated(runtime):
        herd(ask, threads=4)
    runtime.close()

    assert slow.calls == 4


def test_a_cancelled_call_leaves_the_others_one_that_goes_on() -> None:
    """The next of those who wait asks."""
    runtime = configure(reporters=[])
    cache, slow = Cache("herd"), Slow()

    async def run() -> tuple[str, int]:
        first = asyncio.ensure_future(cache.aget("key", slow.asynchronous))
        await SystemClock().asleep(0)
        second = asyncio.ensure_future(cache.aget("key", slow.asynchronous))
        await SystemClock().asleep(0.01)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second, slow.calls

    with environment.activated(runtime):
        assert asyncio.run(run()) == ("value", 2)
    runtime.close()


def test_who_has_waited_long_enough_asks_alone(runtime: RecordingRuntime) -> None:
    """Somebody's call that hangs holds up nobody for good."""
    cache = Cache("herd", wait=0.01)
    release, entered = threading.Event(), threading.Event()

    def hanging() -> str:
        entered.set()
        release.wait(10)
        return "late"

    found: list[str] = []

    def first() -> None:
        with environment.activated(runtime):
            found.append(cache.get("key", hanging))

    leader = threading.Thread(target=first)
    leader.start()
    assert entered.wait(10)
    value = cache.get("key", lambda: "alone")
    release.set()
    leader.join(10)

    assert (value, found) == ("alone", ["late"])


def test_nobody_waits_beyond_the_deadline(runtime: RecordingRuntime, clock: FakeClock) -> None:
    """Another process asks: this one gives up in time, and asks for nothing."""
    cache = Cache("herd", wait=60.0, store=RemoteStore(clock))
    runtime.caches.of(cache)
    live = runtime.caches["herd"]
    live._store.set("hf:herd:l:key", b"another", 900.0)
    factory = Factory()
    began = clock.monotonic()

    with deadline(2.0), pytest.raises(Exception, match="No time was left"):
        cache.get("key", factory)

    assert factory.calls == 0
    assert clock.monotonic() - began == pytest.approx(2.0)


def test_another_process_that_never_comes_back_is_waited_for_a_limited_time(
    runtime: RecordingRuntime, clock: FakeClock
) -> None:
    """Then one asks by oneself."""
    cache, factory = Cache("herd", wait=5.0, store=RemoteStore(clock)), Factory()
    runtime.caches.of(cache)
    runtime.caches["herd"]._store.set("hf:herd:l:key", b"another", 900.0)
    began = clock.monotonic()

    value = cache.get("key", factory)

    assert value == "value 1"
    assert clock.monotonic() - began == pytest.approx(5.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_does_not_wait_for_a_call_of_its_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread that makes it did not come along."""
    flights = Flights()
    flights.join("key")

    monkeypatch.setattr(os, "getpid", lambda: -1)
    _, leads = flights.join("key")

    assert leads


class Stubborn(DependencyError):
    """Cannot be copied."""

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("no copies")


def test_an_error_that_cannot_be_copied_is_not_shared() -> None:
    """Each caller gets one that was raised for him."""
    runtime = configure(reporters=[])
    cache, slow = Cache("herd", negative=(Stubborn,)), Slow(Stubborn("no"))

    def ask() -> None:
        with pytest.raises(Stubborn):
            cache.get("key", slow)

    with environment.activated(runtime):
        herd(ask, threads=3)
    runtime.close()

    assert slow.calls == 3


def test_a_pause_of_another_process_holds_here(runtime: RecordingRuntime, clock: FakeClock) -> None:
    """With a stale value nobody asks; without one whoever needs a value does, at once."""
    store = RemoteStore(clock)
    cache, factory = Cache("herd", ttl=10.0, store=store), Factory()
    cache.set("stale", "old")
    clock.advance(10.0)
    for key in ("stale", "none"):
        store.set(f"hf:herd:l:{key}", PAUSED, 30.0)
    began = clock.monotonic()

    answers = [cache.answer(key, factory) for key in ("stale", "none")]

    assert [(answer.value, answer.reason) for answer in answers] == [
        ("old", "back-off"),
        ("value 1", ""),
    ]
    assert clock.monotonic() == began


class Interrupted(MemoryStore):
    """Is interrupted while it gives a lease."""

    def add(self, key: str, value: object, ttl: float) -> bool:
        """Pass on what interrupts."""
        raise KeyboardInterrupt


def test_an_interrupt_within_the_store_leaves_nobody_waiting(runtime: RecordingRuntime) -> None:
    """The next caller leads."""
    cache = Cache("herd", store=Interrupted())

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            cache.get("key", Factory())

    assert cache.statistics().store_failures == 0


def test_without_a_thread_to_be_had_an_outage_goes_on(
    runtime: RecordingRuntime, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody hears of it, and the next caller tries again."""
    store = RemoteStore(clock)
    cache, factory = Cache("down", store=store, recovery=5.0), Factory()
    store.error = ConnectionError("refused")
    cache.get("key", factory)
    store.error = None
    clock.advance(5.0)

    def no_more(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_more)
        assert cache.get("other", factory) == "value 2"
    cache.get("third", factory)
    finish_probes()

    assert store.calls.count("get") >= 2
    assert runtime.recorded.names("cache.") == ["cache.store_failed", "cache.store_recovered"]


def test_a_tag_that_another_process_has_stamped_meanwhile_keeps_its_stamp(
    runtime: RecordingRuntime, clock: FakeClock
) -> None:
    """Who was first decides."""
    store = RemoteStore(clock)
    cache = Cache("tags", store=store)
    add = store.add

    def late(key: str, value: object, ttl: float) -> bool:
        if ":t:" in key:
            store.kept.set(key, b"theirs", ttl)
        return add(key, value, ttl)

    store.add = late  # type: ignore[method-assign]  # another process, between two calls of this one
    cache.set("key", 1, tags=("shoes",))

    assert cache.get("key") == 1
    assert store.kept.get("hf:tags:t:shoes") == b"theirs"


class Size(Enum):
    """A plain value, too."""

    SMALL = "s"


def test_enumerations_and_tuples_make_keys(runtime: RecordingRuntime) -> None:
    """They look the same in every process; a list does not stay the same."""
    factory = Factory()

    @Cache("sizes").cached()
    def stock_of(*args: object) -> str:
        return factory()

    values = [stock_of(Size.SMALL, (1, ("a",))), stock_of(Size.SMALL, (1, ("a",))), stock_of((1,))]

    assert values == ["value 1", "value 1", "value 2"]
    with pytest.raises(TypeError, match="called with a list"):
        stock_of((list[int](),))
