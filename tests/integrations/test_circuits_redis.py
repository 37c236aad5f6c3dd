"""Circuits of eight processes through one Redis: quorum, one probe, Redis killed, pybreaker beside."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypedDict, cast

import pytest

from holdfast.clock import SystemClock
from tests.integrations.conftest import need
from tests.integrations.redis_server import RedisServer, own_redis

need("redis")

import pybreaker  # noqa: E402  # with what is known to be there
import redis  # noqa: E402  # after it is known to be there

pytestmark = pytest.mark.timeout(240)  # machines may be busy with other tests

ROOT = Path(__file__).parents[2]
WORKERS = 8
PROMISE = 2.0
"""Seconds within which the fleet opens, once the last that it takes has opened its own circuit."""
PATIENCE = 100.0
"""Seconds after which a test no longer waits for something."""
CLOCK = SystemClock()


class Seen(TypedDict):
    """What a worker says."""

    state: str
    opened_at: float
    calls: int
    refusals: int
    exchanges: int
    touched: list[str]
    events: list[str]
    reason: str


class Worker:
    """One process."""

    def __init__(self, told: dict[str, object]) -> None:
        path = str(Path(__file__).with_name("circuit_worker.py"))
        self._process = subprocess.Popen(
            [sys.executable, path, json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def tell(self, line: str) -> None:
        """Tell it what its calls come to."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def look(self) -> Seen:
        """Return what it knows."""
        self.tell("look")
        assert self._process.stdout is not None
        return cast("Seen", json.loads(self._process.stdout.readline()))

    def kill(self) -> None:
        """Kill it, as by the lack of memory."""
        self._process.kill()
        self._process.communicate()

    def end(self) -> None:
        """Let it end as processes do."""
        with suppress(BrokenPipeError, ValueError):
            self._process.communicate(timeout=20)


class Dependency:
    """A server that the workers call: down, up, or with its answers held back; it counts."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._answer = "n"
        self._lock = threading.Lock()
        self._held: list[socket.socket] = []
        self.requests = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def answer(self, answer: str) -> None:
        """Answer `y`, `n`, or hold all answers back (an empty text)."""
        with self._lock:
            self._answer = answer

    @property
    def held(self) -> int:
        """How many calls wait for their answer."""
        with self._lock:
            return len(self._held)

    def release(self, answer: str) -> None:
        """Answer those that wait."""
        with self._lock:
            held, self._held = self._held, []
        for connection in held:
            self._send(connection, answer)

    def close(self) -> None:
        """Stop."""
        self.release("n")
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(20)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with self._lock:
                    self.requests += 1
                    answer = self._answer
                    if not answer:
                        self._held.append(connection)
                if answer:
                    self._send(connection, answer)

    def _send(self, connection: socket.socket, answer: str) -> None:
        with connection, suppress(OSError):
            connection.sendall(answer.encode())


class Fleet:
    """Eight workers, one Redis, and what they call."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.dependency = Dependency()
        self.workers: list[Worker] = []

    def start(self, *, quorum: float, recovery: float, stock: dict[str, str] | None = None) -> None:
        """Start the workers, and wait until they know each other."""
        told: dict[str, object] = {
            "url": self.server.url,
            "port": self.dependency.port,
            "quorum": quorum,
            "recovery": recovery,
            "stock": stock or {},
        }
        self.workers = [Worker(told) for _ in range(WORKERS)]
        self.until(lambda: all(seen["exchanges"] > 1 for seen in self.look()))

    def tell(self, line: str, *workers: int) -> None:
        """Tell all workers, or those that are named."""
        for worker in workers or range(WORKERS):
            self.workers[worker].tell(line)

    def look(self) -> list[Seen]:
        """Return what each knows."""
        return [worker.look() for worker in self.workers]

    def states(self) -> list[str]:
        """Return the state of each."""
        return [seen["state"] for seen in self.look()]

    def break_down(self) -> None:
        """Let what all call fail, until the fleet is open and all follow."""
        self.dependency.answer("n")
        self.tell("depend")
        self.until(
            lambda: record(self).get("state") == "open" and self.states() == ["open"] * WORKERS
        )

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        begun = CLOCK.monotonic()
        while not holds():
            waited = CLOCK.monotonic() - begun
            assert waited < PATIENCE, (waited, self.look() if self.workers else "")
            CLOCK.sleep(0.05)

    def exchange(self, times: int = 3) -> None:
        """Wait until each worker has exchanged so often."""
        before = [seen["exchanges"] for seen in self.look()]
        self.until(
            lambda: all(
                seen["exchanges"] >= exchanges + times
                for seen, exchanges in zip(self.look(), before, strict=True)
            )
        )

    def close(self) -> None:
        """Let nothing of it stay."""
        for worker in self.workers:
            worker.end()
        self.dependency.close()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Give a fleet that this test alone uses."""
    with own_redis(tmp_path) as server:
        made = Fleet(server)
        try:
            yield made
        finally:
            made.close()


def test_the_fleet_opens_by_quorum_and_not_by_one(
    fleet: Fleet, record_property: Callable[[str, object], None]
) -> None:
    """One worker that sees failures opens itself, five open themselves, with the sixth all eight open."""
    fleet.start(quorum=0.75, recovery=60.0)

    fleet.tell("fail", 0)
    fleet.until(lambda: fleet.states()[0] == "open")
    fleet.exchange()
    with_one = fleet.states()
    fleet.tell("fail", 1, 2, 3, 4)
    fleet.until(lambda: fleet.states()[:5] == ["open"] * 5)
    fleet.exchange()
    with_five = fleet.states()
    fleet.tell("fail", 5)
    fleet.until(lambda: fleet.states() == ["open"] * WORKERS)
    times = [seen["opened_at"] for seen in fleet.look()]
    seconds = max(times) - times[5]

    assert with_one == ["open"] + ["closed"] * 7
    assert with_five == ["open"] * 5 + ["closed"] * 3
    assert fleet.workers[7].look()["reason"] == "6 of 8 workers opened it"
    assert seconds <= PROMISE
    record_property("seconds_to_open", seconds)


def test_one_probe_fleet_wide(fleet: Fleet) -> None:
    """While one call is on its way to what was down, no worker makes another; its end is everybody's."""
    fleet.start(quorum=0.5, recovery=2.0)
    fleet.break_down()
    fleet.dependency.answer("")
    fleet.until(lambda: fleet.dependency.held == 1)
    requests = fleet.dependency.requests

    fleet.exchange(6)
    while_one_waits = fleet.dependency.requests - requests
    fleet.dependency.release("n")
    fleet.until(lambda: fleet.dependency.held == 1)
    fleet.exchange()
    after_it_failed = fleet.dependency.requests - requests
    states = fleet.states()
    fleet.dependency.answer("y")
    fleet.dependency.release("y")
    fleet.until(lambda: fleet.states() == ["closed"] * WORKERS)

    assert while_one_waits == 0
    assert after_it_failed == 1
    assert sorted(states) == ["half-open"] + ["open"] * 7


