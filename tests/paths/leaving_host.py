"""Real servers of `leaving_app`, as subprocesses on a loopback port that the test itself listens on."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import httpx

from tests.paths import filing

ROOT = Path(__file__).parents[2]
CRASH = "HOLDFAST_TEST_CRASH"
"""Where `leaving_app` reads what it is told."""
DEADLINE = 20.0
_PAUSE = 0.02

COMMANDS = {
    "gunicorn": ("gunicorn", "--no-control-socket", "tests.paths.leaving_app:app"),
    "uvicorn": ("uvicorn", "--lifespan=off", "tests.paths.leaving_app:asgi"),
    "uvicorn-workers": ("tests.paths.leaving_workers",),
}


@dataclass(frozen=True)
class Host:
    """One running server."""

    address: str
    process: "subprocess.Popen[bytes]"
    records: Path
    output: Path

    def get(self, path: str) -> httpx.Response:
        """Ask on a connection of its own."""
        return httpx.get(self.address + path, timeout=DEADLINE, trust_env=False)

    def pid(self) -> int:
        """Return the process that happens to answer."""
        return cast("int", self.get("/fine").json()["pid"])

    def client(self) -> httpx.Client:
        """Return a client that keeps its connection open."""
        return httpx.Client(base_url=self.address, timeout=DEADLINE, trust_env=False)

    def log(self) -> str:
        """Return what the server wrote so far."""
        return self.output.read_text()

    def events(self, name: str) -> list[dict[str, object]]:
        """Return the events of a name that were reported so far."""
        return [facts for facts in filing.events(self.records) if facts["event"] == name]

    def until(self, what: Callable[[], object]) -> None:
        """Wait until something holds."""
        wait_until(what, self.log)


def wait_until(what: Callable[[], object], said: Callable[[], str] = str) -> None:
    """Wait until something holds, or fail with what was said."""
    for _ in range(int(DEADLINE / _PAUSE)):
        if what():
            return
        threading.Event().wait(_PAUSE)
    raise AssertionError(f"not within {DEADLINE} s: {said()}")


@contextlib.contextmanager
def serving(name: str, folder: Path, *arguments: str, **crash: object) -> Generator[Host]:
    """Serve the application until the block ends, told of crashes what is given."""
    records, output = folder / "records.jsonl", folder / "output.txt"
    told = {"STATE": str(folder / "state"), **crash}
    environment = {
        **os.environ,
        filing.VARIABLE: str(records),
        CRASH: json.dumps(told),
    }
    with socket.create_server(("127.0.0.1", 0)) as listening, output.open("wb") as log:
        module, *others = COMMANDS[name]
        fd = listening.fileno()
        bind = f"--bind=fd://{fd}" if module == "gunicorn" else f"--fd={fd}"
        process = subprocess.Popen(
            [sys.executable, "-m", module, bind, *arguments, *others],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[fd],
        )
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        host = Host(address, process, records, output)
        try:
            host.get("/fine")  # waits in the backlog of the socket until the server is up
            yield host
        finally:
            stop(process)


def stop(process: "subprocess.Popen[bytes]") -> int:
    """End a process by SIGTERM unless it has ended, and return how."""
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class Stream:
    """Requests one after the other on several threads, until the block ends.

    Attributes:
        failures: What went wrong, but for answers of the application.
        pids: Which processes answered.
    """

    def __init__(self, host: Host, threads: int = 3) -> None:
        self.failures: list[str] = []
        self.pids: list[int] = []
        self._host = host
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.01):
            try:
                self.pids.append(self._host.pid())
            except (httpx.HTTPError, ValueError) as error:
                self.failures.append(repr(error))
