"""Whether a Redis is well: with real servers that hang, are away, load, or are replicas."""

import asyncio
import re
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from tests.integrations.conftest import need
from tests.integrations.health_checks import SECRET, SHORT, comes, course, left_behind, run, said
from tests.integrations.proxy import proxied
from tests.integrations.redis_server import RedisServer, own_redis

need("redis")

import redis  # noqa: E402  # after the library is known to be there
import redis.asyncio  # noqa: E402
from redis.backoff import NoBackoff  # noqa: E402
from redis.retry import Retry  # noqa: E402
from redis.sentinel import Sentinel  # noqa: E402

from holdfast.integrations.redis_health import RedisCheck  # noqa: E402

PORT = 6379
URL = f"redis://127.0.0.1:{PORT}/0"


@pytest.fixture
def server(tmp_path: Path) -> Generator[RedisServer]:
    """Give a server of one's own."""
    with own_redis(tmp_path) as made:
        yield made


@contextmanager
def client_of(url: str) -> Generator[Any]:
    """Give a client of redis-py."""
    client = cast("Any", redis.Redis).from_url(url)
    try:
        yield client
    finally:
        client.close()


@pytest.mark.service("redis")
def test_a_server_that_answers_passes() -> None:
    """It tells how long the answer took, and nothing else was asked."""
    result = run(RedisCheck(URL))

    assert (result.status.value, set(result.details)) == ("pass", {"round_trip"})


@pytest.mark.service("redis")
def test_an_outage_is_told_and_ends() -> None:
    """A server that hangs fails in its time-out, one that is away at once, and both recover."""
    assert course(lambda port: RedisCheck(f"redis://127.0.0.1:{port}", timeout=SHORT), PORT) == [
        ("pass", ""),
        ("fail", "Redis gives no answer in time"),
        ("pass", ""),
        ("fail", "Redis cannot be reached"),
        ("pass", ""),
    ]


@pytest.mark.service("redis")
def test_a_client_is_asked_on_a_connection_beside_its_own() -> None:
    """Its time-outs, its retries and its full pool do not count."""
    with proxied(PORT) as proxy:
        pool = redis.ConnectionPool(port=proxy.port, max_connections=1)
        with client_of(URL) as other:
            client = redis.Redis(connection_pool=pool)
            taken = cast("Any", pool).get_connection()
            check = RedisCheck(client, timeout=SHORT)
            found = [said(check)]
            proxy.stall()
            found.append(said(check))
            pool.release(taken)
            client.close()
            pool.disconnect()
            assert other.ping()

    assert found == [("pass", ""), ("fail", "Redis gives no answer in time")]


@pytest.mark.service("redis")
def test_runs_leave_nothing_behind() -> None:
    """No thread and no connection, whether it is there or not."""
    assert left_behind(RedisCheck(URL, writable=True)) == (0, 0)
    with proxied(PORT) as proxy:
        proxy.cut()
        assert left_behind(RedisCheck(f"redis://127.0.0.1:{proxy.port}")) == (0, 0)


def test_a_wrong_password_is_told_as_such(server: RedisServer) -> None:
    """Neither the right nor the wrong one is in what is said."""
    with client_of(server.url) as client:
        client.config_set("requirepass", SECRET)
    wrong = RedisCheck(f"redis://:wrong-{SECRET}@127.0.0.1:{server.port}/0")

    right = RedisCheck(f"redis://:{SECRET}@127.0.0.1:{server.port}/0")

    assert said(right) == ("pass", "")
    for check in (wrong, RedisCheck(server.url)):
        result = run(check)
        assert result.status.value == "fail"
        assert result.output == "Redis refuses the user or the password, or wants one"
        assert SECRET not in repr((result, check))


def test_a_user_who_may_not_ask_is_told_as_such(server: RedisServer) -> None:
    """The server would serve him, and PING or INFO is what he lacks."""
    with client_of(server.url) as client:
        client.acl_setuser("shop", enabled=True, passwords=[f"+{SECRET}"], commands=["+get"])
    check = RedisCheck(f"redis://shop:{SECRET}@127.0.0.1:{server.port}/0")

    assert said(check) == ("fail", "Redis lets this user run no PING or INFO")


