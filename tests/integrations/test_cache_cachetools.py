"""An embedded store of cachetools."""

import pytest

from holdfast import environment
from holdfast.resilience.cache import Cache
from holdfast.testing import FakeClock, RecordingRuntime
from tests.integrations.conftest import need

need("cachetools")

from holdfast.integrations.cachetools import CachetoolsStore  # noqa: E402  # after it is there

pytestmark = [pytest.mark.extra("cachetools")]


def test_it_does_what_a_cache_asks_of_a_store() -> None:
    """Values as they are, tags, patterns, expiry."""
    runtime = RecordingRuntime()
    clock = runtime.clock
    assert isinstance(clock, FakeClock)
    with environment.activated(runtime):
        cache = Cache("prices", ttl=10.0, stale=10.0, store=CachetoolsStore(clock=clock))
        value = object()
        cache.set("user:1", value, tags=("users",))
        cache.set("user:2", value)
        same = cache.get("user:1") is cache.get("user:2") is value
        cache.invalidate_tag("users")
        found = [cache.get("user:1"), cache.get("user:2")]
        removed = cache.invalidate_pattern("user:*")
        cache.set("old", 1)
        clock.advance(20.0)

        assert same
        assert found == [None, value]
        assert removed == 2
        assert cache.get("old") is None
        assert cache.purge() == 1


def test_the_least_recently_used_entry_goes_first() -> None:
    """By the exact order of use."""
    store = CachetoolsStore(max_entries=2)
    for key in ("a", "b"):
        store.set(key, key, 60.0)
    store.get("a")

    store.set("c", "c", 60.0)

    assert [store.get(key) for key in ("a", "b", "c")] == ["a", None, "c"]
    assert len(store) == 2


def test_bytes_can_be_bounded() -> None:
    """Keys and values together; what is too large is not kept, and puts nothing out of order."""
    with environment.activated(RecordingRuntime()):
        cache = Cache("prices", store=CachetoolsStore(max_bytes=2_000))
        for number in range(100):
            cache.set(str(number), "a" * 300)
        large = "a" * 3_000

        assert cache.get("large", lambda: large) == large
        assert cache.get("large") is None
        assert cache.get("99") == "a" * 300
        assert cache.get("0") is None
        assert 1 <= (cache.statistics().size or 0) <= 6
        assert cache.statistics().store_failures == 0


def test_a_lease_is_given_once() -> None:
    """Until its time is over, or it is given back."""
    clock = FakeClock()
    store = CachetoolsStore(clock=clock)

    first, second = store.add("key", b"1", 10.0), store.add("key", b"2", 10.0)
    clock.advance(10.0)

    assert (first, second, store.add("key", b"3", 10.0)) == (True, False, True)
    store.delete("key")
    store.delete("key")
    assert store.get("key") is None


def test_a_store_that_keeps_nothing_is_refused() -> None:
    """As an embedded one is."""
    with pytest.raises(ValueError, match="able to keep something"):
        CachetoolsStore(0)
