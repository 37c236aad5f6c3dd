"""A small server of the health endpoints, for processes that serve nothing else: workers, consumers, schedulers."""

import io
import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import TYPE_CHECKING, Final, TypeAlias, cast
from urllib.parse import unquote

from holdfast.clock import Clock, SystemClock
from holdfast.complaints import complain
from holdfast.environment import Environment
from holdfast.forks import after_fork
from holdfast.health.pool import Pool
from holdfast.health.wsgi import PREFIX, Endpoints, application

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer
    from _typeshed.wsgi import WSGIEnvironment

PORT: Final = 8081
MOST: Final = 32
"""Connections at a time; further ones wait in the backlog of the system."""
PATIENCE: Final = 5.0
"""Seconds that a client has to ask, and again to take the answer."""
MAX_BODY: Final = 65_536
"""Bytes of a request's body that are read, so that whoever sends one hears the answer."""
MAX_REQUEST: Final = 2 * MAX_BODY
"""Bytes of a request that are read in all, whatever it sends."""
_LOOK: Final = 0.5
"""Seconds between two looks whether the server is to end, should nothing wake it."""

_Address: TypeAlias = "tuple[str, int]"


class HealthServer:
    """A server of the health endpoints, on daemon threads of its own; `serve` makes it.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, server: "_Server") -> None:
        self._server = server
        self.port = server.address[1]
        self._thread = threading.Thread(
            target=self._run, name="holdfast-health-server", daemon=True
        )
        self._thread.start()
        after_fork(self._left)

    def close(self) -> None:
        """Listen no more, within a second; what is being answered is. Harmless when closed."""
        if self._thread.is_alive():
            self._server.ending.set()
            with suppress(OSError):  # wakes it at once
                socket.create_connection(self._server.address, _LOOK).close()
            self._thread.join()
            self._server.pool.rest()
        self._server.server_close()

    def _run(self) -> None:
        while not self._server.ending.is_set():
            self._server.handle_request()

    def _left(self) -> None:
        """Leave the port to the parent: the thread that answers is there."""
        self._server.server_close()


def serve(
    port: int = PORT,
    host: str = "127.0.0.1",
    runtime: Environment | None = None,
    *,
    prefix: str = PREFIX,
    clock: Clock | None = None,
) -> HealthServer:
    """Serve the health endpoints of this process on a daemon thread, and return what serves them.

    A forked child does not serve and does not hold the port; it may call `serve` with another. At most
    32 connections are served at a time, each for one request that has to come within 5 seconds.

    Args:
        port: Where to listen; 0 for any that is free.
        host: By which address: that of this machine alone, or `0.0.0.0` for all it has, as the probes
            of Kubernetes need it.
        runtime: Whose checks are asked. Default: the process's at each probe.
        prefix: Path of the report, without a slash at its end.
        clock: What time is measured by.

    Raises:
        OSError: When the port cannot be had.

    Example:
        >>> from holdfast import configure
        >>> server = serve(0, runtime=configure(reporters=[]))
        >>> from urllib.request import urlopen
        >>> urlopen(f"http://127.0.0.1:{server.port}/health/live").read()
        b'{"status":"pass"}'
        >>> server.close()
    """
    endpoints = application(runtime, prefix=prefix)
    try:
        return HealthServer(_Server((host, port), endpoints, clock or SystemClock()))
    except OSError as error:
        said = error.strerror or str(error)
        raise OSError(
            error.errno,
            f"health cannot be served at {host}:{port}: {said}; choose a port that is free, one for "
            "each process",
        ) from error


class _Server(TCPServer):
    """Accepts connections on one thread, and answers on a bounded number of others."""

    allow_reuse_address = True
    allow_reuse_port = False  # two processes on one port would answer for each other
    request_queue_size = 128
    timeout = _LOOK

    def __init__(self, address: _Address, endpoints: Endpoints, clock: Clock) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.endpoints = endpoints
        self.clock = clock
        self.ending = threading.Event()
        self._slots = threading.Semaphore(MOST)
        self.pool = Pool(MOST)
        super().__init__(address, _Conversation)

    @property
    def address(self) -> _Address:
        """Where it listens."""
        host, port = cast("tuple[str, int]", self.server_address[:2])
        return host, port

    def get_request(self) -> "tuple[socket.socket, _Address]":
        """Accept a connection."""
        try:
            return cast("tuple[socket.socket, _Address]", super().get_request())
        except OSError:  # no file descriptor is left: not at once again
            self.ending.wait(_LOOK)
            raise

    def process_request(self, request: object, client_address: object) -> None:
        """Answer on another thread, as soon as there is one."""
        connection = cast("socket.socket", request)
        while not self._slots.acquire(timeout=_LOOK) and not self.ending.is_set():
            pass
        if self.ending.is_set():
            self.shutdown_request(connection)
            return
        try:
            self.pool.submit(lambda: self._converse(connection, cast("_Address", client_address)))
        except BaseException:  # no thread is to be had: the next one needs the slot
            self._slots.release()
            raise

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  # as in the parent
        """Say in a line what became of a connection that cannot be answered, and go on."""
        complain(f"a probe could not be answered: {type(sys.exception()).__name__}")

    def _converse(self, connection: socket.socket, address: _Address) -> None:
        try:
            self.finish_request(connection, address)
        except OSError:  # who asked is gone, or too slow
            pass
        except Exception as error:  # noqa: BLE001  # of ours; the thread goes on
            complain(f"a probe could not be answered: {type(error).__name__}")
        finally:
            self.shutdown_request(connection)
            self._slots.release()


class _Conversation(BaseHTTPRequestHandler):
    """One request and its answer."""

    def setup(self) -> None:
        """Give the client so much time for all it has to say."""
        super().setup()
        self.rfile = io.BufferedReader(_Timed(self.connection, self._server.clock))

    def version_string(self) -> str:
        """Return what the header `Server` says: no version of anything."""
        return "holdfast"

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  # as in the parent
        """Write no line for a probe."""

    def __getattr__(self, name: str) -> "Callable[[], None]":
        """Return what answers a request of any method."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._answer

    @property
    def _server(self) -> _Server:
        return cast("_Server", self.server)

    def _answer(self) -> None:
        with suppress(ValueError):
            self.rfile.read(min(MAX_BODY, max(0, int(self.headers.get("Content-Length", "0")))))
        told = self._server.endpoints.answer(self._environ())
        self.connection.settimeout(PATIENCE)
        self.send_response(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", told.content_type)
        self.send_header("Content-Length", str(told.length))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(told.body)

    def _environ(self) -> "WSGIEnvironment":
        path, _, query = self.path.partition("?")
        environ: WSGIEnvironment = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "REMOTE_ADDR": self.client_address[0],
        }
        for name, value in self.headers.items():
            environ.setdefault(f"HTTP_{name.upper().replace('-', '_')}", value)
        return environ


class _Timed(io.RawIOBase):
    """What a client sends, up to a point in time and to a size; then it ends."""

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._until = clock.monotonic() + PATIENCE
        self._left = MAX_REQUEST

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read what has come.

        Raises:
            TimeoutError: When the time is over.
        """
        left = self._until - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        room = memoryview(buffer)[: self._left]
        size = self._connection.recv_into(room) if room else 0
        self._left -= size
        return size
