"""Circuit breakers whose state is in Redis, by pybreaker's storage: beside workers of pybreaker's, and without Redis."""

import importlib
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pybreaker
import pytest

from holdfast.clock import SystemClock
from holdfast.resilience.breaker import CircuitBreaker, CircuitOpenError, CircuitRedisStorage
from tests.core.breakers import Heard, fail, is_refused, outcome, succeed, trip
from tests.integrations.redis_server import RedisServer, own_redis

pytestmark = pytest.mark.extra("redis")


class Fleet:
    """Workers around one Redis, which a test may kill."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.clients: list[Any] = []

    def client(self) -> Any:  # noqa: ANN401  # an optional library's
        """Return a client that does not try again."""
        redis = importlib.import_module("redis")
        once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        self.clients.append(redis.Redis(port=self.server.port, retry=once))
        return self.clients[-1]

    def worker(self, fallback: str = "closed", **options: Any) -> CircuitBreaker:  # noqa: ANN401  # those of a breaker
        """Return a breaker of ours, as one of several workers."""
        storage = CircuitRedisStorage("closed", self.client(), fallback_circuit_state=fallback)
        return CircuitBreaker(fail_max=2, state_storage=storage, **options)

    def stock_worker(self, fallback: str = "closed") -> pybreaker.CircuitBreaker:
        """Return a breaker of pybreaker's on the same keys."""
        storage = pybreaker.CircuitRedisStorage(
            "closed", self.client(), fallback_circuit_state=fallback
        )
        return pybreaker.CircuitBreaker(fail_max=2, state_storage=storage)

    def backdate(self) -> None:
        """Have the circuit be open for a minute already."""
        at = SystemClock().now() - timedelta(seconds=61)
        self.client().set("pybreaker:opened_at", int(at.timestamp()))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Run a Redis for some workers."""
    logger = logging.getLogger("pybreaker")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it logs a traceback per operation
    with own_redis(tmp_path) as server:
        fleet = Fleet(server)
        yield fleet
        for client in fleet.clients:
            client.close()
    logger.setLevel(level)


def is_made(breaker: pybreaker.CircuitBreaker) -> bool:
    """Tell whether a call is made."""
    return outcome(breaker.call, succeed) == "fine"


def test_the_loss_of_redis_closes_no_circuit(fleet: Fleet) -> None:
    """pybreaker's open circuit makes every call while Redis is down; ours none."""
    theirs, ours, heard = fleet.stock_worker(), fleet.worker(listeners=[Heard()]), Heard()
    ours.add_listener(heard)
    trip(ours)
    assert theirs.current_state == "open"

    fleet.server.kill()
    made = {"pybreaker": 0, "ours": 0}
    for _ in range(20):
        made["pybreaker"] += is_made(theirs)
        made["ours"] += is_made(ours)

    assert made == {"pybreaker": 20, "ours": 0}
    assert ours.state.name == "open"
    assert [told for told in heard.told if "->" in told] == ["closed -> open"]


def test_a_circuit_opens_without_redis_and_tells_it_later(fleet: Fleet) -> None:
    """The process counts by itself; when Redis is back, empty, all workers hear that it is open."""
    first, second = fleet.worker(), fleet.worker()
    assert first.call(succeed) == second.call(succeed) == "fine"
    fleet.server.kill()

    trip(first)
    assert is_refused(first)
    fleet.server.start()

    assert is_refused(first)
    assert is_refused(second)


def test_redis_that_forgot_everything_closes_no_circuit(fleet: Fleet) -> None:
    """Killed and started again while the circuit was open."""
    breaker = fleet.worker()
    trip(breaker)

    fleet.server.kill()
    fleet.server.start()

    assert is_refused(breaker)
    assert fleet.client().get("pybreaker:state") == b"open"


def test_a_fallback_to_open_refuses_and_ends(fleet: Fleet) -> None:
    """With pybreaker a call ends in a RecursionError."""
    theirs = fleet.stock_worker(fallback="open")
    ours = fleet.worker(fallback="open")
    assert ours.call(succeed) == "fine"

    fleet.server.kill()

    assert outcome(theirs.call, succeed) is RecursionError
    assert outcome(ours.call, succeed) is CircuitOpenError


def test_a_breaker_can_be_made_before_redis_answers(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """With pybreaker a site does not start; here the keys are made when they are first missed."""
    fleet.server.kill()
    assert isinstance(outcome(fleet.stock_worker), type)
    breaker = fleet.worker()
    assert breaker.call(succeed) == "fine"

    fleet.server.start()
    trip(breaker)

    assert fleet.client().get("pybreaker:state") == b"open"
    assert "does not answer yet" in capsys.readouterr().err


def test_one_worker_of_all_probes(fleet: Fleet) -> None:
    """Eight at once: with pybreaker each of them makes its single probe."""
    workers = [fleet.worker() for _ in range(8)]
    trip(workers[0])
    fleet.backdate()
    ready, over = Barrier(8), Barrier(8)
    made: list[int] = []

    def probe(number: int) -> None:
        ready.wait(20)
        with_lease = outcome(lambda: workers[number].call(probing, number))
        if with_lease is CircuitOpenError:
            over.wait(20)

    def probing(number: int) -> None:
        made.append(number)
        over.wait(20)  # until the seven others were refused

    threads = [Thread(target=probe, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert fleet.client().get("pybreaker:state") == b"closed"
    assert fleet.client().get("pybreaker:probe") is None


@pytest.mark.parametrize("opener", ["pybreaker", "ours"])
def test_workers_of_both_share_one_circuit(fleet: Fleet, opener: str) -> None:
    """A fleet may be switched one worker at a time: the keys are the same."""
    both: dict[str, pybreaker.CircuitBreaker] = {
        "pybreaker": fleet.stock_worker(),
        "ours": fleet.worker(),
    }
    first = both.pop(opener)
    (second,) = both.values()

    outcome(second.call, fail)
    outcome(first.call, fail)
    assert is_refused(second)
    assert is_refused(first)
    fleet.backdate()
    assert second.call(succeed) == "fine"

    assert first.call(succeed) == "fine"
    assert first.current_state == second.current_state == "closed"
    assert first.fail_counter == second.fail_counter == 0
