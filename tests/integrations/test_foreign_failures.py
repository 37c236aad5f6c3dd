"""What libraries raise when the other side is away, late, or answers with an error's status."""

import http.client
import http.server
import importlib
import smtplib
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.classify import Classifier, Reading
from holdfast.codes import Effect, ErrorCode

if TYPE_CHECKING:
    from sqlalchemy import Engine

NOWHERE = "http://127.0.0.1:1/"


def reading_of(call: Callable[[], object]) -> Reading:
    """Return how the exception is read that a call raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # which one is the library's choice
        call()
    reading = Classifier().read(caught.value)
    if isinstance(caught.value, urllib.error.HTTPError):
        caught.value.close()
    return reading


class Busy(http.server.BaseHTTPRequestHandler):
    """Answers every request with the status in its path, and asks to come back in 7 seconds."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(int(self.path.strip("/")))
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  # its parent's
        """Say nothing."""


@pytest.fixture
def busy() -> Iterator[str]:
    """Serve on loopback, and give the address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@contextmanager
def silent() -> Generator[int]:
    """Listen, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def fetch(library: str, url: str) -> object:
    """Get an address, and raise for its status, as a user of the library does."""
    if library == "urllib":
        with closing(urllib.request.build_opener().open(url, timeout=0.3)) as answer:
            return answer.read()
    if library == "urllib3":
        pool = importlib.import_module("urllib3").PoolManager(retries=False, timeout=0.3)
        with closing(pool.request("GET", url)) as answer:
            return answer.data
    client: Any = importlib.import_module(library)
    answer = client.get(url, timeout=0.3)
    return answer.raise_for_status()


CLIENTS = [
    "urllib",
    *(
        pytest.param(name, marks=pytest.mark.extra(name))
        for name in ("httpx", "requests", "urllib3")
    ),
]


@pytest.mark.parametrize("library", CLIENTS)
def test_a_service_that_is_not_there_was_sent_nothing(library: str) -> None:
    """A refused connection is 503, may be tried again, and nothing was done over there."""
    said = reading_of(lambda: fetch(library, NOWHERE)).classification

    assert (said.status, said.transient, said.effect) == (503, True, Effect.NOT_SENT)


@pytest.mark.parametrize("library", CLIENTS)
def test_a_service_that_does_not_answer_leaves_it_in_doubt(library: str) -> None:
    """A read that takes too long is 504, and nobody knows what was done."""
    with silent() as port:
        said = reading_of(lambda: fetch(library, f"http://127.0.0.1:{port}/")).classification

    assert (said.status, said.transient, said.effect) == (504, True, Effect.IN_DOUBT)


@pytest.mark.parametrize("library", [name for name in CLIENTS if "urllib3" not in str(name)])
@pytest.mark.parametrize(("upstream", "transient"), [(503, True), (429, True), (404, False)])
def test_a_services_answer_is_not_ours(
    library: str, busy: str, *, upstream: int, transient: bool
) -> None:
    """Whatever status another service answers with, our caller gets 502, and its wait only if it helps."""
    reading = reading_of(lambda: fetch(library, f"{busy}{upstream}"))

    assert reading.spoken is not None
    assert (reading.classification.status, reading.classification.code) == (
        502,
        "DEPENDENCY_FAILED",
    )
    assert reading.classification.transient is transient
    assert reading.spoken.learned == {"upstream_status": upstream}
    assert reading.spoken.retry_after == (7 if transient else None)


@pytest.mark.extra("requests", "urllib3")
def test_a_pool_that_gave_up_says_what_it_gave_up_for() -> None:
    """After retries urllib3 raises one exception; what it is for decides."""
    urllib3 = importlib.import_module("urllib3")
    pool = urllib3.PoolManager(retries=urllib3.Retry(1, backoff_factor=0), timeout=0.2)

    refused = reading_of(lambda: pool.request("GET", NOWHERE)).classification
    with silent() as port:
        late = reading_of(lambda: pool.request("GET", f"http://127.0.0.1:{port}/")).classification

    assert (refused.status, refused.effect) == (503, Effect.NOT_SENT)
    assert (late.status, late.effect) == (504, Effect.IN_DOUBT)


@pytest.mark.parametrize(
    "call",
    [
        lambda: urllib.request.build_opener().open("gopher://127.0.0.1/"),
        lambda: http.client.HTTPConnection("127.0.0.1", 1).getresponse(),
    ],
    ids=["address", "turn"],
)
def test_a_client_used_wrongly_is_a_bug_of_ours(call: Callable[[], object]) -> None:
    """An address that makes no sense, or a call out of turn, is nobody else's fault."""
    said = reading_of(call).classification

    assert (said.status, said.fault, said.trusted) == (500, "SERVICE", False)


@pytest.mark.parametrize(("reply", "transient"), [(421, True), (450, True), (550, False)])
def test_a_mail_servers_reply_says_whether_to_come_back(*, reply: int, transient: bool) -> None:
    """SMTP's replies from 400 are temporary, those from 500 are not; the mail was not taken."""
    said = Classifier().classify(smtplib.SMTPDataError(reply, b"no"))

    assert (said.status, said.transient, said.effect) == (502, transient, Effect.NOT_SENT)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator["Engine"]:
    """Make a database with one table."""
    sqlalchemy = importlib.import_module("sqlalchemy")
    made = sqlalchemy.create_engine(
        f"sqlite:///{tmp_path / 'shop.db'}",
        poolclass=sqlalchemy.pool.QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.01,
    )
    with made.begin() as connection:
        connection.execute(sqlalchemy.text("create table item (sku text unique not null)"))
        connection.execute(sqlalchemy.text("insert into item values ('a')"))
    yield made
    made.dispose()


@pytest.mark.extra("sqlalchemy")
@pytest.mark.parametrize(
    ("statement", "code", "status"),
    [
        ("insert into item values ('a')", ErrorCode.UNIQUE_CONSTRAINT, 409),
        ("insert into item values (null)", ErrorCode.NOT_NULL_CONSTRAINT, 409),
        ("select nonsense", ErrorCode.DATABASE_ERROR, 500),
    ],
)
def test_what_sqlalchemy_raises_means_what_the_driver_said(
    engine: "Engine", statement: str, code: ErrorCode, status: int
) -> None:
    """SQLAlchemy's exception is read by the driver's within."""
    text = importlib.import_module("sqlalchemy").text

    with engine.connect() as connection:
        said = reading_of(lambda: connection.execute(text(statement))).classification

    assert (said.code, said.status) == (code.code, status)


@pytest.mark.extra("sqlalchemy")
def test_sqlalchemy_without_a_free_connection_has_sent_nothing(engine: "Engine") -> None:
    """A pool from which nothing comes back is a database that cannot be reached for the moment."""
    with engine.connect():
        said = reading_of(engine.connect).classification

    assert (said.code, said.status, said.effect) == ("DB_CONNECTION_ERROR", 503, Effect.NOT_SENT)


@pytest.mark.extra("sqlalchemy")
def test_a_database_that_cannot_be_opened_was_sent_nothing() -> None:
    """What the driver says of a file that is not there holds for SQLAlchemy's exception, too."""
    engine = importlib.import_module("sqlalchemy").create_engine("sqlite:////nowhere/shop.db")

    said = reading_of(engine.connect).classification

    assert (said.code, said.effect) == ("DB_CONNECTION_ERROR", Effect.NOT_SENT)
