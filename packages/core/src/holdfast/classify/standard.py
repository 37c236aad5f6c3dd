"""Rules for the standard library, database drivers, Celery and brokers; none is imported."""

from collections.abc import Iterator
from dataclasses import fields

from holdfast.brokers import MEANINGS
from holdfast.classify.rules import Rule
from holdfast.codes import Effect, ErrorCode, Severity
from holdfast.database import integrity_error, is_contended, is_lost, is_unreachable


def database_rules(
    integrity: type[BaseException] | str,
    operational: type[BaseException] | str,
    interface: type[BaseException] | str,
    other: type[BaseException] | str,
) -> Iterator[Rule]:
    """Yield what the exceptions of a database driver mean, given its four classes of PEP 249."""
    for refused in (integrity, operational):  # MariaDB's checks are operational
        yield Rule(match=refused, translate=integrity_error)
    gone = ErrorCode.DB_CONNECTION_ERROR
    for broken in (operational, interface):
        yield Rule(match=broken, code=gone, when=is_unreachable, effect=Effect.NOT_SENT)
        yield Rule(match=broken, code=gone, when=is_lost, effect=Effect.IN_DOUBT)
    yield Rule(match=operational, code=ErrorCode.DATABASE_ERROR, when=is_contended, transient=True)
    # Whatever else a database says is of a statement that should not have been sent.
    yield Rule(match=other, code=ErrorCode.DATABASE_ERROR, trusted=False)


_DRIVERS = ("sqlite3", "psycopg", "psycopg2", "pymysql.err", "MySQLdb")
_DRIVER_CLASSES = ("IntegrityError", "OperationalError", "InterfaceError", "Error")


def standard_rules() -> Iterator[Rule]:
    """Yield what the exceptions of the standard library, database drivers, Celery and brokers mean."""
    for driver in _DRIVERS:
        yield from database_rules(*(f"{driver}.{name}" for name in _DRIVER_CLASSES))
    for known in MEANINGS:
        yield Rule(**{field.name: getattr(known, field.name) for field in fields(known)})
    yield Rule(match=TimeoutError, code=ErrorCode.DEADLINE_EXCEEDED, effect=Effect.IN_DOUBT)
    yield Rule(
        match=ConnectionRefusedError, code=ErrorCode.COMMUNICATION_ERROR, effect=Effect.NOT_SENT
    )
    yield Rule(match=ConnectionError, code=ErrorCode.COMMUNICATION_ERROR, effect=Effect.IN_DOUBT)
    yield Rule(match="socket.gaierror", code=ErrorCode.COMMUNICATION_ERROR, effect=Effect.NOT_SENT)
    yield Rule(match="ssl.SSLError", code=ErrorCode.COMMUNICATION_ERROR, transient=False)
    yield Rule(match="concurrent.futures.process.BrokenProcessPool", code=ErrorCode.PROCESS_CRASHED)
    for broken in (MemoryError, RecursionError):
        yield Rule(
            match=broken, code=ErrorCode.INTERNAL_ERROR, severity=Severity.CRITICAL, trusted=False
        )
