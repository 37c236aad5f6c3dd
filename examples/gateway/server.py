"""A payment gateway that behaves as the request says: `ok`, `slow`, `error` or `down`.

    python -m examples.gateway.server --port 9000

The card 4000 0000 0000 0002 is declined, all others are charged.
"""

import argparse
import json
import signal
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from types import FrameType
from typing import cast
from urllib.parse import parse_qs, urlsplit

SLOW = 5.0
"""Seconds that `slow` takes."""
DECLINED_CARD = "4000000000000002"

_stopping = Event()


class Charging(BaseHTTPRequestHandler):
    """Answers `POST /charge?mode=…`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Charge a card, or fail as asked."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        mode = parse_qs(urlsplit(self.path).query).get("mode", ["ok"])[0]
        if mode == "slow":
            _stopping.wait(SLOW)
        if mode == "down":
            self._hang_up()
        elif mode == "error":
            self._answer(503, {"code": "GATEWAY_OVERLOADED", "message": "too many charges"})
        else:
            self._charge(cast("dict[str, object]", json.loads(body)))

    def do_GET(self) -> None:
        """Say that the gateway is there."""
        self._answer(200, {"status": "pass"})

    def _charge(self, payment: dict[str, object]) -> None:
        if str(payment.get("card", "")).replace(" ", "") == DECLINED_CARD:
            self._answer(402, {"code": "CARD_DECLINED"})
        else:
            self._answer(200, {"receipt": f"receipt-{payment.get('order')}"})

    def _answer(self, status: int, data: dict[str, object]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's name
        """Say nothing: what goes wrong is for the shop to tell."""


class Gateway(ThreadingHTTPServer):
    """The gateway on a loopback port."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over callers that left; a slow answer has nobody to go to."""


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(
        description="A payment gateway, as flaky as one asks it to be."
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="loopback port to listen on")
    where.add_argument("--fd", type=int, help="socket that listens already")
    asked = parser.parse_args()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        _stopping.set()
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    with Gateway(("127.0.0.1", asked.port or 0), Charging, bind_and_activate=False) as server:
        if asked.fd is None:
            server.server_bind()
            server.server_activate()
        else:
            server.socket.close()
            server.socket = socket.socket(fileno=asked.fd)
        server.serve_forever()


if __name__ == "__main__":
    main()
