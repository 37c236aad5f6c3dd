"""What the exceptions of HTTP, mail and other network clients mean, by dotted name: none is imported.

A dependency that cannot be reached, or not in time, that breaks off or answers wrongly is told
apart by what may have been done over there. Using a client wrongly is a bug of ours, as every
unknown error is, and so is an address that makes no sense.
"""

from collections.abc import Callable, Iterator
from typing import Final

from holdfast.brokers import never_connected
from holdfast.classify.conditions import attribute_of, carried_status
from holdfast.classify.rules import Rule
from holdfast.codes import Effect, ErrorCode
from holdfast.errors import AppError, DependencyError

MAX_WAIT: Final = 86_400
"""Seconds that another service may ask to wait."""
_TEMPORARY: Final = range(400, 500)
"""Replies of mail and file servers after which the same may succeed later."""

_TIMED_OUT, _UNREACHABLE = ErrorCode.DEADLINE_EXCEEDED, ErrorCode.COMMUNICATION_ERROR
_REFUSED, _FULL = ErrorCode.DEPENDENCY_FAILED, ErrorCode.SERVICE_UNAVAILABLE
_MISTAKE = ErrorCode.INTERNAL_ERROR
_IN_DOUBT, _NOT_SENT = Effect.IN_DOUBT, Effect.NOT_SENT

_MEANINGS: Final[tuple[tuple[str, ErrorCode, Effect | None, str], ...]] = (
    ("httpx", _TIMED_OUT, _NOT_SENT, "ConnectTimeout PoolTimeout"),
    ("httpx", _TIMED_OUT, _IN_DOUBT, "TimeoutException"),
    ("httpx", _UNREACHABLE, _NOT_SENT, "ConnectError ProxyError"),
    ("httpx", _UNREACHABLE, _IN_DOUBT, "TransportError"),
    ("httpx", _MISTAKE, _NOT_SENT, "LocalProtocolError UnsupportedProtocol"),
    ("httpx", _REFUSED, _IN_DOUBT, "RemoteProtocolError DecodingError TooManyRedirects"),
    ("requests.exceptions", _TIMED_OUT, _NOT_SENT, "ConnectTimeout"),
    ("requests.exceptions", _TIMED_OUT, _IN_DOUBT, "Timeout"),
    ("requests.exceptions", _UNREACHABLE, _NOT_SENT, "ProxyError"),
    ("requests.exceptions", _UNREACHABLE, _IN_DOUBT, "ConnectionError"),
    (
        *("requests.exceptions", _REFUSED, _IN_DOUBT),
        "ChunkedEncodingError ContentDecodingError JSONDecodeError RetryError TooManyRedirects",
    ),
    ("urllib3.exceptions", _TIMED_OUT, _NOT_SENT, "ConnectTimeoutError"),
    ("urllib3.exceptions", _TIMED_OUT, _IN_DOUBT, "TimeoutError"),
    ("urllib3.exceptions", _UNREACHABLE, _NOT_SENT, "NewConnectionError ProxyError"),
    ("urllib3.exceptions", _UNREACHABLE, _IN_DOUBT, "MaxRetryError ProtocolError"),
    ("urllib3.exceptions", _FULL, _NOT_SENT, "EmptyPoolError FullPoolError"),
    (
        *("urllib3.exceptions", _REFUSED, _IN_DOUBT),
        "DecodeError IncompleteRead InvalidChunkLength ResponseError ResponseNotChunked",
    ),
    ("aiohttp.client_exceptions", _TIMED_OUT, _NOT_SENT, "ConnectionTimeoutError"),
    ("aiohttp.client_exceptions", _TIMED_OUT, _IN_DOUBT, "ServerTimeoutError"),
    ("aiohttp.client_exceptions", _UNREACHABLE, _NOT_SENT, "ClientConnectorError"),
    ("aiohttp.client_exceptions", _UNREACHABLE, _IN_DOUBT, "ClientConnectionError"),
    ("aiohttp.client_exceptions", _REFUSED, _IN_DOUBT, "ClientPayloadError TooManyRedirects"),
    ("http.client", _MISTAKE, _NOT_SENT, "ImproperConnectionState InvalidURL NotConnected"),
    ("http.client", _MISTAKE, None, "UnimplementedFileMode"),
    ("http.client", _REFUSED, _IN_DOUBT, "HTTPException"),
    ("urllib.error", _REFUSED, _IN_DOUBT, "ContentTooShortError"),
    ("xmlrpc.client", _REFUSED, _IN_DOUBT, "Error"),
    ("smtplib", _UNREACHABLE, _NOT_SENT, "SMTPConnectError"),
    ("smtplib", _UNREACHABLE, _IN_DOUBT, "SMTPServerDisconnected"),
    ("smtplib", _REFUSED, _NOT_SENT, "SMTPException"),
    ("ftplib", _REFUSED, _IN_DOUBT, "Error"),
    ("poplib", _REFUSED, _IN_DOUBT, "error_proto"),
    ("imaplib", _UNREACHABLE, _IN_DOUBT, "IMAP4.abort"),
    ("imaplib", _REFUSED, _IN_DOUBT, "IMAP4.error"),
    ("nntplib", _REFUSED, _IN_DOUBT, "NNTPError"),
)


