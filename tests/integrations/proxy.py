"""A server that can be made to be refused, or to hang: a proxy on loopback in front of the real one."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Generator

Hook = Callable[[bytes], bytes | None]
"""Takes what a client sends; what it returns is answered, and nothing is passed on any more."""

_RESET = struct.pack("ii", 1, 0)
"""Of SO_LINGER: closing resets the connection."""


class Proxy:
    """Passes on what comes from either side, as long as it is let.

    Attributes:
        port: Where it listens, also after it was cut and restored.
        hook: Looks at what clients send.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._flowing = threading.Event()
        self.hook: Hook = _pass
        self.port = 0
        self.restore()

    def stall(self) -> None:
        """Accept connections, and let nothing through."""
        self._flowing.clear()

    def restore(self) -> None:
        """Listen, if it does not, and let everything through."""
        self.hook = _pass
        self._flowing.set()
        if not self.is_listening:
            self._ends: list[socket.socket] = []
            self._threads: list[threading.Thread] = []
            self._listening = socket.create_server(("127.0.0.1", self.port))
            self.port = self._listening.getsockname()[1]
            self._start(self._accept, self._listening)

    def cut(self) -> None:
        """Reset every connection, and refuse new ones."""
        if not self.is_listening:
            return
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listening.close()
        self.drop()
        self._flowing.set()
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def drop(self) -> None:
        """Reset every connection, as a server does that starts anew."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)

    @property
    def is_listening(self) -> bool:
        """Whether connections are accepted."""
        return self.port != 0 and self._listening.fileno() >= 0

    def _start(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listening.accept()
                self._ends.append(near)
                far = socket.create_connection(("127.0.0.1", self._target))
                self._ends.append(far)
                self._start(self._pass_on, near, far, True)
                self._start(self._pass_on, far, near, False)

    def _pass_on(self, source: socket.socket, sink: socket.socket, from_client: bool) -> None:  # noqa: FBT001  # of a thread
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                answer = self.hook(data) if from_client else None
                if answer is not None:
                    source.sendall(answer)
                    self.stall()
                    self._flowing.wait()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


def _pass(data: bytes) -> None:
    """Let it through."""


@contextlib.contextmanager
def proxied(target: int) -> Generator[Proxy]:
    """Give a proxy to a port of the loopback address, and let nothing of it stay."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.cut()
