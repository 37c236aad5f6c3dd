"""The application of `outages_app` in two processes of gunicorn, with everything it depends on."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final, NamedTuple, Self

import httpx

from holdfast.clock import SystemClock
from tests.integrations.postgresql_server import PostgresqlServer, own_postgresql
from tests.integrations.proxy import Proxy, proxied
from tests.integrations.redis_server import RedisServer, own_redis
from tests.paths.leaving_host import DEADLINE, ROOT, stop

RABBITMQ: Final = 5672
GUNICORN: Final = (
    "gunicorn --bind=fd://{fd} --workers=2 --worker-class=gthread --threads=4 --keep-alive=60"
    " --no-control-socket tests.paths.outages_app:app"
)
NEIGHBOURS: Final = "examples.gateway.server --fd={fd}"
_PAUSE: Final = 0.02


class Told(NamedTuple):
    """A message that reached whoever is on call."""

    stage: str
    check: str
    severity: str
    id: str


class Seen(NamedTuple):
    """How the application is, as one of its processes says."""

    live: int
    ready: int
    startup: int
    checks: dict[str, str]
    """Status of each check."""
    states: dict[str, str]
    """State of each service, as the monitor of the host knows it."""


class Liveness:
    """Probes of the address for it, one after the other, until the block ends.

    Attributes:
        times: Seconds that each of them took.
        failures: What was not answered with 200 and a pass.
    """

    def __init__(self, port: int) -> None:
        self.times: list[float] = []
        self.failures: list[str] = []
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        clock = SystemClock()
        while not self._over.wait(_PAUSE):
            began = clock.monotonic()
            try:
                self._look(HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE))
            except (OSError, HTTPException, ValueError) as error:
                self.failures.append(repr(error))
            self.times.append(clock.monotonic() - began)

    def _look(self, connection: HTTPConnection) -> None:
        with closing(connection):
            connection.request("GET", "/health/live")
            answer = connection.getresponse()
            body = answer.read()
        if (answer.status, json.loads(body)["status"]) != (200, "pass"):
            self.failures.append(f"{answer.status} {body!r}")


@dataclass(frozen=True)
class Site:
    """Everything that runs."""

    database: PostgresqlServer
    redis: RedisServer
    rabbitmq: Proxy
    neighbours: httpx.Client
    """A connection to the payment gateway, and to whoever is on call."""
    processes: dict[str, httpx.Client]
    """A connection to each process of the application, by its id."""
    liveness: Liveness
    log: Path

    def switch_gateway(self, *, away: bool) -> None:
        """Let the gateway go away, or come back."""
        self.neighbours.post("/outage", json={"away": away})

    def told(self) -> list[Told]:
        """Return what whoever is on call was told until now."""
        found = self.neighbours.get("/alerts").json()["alerts"]
        return [Told(one["stage"], one["key"], one["severity"], one["id"]) for one in found]

    def seen(self) -> list[Seen]:
        """Return how the application is, as each of its processes says."""
        return [self._seen(process) for process in self.processes]

    def monitors(self) -> list[str]:
        """Return who monitors, as each process says."""
        return [str(self._ask(process, "/report").json()["process"]) for process in self.processes]

    def looks(self) -> int:
        """Return how often the monitor has looked at something."""
        report = self._ask(next(iter(self.processes)), "/report").json()
        return int(report["statistics"]["total_checks"])

    def _seen(self, process: str) -> Seen:
        whole = self._ask(process, "/health/").json()["checks"]
        report = self._ask(process, "/report").json()["services"]
        live, ready, startup = (
            self._ask(process, f"/health/{group}").status_code
            for group in ("live", "ready", "startup")
        )
        return Seen(
            live=live,
            ready=ready,
            startup=startup,
            checks={name: said["status"] for name, (said,) in whole.items()},
            states={name: service["state"] for name, service in report.items()},
        )

    def _ask(self, process: str, path: str) -> httpx.Response:
        answer = self.processes[process].get(path)
        assert answer.headers["X-Process"] == process, "its connection was closed"
        return answer


@contextmanager
def site(folder: Path) -> Generator[Site]:
    """Start everything, and end it when the block is left."""
    with ExitStack() as stack:
        log = folder / "output.txt"
        output = stack.enter_context(log.open("wb"))
        database = stack.enter_context(own_postgresql())
        redis = stack.enter_context(own_redis(folder))
        rabbitmq = stack.enter_context(proxied(RABBITMQ))
        neighbours = stack.enter_context(_served(NEIGHBOURS, output.fileno()))
        places = {
            "database": database.url,
            "redis": redis.url,
            "rabbitmq": f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}//",
            "gateway": f"http://127.0.0.1:{neighbours}/",
            "receiver": f"http://127.0.0.1:{neighbours}/alerts/outages",
            "state": str(folder / "state"),
        }
        application = _served(GUNICORN, output.fileno(), HOLDFAST_TEST_SITE=json.dumps(places))
        port = stack.enter_context(application)
        yield Site(
            database=database,
            redis=redis,
            rabbitmq=rabbitmq,
            neighbours=stack.enter_context(_client(neighbours)),
            processes=_connected(port, stack),
            liveness=stack.enter_context(Liveness(port)),
            log=log,
        )


@contextmanager
def _served(command: str, output: int, **variables: str) -> Generator[int]:
    """Run a server, and give its port; its socket is open before."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # Else the second half of an answer waits 40 ms for the first to be acknowledged.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        process = subprocess.Popen(
            [sys.executable, "-m", *command.format(fd=listening.fileno()).split()],
            cwd=ROOT,
            env={**os.environ, "no_proxy": "127.0.0.1", **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[listening.fileno()],
        )
        try:
            yield listening.getsockname()[1]
        finally:
            stop(process)


def _client(port: int) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE, trust_env=False)


def _connected(port: int, stack: ExitStack) -> dict[str, httpx.Client]:
    """Return a connection to each of the two processes; who accepts one keeps it."""
    found: dict[str, httpx.Client] = {}
    for _ in range(500):
        client = stack.enter_context(_client(port))
        found.setdefault(client.get("/report").headers["X-Process"], client)
        if len(found) == 2:
            return found
    raise AssertionError(f"not two processes answer: {[*found]}")