def client_rules() -> Iterator[Rule]:
    """Yield the rules, those with a condition before the general ones of the same class."""
    yield from _answers()
    yield from _conditional()
    for module, code, effect, names in _MEANINGS:
        for name in names.split():
            trusted = code is not _MISTAKE
            yield Rule(match=f"{module}.{name}", code=code, effect=effect, trusted=trusted)


def _answers() -> Iterator[Rule]:
    """Yield what is raised for an answer with the status of an error."""
    for name in (
        *("httpx.HTTPStatusError", "requests.exceptions.HTTPError", "urllib.error.HTTPError"),
        *("aiohttp.client_exceptions.ClientResponseError", "xmlrpc.client.ProtocolError"),
    ):
        yield Rule(match=name, translate=answered)


def _conditional() -> Iterator[Rule]:
    for name in ("requests.exceptions.SSLError", "urllib3.exceptions.SSLError"):
        yield Rule(match=name, code=_UNREACHABLE, effect=_NOT_SENT, transient=False)
    for name in ("requests.exceptions.ConnectionError", "urllib3.exceptions.ProtocolError"):
        yield Rule(match=name, code=_UNREACHABLE, effect=_NOT_SENT, when=never_connected)
    yield from _by_reason("urllib3.exceptions.MaxRetryError")
    yield from _by_reason("urllib.error.URLError")
    # Of an address that cannot be opened there is no reason but a sentence.
    yield Rule(match="urllib.error.URLError", code=_MISTAKE, effect=_NOT_SENT, trusted=False)
    for name in ("smtplib.SMTPResponseException", "ftplib.error_temp"):
        yield Rule(match=name, code=_REFUSED, effect=_NOT_SENT, transient=True, when=_may_pass)


def _by_reason(name: str) -> Iterator[Rule]:
    """Yield what an exception means that says by another one why it was raised."""
    never = _is_for("NewConnectionError", "ConnectionRefusedError", "gaierror")
    # The first of urllib3's is a kind of the second.
    yield Rule(match=name, code=_UNREACHABLE, effect=_NOT_SENT, when=never)
    yield Rule(match=name, code=_TIMED_OUT, effect=_NOT_SENT, when=_is_for("ConnectTimeoutError"))
    yield Rule(match=name, code=_TIMED_OUT, effect=_IN_DOUBT, when=_is_for("TimeoutError"))
    yield Rule(match=name, code=_REFUSED, effect=_IN_DOUBT, when=_is_for("ResponseError"))
    yield Rule(match=name, code=_UNREACHABLE, transient=False, when=_is_for("SSLError"))
    yield Rule(match=name, code=_UNREACHABLE, effect=_IN_DOUBT, when=_is_for("Exception"))


def _is_for(*names: str) -> Callable[[BaseException], bool]:
    def is_for(error: BaseException) -> bool:
        reason: object = attribute_of(error, "reason")
        return any(cls.__name__ in names for cls in type(reason).__mro__)

    return is_for


def _may_pass(error: BaseException) -> bool:
    reply: object = attribute_of(error, "smtp_code")
    return reply is None or reply in _TEMPORARY


def answered(error: BaseException) -> AppError:
    """Return the error that stands for another service's answer, with its status and patience."""
    status = carried_status(error)
    if status is None:
        reply: object = attribute_of(error, "errcode")
        status = reply if isinstance(reply, int) else None
    spoken = DependencyError(upstream_status=status)
    spoken.retry_after = _patience(error) if spoken.transient else None
    return spoken


def _patience(error: BaseException) -> float | None:
    """Return the seconds of a `Retry-After`; its other form, a date, is left to who retries."""
    owner: object = attribute_of(error, "response")
    headers: object = attribute_of(error if owner is None else owner, "headers")
    read: object = attribute_of(headers, "get")
    said: object = read("Retry-After") if callable(read) else None
    if not isinstance(said, str) or not said.isascii() or not said.isdigit():
        return None
    return float(min(int(said[:9]), MAX_WAIT))
