"""Pings reach a real server, in the form of Healthchecks.io; one that misbehaves harms nobody."""

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from holdfast.environment import activated
from holdfast.hooks.jobs import Job, JobReport, Outcome
from holdfast.hooks.jobs.pings import PingError, Pings
from holdfast.testing import RecordingRuntime

RUN = "123e4567-e89b-12d3-a456-426614174000"


class Service(ThreadingHTTPServer):
    """Keeps what it is sent and answers as it is told."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, str, str]] = []
        self.answers: list[int] = []
        self.redirect_to = ""
        self.released = threading.Event()
        self.misbehave: Callable[[socket.socket], None] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def reset(self, connection: socket.socket) -> None:
        """Break a connection off."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    def hang(self, connection: socket.socket) -> None:
        """Answer nothing until released."""
        self.released.wait(20)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that were broken off."""


class _Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        service = self.server
        assert isinstance(service, Service)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        service.got.append((self.command, self.path, body.decode()))
        if service.misbehave is not None:
            service.misbehave(self.connection)
            return
        status = service.answers.pop(0) if service.answers else 200
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", service.redirect_to)
        self.end_headers()
        self.wfile.write(b"OK")

    do_GET = do_POST = _answer  # noqa: N815  # as the class above has them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    """Give a server that listens."""
    with Service() as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.released.set()
        made.shutdown()


class Soon(random.Random):
    """Chance that never makes anybody wait."""

    def random(self) -> float:
        """Return the least."""
        return 0.0


def report(outcome: Outcome | None = None, **facts: object) -> JobReport:
    """Make a report of a run."""
    made = {"job": "nightly", "run_id": RUN, "started": datetime(2024, 1, 15, tzinfo=UTC), **facts}
    return JobReport(outcome=outcome, **made)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("told", "path"),
    [
        (report(Outcome.SUCCEEDED, exit_status=0), "/uuid"),
        (report(Outcome.SUCCEEDED), "/uuid"),
        (report(Outcome.FAILED, exit_status=3), "/uuid/3"),
        (report(Outcome.FAILED, exit_status=255), "/uuid/255"),
        (report(Outcome.FAILED, exit_status=256), "/uuid/fail"),
        (report(Outcome.FAILED, exit_status=-1), "/uuid/fail"),
        (report(Outcome.FAILED, exit_status=0), "/uuid/fail"),
        (report(Outcome.FAILED), "/uuid/fail"),
        (report(Outcome.TIMED_OUT), "/uuid/fail"),
        (report(Outcome.SKIPPED), "/uuid/log"),
    ],
)
def test_each_end_has_its_address(service: Service, told: JobReport, path: str) -> None:
    """Success, exit status, failure, and a run that was not let in."""
    Pings(f"{service.url}/uuid").finished(told)

    ((method, target, _),) = service.got
    assert (method, target) == ("POST", f"{path}?rid={RUN}")


def test_a_start_and_an_end_carry_the_same_run(service: Service) -> None:
    """The service matches them by the run's id, which is a UUID."""
    pings = Pings(f"{service.url}/uuid")

    pings.started(report())
    pings.finished(report(Outcome.SUCCEEDED, output="12 invoices"))

    assert service.got == [
        ("POST", f"/uuid/start?rid={RUN}", ""),
        ("POST", f"/uuid?rid={RUN}", "12 invoices"),
    ]


@pytest.mark.parametrize("given", ["/key/nightly?create=1", "/key/nightly/?create=1"])
def test_an_address_by_slug_keeps_its_query(service: Service, given: str) -> None:
    """What is added to the path stands before the query."""
    Pings(service.url + given).finished(report(Outcome.FAILED))

    ((_, target, _),) = service.got
    assert urlsplit(target).path == "/key/nightly/fail"
    assert parse_qs(urlsplit(target).query) == {"create": ["1"], "rid": [RUN]}


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_service_in_trouble_is_asked_again(service: Service, status: int) -> None:
    """What may pass is tried a few times."""
    service.answers = [status, status, 200]

    Pings(f"{service.url}/uuid", chance=Soon()).started(report())

    assert len(service.got) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410])
def test_a_refusal_is_not_asked_again(service: Service, status: int) -> None:
    """A wrong address or a slug of two checks stays wrong; the error says the status, not the address."""
    service.answers = [status]

    with pytest.raises(PingError, match=f"status {status}") as raised:
        Pings(f"{service.url}/s3cr3t-uuid").started(report())

    assert len(service.got) == 1
    assert "s3cr3t" not in str(raised.value)


