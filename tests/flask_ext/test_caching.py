"""Caches over those of cachelib and Flask-Caching."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, current_app

from holdfast import DependencyError, environment
from holdfast.clock import SystemClock
from holdfast.resilience.cache import Cache
from holdfast.runtime import Runtime
from holdfast.starting import configure
from holdfast_flask.caching import CachelibStore, signed_pickle
from tests.core.herd import herd

cachelib = pytest.importorskip("cachelib")


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """Give a runtime that goes by the machine's time, as cachelib does."""
    made = configure(reporters=[])
    with environment.activated(made):
        yield made
    made.close()


@pytest.fixture(params=["simple", "files"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Cache:
    """Give a cache over each kind."""
    made: object = (
        cachelib.SimpleCache()
        if request.param == "simple"
        else cachelib.FileSystemCache(str(tmp_path))
    )
    return Cache("prices", store=CachelibStore(made))


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


def test_who_waits_for_a_network_or_a_disk_is_known(tmp_path: Path) -> None:
    """An event loop leaves that to a thread."""
    assert not CachelibStore(cachelib.SimpleCache()).blocking
    assert CachelibStore(cachelib.FileSystemCache(str(tmp_path))).blocking


class Expired:
    """A cache whose `add` minds what has expired, as that of files does."""

    def __init__(self) -> None:
        self.there = {"key"}

    def get(self, key: str) -> object:
        """Return nothing: it has expired."""
        return None

    def delete(self, key: str) -> bool:
        """Forget it."""
        self.there.discard(key)
        return True

    def add(self, key: str, value: object, timeout: int) -> bool:
        """Refuse what is there."""
        return key not in self.there


def test_what_has_expired_is_not_in_the_way() -> None:
    """A lease that was never given back ends with its time."""
    assert CachelibStore(Expired()).add("key", b"token", 1.0)


def test_a_cache_that_says_it_failed_counts_as_down(runtime: Runtime) -> None:
    """cachelib returns False where others raise."""

    class Full(cachelib.SimpleCache):  # type: ignore[misc, name-defined]  # cachelib may be missing
        """Takes nothing."""

        def set(self, *args: object, **kwargs: object) -> bool:
            """Fail."""
            return False

    cache = Cache("full", store=CachelibStore(Full()))

    assert cache.get("key", lambda: "computed") == "computed"
    assert cache.statistics().store_failures == 1


def test_the_cache_of_flask_caching_is_that_of_the_application(runtime: Runtime) -> None:
    """And stays at hand for threads that have none."""
    flask_caching = pytest.importorskip("flask_caching")
    extension = flask_caching.Cache()
    app = Flask("shop")
    app.config["CACHE_TYPE"] = "SimpleCache"
    extension.init_app(app)
    store = CachelibStore(extension)

    with app.app_context():
        cache = Cache("prices", store=store)
        cache.set("key", 12.5)
        values = herd(lambda: cache.get("key"))

    assert values == [12.5] * 20
    assert cache.get("key") == 12.5


class Extension:
    """Finds its cache through the application at hand, as Flask-Caching's does."""

    @property
    def cache(self) -> object:
        """The cache of the application."""
        return current_app.extensions["test-cache"]


def test_an_extension_is_first_used_within_its_application() -> None:
    """After that a thread of no application finds the cache of the last."""
    store = CachelibStore(Extension())
    app = Flask("shop")
    app.extensions["test-cache"] = cachelib.SimpleCache()

    with pytest.raises(RuntimeError):
        store.get("key")
    with app.app_context():
        store.set("key", b"value", 60.0)

    assert store.get("key") == b"value"
    store.delete("key")
    assert store.get("key") is None


def test_signatures_are_made_with_the_secret_key() -> None:
    """And those of former keys are taken."""
    app, before = Flask("shop"), Flask("shop")
    before.secret_key = "old"
    app.secret_key, app.config["SECRET_KEY_FALLBACKS"] = "new", ["old"]

    assert signed_pickle(app).secrets == (
        signed_pickle(app).secret,
        signed_pickle(before).secret,
    )
    with pytest.raises(ValueError, match="SECRET_KEY"):
        signed_pickle(Flask("shop"))
