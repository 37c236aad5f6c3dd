"""A real HTTP server on loopback that answers as a test says, and alerts to send to it."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias, cast

from holdfast import Origin, Severity
from holdfast.record import ErrorRecord
from holdfast.reporting.alerts.message import AlertMessage, Stage
from holdfast.testing import RecordingRuntime

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


@dataclass
class Got:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        """Return the body as what it holds."""
        return cast("dict[str, object]", json.loads(self.body))


Answering: TypeAlias = Callable[["Handler"], None]


@dataclass
class Inbox:
    """What a server got, how it answers, and where it is."""

    answering: Answering
    got: list[Got] = field(default_factory=list[Got])
    stopped: threading.Event = field(default_factory=threading.Event)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    """Keeps what arrives and answers as it is told."""

    inbox: Inbox

    def do_POST(self) -> None:
        """Keep one request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.inbox.got.append(Got(self.path, headers, body))
        self.inbox.answering(self)

    def do_GET(self) -> None:
        """Keep what a redirect may have become."""
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's name
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that have gone."""


@contextmanager
def receiving(answering: Answering) -> Generator[Inbox]:
    """Serve until the end of the block."""
    inbox = Inbox(answering)
    handler = type("Bound", (Handler,), {"inbox": inbox})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    inbox.url = f"http://127.0.0.1:{server.server_port}/hook/canary-token?sig=canary-sig"
    try:
        yield inbox
    finally:
        inbox.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


def status(code: int, body: bytes = b"", **headers: str) -> Answering:
    """Answer with a status."""

    def answer(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang(handler: Handler) -> None:
    """Never answer."""
    handler.inbox.stopped.wait(30)


def drip(handler: Handler) -> None:
    """Answer so slowly that no single read takes long."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000:
        if handler.inbox.stopped.wait(0.02):
            return
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()


def close(handler: Handler) -> None:
    """Go away without an answer."""
    handler.close_connection = True
    handler.connection.close()


def message(
    stage: Stage = Stage.OPENED, *, error: Exception | None = None, **facts: object
) -> AlertMessage:
    """Return a message of an alert, of an error where there is one."""
    record = None if error is None else recorded(error)
    attributes = {"code": "STOCK_EMPTY", "operation": "GET /stock", "left": 0}
    told = {
        "id": "a1b2",
        "rule": "many errors",
        "key": "STOCK_EMPTY",
        "stage": stage,
        "severity": Severity.ERROR,
        "title": "STOCK_EMPTY 12 times in 60 s",
        "time": NOW,
        "since": NOW,
        "count": 12,
        "total": 30,
        "service": "shop",
        "environment": "production",
        "release": "1.4.2",
        "host": "web-1",
        "attributes": attributes,
        "record": record,
    }
    return AlertMessage(**{**told, **facts})  # type: ignore[arg-type]  # of many types


def recorded(error: Exception) -> ErrorRecord:
    """Return the record of an error."""
    verdict = RecordingRuntime().handle(
        error, Origin(boundary="flask.request", operation="GET /orders/<id>")
    )
    assert verdict.record is not None
    return verdict.record
