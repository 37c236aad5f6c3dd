"""Ports, names and HTTP: what passes, what fails, and that nobody is held up or told too much."""

import json
import socket
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

import pytest

from holdfast.health import HealthRegistry
from holdfast.health.checks.dns import DnsCheck
from holdfast.health.checks.http import HttpCheck
from holdfast.health.checks.tcp import TcpCheck
from tests.core.listening import (
    PATIENCE,
    Answering,
    Peer,
    dripping,
    run,
    saying,
    serving,
    silent,
)

pytestmark = pytest.mark.usefixtures("descriptors")

OK = saying("HTTP/1.1 200 OK", "Content-Length: 5", body=b"ready")
SECRET = "canary-4711"


@contextmanager
def closed_port() -> Generator[int]:
    """Offer a port that nobody listens at, and nobody can take meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield int(sock.getsockname()[1])


@contextmanager
def full_port() -> Generator[int]:
    """Offer a port whose queue is full, so that it answers nobody who comes."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


def test_a_port_that_takes_connections_passes() -> None:
    """It says at which address, and waits for no word of the other side."""
    with serving(silent) as port:
        result = run(TcpCheck("127.0.0.1", port))

    assert (result.status.value, result.details) == ("pass", {"address": "127.0.0.1"})


def test_a_port_where_nobody_listens_fails() -> None:
    """The class of the error says why."""
    with closed_port() as port:
        result = run(TcpCheck("127.0.0.1", port))

    assert (result.status.value, result.output) == ("fail", "ConnectionRefusedError")


def test_a_port_that_does_not_answer_fails_in_its_time() -> None:
    """A host that drops packets is not waited for longer than told."""
    with full_port() as port:
        began = time.perf_counter()
        result = run(TcpCheck("127.0.0.1", port, timeout=0.1))

    assert (result.status.value, result.output) == ("fail", "TimeoutError")
    assert time.perf_counter() - began < PATIENCE / 2


