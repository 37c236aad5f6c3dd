"""Every exception class of the standard library and of known libraries has the status of a table."""

import importlib
import sys
import urllib.error
from email.message import Message
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exceptions import (
    Builders,
    Handled,
    Table,
    behind,
    check_all,
    check_group,
    classes_of,
    dotted,
    groups,
    import_standard_library,
    instance,
    modules_of,
)

# What is somebody else's failure stands out; all the rest is unknown, and so a bug of ours.
STANDARD = Table.of(
    """
    _csv:
        500 Error
    _curses:
        500 error
    _curses_panel:
        500 error
    _lzma:
        500 LZMAError
    _pickle:
        500 PickleError+
    _queue:
        500 Empty
    aifc:
        500 Error
    argparse:
        500 ArgumentError ArgumentTypeError
    asyncio.exceptions:
        - CancelledError
        500 InvalidStateError LimitOverrunError
        503 IncompleteReadError
    asyncio.queues:
        500 QueueEmpty QueueFull QueueShutDown
    asyncore:
        500 ExitNow
    audioop:
        500 error
    bdb:
        500 BdbQuit
    binascii:
        500 Incomplete
    builtins:
        - BaseExceptionGroup+ GeneratorExit+ KeyboardInterrupt+ SystemExit+
        500 ArithmeticError+ AssertionError+ AttributeError+ BlockingIOError+ BufferError+
        500 BaseException ChildProcessError+ EOFError+ Exception ExceptionGroup+ FileExistsError+ FileNotFoundError+
        500 ImportError+ InterruptedError+ IsADirectoryError+ LookupError+ MemoryError+ NameError+
        500 NotADirectoryError+ OSError PermissionError+ ProcessLookupError+ ReferenceError+
        500 RuntimeError+ StopAsyncIteration+ StopIteration+ SyntaxError+ SystemError+ TypeError+
        500 ValueError+
        503 ConnectionError+
        504 TimeoutError+
    concurrent.futures._base:
        500 Error+
    compression.zstd:
        500 ZstdError
    concurrent.interpreters:
        500 InterpreterError+ QueueError+
    concurrent.futures.process:
        500 _RemoteTraceback
    configparser:
        500 Error+
    copy:
        500 Error
    ctypes:
        500 ArgumentError
    dbm:
        500 error
    dbm.sqlite3:
        500 error
    doctest:
        500 DocTestFailure UnexpectedException
    email.errors:
        500 MessageError+
    ftplib:
        502 Error+
    getopt:
        500 GetoptError
    gzip:
        500 BadGzipFile
    http.client:
        500 ImproperConnectionState+ InvalidURL NotConnected UnimplementedFileMode
        502 HTTPException+
    http.cookiejar:
        500 LoadError
    http.cookies:
        500 CookieError
    imaplib:
        502 IMAP4.error+
        503 IMAP4.abort+
    importlib.resources.abc:
        500 TraversalError
    inspect:
        500 ClassFoundException EndOfBlock
    io:
        500 UnsupportedOperation
    locale:
        500 Error
    mailbox:
        500 Error+
    multiprocessing.context:
        500 ProcessError+
        504 TimeoutError
    multiprocessing.managers:
        500 RemoteError
    multiprocessing.pool:
        500 MaybeEncodingError RemoteTraceback
    netrc:
        500 NetrcParseError
    nis:
        500 error
    nntplib:
        502 NNTPError+
    optparse:
        500 OptParseError+
    ossaudiodev:
        500 OSSAudioError
    pdb:
        500 Restart
    pickle:
        500 _Stop
    poplib:
        502 error_proto
    py_compile:
        500 PyCompileError
    pydoc:
        500 ErrorDuringImport
    queue:
        500 Full ShutDown
    re:
        500 PatternError error
    runpy:
        500 _Error
    shutil:
        500 Error+ ExecError ReadError RegistryError SpecialFileError _GiveupOnFastCopy
    signal:
        500 itimer_error
    smtplib:
        502 SMTPException+
        503 SMTPConnectError SMTPServerDisconnected
    socket:
        500 _GiveupOnSendfile
        503 gaierror herror
    sqlite3:
        500 Error+ Warning
    ssl:
        503 SSLError+
    struct:
        500 error
    subprocess:
        500 SubprocessError+
        504 TimeoutExpired
    sunau:
        500 Error
    tabnanny:
        500 NannyNag
    tarfile:
        500 TarError+
    termios:
        500 error
    tokenize:
        500 StopTokenizing TokenError
    unittest.case:
        500 SkipTest _ShouldStop _UnexpectedSuccess
    unittest.mock:
        500 InvalidSpecError
    urllib.error:
        500 URLError+
        502 ContentTooShortError HTTPError
    uu:
        500 Error
    warnings:
        500 _OptionError
    wave:
        500 Error
    webbrowser:
        500 Error
    xdrlib:
        500 Error+
    xml.dom:
        500 DOMException+
    xml.dom.expatbuilder:
        500 ParseEscape
    xml.parsers.expat:
        500 ExpatError
    xml.sax._exceptions:
        500 SAXException+
    xmlrpc.client:
        502 Error+
    zipfile:
        500 BadZipFile LargeZipFile
    zlib:
        500 error
    """
)
"""Those of later versions of Python, too."""

