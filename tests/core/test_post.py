"""Posting to somebody's address: what it gets, what its answers mean, and that nobody waits for long."""

import os
import socket
import subprocess
import sys
import threading
import traceback
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from holdfast import AppError, CommunicationError, DeadlineExceededError, DependencyError
from holdfast.reporting.post import MAX_BODY, MAX_RETRY_AFTER, Receiver, signature
from holdfast.testing import FakeClock
from tests.core.receiver import NOW, Answering, close, drip, hang, receiving, status

NOBODY = "http://127.0.0.1:9/hook/canary-token?sig=canary-sig"


def refusal_of(answering: Answering, timeout: float = 5.0) -> AppError:
    """Return what is raised when a receiver answers so."""
    with receiving(answering) as inbox:
        receiver = Receiver(url=inbox.url, timeout=timeout, clock=FakeClock())
        with pytest.raises(AppError) as caught:
            receiver.post({"a": 1})
    return caught.value


def test_a_value_arrives_as_json_with_the_headers_asked_for() -> None:
    """A receiver gets the path, the project's headers, and a key by which it knows repetitions."""
    with receiving(status(204)) as inbox:
        Receiver(url=inbox.url, headers={"X-Team": "ops"}).post({"text": "é"}, "key-1")

    (got,) = inbox.got
    assert got.json() == {"text": "é"}
    assert got.path == "/hook/canary-token?sig=canary-sig"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-team"] == "ops"
    assert got.headers["idempotency-key"] == got.headers["webhook-id"] == "key-1"
    assert "webhook-signature" not in got.headers


def test_a_secret_signs_the_body_with_its_id_and_time() -> None:
    """A receiver that has the secret can tell that we sent it, and when."""
    with receiving(status(200)) as inbox:
        Receiver(url=inbox.url, secret="shared", clock=FakeClock()).post({"a": 1}, "key-1")

    (got,) = inbox.got
    stamp = str(int(NOW.timestamp()))
    assert got.headers["webhook-timestamp"] == stamp
    assert got.headers["webhook-signature"] == signature("shared", "key-1", stamp, got.body)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example that its libraries test themselves with."""
    body = b'{"test": 2432232314}'

    made = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body
    )

    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("code", "transient"),
    [
        *((code, False) for code in (400, 401, 404, 410, 413)),
        *((code, True) for code in (429, 500, 502, 503, 504)),
    ],
)
def test_a_status_says_whether_sending_again_may_help(code: int, *, transient: bool) -> None:
    """Overload and breakdowns pass; a refusal does not."""
    error = refusal_of(status(code))

    assert isinstance(error, DependencyError)
    assert (error.upstream_status, error.transient) == (code, transient)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        ("99999999999", MAX_RETRY_AFTER),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_understood_as_seconds_and_as_a_date(
    header: str, seconds: float | None
) -> None:
    """What makes no sense is as if it had not been said, and nobody makes us wait for ever."""
    assert refusal_of(status(429, Retry_After=header)).retry_after == seconds


def test_a_redirect_is_not_followed() -> None:
    """What was meant for one address goes to no other."""
    with receiving(status(200)) as elsewhere:
        error = refusal_of(status(307, Location=elsewhere.url))

        assert elsewhere.got == []
    assert not error.transient
    assert "redirects are not followed" in str(error)


@pytest.mark.parametrize("answering", [hang, drip])
def test_the_whole_exchange_has_one_time_limit(answering: Answering) -> None:
    """A receiver that hangs is left, and so is one that says a byte now and then."""
    error = refusal_of(answering, timeout=0.3)

    assert isinstance(error, DeadlineExceededError)
    assert error.transient


def test_the_time_limit_holds_when_it_passes_before_there_is_a_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slow name server, which nobody has at hand, and then a byte now and then."""
    look_up = socket.getaddrinfo

    def slowly(*args: Any, **options: Any) -> Any:  # noqa: ANN401  # the function of another
        threading.Event().wait(0.3)
        return look_up(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)

    error = refusal_of(drip, timeout=0.1)

    assert isinstance(error, DeadlineExceededError)


def test_a_receiver_that_goes_away_may_come_back() -> None:
    """A connection that is closed without an answer is worth another attempt."""
    error = refusal_of(close)

    assert isinstance(error, CommunicationError)
    assert error.transient


def test_a_receiver_that_is_not_there_may_come_back() -> None:
    """A refused connection is worth another attempt."""
    with pytest.raises(CommunicationError, match=r"127\.0\.0\.1 cannot be reached") as caught:
        Receiver(url=NOBODY).post({})

    assert caught.value.transient


def test_an_answer_that_is_no_http_is_an_error_of_the_receiver() -> None:
    """Whatever else listens there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        with pytest.raises(AppError):
            Receiver(url=url, timeout=0.2).post({})


def test_a_huge_answer_is_not_read() -> None:
    """Of a success nothing is read, of a refusal as much as explains it."""
    huge = b"invalid_blocks " + b"x" * 5_000_000
    with receiving(status(200, huge)) as inbox:
        Receiver(url=inbox.url).post({})

    error = refusal_of(status(400, huge))

    assert "invalid_blocks" in str(error)
    assert len(str(error)) < 300


def test_what_a_receiver_says_is_cleaned() -> None:
    """A receiver may quote what it was sent."""
    with receiving(status(400, b"bad\ntoken abc")) as inbox:
        receiver = Receiver(url=inbox.url, clean=lambda text: text.replace("abc", "#"))

        with pytest.raises(DependencyError, match="bad token #"):
            receiver.post({})


@pytest.mark.parametrize(
    "answering",
    [hang, close, status(500), status(302), status(404)],
    ids=["hangs", "closes", "500", "302", "404"],
)
def test_no_error_tells_the_address(answering: Answering) -> None:
    """It is as good as a password: whoever knows it may post."""
    error = refusal_of(answering, timeout=0.2)

    assert "canary" not in f"{error!r} {error.learned} {error.details}"
    assert "canary" not in "".join(traceback.format_exception(error))


def test_a_proxy_of_the_environment_is_used() -> None:
    """As by everything else on the machine; in a process of its own, because it is read once."""
    script = "import sys; from holdfast.reporting.post import Receiver; Receiver(url=sys.argv[1]).post({})"
    with receiving(status(200)) as proxy:
        named = {"http_proxy": proxy.url.partition("/hook")[0], "no_proxy": ""}

        subprocess.run(
            [sys.executable, "-c", script, "http://hooks.invalid/x"],
            env={**os.environ, **named},
            check=True,
            timeout=30,
        )

    (got,) = proxy.got
    assert got.path == "http://hooks.invalid/x"


def test_a_receiver_shows_no_secret() -> None:
    """Its representation names nothing that opens anything."""
    receiver = Receiver(url=NOBODY, headers={"Authorization": "canary"}, secret="canary")

    assert "canary" not in repr(receiver)


def test_a_body_has_a_largest_size() -> None:
    """Nothing is sent that a receiver would not take."""
    with pytest.raises(ValueError, match="more than"):
        Receiver(url=NOBODY).post({"text": "x" * MAX_BODY})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com/x",
        "ftp://a/b",
        "file:///etc/passwd",
        "http:///x",
        "http://[::1/x",
        "http://user:canary@host/",
        "http://host/a b",
        "http://host/\r\nX: y",
        "http://" + "a" * 3000,
    ],
)
def test_an_address_that_cannot_be_posted_to_is_refused(url: str) -> None:
    """Only HTTP, no credentials, nothing that could break a request apart; without showing it."""
    with pytest.raises(ValueError, match="the address") as caught:
        Receiver(url=url)

    assert "canary" not in str(caught.value)
