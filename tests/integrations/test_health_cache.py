"""Whether a cache keeps what it is given: real caches, in memory and in Redis, and some that go wrong."""

import importlib
from collections.abc import Generator
from typing import Any, cast

import pytest

from holdfast import Cache, environment
from holdfast.health.checks.cache import CacheCheck
from holdfast.resilience.cache.memory import MemoryStore
from holdfast.testing import FakeClock, RecordingRuntime
from tests.integrations.health_checks import comes, left_behind, run, said
from tests.integrations.proxy import proxied


class Odd:
    """A cache that answers what it was told to."""

    def __init__(self, answer: object = None, found: object = None) -> None:
        self.answer, self.found = answer, found
        self.asked: set[str] = set()
        self.deleted: set[str] = set()

    def get(self, key: str) -> object:
        """Return what it was told to, or raise it."""
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def set(self, key: str, value: str, seconds: int) -> object:
        """Keep nothing."""
        self.asked.add(key)
        return self.answer

    def delete(self, key: str) -> None:
        """Note the key."""
        self.deleted.add(key)


@pytest.fixture
def runtime() -> Generator[RecordingRuntime]:
    """Give the caches of a test a runtime of their own."""
    made = RecordingRuntime()
    with environment.activated(made):
        yield made


@pytest.mark.parametrize("kind", ["cache", "store"])
def test_a_cache_that_keeps_what_it_is_given_passes(kind: str, runtime: RecordingRuntime) -> None:
    """Nothing of it stays in the cache."""
    store = MemoryStore()
    cache = Cache("health", store=store) if kind == "cache" else store

    result = run(CacheCheck(cast("Any", cache)), runtime.health)
    assert (result.status.value, result.details) == ("pass", {})
    assert len(store) == 0


@pytest.mark.extra("redis")
@pytest.mark.service("redis")
def test_a_cache_in_redis_fails_while_that_is_away(runtime: RecordingRuntime) -> None:
    """What the cache keeps in this process for outages does not hide it; a client is checked as well."""
    redis_cache = importlib.import_module("holdfast.integrations.redis_cache")
    with proxied(6379) as proxy:
        store = redis_cache.store(f"redis://127.0.0.1:{proxy.port}/0")
        checks = [
            CacheCheck(Cache("health", store=store, recovery=5.0)),
            CacheCheck(store),
            CacheCheck(store._client),
        ]
        well = [said(check, runtime.health) for check in checks]
        left = len(list(store.iterate("holdfast:health:")))
        proxy.cut()
        away = [said(check, runtime.health) for check in checks]
        proxy.restore()
        cast("FakeClock", runtime.clock).advance(5.0)
        # The first look has the cache try its store, in the background.
        comes(lambda: said(checks[0], runtime.health)[0] == "pass")
        back = [said(check, runtime.health) for check in checks]
        store._client.close()

    assert (well, left) == ([("pass", "")] * 3, 0)
    assert away == [
        ("fail", "the cache takes no values"),
        ("fail", "redis.exceptions.ConnectionError"),
        ("fail", "redis.exceptions.ConnectionError"),
    ]
    assert back == well


@pytest.mark.parametrize(
    ("cache", "output"),
    [
        (Odd(answer=False), "the cache takes no values"),
        (Odd(), "the cache did not keep a value"),
        (Odd(found="of somebody else"), "the cache gave back another value"),
        (Odd(found=["no", "hash"]), "the cache gave back another value"),
        (Odd(found=ConnectionError("gone")), "ConnectionError"),
    ],
)
def test_a_cache_that_goes_wrong_fails(cache: Odd, output: str) -> None:
    """And what was written is deleted, whatever went wrong after it."""
    result = run(CacheCheck(cache, prefix="shop:"))

    assert (result.status.value, result.output) == ("fail", output)
    assert cache.deleted == (set() if cache.answer is False else cache.asked)
    assert all(key.startswith("shop:") for key in cache.asked)


def test_every_look_has_a_key_of_its_own() -> None:
    """Looks at the same time do not meet; nothing is left behind."""
    cache = Odd()

    assert left_behind(CacheCheck(cache)) == (0, 0)
    assert len(cache.asked) == 21


class Later:
    """A cache whose methods are asynchronous."""

    async def get(self, key: str) -> object:
        """Return nothing."""

    async def set(self, key: str, value: str, seconds: int) -> None:
        """Keep nothing."""

    async def delete(self, key: str) -> None:
        """Delete nothing."""


def test_what_is_no_plain_cache_is_refused() -> None:
    """The message names what it lacks."""
    with pytest.raises(TypeError, match=r"dict has no set\(\) that is synchronous"):
        CacheCheck(cast("Any", {}))
    with pytest.raises(TypeError, match=r"Later has no get\(\) that is synchronous"):
        CacheCheck(cast("Any", Later()))
    with pytest.raises(ValueError, match="ttl must be above 0 seconds, not 0"):
        CacheCheck(Odd(), ttl=0)