LIBRARIES = Table.of(
    """
    sqlalchemy.engine.interfaces:
        500 DBAPIModule.Error+
    sqlalchemy.exc:
        500 EmulatedDBAPIException+ SQLAlchemyError+
        503 DisconnectionError+ TimeoutError
    sqlalchemy.orm.mapper:
        500 _OptGetColumnsNotAvailable
    sqlalchemy.orm.util:
        500 _CleanupError
    sqlalchemy.util.queue:
        500 Empty Full
    httpx:
        500 CookieConflict HTTPError+ InvalidURL LocalProtocolError StreamError+ UnsupportedProtocol
        502 DecodingError HTTPStatusError RemoteProtocolError TooManyRedirects
        503 TransportError+
        504 TimeoutException+
    requests.cookies:
        500 CookieConflictError
    requests.exceptions:
        500 RequestException+
        502 ChunkedEncodingError ContentDecodingError HTTPError JSONDecodeError RetryError
        502 TooManyRedirects
        503 ConnectionError+
        504 ConnectTimeout Timeout+
    urllib3.exceptions:
        500 HTTPError+ ProxySchemeUnsupported
        502 DecodeError IncompleteRead InvalidChunkLength ResponseError ResponseNotChunked
        503 EmptyPoolError FullPoolError MaxRetryError NewConnectionError+ ProtocolError+ ProxyError
        503 SSLError
        504 TimeoutError+
    urllib3.util.ssl_match_hostname:
        500 CertificateError
    redis.auth.err:
        500 InvalidTokenSchemaErr
        502 RequestTokenErr TokenRenewalErr
    redis.event:
        500 EventException
    redis.exceptions:
        500 ChildDeadlockedError IncorrectPolicyType RedisClusterException+ RedisError+
        502 AuthenticationError AuthorizationError
        503 ClusterDownError+ ConnectionError+ OutOfMemoryError ReadOnlyError TryAgainError
        504 TimeoutError
    redis.http.http_client:
        502 HttpError
    redis.multidb.exception:
        503 InitialHealthCheckFailedError NoValidDatabaseException TemporaryUnavailableException
        503 UnhealthyDatabaseException
    kombu.asynchronous.hub:
        500 Stop
    kombu.exceptions:
        500 KombuError+
        502 HttpError
        503 BatchPublishError InconsistencyError LimitExceeded+ OperationalError
    kombu.matcher:
        500 MatcherNotInstalled
    amqp.exceptions:
        500 AMQPError+
        502 ChannelError+ IrrecoverableConnectionError+
        503 ConnectionError+ MessageNacked
    celery.beat:
        500 SchedulingError _PidboxStopping
    celery.exceptions:
        - WorkerShutdown WorkerTerminate
        499 TaskRevokedError
        500 CeleryCommandException CeleryError+
        503 BackendError+ IncompleteStream
        504 TimeoutError
    celery.platforms:
        500 LockFailed
    celery.schedules:
        500 ParseException
    celery.utils.graph:
        500 CycleError
    celery.utils.imports:
        500 NotAPackage
    celery.utils.serialization:
        500 UnpickleableExceptionWrapper
    billiard.einfo:
        500 ExceptionWithTraceback RemoteTraceback
    billiard.exceptions:
        499 Terminated
        500 CoroStop RestartFreqExceeded WorkerLostError
        504 SoftTimeLimitExceeded TimeLimitExceeded
    billiard.managers:
        500 RemoteError
    billiard.pool:
        500 MaybeEncodingError WorkersJoined
    """
)