def test_a_worker_that_dies_while_it_probes_is_succeeded(fleet: Fleet) -> None:
    """Its leave runs out by the server's clock; then another probes, and the fleet recovers."""
    fleet.start(quorum=0.5, recovery=2.0)
    fleet.break_down()
    fleet.dependency.answer("")
    fleet.until(lambda: "half-open" in fleet.states() and fleet.dependency.held == 1)

    fleet.workers.pop(fleet.states().index("half-open")).kill()
    fleet.dependency.answer("y")
    fleet.until(lambda: fleet.states() == ["closed"] * (WORKERS - 1))

    assert fleet.dependency.held == 1


def test_redis_killed_closes_nothing_and_stops_nobody(fleet: Fleet) -> None:
    """Killed and started again, empty: what was open stays open, and only one thread ever waited for it."""
    fleet.start(quorum=0.75, recovery=60.0)
    fleet.tell("fail", 0, 1, 2, 3, 4, 5)
    fleet.until(lambda: fleet.states() == ["open"] * WORKERS)

    fleet.server.kill()
    fleet.until(lambda: all("sharing.lost" in seen["events"] for seen in fleet.look()))
    fleet.exchange(2)
    while_away = fleet.states()
    fleet.server.start()
    fleet.until(lambda: all("sharing.restored" in seen["events"] for seen in fleet.look()))
    fleet.exchange()

    assert while_away == fleet.states() == ["open"] * WORKERS
    for seen in fleet.look():
        assert seen["touched"] == ["holdfast-circuits"]
        assert seen["refusals"] > 0
        assert "circuit.closed" not in seen["events"]
        assert seen["events"].count("sharing.lost") == seen["events"].count("sharing.restored") == 1
    assert record(fleet)["state"] == "open"


