"""One POST to somebody's address: no redirects, no more time than it was given, and nothing told of the address but its host.

Signed, where there is a secret, as Standard Webhooks has it: the headers `webhook-id`,
`webhook-timestamp` and `webhook-signature`.
"""

import base64
import binascii
import hmac
import json
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final, cast
from urllib.parse import urlsplit

from holdfast.clock import Clock, SystemClock
from holdfast.errors import AppError, CommunicationError, DeadlineExceededError, DependencyError
from holdfast.reporting.address import url_objection

MAX_BODY: Final = 250_000
"""Bytes of a body; receivers turn down more."""
MAX_RETRY_AFTER: Final = 86_400.0
"""Seconds that a receiver may ask to wait."""
_MAX_SAID: Final = 200
_AGAIN: Final = 0.1
"""Seconds between attempts to end an exchange that is late."""
_ACCEPTED: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_MARKED: Final = "whsec_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Somebody's address, and how it is told; safe for threads.

    Raises:
        ValueError: When the address is none of HTTP.

    Example:
        >>> Receiver(url="https://hooks.example.com/T0/very-secret").host
        'hooks.example.com'
        >>> Receiver(url="file:///etc/passwd")
        Traceback (most recent call last):
        ...
        ValueError: the address must begin with http:// or https:// and name a host
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Sent beside ours."""
    secret: str = field(default="", repr=False)
    """What bodies are signed with: bytes in base64 behind `whsec_`, or any text. Empty: unsigned."""
    timeout: float = 5.0
    """Seconds for everything from connecting to the answer."""
    clean: Callable[[str], str] = field(default=str, repr=False, compare=False)
    """Takes secrets out of what the receiver answers."""
    clock: Clock = field(default_factory=SystemClock, repr=False, compare=False)

    def __post_init__(self) -> None:
        objection = url_objection(self.url)
        if objection:
            raise ValueError(f"the address {objection}")

    @property
    def host(self) -> str:
        """The part of the address that may be told."""
        return urlsplit(self.url).hostname or ""

    def post(self, content: object, key: str = "") -> None:
        """Send a value as JSON; returns when it was accepted.

        Args:
            content: What JSON can hold.
            key: The same whenever the same is sent again, so that the receiver takes it once.

        Raises:
            DependencyError: The receiver refused; transient by its status, with `retry_after`.
            CommunicationError: It cannot be reached.
            DeadlineExceededError: It did not answer in time.
            ValueError: When the body would be too large.
        """
        body = json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        if len(body) > MAX_BODY:
            raise ValueError(f"the body has {len(body)} bytes, more than {MAX_BODY}")
        request = _Request(self.url, body, self._headers(body, key))
        try:
            with time_limit(self.timeout, request.cut):
                status, said, wait = self._answer(request)
        except (OSError, HTTPException, ValueError) as error:
            raise self._unanswered(request, error) from None  # it may hold the address
        if request.was_cut:  # in the middle of headers, which then seem to end there
            raise self._late()
        if status not in _ACCEPTED:
            raise self._refusal(status, said, wait)

    def _answer(self, request: "_Request") -> tuple[int, str, str]:
        answer = cast("HTTPResponse", _opener.open(request, timeout=self.timeout))
        with answer:
            said = "" if answer.status in _ACCEPTED else _said(answer)
            return answer.status, said, answer.headers.get("Retry-After", "")

    def _headers(self, body: bytes, key: str) -> dict[str, str]:
        headers = {
            "User-Agent": "holdfast",
            "Content-Type": "application/json",
            **self.headers,
        }
        if key:
            headers |= {"Idempotency-Key": key, "webhook-id": key}
        if self.secret:
            stamp = str(int(self.clock.now().timestamp()))
            headers["webhook-timestamp"] = stamp
            headers["webhook-signature"] = signature(self.secret, key, stamp, body)
        return headers

    def _unanswered(self, request: "_Request", error: Exception) -> AppError:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if request.was_cut or isinstance(reason, TimeoutError):
            return self._late()
        said = reason.strerror if isinstance(reason, OSError) else ""
        failure = CommunicationError(
            f"{self.host} cannot be reached: {said or type(reason).__name__}"
        )
        if isinstance(reason, ssl.SSLCertVerificationError):
            failure.transient = False
        return failure

    def _late(self) -> DeadlineExceededError:
        return DeadlineExceededError(f"{self.host} did not answer within {self.timeout:g} s")

    def _refusal(self, status: int, said: str, wait: str) -> DependencyError:
        words = f": {self.clean(said)}" if said else ""
        if status in _REDIRECTS:
            words = ", and redirects are not followed"
        return DependencyError(
            f"{self.host} answered with status {status}{words}",
            upstream_status=status,
            retry_after=self._seconds(wait),
        )

    def _seconds(self, wait: str) -> float | None:
        """Return what `Retry-After` asks for: seconds, or a date."""
        with suppress(ValueError, TypeError, OverflowError):
            if wait.strip().isdecimal():
                return min(float(wait), MAX_RETRY_AFTER)
            date = parsedate_to_datetime(wait)
            seconds = (date - self.clock.now()).total_seconds()
            return min(max(seconds, 0.0), MAX_RETRY_AFTER)
        return None


def signature(secret: str, key: str, stamp: str, body: bytes) -> str:
    """Return the value of `webhook-signature`: HMAC-SHA256 over id, time and body.

    Example:
        >>> signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_1", "1614265330", b"{}")[:3]
        'v1,'
    """
    signed = b".".join((key.encode(), stamp.encode(), body))
    digest = hmac.digest(_key_of(secret), signed, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def _key_of(secret: str) -> bytes:
    if secret.startswith(_MARKED):
        with suppress(binascii.Error, ValueError):
            return base64.b64decode(secret.removeprefix(_MARKED), validate=True)
    return secret.encode()


def _said(answer: HTTPResponse) -> str:
    """Return the beginning of what a receiver says of its refusal, in one line."""
    text = ""
    with suppress(OSError, HTTPException):  # the status says enough
        text = answer.read1(4 * _MAX_SAID).decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MAX_SAID]


class _Request(urllib.request.Request):
    """One POST, and the connection that it came to use."""

    was_cut = False
    """Whether the time was over before the answer."""

    def __init__(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(url, data=body, headers=dict(headers), method="POST")
        self.connection: HTTPConnection | None = None

    def cut(self) -> None:
        """End the exchange, from another thread."""
        self.was_cut = True
        if self.connection is not None:
            cut(self.connection.sock)


@contextmanager
def time_limit(seconds: float, end: Callable[[], None]) -> Generator[None]:
    """End what the block does when it takes longer, from another thread.

    Args:
        seconds: That it may take.
        end: Ends it; called until the block is left, because there may be no socket to close yet.
    """
    left = threading.Event()

    def watch() -> None:
        wait = seconds
        while not left.wait(wait):
            end()
            wait = _AGAIN

    with suppress(RuntimeError):  # a process that ends starts no threads any more
        threading.Thread(target=watch, name="holdfast-limit", daemon=True).start()
    try:
        yield
    finally:
        left.set()


def cut(sock: socket.socket | None) -> None:
    """End whatever waits for a socket, from another thread; harmless when it is closed."""
    if sock is not None:
        with suppress(OSError):
            # The plain socket's: that of TLS would take the session away from the thread that waits.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _connected(request: _Request, host: str, **options: object) -> HTTPConnection:
    https = request.type == "https"
    make = cast("Callable[..., HTTPConnection]", HTTPSConnection if https else HTTPConnection)
    request.connection = make(host, **options)
    return request.connection


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_connected, cast("_Request", req)), req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_connected, cast("_Request", req)), req)


# Only what speaks HTTP, through a proxy where the environment names one: no redirects, no files.
_opener = urllib.request.OpenerDirector()
for _handler in (urllib.request.ProxyHandler(), _Http(), _Https()):
    _opener.add_handler(_handler)
