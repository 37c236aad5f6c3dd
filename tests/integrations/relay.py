"""A broker that can go away: a relay on loopback in front of the real one."""

import contextlib
import socket
import struct
import threading
from collections.abc import Generator

_RESET = struct.pack("ii", 1, 0)
"""Of SO_LINGER: closing throws away what waits and resets the connection, as a dead host does."""


class Relay:
    """Passes on what comes from either side, until the broker goes away.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._passing: list[threading.Thread] = []
        self._gone = False
        self.port: int = self._listening.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        """Reset every connection, and listen no more."""
        if self._gone:
            return
        self._gone = True
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listening.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RD)
        for thread in self._passing:
            thread.join()
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._ends += [near, far]
                for source, sink in ((near, far), (far, near)):
                    thread = threading.Thread(target=self._pass_on, args=(source, sink))
                    thread.start()
                    self._passing.append(thread)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        if not self._gone:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def relayed(target: int) -> Generator[Relay]:
    """Relay to a port of the loopback address until the block ends."""
    relay = Relay(target)
    try:
        yield relay
    finally:
        relay.close()
