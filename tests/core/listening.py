"""Real servers on loopback for tests of health: plain ones, silent ones, ones that drip, ones of TLS."""

import socket
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from holdfast.health import CheckResult, HealthRegistry

PATIENCE = 20.0
"""Seconds that nothing here takes, however slow the machine."""


@dataclass
class Peer:
    """A client's connection as the server has it."""

    sock: socket.socket
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the test is over."""


Answering: TypeAlias = Callable[[Peer], None]


def saying(*lines: str, body: bytes = b"") -> Answering:
    """Answer whatever is asked with these lines and a body, and hang up."""

    def answer(peer: Peer) -> None:
        heard = b""
        while b"\r\n\r\n" not in heard and (more := peer.sock.recv(4096)):
            heard += more
        peer.sock.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode() + body)

    return answer


def silent(peer: Peer) -> None:
    """Say nothing, until the test is over."""
    peer.over.wait(PATIENCE)


def dripping(start: bytes) -> Answering:
    """Say a beginning, and then a byte now and then, without end."""

    def answer(peer: Peer) -> None:
        peer.sock.sendall(start)
        while not peer.over.wait(0.02):
            peer.sock.sendall(b"x")

    return answer


@contextmanager
def serving(answer: Answering, secured: ssl.SSLContext | None = None) -> Generator[int]:
    """Serve until the end of the block, and tell the port.

    Args:
        answer: What is done with each connection, on a thread of its own.
        secured: Of TLS, if it is that.
    """
    over = threading.Event()
    threads: list[threading.Thread] = []

    def work(plain: socket.socket) -> None:
        with plain, suppress(OSError):
            if secured is None:
                answer(Peer(plain, over))
                return
            with secured.wrap_socket(plain, server_side=True) as sock:
                answer(Peer(sock, over))

    def accept() -> None:
        while True:
            taken, _ = listener.accept()
            if over.is_set():
                taken.close()
                return
            threads.append(threading.Thread(target=work, args=(taken,), daemon=True))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield port
        finally:
            over.set()
            socket.create_connection(("127.0.0.1", port)).close()
            for thread in (accepting, *threads):
                thread.join(PATIENCE)


def run(check: Callable[[], object], *, critical: bool = True) -> CheckResult:
    """Run a check as probes do, and return what it said."""
    registry = HealthRegistry()
    registry.register_check("it", check, critical=critical, timeout=PATIENCE)
    return registry.run_all_checks()["it"]
