"""A cache in Redis: one call for all processes, and none that waits for a server that is away."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from holdfast import DependencyError, environment
from holdfast.clock import SystemClock
from holdfast.resilience.cache import Cache, SignedPickle
from holdfast.starting import configure
from holdfast.testing import FakeClock, RecordingRuntime
from tests.core.cache_stores import finish_probes
from tests.integrations.conftest import need
from tests.integrations.redis_server import own_redis

need("redis")

import redis  # noqa: E402  # after it is known to be there

from holdfast.integrations.redis_cache import RedisStore, store  # noqa: E402

WORKER = Path(__file__).with_name("cache_worker.py")
URL = "redis://127.0.0.1:6379/0"
PROCESSES, THREADS = 4, 20

pytestmark = [pytest.mark.extra("redis")]


@pytest.fixture
def name() -> Iterator[str]:
    """Give a name for a cache that no other test has, and leave nothing of it in the server."""
    made = f"test-{os.urandom(6).hex()}"
    yield made
    client = redis.Redis.from_url(URL)  # pyright: ignore[reportUnknownMemberType]
    keys: list[bytes] = [*client.scan_iter(f"*{made}*")]  # pyright: ignore[reportUnknownMemberType]
    for key in keys:
        client.delete(key)
    client.close()


@pytest.fixture
def runtime() -> Iterator[RecordingRuntime]:
    """Give a fresh runtime."""
    made = RecordingRuntime()
    with environment.activated(made):
        yield made


def asked_by_all(name: str, mode: str) -> Counter[str]:
    """Let all threads of all processes ask at once; return what they got."""
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), URL, name, mode, str(THREADS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        found: Counter[str] = Counter()
        for worker in workers:
            out, _ = worker.communicate(timeout=40)
            found.update(cast("dict[str, int]", json.loads(out)))
        return found
    finally:
        for worker in workers:
            worker.kill()
            worker.wait(10)


def calls(name: str) -> int:
    """Return how often the function was called."""
    with redis.Redis.from_url(URL) as client:  # pyright: ignore[reportUnknownMemberType]
        return int(cast("bytes", client.get(f"{name}:calls") or b"0"))


@pytest.mark.service("redis")
def test_all_threads_of_all_processes_make_one_call_for_a_cold_key(name: str) -> None:
    """20 threads in each of four processes ask at once; one of them asks the function."""
    found = asked_by_all(name, "cold")

    assert calls(name) == 1
    assert found.total() == PROCESSES * THREADS
    assert {answer.split()[0] for answer in found} == {"new"}


@pytest.mark.service("redis")
def test_all_get_the_stale_value_when_the_one_call_fails(name: str) -> None:
    """One call in all, although the function keeps failing."""
    runtime = configure(reporters=[])
    with environment.activated(runtime):
        assert Cache(name, store=store(URL)).set("key", "old", 0.001)
    runtime.close()

    found = asked_by_all(name, "stale")

    assert calls(name) == 1
    assert found == {"old stale": PROCESSES * THREADS}


@pytest.mark.service("redis")
def test_redis_does_what_a_cache_asks_of_a_store(name: str, runtime: RecordingRuntime) -> None:
    """Values, tags, patterns, compression, and one trip for all tags."""
    cache = Cache(name, store=store(URL), compress_above=100)
    cache.get("user:1", lambda: "a" * 1_000, tags=("users", "paris"))
    cache.get("user:2", lambda: "b", tags=("users",))
    cache.get("user:[3]", lambda: "c")

    found = [cache.get(key) for key in ("user:1", "user:2", "user:[3]")]
    cache.invalidate_tag("paris")
    tagged = [cache.get(key) for key in ("user:1", "user:2", "user:[3]")]
    removed = cache.invalidate_pattern("user:*")

    assert found == ["a" * 1_000, "b", "c"]
    assert tagged == [None, "b", "c"]
    assert removed == 3
    assert [cache.get(key) for key in ("user:2", "user:[3]")] == [None, None]
    assert cache.statistics().single_flight == "store"


@pytest.mark.service("redis")
def test_names_of_caches_are_no_patterns(name: str, runtime: RecordingRuntime) -> None:
    """What is invalidated in one cache stays in another."""
    for each in (f"{name}*", f"{name}x"):
        Cache(each, store=store(URL)).set("key", each)

    Cache(f"{name}*", store=store(URL))  # another store object: the live cache is that of before
    removed = runtime.caches[f"{name}*"].spec.invalidate_pattern("*")

    assert removed == 1
    assert runtime.caches[f"{name}x"].spec.get("key") == f"{name}x"


def test_a_client_that_decodes_is_refused() -> None:
    """Entries are bytes."""
    client = redis.Redis(decode_responses=True)  # pyright: ignore[reportUnknownMemberType]

    with pytest.raises(ValueError, match="decode_responses"):
        RedisStore(client)


class Refusing:
    """A port that accepts connections, counts them, and answers nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close everything."""
        self._is_closing = True
        with socket.create_connection(("127.0.0.1", self.port)):
            self._thread.join(10)
        for each in self._open:
            each.close()
        self._socket.close()

    _is_closing = False

    def _accept(self) -> None:
        while not self._is_closing:
            connection, _ = self._socket.accept()
            self._open.append(connection)
            self.connections += 1


@pytest.fixture
def silent() -> Iterator[Refusing]:
    """Give a server that hangs."""
    made = Refusing()
    yield made
    made.close()


def test_a_server_that_hangs_is_waited_for_once(
    silent: Refusing, runtime: RecordingRuntime
) -> None:
    """One connection, and 200 answers."""
    url = f"redis://127.0.0.1:{silent.port}/0"
    cache = Cache("hangs", store=store(url, timeout=0.05))

    values = [cache.get(str(number), lambda: "computed") for number in range(200)]

    assert values == ["computed"] * 200
    assert silent.connections == 1
    assert cache.statistics().store_failures == 1


def test_a_server_that_dies_and_comes_back(tmp_path: Path, runtime: RecordingRuntime) -> None:
    """Nobody sees it but in the provenance of the answers."""
    clock = runtime.clock
    assert isinstance(clock, FakeClock)
    with own_redis(tmp_path) as server:
        cache = Cache("dies", store=store(server.url), recovery=5.0)
        cache.get("key", lambda: "before")
        server.kill()
        down = [cache.answer("key", lambda: "never") for _ in range(3)]
        new = cache.answer("other", lambda: "meanwhile")
        server.start()
        clock.advance(5.0)
        cache.get("key")
        finish_probes()
        back = cache.answer("key", lambda: "after")

    assert {(answer.value, answer.reason) for answer in down} == {("before", "store down")}
    assert new.value == "meanwhile"
    assert (back.value, back.source) == ("after", "computed")
    assert runtime.recorded.names("cache.") == ["cache.store_failed", "cache.store_recovered"]


@pytest.mark.service("redis")
@pytest.mark.anyio
async def test_on_an_event_loop_redis_is_asked_on_threads(name: str) -> None:
    """The loop goes on meanwhile; one call is made for all tasks."""
    runtime = configure(reporters=[])
    made = 0

    async def factory() -> str:
        nonlocal made
        made += 1
        await SystemClock().asleep(0)
        return "value"

    with environment.activated(runtime):
        cache = Cache(name, store=store(URL), codec=SignedPickle(b"sixteen bytes or"))
        values = await asyncio.gather(*(cache.aget("key", factory) for _ in range(50)))
    runtime.close()

    assert values == ["value"] * 50
    assert made == 1


@pytest.mark.service("redis")
def test_an_error_without_a_stale_value_comes_out_in_every_process(
    name: str, runtime: RecordingRuntime
) -> None:
    """And the lease is given back, so that the next caller asks at once."""
    cache = Cache(name, store=store(URL))

    def fail() -> str:
        raise DependencyError("no")

    for _ in range(2):
        with pytest.raises(DependencyError):
            cache.get("key", fail)

    assert cache.get("key", lambda: "value") == "value"
    assert cache.statistics().errors == 2
