"""A Redis of one's own on a free port, which a test may kill and start again."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from holdfast.clock import SystemClock
from tests.conftest import is_set, turn_down

_PLACES: Final = os.pathsep.join(["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"])


class RedisServer:
    """One server, found by its port; keeps nothing on disk."""

    def __init__(self, folder: Path, binary: str) -> None:
        self._folder = folder
        self._binary = binary
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port: int = found.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        options = (
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        )
        self._process = subprocess.Popen(
            [self._binary, *options, "--dir", str(self._folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = SystemClock().monotonic() + 20
        while not self._answers():
            assert SystemClock().monotonic() < until, "redis-server does not answer"

    def kill(self) -> None:
        """Kill it, as by the lack of memory."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def stop(self) -> None:
        """Let it hang: connections stay open, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


@contextmanager
def own_redis(folder: Path) -> Generator[RedisServer]:
    """Give a server that runs, and let nothing of it stay.

    Where there is no program for one, skip, or fail where services are required.
    """
    binary = shutil.which("redis-server") or shutil.which("redis-server", path=_PLACES)
    if binary is None:
        turn_down("there is no redis-server to start", strict=is_set("HOLDFAST_REQUIRE_SERVICES"))
    server = RedisServer(folder, binary)
    server.start()
    try:
        yield server
    finally:
        server.kill()