def test_a_server_that_loads_is_told_as_such() -> None:
    """It answers LOADING to everything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        async def answer() -> tuple[str, str]:
            async def load(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                while data := await reader.read(4096):
                    asked = len(re.findall(rb"^\*\d+\r\n", data, re.MULTILINE))
                    writer.write(b"-LOADING Redis is loading the dataset in memory\r\n" * asked)
                writer.close()

            server = await asyncio.start_server(load, sock=listening)
            async with server:
                url = f"redis://127.0.0.1:{port}/0?protocol=2"
                return await asyncio.to_thread(said, RedisCheck(url))

        assert asyncio.run(answer()) == ("fail", "Redis is loading its data")


def test_a_replica_fails_where_writes_are_wanted(server: RedisServer, tmp_path: Path) -> None:
    """Once it is a primary, it passes; once a replica follows, it has enough."""
    with own_redis(tmp_path) as other, client_of(server.url) as client:
        client.replicaof("127.0.0.1", other.port)
        found = [said(RedisCheck(server.url, writable=True)), said(RedisCheck(server.url))]
        needy = RedisCheck(other.url, writable=True, min_replicas=1)
        assert comes(lambda: run(needy).status.value == "pass")
        client.replicaof("NO", "ONE")
        found.append(said(RedisCheck(server.url, writable=True)))
        assert comes(lambda: run(needy).status.value == "warn")
        result = run(needy)

    assert found == [
        ("fail", "Redis is a replica, and takes no writes"),
        ("pass", ""),
        ("pass", ""),
    ]
    assert (result.output, result.details["role"]) == ("0 of 1 replicas are connected", "master")


def test_memory_near_its_limit_is_degraded(server: RedisServer) -> None:
    """Without a limit of the server's there is no share of it."""
    check = RedisCheck(server.url, max_memory=0.01)
    without = said(check)
    with client_of(server.url) as client:
        client.config_set("maxmemory", "20mb")

    status, output = said(check)

    assert without == ("pass", "")
    assert (status, bool(re.fullmatch(r"\d+% of maxmemory is in use", output))) == ("warn", True)


def test_the_client_of_a_sentinel_is_used_as_it_is() -> None:
    """It knows itself which server to ask; a Sentinel that is away is a failure."""
    once: dict[str, Any] = {"socket_timeout": SHORT, "retry": Retry(NoBackoff(), 0)}
    sentinel = cast("Any", Sentinel)([("127.0.0.1", 1)], sentinel_kwargs=once)
    client = sentinel.master_for("shop", **once)

    status, output = said(RedisCheck(client))

    assert (status, output) == ("fail", "Redis cannot be reached")
    client.close()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"timeout": 0}, "timeout must be above 0 seconds and at most 86,400, not 0"),
        ({"min_replicas": -1}, "min_replicas must be 0 or more, not -1"),
        ({"max_memory": 2}, "a share above 0 and up to 1, not 2"),
        ({"target": f"redis://:{SECRET}/x@host"}, "the URL cannot be read"),
        ({"target": f"http://:{SECRET}@host"}, "it begins with redis://"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, Any], complaint: str) -> None:
    """The message names it, and shows no password."""
    with pytest.raises(ValueError, match=re.escape(complaint)) as refused:
        cast("Any", RedisCheck)(**{"target": URL, **options})

    assert SECRET not in str(refused.value)


def test_what_is_no_synchronous_client_is_refused() -> None:
    """The message says what to give instead."""
    with pytest.raises(TypeError, match="give it the URL"):
        RedisCheck(cast("Any", redis.asyncio.Redis()))
    with pytest.raises(TypeError, match="needs a URL or a client, not dict"):
        RedisCheck(cast("Any", {}))


def test_facts_of_one_server_are_not_asked_of_a_cluster() -> None:
    """Which of its servers would be meant?"""
    cluster = object.__new__(redis.RedisCluster)

    with pytest.raises(ValueError, match="of one server, not of a cluster"):
        RedisCheck(cluster, writable=True)