def _http_error(cls: type[BaseException]) -> BaseException:
    return urllib.error.HTTPError("http://stock.example", 404, "no", Message(), None)


def _httpx_status(cls: type[BaseException]) -> BaseException:
    httpx = importlib.import_module("httpx")
    request = httpx.Request("GET", "http://stock.example")
    return cls("no", request=request, response=httpx.Response(401, request=request))  # type: ignore[call-arg]  # httpx's


def _requests_status(cls: type[BaseException]) -> BaseException:
    response = importlib.import_module("requests").Response()
    response.status_code = 403
    return cls(response=response)  # type: ignore[call-arg]  # requests'


BUILDERS: Builders = {
    "httpx.HTTPStatusError": _httpx_status,
    "requests.exceptions.HTTPError": _requests_status,
    "urllib.error.HTTPError": _http_error,
}
WITHOUT = (
    # Drivers, brokers and results of others, which are not here, and what is for tests.
    *("sqlalchemy.dialects", "sqlalchemy.testing", "kombu.transport", "celery.backends"),
    "celery.contrib",
)
"""Modules that are not imported."""
DRIVERS = ("sqlite3", "sqlalchemy")
"""Whose exceptions mean what the one behind them says."""


@cache
def library_classes() -> list[type[BaseException]]:
    """Return the exceptions of all libraries of the table."""
    for top in tops():
        for _ in modules_of(top, WITHOUT):
            pass
    return [
        cls
        for cls in classes_of(frozenset(tops()))
        if not cls.__module__.startswith(WITHOUT)
        and not cls.__module__.endswith("connectors.asyncio")
    ]


def tops() -> list[str]:
    """Return the names of the libraries."""
    return sorted({name.partition(".")[0] for name in LIBRARIES.names()})


@cache
def standard_classes() -> list[type[BaseException]]:
    """Return the exceptions of the standard library."""
    import_standard_library()
    return classes_of(frozenset(sys.stdlib_module_names))


def test_every_exception_of_the_standard_library_has_the_status_of_the_table() -> None:
    """A new Python with a new exception fails here, and says what to do."""
    check_all(standard_classes(), STANDARD, BUILDERS, Handled())


@pytest.mark.extra(
    "amqp", "billiard", "celery", "httpx", "kombu", "redis", "requests", "sqlalchemy"
)
def test_every_exception_of_known_libraries_has_the_status_of_the_table() -> None:
    """A library with a new exception fails here, and says what to do."""
    check_all(library_classes(), LIBRARIES, BUILDERS, Handled())


@pytest.mark.extra(
    "amqp", "billiard", "celery", "httpx", "kombu", "redis", "requests", "sqlalchemy"
)
def test_every_row_names_a_class() -> None:
    """A library that renames or drops an exception fails here."""
    known = {dotted(cls) for cls in library_classes()}

    assert LIBRARIES.names() - known == set()


def everything() -> st.SearchStrategy[BaseException]:
    """Return exceptions of all classes, each a new one."""
    classes = [*standard_classes(), *library_classes()]
    return st.builds(instance, st.sampled_from(classes), st.just(BUILDERS))


@pytest.mark.extra(
    "amqp", "billiard", "celery", "httpx", "kombu", "redis", "requests", "sqlalchemy"
)
@given(data=st.data(), as_cause=st.booleans())
def test_what_is_behind_an_error_does_not_change_its_status(
    *, data: st.DataObject, as_cause: bool
) -> None:
    """An exception is answered as the table says, whatever others it was raised from or during."""
    head = data.draw(everything().filter(lambda e: not type(e).__module__.startswith(DRIVERS)))
    others = data.draw(st.lists(everything(), max_size=4))
    table = STANDARD | LIBRARIES

    chain = behind(head, others, as_cause=as_cause)

    assert Handled().status(chain) == table.status(type(head))


@pytest.mark.extra(
    "amqp", "billiard", "celery", "httpx", "kombu", "redis", "requests", "sqlalchemy"
)
@given(data=st.data())
def test_a_group_is_answered_as_its_gravest_member(data: st.DataObject) -> None:
    """A group of any exceptions, and of groups, has the status of one of them, none graver."""
    check_group(data.draw(groups(everything())), Handled(), Handled())