def test_a_broken_connection_is_tried_again(service: Service) -> None:
    """Three attempts, then the error says what happened and not where."""
    service.misbehave = service.reset

    with pytest.raises(OSError, match="cannot be reached") as raised:
        Pings(f"{service.url}/s3cr3t-uuid", chance=Soon()).started(report())

    assert len(service.got) == 3
    assert "s3cr3t" not in str(raised.value)


def test_a_service_that_is_not_there_is_told(service: Service) -> None:
    """Nobody listens: the reason is the system's."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(OSError, match="Connection refused"):
        Pings(f"http://127.0.0.1:{port}/uuid", attempts=1).started(report())


def test_a_service_that_hangs_costs_its_timeout(service: Service) -> None:
    """One attempt waits as long as it may."""
    service.misbehave = service.hang

    with pytest.raises(OSError, match="cannot be reached"):
        Pings(f"{service.url}/uuid", timeout=0.1, attempts=1).started(report())


@pytest.mark.parametrize(("status", "method", "body"), [(302, "GET", ""), (308, "POST", "out")])
def test_a_redirect_is_followed(service: Service, status: int, method: str, body: str) -> None:
    """To where the service has moved, with the body where its answer asks for that."""
    service.answers = [status]
    service.redirect_to = f"{service.url}/moved"

    Pings(f"{service.url}/uuid").finished(report(Outcome.SUCCEEDED, output="out"))

    assert service.got[1] == (method, "/moved", body)


def test_a_redirect_in_circles_ends(service: Service) -> None:
    """After a few turns it is a refusal."""
    service.answers = [302] * 30
    service.redirect_to = f"{service.url}/uuid"

    with pytest.raises(PingError, match="302"):
        Pings(f"{service.url}/uuid").started(report())

    assert len(service.got) < 10


def test_a_redirect_out_of_http_is_not_followed(service: Service, tmp_path: Path) -> None:
    """No file is read because a server says so."""
    secret = tmp_path / "secret"
    secret.write_text("x")
    service.answers = [302]
    service.redirect_to = secret.as_uri()

    with pytest.raises(PingError, match="302"):
        Pings(f"{service.url}/uuid").started(report())


@pytest.mark.parametrize("url", ["", "uuid", "file:///etc/passwd", "ftp://host/x", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    """Only HTTP is spoken."""
    with pytest.raises(ValueError, match="address of pings"):
        Pings(url)


@pytest.mark.parametrize("bounds", [(0, 3, 20), (5, 0, 20), (5, 3, -1)])
def test_bounds_are_above_zero(bounds: tuple[float, int, float]) -> None:
    """Without an attempt or a second there is no ping."""
    with pytest.raises(ValueError, match="above 0"):
        Pings("http://host/uuid", *bounds)


def test_the_address_is_not_shown() -> None:
    """Whoever knows it can report in the job's name."""
    assert "s3cr3t" not in repr(Pings("http://host/s3cr3t"))


def test_a_job_is_told_of_by_pings(service: Service, tmp_path: Path) -> None:
    """Start and failure of a function arrive in order, with one run id."""
    runtime = RecordingRuntime()
    job = Job("nightly", monitors=[Pings(f"{service.url}/uuid")], state=tmp_path)

    with pytest.raises(ZeroDivisionError), activated(runtime), job:
        _ = 1 / 0

    paths = [urlsplit(target).path for _, target, _ in service.got]
    runs = {parse_qs(urlsplit(target).query)["rid"][0] for _, target, _ in service.got}
    assert paths == ["/uuid/start", "/uuid/fail"]
    assert runs == {runtime.recorded.events[0].attributes["run_id"]}


def test_a_job_is_not_held_up_by_a_service_that_hangs(service: Service, tmp_path: Path) -> None:
    """Its end waits as long as the pings' patience says, and tells of it."""
    service.misbehave = service.hang
    runtime = RecordingRuntime()
    pings = Pings(f"{service.url}/uuid", timeout=15, patience=0.2)

    with activated(runtime), Job("nightly", monitors=[pings], state=tmp_path):
        pass

    (failed,) = [event for event in runtime.recorded.events if event.name == "job.ping_failed"]
    assert failed.attributes["monitor"] == "127.0.0.1"
    assert runtime.recorded.records == []
