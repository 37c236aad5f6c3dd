"""A cache whose keys, times and callers are not what anybody planned."""

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any, cast

import pytest

from holdfast.flow import drive
from holdfast.resilience.cache import Answer, Cache, Cached, MemoryStore, Source, Store
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.cache_stores import Factory, RemoteStore, finish_probes


@pytest.fixture
def clock(runtime: RecordingRuntime) -> FakeClock:
    """Give the clock of the test's runtime."""
    return cast("FakeClock", runtime.clock)


def test_a_key_that_looks_like_the_hash_of_another_is_not_that_one(clock: FakeClock) -> None:
    """Who chooses a key cannot read what is kept under another."""
    cache = Cache("prices", store=RemoteStore(clock))
    cache.set("price of 881", "secret")

    hashed = hashlib.sha256(b"price of 881").hexdigest()[:32]

    assert cache.get(f"#{hashed}") is None


def _here(clock: FakeClock) -> Store:
    return MemoryStore(clock=clock)


@pytest.mark.parametrize("store", [RemoteStore, _here])
def test_no_key_of_one_cache_is_one_of_another(
    store: Callable[[FakeClock], Store], clock: FakeClock
) -> None:
    """Not even where the name of the other says how keys are made."""
    shared = store(clock)
    one, other = Cache("prices", store=shared), Cache("prices:v:eu", store=shared)

    one.set("eu:v:881", "one")

    assert other.get("881") is None


@pytest.mark.parametrize("remote", [True, False], ids=["bytes", "objects"])
def test_a_key_that_is_no_text_is_refused(*, remote: bool, clock: FakeClock) -> None:
    """By reading and by writing, and the error says what it was."""
    cache = Cache("prices", store=RemoteStore(clock) if remote else None)

    key = cast("str", 881)

    calls: list[Callable[[], object]] = [
        partial(cache.get, key),
        partial(cache.set, key, 1),
        partial(cache.invalidate, key),
    ]

    for call in calls:
        with pytest.raises(TypeError, match="the key of a cache must be a text, not a int"):
            call()


def test_an_error_of_a_store_stays_what_it_is(runtime: RecordingRuntime) -> None:
    """A store that keeps objects is asked without a guard, and its errors are its own."""

    class Broken(MemoryStore):
        def get(self, key: str) -> object:
            raise TypeError("broken")

    with pytest.raises(TypeError, match="broken"):
        Cache("prices", store=Broken()).get("881")


@pytest.mark.parametrize("ttl", [float("nan"), float("inf"), 1e300, -1.0])
def test_a_time_that_is_none_is_refused_and_the_store_stays(ttl: float, clock: FakeClock) -> None:
    """A mistake of one caller is no outage for all of them."""
    cache, factory = Cache("prices", store=RemoteStore(clock)), Factory()

    with pytest.raises(ValueError, match="ttl must be at least 0"):
        cache.get("881", factory, ttl=ttl)
    with pytest.raises(ValueError, match="ttl must be at least 0"):
        cache.set("881", 1, ttl=ttl)

    assert factory.calls == cache.statistics().store_failures == 0


@pytest.mark.parametrize("option", ["ttl", "stale"])
def test_a_layer_takes_no_time_that_is_none(option: str) -> None:
    """When it is made."""
    with pytest.raises(ValueError, match=f"Cached.{option} must be"):
        Cached(**cast("dict[str, Any]", {option: float("nan")}))


def test_one_text_is_not_taken_for_several_tags(runtime: RecordingRuntime) -> None:
    """Its letters would be."""
    cache, factory = Cache("prices"), Factory()
    tags = cast("tuple[str, ...]", "prices")

    with pytest.raises(TypeError, match="tags must be several texts"):
        cache.get("881", factory, tags=tags)
    with pytest.raises(TypeError, match="tags must be several texts"):
        cache.set("881", 1, tags=tags)

    assert factory.calls == 0


