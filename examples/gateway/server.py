"""The services beside the shop: payments, mail, warehouse, supplier, carrier, and whoever is on call.

    python -m examples.gateway.server --port 9000

They behave as the request says: `?mode=` takes `ok`, `slow`, `error`, `down`, and `busy`, which is
over when asked again under the same id. `POST /outage` with `{"away": true}` lets the gateway go away, until
it comes back the same way. The card 4000 0000 0000 0002 is declined, all others are charged. The supplier has begun to
write its prices in another way, and told nobody.
"""

import argparse
import json
import signal
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from types import FrameType, SimpleNamespace
from typing import cast
from urllib.parse import parse_qs, urlsplit

SLOW = 5.0
"""Seconds that `slow` takes."""
PATIENCE = 1
"""Seconds that `busy` asks for."""
DECLINED_CARD = "4000000000000002"
PRICES = {"SKU-881": "39,00 €", "SKU-882": "24,50 €", "SKU-883": "6,90 €"}

_stopping = Event()
_away = Event()
_turned_away: set[str] = set()
_releases = SimpleNamespace(count=0)
_mails: list[dict[str, object]] = []
"""What was taken, oldest first, with the id that it came under."""
_alerts: list[dict[str, object]] = []
"""The same of alerts, with the path that they came to."""


class Answering(BaseHTTPRequestHandler):
    """Answers for all of the services."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Do what is asked, or fail as asked."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        address = urlsplit(self.path)
        mode = parse_qs(address.query).get("mode", ["ok"])[0]
        if not self._fails(mode):
            self._do(address.path, cast("dict[str, object]", json.loads(body or b"{}")))

    def do_GET(self) -> None:
        """Say that the services are there, what they know, or what they have taken."""
        address = urlsplit(self.path)
        found = {
            "/alerts": {"alerts": [*_alerts]},
            "/delivery": {"days": 2},
            "/mails": {"mails": [*_mails]},
            "/prices": PRICES,
            "/reservations": {"releases": _releases.count},
            "/stock": {"pieces": 7},
        }
        if address.path == "/" and _away.is_set():
            self._hang_up()
        elif not self._fails(parse_qs(address.query).get("mode", ["ok"])[0]):
            self._answer(200, found.get(address.path, {"status": "pass"}))

    def _fails(self, mode: str) -> bool:
        """Do as the mode says, and tell whether that was all."""
        if mode == "slow":
            _stopping.wait(SLOW)
        if mode == "down":
            self._hang_up()
        elif mode == "error":
            self._answer(503, {"code": "GATEWAY_OVERLOADED", "message": "too many charges"})
        elif mode == "busy" and self._id not in _turned_away:
            _turned_away.add(self._id)
            self._answer(503, {"code": "BUSY"}, {"Retry-After": str(PATIENCE)})
        else:
            return False
        return True

    @property
    def _id(self) -> str:
        return self.headers.get("X-Request-ID", "")

    def _do(self, path: str, sent: dict[str, object]) -> None:
        if path == "/charge":
            self._charge(sent)
        elif path == "/outage":
            (_away.set if sent.get("away") else _away.clear)()
            self._answer(200, {"away": _away.is_set()})
        elif path == "/mails":
            _mails.append({**sent, "id": self._id})
            self._answer(200, {"status": "taken"})
        elif path.startswith("/alerts/"):
            _alerts.append({**sent, "path": path})
            self._answer(200, {"status": "taken"})
        elif path == "/reservations/release":
            _releases.count += 1
            self._answer(200, {"released": 0})
        else:
            self._answer(200, {"status": "done"})

    def _charge(self, payment: dict[str, object]) -> None:
        if _away.is_set():
            self._hang_up()
        elif str(payment.get("card", "")).replace(" ", "") == DECLINED_CARD:
            self._answer(402, {"code": "CARD_DECLINED"})
        else:
            self._answer(200, {"receipt": f"receipt-{payment.get('order')}"})

    def _answer(self, status: int, data: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's name
        """Say nothing: what goes wrong is for the shop to tell."""


class Neighbourhood(ThreadingHTTPServer):
    """The services on one loopback port."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over callers that left; a slow answer has nobody to go to."""


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(
        description="Everybody the shop depends on, as flaky as one asks them to be."
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="loopback port to listen on")
    where.add_argument("--fd", type=int, help="socket that listens already")
    asked = parser.parse_args()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        _stopping.set()
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    address = ("127.0.0.1", asked.port or 0)
    with Neighbourhood(address, Answering, bind_and_activate=False) as server:
        if asked.fd is None:
            server.server_bind()
            server.server_activate()
        else:
            server.socket.close()
            server.socket = socket.socket(fileno=asked.fd)
        server.serve_forever()


if __name__ == "__main__":
    main()
