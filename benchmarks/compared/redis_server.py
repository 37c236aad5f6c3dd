"""A Redis of one's own, to be taken away."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import sleep


class Server:
    """A running redis-server."""

    def __init__(self, binary: str) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port: int = found.getsockname()[1]
        options = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self._process = subprocess.Popen(
            [binary, "--port", str(self.port), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        """Wait until it answers."""
        for _ in range(500):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as asked:
                asked.sendall(b"PING\r\n")
                if asked.recv(16).startswith(b"+PONG"):
                    return
            sleep(0.01)
        raise AssertionError("redis-server does not answer")

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()


@contextmanager
def own_server() -> Iterator[Server | None]:
    """Start one; None where there is none to start."""
    binary = shutil.which("redis-server")
    if binary is None:
        yield None
        return
    server = Server(binary)
    try:
        server.wait()
        yield server
    finally:
        server.stop()
