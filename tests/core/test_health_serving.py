"""The small server of health endpoints: real sockets, on loopback."""

import contextlib
import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from http.client import HTTPConnection, HTTPResponse

import pytest

from holdfast.health.serving import MAX_REQUEST, MOST, HealthServer, _Timed, serve
from holdfast.testing import FakeClock, RecordingRuntime

PATIENCE = 20.0
"""Seconds that a test waits for what does not come when something is broken."""


@pytest.fixture
def clock() -> FakeClock:
    """What the server measures time by."""
    return FakeClock()


@pytest.fixture
def server(runtime: RecordingRuntime, clock: FakeClock) -> Generator[HealthServer]:
    """A server at a free port."""
    with contextlib.closing(serve(0, runtime=runtime, clock=clock)) as made:
        yield made


def get(server: HealthServer, path: str, method: str = "GET", **sent: str) -> tuple[int, bytes]:
    """Return status and body of an answer."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request(method, path, headers=sent)
        answer = connection.getresponse()
        return answer.status, answer.read()


def connected(server: HealthServer) -> socket.socket:
    """Return a connection over which nothing was said yet."""
    return socket.create_connection(("127.0.0.1", server.port), PATIENCE)


def test_a_process_without_a_framework_answers_probes(
    server: HealthServer, runtime: RecordingRuntime
) -> None:
    """As one that has one."""
    runtime.health.register_check("broker", lambda: False)

    assert get(server, "/health/live") == (200, b'{"status":"pass"}')
    assert get(server, "/health/ready/") == (503, b'{"status":"fail"}')
    assert get(server, "/health?format=text") == (503, b"fail\n")
    assert get(server, "/health/live", "HEAD") == (200, b"")
    assert get(server, "/health/%6cive")[0] == 200
    assert get(server, "/nowhere")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "BREW"])
def test_whatever_changes_things_is_refused(server: HealthServer, method: str) -> None:
    """Whoever sends a body hears the answer, too."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request(method, "/health/live", body=b"x" * 50_000)

        assert connection.getresponse().status == 405


def test_no_version_of_anything_is_told(server: HealthServer) -> None:
    """Not in the headers that servers add."""
    with contextlib.closing(connected(server)) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = HTTPResponse(client)
        answer.begin()
        answer.read()

    assert answer.headers["Server"] == "holdfast"
    assert "Python" not in str(answer.headers)


def test_a_process_that_leaves_is_not_ready(
    server: HealthServer, runtime: RecordingRuntime
) -> None:
    """And alive: it finishes what it does."""
    runtime.draining("terminated", None)

    assert get(server, "/health/ready")[0] == 503
    assert get(server, "/health/live")[0] == 200


def test_a_client_that_never_ends_asking_is_left(server: HealthServer, clock: FakeClock) -> None:
    """However often it sends a little: there is one time for all of it."""
    with contextlib.closing(connected(server)) as client:
        client.sendall(b"GET /health/li")
        assert get(server, "/health/live")[0] == 200  # by now the other is being read
        clock.advance(6)
        with contextlib.suppress(ConnectionError):  # it may be closed already
            client.sendall(b"v")
            client.sendall(b"e")
            assert client.recv(1) == b""

    assert get(server, "/health/live")[0] == 200


def test_no_more_clients_are_served_at_a_time_than_there_are_threads(server: HealthServer) -> None:
    """Whoever comes then waits until one of them is gone."""
    silent = [connected(server) for _ in range(MOST)]
    with contextlib.closing(connected(server)) as waiting:
        waiting.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")
        waiting.settimeout(0.2)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        for client in silent:
            client.close()
        waiting.settimeout(PATIENCE)

        assert waiting.recv(12) == b"HTTP/1.0 200"


def test_who_finds_no_thread_is_left_and_takes_no_place(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However many come while the system has none, the next is answered when it has."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(MOST + 1):
            with contextlib.closing(connected(server)) as client:
                assert client.recv(1) == b""

    assert get(server, "/health/live")[0] == 200
    assert "a probe could not be answered: RuntimeError\n" in capsys.readouterr().err


def test_a_request_without_end_is_not_read_to_it(clock: FakeClock) -> None:
    """Nobody has more kept of what they send than a request needs: for a reader it ends there."""
    here, there = socket.socketpair()
    sent = threading.Thread(target=there.sendall, args=(b"x" * (MAX_REQUEST + 1000),))
    with here, there:
        sent.start()

        read = io.BufferedReader(_Timed(here, clock)).read()

        here.close()
        sent.join(PATIENCE)
    assert len(read) == MAX_REQUEST


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /health/live HTTP/9\r\n\r\n",
        b"\xff\xfe\x00\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"GET /health/live HTTP/1.1\r\nContent-Length: -5\r\nAccept: \xff\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"GET /health/%ff%00?tag=%ff&format=\x01 HTTP/1.1\r\n\r\n",
        b"GET http://[/health HTTP/1.1\r\nHost: [\r\nAuthorization: Bearer \x80\r\n\r\n",
    ],
)
def test_what_is_no_http_does_no_harm(server: HealthServer, sent: bytes) -> None:
    """It is refused as a fault of the caller's, or dropped; the next one is answered."""
    heard = b""
    with contextlib.closing(connected(server)) as client, contextlib.suppress(ConnectionError):
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        while received := client.recv(65_536):
            heard += received

    status = heard.split()[1:2] if heard.startswith(b"HTTP/") else []
    assert all(int(code) in {200, 400, 404, 414, 431, 503, 505} for code in status)
    assert get(server, "/health/live")[0] == 200


def test_a_server_that_is_closed_gives_back_its_port(
    server: HealthServer, runtime: RecordingRuntime
) -> None:
    """And may be closed again."""
    server.close()
    server.close()

    with pytest.raises(ConnectionRefusedError):
        connected(server)
    again = serve(server.port, runtime=runtime)
    assert get(again, "/health/live")[0] == 200
    again.close()


def test_a_port_that_is_taken_is_named(server: HealthServer) -> None:
    """With what to do; two processes do not answer for each other."""
    with pytest.raises(OSError, match=rf"127\.0\.0\.1:{server.port}: .*choose a port"):
        serve(server.port)


CHILD = """
import os, socket
from holdfast import configure
from holdfast.health.serving import serve

server = serve(0, runtime=configure(reporters=[]))
begun, end = os.pipe(), os.pipe()
child = os.fork()
if not child:
    os.write(begun[1], b"x")
    os.read(end[0], 1)
    server.close()
    os._exit(7)
os.read(begun[0], 1)
server.close()
try:
    socket.create_connection(("127.0.0.1", server.port), 5)
except ConnectionRefusedError:
    print("free", end=" ")
os.write(end[1], b"x")
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_the_port_to_its_parent() -> None:
    """It does not hold it when the parent is gone, and may close what it has."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stdout == "free 7\n", done.stderr