def test_each_recovers_by_itself_while_redis_is_away(fleet: Fleet) -> None:
    """What is down keeps every circuit open; when it is up again, each closes by a probe of its own."""
    fleet.start(quorum=0.5, recovery=2.0)
    fleet.break_down()
    fleet.server.kill()
    requests = fleet.dependency.requests

    fleet.until(lambda: fleet.dependency.requests >= requests + 2 * WORKERS)
    events = [name for seen in fleet.look() for name in seen["events"]]
    fleet.dependency.answer("y")
    fleet.until(lambda: fleet.states() == ["closed"] * WORKERS)

    assert "circuit.closed" not in events


def test_a_redis_that_hangs_holds_up_no_call(fleet: Fleet) -> None:
    """It takes connections and answers nothing: calls go on, and what is open stays open."""
    fleet.start(quorum=0.75, recovery=60.0)
    fleet.tell("fail", 0)
    fleet.until(lambda: fleet.states()[0] == "open")
    fleet.server.stop()
    fleet.until(lambda: all("sharing.lost" in seen["events"] for seen in fleet.look()))

    before = [seen["calls"] for seen in fleet.look()]
    fleet.exchange(2)
    after = fleet.look()
    fleet.server.go_on()
    fleet.until(lambda: all("sharing.restored" in seen["events"] for seen in fleet.look()))

    # More than one call for each exchange that waited half a second in vain.
    assert all(seen["calls"] > calls + 5 for seen, calls in zip(after, before, strict=True))
    assert [seen["touched"] for seen in after] == [["holdfast-circuits"]] * WORKERS
    assert fleet.states() == ["open"] + ["closed"] * 7


def test_redis_is_not_needed_to_start(fleet: Fleet) -> None:
    """Workers that find no Redis call and protect all the same, and share when it is there."""
    fleet.server.kill()
    fleet.start(quorum=0.5, recovery=60.0)
    fleet.tell("fail", 0, 1, 2, 3)
    fleet.until(lambda: fleet.states()[:4] == ["open"] * 4)
    alone = fleet.states()
    touched = {name for seen in fleet.look() for name in seen["touched"]}

    fleet.server.start()
    fleet.until(lambda: fleet.states() == ["open"] * WORKERS)

    assert alone == ["open"] * 4 + ["closed"] * 4
    assert touched == {"holdfast-circuits"}


def test_stock_pybreaker_sees_the_opening_of_the_fleet(fleet: Fleet) -> None:
    """A ninth worker that uses pybreaker alone refuses calls when the fleet does; it closes with it."""
    fleet.start(quorum=0.5, recovery=2.0, stock={"payments": "shop-payments"})
    ninth = stock_breaker(fleet, reset_timeout=60)
    assert ninth.call(lambda: "made") == "made"

    fleet.dependency.answer("n")
    fleet.tell("depend")
    fleet.until(lambda: ninth.current_state == "open")
    with pytest.raises(pybreaker.CircuitBreakerError):
        ninth.call(lambda: "made")
    fleet.dependency.answer("y")
    fleet.until(lambda: ninth.current_state == "closed")

    assert ninth.call(lambda: "made") == "made"


def test_the_fleet_sees_the_opening_of_stock_pybreaker(fleet: Fleet) -> None:
    """What a ninth worker with pybreaker alone has opened, all eight open; its closing closes them."""
    fleet.start(quorum=0.5, recovery=60.0, stock={"payments": "shop-payments"})
    ninth = stock_breaker(fleet, reset_timeout=60)

    for _ in range(3):
        with suppress(ZeroDivisionError, pybreaker.CircuitBreakerError):
            ninth.call(lambda: 1 / 0)
    fleet.until(lambda: fleet.states() == ["open"] * WORKERS)
    reason = fleet.workers[0].look()["reason"]
    ninth.close()
    fleet.until(lambda: fleet.states() == ["closed"] * WORKERS)

    assert reason == "a worker of pybreaker opened it"


def stock_breaker(fleet: Fleet, reset_timeout: float) -> pybreaker.CircuitBreaker:
    """Return a breaker as somebody has it who uses pybreaker and Redis."""
    client = redis.Redis.from_url(fleet.server.url)  # pyright: ignore[reportUnknownMemberType]
    storage = pybreaker.CircuitRedisStorage("closed", client, namespace="shop-payments")
    return pybreaker.CircuitBreaker(fail_max=3, reset_timeout=reset_timeout, state_storage=storage)


def record(fleet: Fleet) -> dict[str, str]:
    """Return the record of the circuit in Redis."""
    with redis.Redis.from_url(fleet.server.url, decode_responses=True) as client:  # pyright: ignore[reportUnknownMemberType]
        return cast("dict[str, str]", client.hgetall("holdfast:circuits:{shop:payments}:fleet"))
