"""Whether something answers HTTP as it should."""

import io
import ssl
from collections.abc import Container, Mapping
from dataclasses import KW_ONLY, dataclass, field
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, Final, Literal, cast
from urllib.parse import urlsplit, urlunsplit

from holdfast.health.check import Finding
from holdfast.health.checks.connection import Countdown, check_timeout, dial
from holdfast.health.checks.verdict import failed
from holdfast.reporting.address import url_objection

if TYPE_CHECKING:
    from socket import socket
    from urllib.parse import SplitResult

    from _typeshed import ReadableBuffer, WriteableBuffer

SUCCESS: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_MAX_BYTES: Final = 65_536
_MOST_BYTES: Final = 10_000_000
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """Fails while an address does not answer HTTP with the status, and the text, that it should.

    Certificates are verified, redirects and proxies not followed. Everything together, name lookup
    aside, ends within `timeout`, however slowly the other side says what it says.

    Raises:
        ValueError: When an option makes no sense.

    Example:
        >>> HttpCheck("https://api.example.com/health/live", method="HEAD", timeout=1.0)
        HttpCheck(method='HEAD', expect=range(200, 300), contains='', timeout=1.0, max_bytes=65536, cafile='')
    """

    url: str = field(repr=False)
    """Of `http` or `https`, without user and password: those go into `headers`. It is not told of."""
    _: KW_ONLY
    method: Literal["GET", "HEAD"] = "GET"
    expect: Container[int] = SUCCESS
    """Statuses that pass."""
    contains: str = ""
    """Text that has to be in the body, in UTF-8. Default: the body is not read."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Sent beside ours."""
    timeout: float = 2.0
    """Seconds, above 0, from connecting to the end of what is read."""
    max_bytes: int = _MAX_BYTES
    """Of the body, read in search of the text; 1 to 10,000,000."""
    cafile: str = ""
    """File of the authorities that may have signed the certificate. Default: those of the system."""

    def __post_init__(self) -> None:
        objection = url_objection(self.url)
        if objection:
            raise ValueError(f"the URL {objection}")
        if not isinstance(cast("object", self.expect), Container):
            said = f"expect must hold statuses, such as {{200, 204}}, not {self.expect!r}"
            raise ValueError(said)  # noqa: TRY004
        if self.method not in {"GET", "HEAD"}:
            raise ValueError(f"method must be GET or HEAD, not {self.method!r}")
        if self.contains and self.method == "HEAD":
            raise ValueError("contains needs the method GET: an answer to HEAD has no body")
        if not 0 < self.max_bytes <= _MOST_BYTES:
            raise ValueError(f"max_bytes must be 1 to {_MOST_BYTES}, not {self.max_bytes}")
        check_timeout(self, self.timeout)

    def __call__(self) -> dict[str, object] | Finding:
        """Ask once.

        Raises:
            OSError: When it cannot be reached, or not in time.
            HTTPException: When it does not speak HTTP.
        """
        parts, countdown = urlsplit(self.url), Countdown(self.timeout)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        with dial(host, port, countdown) as plain:
            if parts.scheme == "http":
                return self._answer(parts, HTTPConnection(host, port), _Line(plain, countdown))
            plain.settimeout(countdown.left())
            context = ssl.create_default_context(cafile=self.cafile or None)
            with context.wrap_socket(plain, server_hostname=host) as secured:
                connection = HTTPSConnection(host, port, context=context)
                return self._answer(parts, connection, _Line(secured, countdown))

    def _answer(
        self, parts: "SplitResult", connection: HTTPConnection, line: "_Line"
    ) -> dict[str, object] | Finding:
        connection.sock = cast(
            "socket", line
        )  # else it would make one, and give each read all time
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        headers = {"User-Agent": "holdfast", "Connection": "close", **self.headers}
        connection.request(self.method, target, headers=headers)
        with connection.getresponse() as answer:
            return self._judged(answer)

    def _judged(self, answer: HTTPResponse) -> dict[str, object] | Finding:
        status = answer.status
        if status not in self.expect:
            more = ", and redirects are not followed" if status in _REDIRECTS else ""
            return failed(f"answered with status {status}{more}", status=status)
        if self.contains and self.contains.encode() not in answer.read(self.max_bytes):
            return failed("its answer does not hold the text that is expected", status=status)
        return {"status": status}


class _Line:
    """A socket as `http.client` knows it, whose every read and write has what is left of one time.

    Who made the socket closes it.
    """

    def __init__(self, sock: "socket", countdown: Countdown) -> None:
        self._sock = sock
        self._countdown = countdown

    def sendall(self, data: "ReadableBuffer") -> None:
        """Send everything."""
        self._sock.settimeout(self._countdown.left())
        self._sock.sendall(data)

    def makefile(self, _: str) -> io.BufferedReader:
        """Return what is read from."""
        return io.BufferedReader(_Reading(self._sock, self._countdown))

    def close(self) -> None:
        """Leave it to who made it."""


class _Reading(io.RawIOBase):
    def __init__(self, sock: "socket", countdown: Countdown) -> None:
        super().__init__()
        self._sock = sock
        self._countdown = countdown

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._sock.settimeout(self._countdown.left())
        return self._sock.recv_into(buffer)
