"""A worker of a service whose calls share a circuit; told what to do by lines on standard input.

Calls all the time, on a thread of its own. `ok`, `fail`: what its calls come to by themselves;
`depend`: what a server on loopback says. `look`: write what is known as one line of JSON.
"""

import json
import socket
import sys
import threading
from typing import TYPE_CHECKING, cast

import redis.connection

from holdfast import Breaker, CircuitOpenError, Policy
from holdfast.integrations.redis_circuits import RedisStore
from holdfast.resilience.circuit.period import State
from holdfast.runtime import Runtime
from holdfast.starting import configure
from holdfast.testing import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Callable

EXCHANGER = "holdfast-circuits"


class DependencyError(Exception):
    """What is called has failed."""


class Worker:
    """Calls, and keeps who has touched Redis."""

    def __init__(self, told: dict[str, object]) -> None:
        self.mode = "ok"
        self.calls = self.refusals = self.exchanges = 0
        self.touched: set[str] = set()
        self.port = cast("int", told["port"])
        self.events = RecordingReporter()
        self.redis_port = int(str(told["url"]).rsplit(":", 1)[1].split("/")[0])
        self.watch()
        circuits = {"shared": told["url"], "quorum": told["quorum"], "pybreaker": told["stock"]}
        settings = configure(service="shop", reporters=[], circuits=circuits).settings
        self.runtime = Runtime(settings, reporters=[self.events]).install()
        breaker = Breaker(
            failure_threshold=3,
            recovery_timeout=cast("float", told["recovery"]),
            success_threshold=1,
            ramp=(),
        )
        self.policy = Policy("payments", breaker)
        self.protected = self.policy(self.request)
        self.opened_at = 0.0
        self.runtime.policies.of(self.policy)
        self.runtime.policies.circuit("payments").add_watcher(self)

    def watch(self) -> None:
        """Note which threads use sockets to Redis: by the interpreter, and by the library."""
        sys.addaudithook(self.audit)
        connection = redis.connection.Connection
        for name in ("connect", "send_packed_command", "read_response"):
            setattr(connection, name, self.noting(getattr(connection, name)))
        RedisStore.exchange = self.counting(RedisStore.exchange)  # type: ignore[method-assign,assignment]  # to see when

    def transition(self, before: State, after: State, reason: str) -> None:
        """Note when the circuit opens, by the clock that all processes of a host share."""
        if after is State.OPEN:
            self.opened_at = self.runtime.clock.monotonic()

    def audit(self, event: str, args: tuple[object, ...]) -> None:
        """Note who connects to Redis."""
        if event == "socket.connect":
            address = args[1]
            if isinstance(address, tuple) and self.redis_port in address:
                self.touched.add(threading.current_thread().name)

    def noting(self, function: "Callable[..., object]") -> "Callable[..., object]":
        """Return a function that notes who calls it."""

        def noted(*args: object, **kwargs: object) -> object:
            self.touched.add(threading.current_thread().name)
            return function(*args, **kwargs)

        return noted

    def counting(self, function: "Callable[..., object]") -> "Callable[..., object]":
        """Return a function that counts how often it came back."""

        def counted(*args: object, **kwargs: object) -> object:
            try:
                return function(*args, **kwargs)
            finally:
                self.exchanges += 1

        return counted

    def request(self) -> None:
        """Be what is protected."""
        if self.mode == "fail":
            raise DependencyError
        if self.mode == "depend":
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
                if connection.recv(1) != b"y":
                    raise DependencyError

    def call(self) -> None:
        """Call all the time."""
        pause = threading.Event()
        while not pause.wait(0.02):
            self.calls += 1
            try:
                self.protected()
            except CircuitOpenError:
                self.refusals += 1
            except DependencyError:
                pass

    def look(self) -> str:
        """Return what is known."""
        circuit = self.runtime.policies.circuit("payments")
        return json.dumps(
            {
                "state": circuit.state.value,
                "opened_at": self.opened_at,
                "calls": self.calls,
                "refusals": self.refusals,
                "exchanges": self.exchanges,
                "touched": sorted(self.touched),
                "events": [event.name for event in list(self.events.events)],
                "reason": circuit.snapshot().reason,
            }
        )

    def serve(self) -> None:
        """Do what the lines say, until there are no more."""
        threading.Thread(target=self.call, name="calling", daemon=True).start()
        for line in sys.stdin:
            if line.strip() == "look":
                sys.stdout.write(self.look() + "\n")
                sys.stdout.flush()
            else:
                self.mode = line.strip()
        self.runtime.close()


if __name__ == "__main__":
    Worker(json.loads(sys.argv[1])).serve()