@pytest.mark.parametrize("remote", [True, False], ids=["remote", "here"])
def test_a_function_that_asks_for_its_own_key_does_not_wait_for_itself(
    *, remote: bool, runtime: RecordingRuntime, clock: FakeClock
) -> None:
    """It is called once more, as it would be without a cache."""
    cache, depth = Cache("prices", store=RemoteStore(clock) if remote else None), [0]

    def ask() -> int:
        depth[0] += 1
        return 12 if depth[0] == 3 else cache.get("881", ask)

    began = clock.monotonic()

    assert (cache.get("881", ask), depth) == (12, [3])
    assert clock.monotonic() == began


def test_a_coroutine_that_asks_for_its_own_key_does_not_wait_for_itself(
    runtime: RecordingRuntime, clock: FakeClock
) -> None:
    """Nor do tasks that it waits for."""
    cache, depth = Cache("prices"), [0]

    async def ask() -> int:
        depth[0] += 1
        return 12 if depth[0] == 2 else await asyncio.create_task(cache.aget("881", ask))

    began = clock.monotonic()

    assert asyncio.run(cache.aget("881", ask)) == 12
    assert clock.monotonic() == began


def test_a_forked_child_asks_for_what_its_parent_is_asking_for(
    runtime: RecordingRuntime, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease of a store in this process came along, and nobody will give it back."""
    cache, child = Cache("prices"), Factory()
    began = clock.monotonic()

    def parent() -> object:
        live = runtime.caches["prices"]
        with monkeypatch.context() as patched:
            patched.setattr(os, "getpid", lambda: -1)
            return Context().run(drive, live.answer("881", child)).value

    answer = cache.get("881", parent)

    assert answer == Answer("value 1", Source.COMPUTED)
    assert clock.monotonic() == began


class Hesitating(RemoteStore):
    """Lets a call wait until it is told to go on: that for a lease, or the one after it.

    Attributes:
        entered: Set when the call is there.
        go_on: Lets it.
    """

    def __init__(self, clock: FakeClock, which: str) -> None:
        super().__init__(clock)
        self.entered, self.go_on = threading.Event(), threading.Event()
        self._which = which

    def _called(self, name: str) -> None:
        super()._called(name)
        if name == self._which and "add" in self.calls and not self.entered.is_set():
            self.entered.set()
            assert self.go_on.wait(10)


@pytest.mark.parametrize("which", ["add", "get"])
def test_a_call_that_is_cancelled_within_the_store_gives_its_lease_back(
    which: str, runtime: RecordingRuntime, clock: FakeClock
) -> None:
    """No process waits for somebody who is gone."""
    store = Hesitating(clock, which)
    cache = Cache("prices", store=store)

    async def ask() -> int:
        return 12

    async def main() -> None:
        leader = asyncio.create_task(cache.aget("881", ask))
        await asyncio.to_thread(store.entered.wait, 10)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        store.go_on.set()

    asyncio.run(main())  # waits for the threads of the loop
    finish_probes()

    assert store.kept.get("hf:prices:l:881") is None
    assert cache.get("881", lambda: 13) == 13


def test_a_clock_that_goes_back_makes_no_value_younger_than_it_is(
    runtime: RecordingRuntime, clock: FakeClock
) -> None:
    """Who wrote it may have another clock."""
    cache = Cache("prices", store=RemoteStore(clock))
    cache.set("881", 12)

    clock.advance(-30.0)

    assert cache.answer("881", Factory()).age == 0.0


@pytest.mark.parametrize(
    "value", [b"", b"hfc\x01", b"hfc\x01" + b"\xff" * 40, b"hfc\x02" + b"\x00" * 80]
)
def test_what_cannot_be_read_takes_no_lease_away(value: bytes, clock: FakeClock) -> None:
    """Somebody may be asking at that moment, and what he learns is kept."""
    store = RemoteStore(clock)
    cache = Cache("prices", store=store)
    cache.set("881", 12)
    store.kept.set(store.entry_name(), value, 60.0)
    store.kept.set("hf:prices:l:881", b"another", 60.0)

    assert cache.get("881") is None

    assert store.kept.get("hf:prices:l:881") == b"another"
    assert store.kept.get("hf:prices:v:881") is None
