"""What the exceptions of database drivers and of SQLAlchemy mean; none is imported."""

from collections.abc import Iterator

from holdfast.classify.rules import Rule
from holdfast.codes import Effect, ErrorCode
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


def driver_rules() -> Iterator[Rule]:
    """Yield the rules for the drivers, and for SQLAlchemy, which names its exceptions as they do."""
    for driver in _DRIVERS:
        yield from database_rules(*(f"{driver}.{name}" for name in _DRIVER_CLASSES))
    yield from database_rules(
        *(f"sqlalchemy.exc.{name}" for name in (*_DRIVER_CLASSES[:3], "DBAPIError"))
    )
    gone = ErrorCode.DB_CONNECTION_ERROR
    # That of its pool: nobody gave a connection back in time.
    yield Rule(match="sqlalchemy.exc.TimeoutError", code=gone, effect=Effect.NOT_SENT)
    yield Rule(match="sqlalchemy.exc.DisconnectionError", code=gone, effect=Effect.IN_DOUBT)
