"""Caches over the project's own: one call for all threads, stale values, and outages survived."""

import os
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import caches
from django.test import override_settings

from holdfast import DependencyError, environment
from holdfast.clock import SystemClock
from holdfast.resilience.cache import Cache
from holdfast.runtime import Runtime
from holdfast.starting import configure
from holdfast_django.caching import DjangoStore, signed_pickle
from tests.conftest import is_importable, is_listening
from tests.core.herd import herd

BACKENDS = "django.core.cache.backends."


@pytest.fixture(params=["locmem", "files", "redis"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cache]:
    """Give a cache over each kind that the project may have."""
    if request.param == "redis" and not (is_listening(6379) and is_importable("redis")):
        pytest.skip("redis is not there")
    name = f"test-{os.urandom(6).hex()}"
    chosen = {
        "locmem": {"BACKEND": f"{BACKENDS}locmem.LocMemCache", "LOCATION": name},
        "files": {"BACKEND": f"{BACKENDS}filebased.FileBasedCache", "LOCATION": str(tmp_path)},
        "redis": {
            "BACKEND": f"{BACKENDS}redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:6379/0",
            "KEY_PREFIX": name,
        },
    }[request.param]
    with override_settings(CACHES={"default": chosen}):
        yield Cache(name, store=DjangoStore(), shadow=0)
        if request.param != "redis":
            caches["default"].clear()


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """Give a runtime that goes by the machine's time, as Django's caches do."""
    made = configure(reporters=[])
    with environment.activated(made):
        yield made
    made.close()


class Factory:
    """Takes a while, counts its calls, and fails when it is told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails = False
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """Return which call it was."""
        with self._lock:
            self.calls += 1
        SystemClock().sleep(0.05)
        if self.fails:
            raise DependencyError("no")
        return f"value {self.calls}"


def test_twenty_threads_make_one_call(cache: Cache, runtime: Runtime) -> None:
    """For a key that nobody has asked for."""
    factory = Factory()

    values = herd(lambda: cache.get("key", factory))

    assert values == ["value 1"] * 20
    assert factory.calls == 1


def test_twenty_threads_get_the_stale_value_of_a_call_that_fails(
    cache: Cache, runtime: Runtime
) -> None:
    """And make one call; the next ones make none."""
    cache.set("key", "old", 0.001)
    factory = Factory()
    factory.fails = True

    values = herd(lambda: cache.get("key", factory)) + herd(lambda: cache.get("key", factory))

    assert values == ["old"] * 40
    assert factory.calls == 1


def test_tags_work_on_every_cache(cache: Cache, runtime: Runtime) -> None:
    """They need nothing but values."""
    factory = Factory()
    for _ in range(2):
        cache.get("key", factory, tags=("shoes",))

    cache.invalidate_tag("shoes")

    assert cache.get("key", factory, tags=("shoes",)) == "value 2"


def test_patterns_are_refused(cache: Cache, runtime: Runtime) -> None:
    """Django's caches cannot list their keys."""
    with pytest.raises(TypeError, match="DjangoStore cannot list its keys"):
        cache.invalidate_pattern("*")


class Moved:
    """Pickled here, and not to be found when it is read."""


@override_settings(
    CACHES={"default": {"BACKEND": f"{BACKENDS}filebased.FileBasedCache", "LOCATION": "set below"}}
)
@pytest.mark.parametrize("broken", [b"", b"\x80\x04broken", pickle.dumps(Moved())])
def test_what_django_cannot_read_is_taken_for_missing(
    tmp_path: Path, runtime: Runtime, broken: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its serializer raises for it; the cache is not down for that."""
    backend = caches["default"]
    monkeypatch.setattr(backend, "_dir", str(tmp_path))
    cache, factory = Cache("broken", store=DjangoStore()), Factory()

    def read(*_: object) -> object:
        return pickle.loads(broken)  # noqa: S301  # as the backend does

    cache.get("key", factory)
    with monkeypatch.context() as patched:
        patched.setattr(Moved, "__module__", "gone")
        patched.delattr("tests.django_ext.test_caching.Moved", raising=False)
        patched.setattr(type(backend), "get", read)
        value = cache.get("key", factory)

    assert value == "value 2"
    assert cache.statistics().decode_errors >= 1
    assert cache.statistics().store_failures == 0


@pytest.mark.extra("redis")
@override_settings(
    CACHES={
        "default": {"BACKEND": f"{BACKENDS}redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
)
def test_a_cache_that_is_down_is_tried_once(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call of Django's cache for a hundred values."""
    calls: list[str] = []
    kind = type(caches["default"])
    get = kind.get

    def counted(self: object, key: str, *args: object) -> object:
        calls.append(key)
        return get(self, key, *args)  # type: ignore[arg-type]  # the backend itself

    monkeypatch.setattr(kind, "get", counted)
    cache = Cache("down", store=DjangoStore())

    values = [cache.get(str(number), lambda: "computed") for number in range(100)]

    assert values == ["computed"] * 100
    assert len(calls) == 1
    assert cache.statistics().store_failures == 1


@override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"])
def test_signatures_are_made_with_the_secret_key(runtime: Runtime) -> None:
    """And those of former keys are taken."""
    with override_settings(SECRET_KEY="old", SECRET_KEY_FALLBACKS=[]):
        before = signed_pickle()

    assert signed_pickle().secrets == (signed_pickle().secret, before.secret)
    assert signed_pickle().secret != before.secret


def test_stores_of_one_alias_are_equal() -> None:
    """So that two caches of the same options are the same cache."""
    assert DjangoStore() == DjangoStore("default")
    assert DjangoStore() != DjangoStore("other")
    assert hash(DjangoStore()) == hash(DjangoStore())