def test_the_next_address_is_tried_within_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not answer leaves some of the time to those behind it."""
    with full_port() as dead, closed_port() as closed, serving(silent) as alive:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
            for port in (dead, closed, alive)
        ]

        def look_up(*_: object, **__: object) -> object:
            return found

        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", look_up)
            result = run(TcpCheck("many.example", 80, timeout=1.0))

    assert result.status.value == "pass"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TcpCheck("", 80), "host must be a name"),
        (lambda: TcpCheck("http://a", 80), "without scheme, port and path, not 'http://a'"),
        (lambda: TcpCheck("user@a", 80), "without scheme, port and path, not 'user@a'"),
        (lambda: TcpCheck("a" * 254, 80), "not 'aaaa"),
        (lambda: TcpCheck("a", 0), "port must be 1 to 65535, not 0"),
        (lambda: TcpCheck("a", 65_536), "not 65536"),
        (
            lambda: TcpCheck("a", 80, timeout=0),
            "timeout must be above 0 seconds and at most 86,400, not 0",
        ),
        (
            lambda: TcpCheck("a", 80, timeout=float("inf")),
            "timeout must be above 0 seconds and at most 86,400, not inf",
        ),
        (
            lambda: TcpCheck("a", 80, timeout=float("nan")),
            "timeout must be above 0 seconds and at most 86,400, not nan",
        ),
        (lambda: DnsCheck("a/b"), "name must be"),
        (lambda: DnsCheck("a", family="ipv5"), "family must be one of any, ipv4, ipv6"),  # type: ignore[arg-type]  # on purpose
        (lambda: DnsCheck("a", expect="127.0.0.1"), "expect must be several"),
        (lambda: DnsCheck("a", expect=("nowhere",)), "'nowhere'"),
        (lambda: HttpCheck("ftp://a/"), "must begin with http"),
        (lambda: HttpCheck("http://u:p@a/"), "must not hold a user"),
        (lambda: HttpCheck("http://a/ b"), "without spaces"),
        (lambda: HttpCheck("http://a/", expect=200), "expect must hold statuses"),  # type: ignore[arg-type]  # on purpose
        (lambda: HttpCheck("http://a/", method="POST"), "method must be GET or HEAD"),  # type: ignore[arg-type]  # on purpose
        (lambda: HttpCheck("http://a/", method="HEAD", contains="x"), "contains needs"),
        (lambda: HttpCheck("http://a/", max_bytes=0), "max_bytes must be 1 to"),
        (
            lambda: HttpCheck("http://a/", timeout=-1),
            "timeout must be above 0 seconds and at most 86,400, not -1",
        ),
    ],
)
def test_impossible_options_are_refused(make: Callable[[], object], said: str) -> None:
    """When the check is made, with what would be right."""
    with pytest.raises(ValueError, match=said):
        make()


def test_a_name_that_leads_somewhere_passes() -> None:
    """Its addresses are told, each once."""
    result = run(DnsCheck("localhost", family="ipv4", expect=["127.0.0.1"]))

    assert (result.status.value, result.details) == ("pass", {"addresses": ["127.0.0.1"]})


def test_a_name_that_leads_nowhere_fails() -> None:
    """Here because there is no such address of that family."""
    result = run(DnsCheck("127.0.0.1", family="ipv6"))

    assert (result.status.value, result.output) == ("fail", "socket.gaierror")


def test_a_name_that_leads_elsewhere_fails() -> None:
    """What was found and what was missed are both told; spellings of an address are one."""
    check = DnsCheck("127.0.0.1", expect=("127.0.0.1", "2001:DB8::0001"))

    result = run(check)

    assert result.status.value == "fail"
    assert result.output == "does not lead to every address that is expected"
    assert result.details == {"addresses": ["127.0.0.1"], "missing": ["2001:db8::1"]}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_with_a_good_status_passes(method: str) -> None:
    """Whatever its body says, unless a text is looked for."""
    with serving(OK) as port:
        result = run(HttpCheck(f"http://127.0.0.1:{port}", method=method))  # type: ignore[arg-type]  # one of two

    assert (result.status.value, result.details) == ("pass", {"status": 200})


@pytest.mark.parametrize(
    ("line", "output"),
    [
        ("HTTP/1.1 500 no", "answered with status 500"),
        (
            "HTTP/1.1 302 Found",
            "answered with status 302, and redirects are not followed",
        ),
        ("HTTP/1.1 404 " + SECRET, "answered with status 404"),
    ],
)
def test_another_status_fails(line: str, output: str) -> None:
    """The status is told, not the words beside it; redirects are not followed."""
    with serving(saying(line, "Location: http://127.0.0.1:1/", "Content-Length: 0")) as port:
        result = run(HttpCheck(f"http://127.0.0.1:{port}/"))

    assert (result.status.value, result.output) == ("fail", output)
    assert SECRET not in json.dumps(dict(result.details))


def test_the_statuses_that_pass_are_a_choice() -> None:
    """A login page may well answer 302."""
    with serving(saying("HTTP/1.1 302 Found", "Content-Length: 0")) as port:
        result = run(HttpCheck(f"http://127.0.0.1:{port}/", expect={200, 302}))

    assert result.status.value == "pass"


@pytest.mark.parametrize(
    ("text", "most", "status"),
    [("ready", 100, "pass"), ("READY", 100, "fail"), ("ready", 4, "fail"), ("", 1, "pass")],
)
def test_a_text_is_looked_for_in_the_beginning_of_the_body(
    text: str, most: int, status: str
) -> None:
    """No more is read than told, however much comes."""
    with serving(OK) as port:
        check = HttpCheck(f"http://127.0.0.1:{port}/", contains=text, max_bytes=most)
        result = run(check)

    assert result.status.value == status


def test_what_is_asked_is_what_the_check_says() -> None:
    """Path, query and headers arrive, and nothing of them is in the check's own words."""
    heard: list[bytes] = []

    def keep(peer: Peer) -> None:
        heard.append(peer.sock.recv(4096))
        peer.sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with serving(keep) as port:
        url = f"http://127.0.0.1:{port}/health?token={SECRET}"
        check = HttpCheck(url, headers={"Authorization": f"Bearer {SECRET}"})
        result = run(check)

    first, *lines = heard[0].decode().split("\r\n")
    assert first == f"GET /health?token={SECRET} HTTP/1.1"
    assert {f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {SECRET}"} <= set(lines)
    assert SECRET not in repr(check) + repr(result)


def test_a_check_whose_name_is_taken_does_not_tell_its_url() -> None:
    """The message about it shows what runs, without what may be a secret."""
    registry = HealthRegistry()
    registry.register_check("api", HttpCheck(f"http://a/?token={SECRET}"))

    with pytest.raises(ValueError, match="HttpCheck") as caught:
        registry.register_check("api", HttpCheck("http://b/"))

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        silent,
        dripping(b""),
        dripping(b"HTTP/1.1 200 OK\r\nX-Long: "),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
    ids=["silent", "status", "headers", "body"],
)
def test_who_says_nothing_or_drips_is_given_up(answer: Answering) -> None:
    """One time holds for everything together, not for each read."""
    with serving(answer) as port:
        began = time.perf_counter()
        result = run(HttpCheck(f"http://127.0.0.1:{port}/", contains="ready", timeout=0.15))

    assert (result.status.value, result.output) == ("fail", "TimeoutError")
    assert time.perf_counter() - began < PATIENCE / 2


@pytest.mark.parametrize(
    ("line", "output"),
    [("SSH-2.0-OpenSSH_9.6", "http.client.BadStatusLine"), ("", "http.client.BadStatusLine")],
)
def test_who_does_not_speak_http_fails(line: str, output: str) -> None:
    """The class of the error says so."""
    with serving(saying(line)) as port:
        result = run(HttpCheck(f"http://127.0.0.1:{port}/"))

    assert (result.status.value, result.output) == ("fail", output)


def test_nobody_there_fails() -> None:
    """As a port does."""
    with closed_port() as port:
        result = run(HttpCheck(f"http://127.0.0.1:{port}/"), critical=False)

    assert (result.status.value, result.output) == ("warn", "ConnectionRefusedError")
