"""Whether a database answers, through SQLAlchemy.

Extra: `pip install "holdfast[sqlalchemy]"`, and the driver of the database.
"""

import os
import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any, Final, cast

try:
    from sqlalchemy import Engine, Pool, QueuePool, create_engine, make_url
    from sqlalchemy.engine import URL
    from sqlalchemy.exc import ArgumentError
    from sqlalchemy.pool import NullPool, PoolProxiedConnection
except ImportError as error:  # say what to install
    raise ImportError(
        'DatabaseCheck needs SQLAlchemy: pip install "holdfast[sqlalchemy]"'
    ) from error

from holdfast.health.check import Finding, degraded
from holdfast.health.checks.connection import check_timeout
from holdfast.health.checks.verdict import failed
from holdfast.record import text_of

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

TIMEOUT: Final = 1.0

_CONNECT_TIMEOUTS: Final = {
    **dict.fromkeys(("psycopg", "psycopg2", "pymysql", "mysqldb"), "connect_timeout"),
    "pg8000": "timeout",
}
"""Drivers, as SQLAlchemy calls them, whose connecting can be bounded, and the option that does."""


@dataclass(frozen=True, slots=True)
class DatabaseCheck:
    """Passes when a database answers `SELECT 1`, or what its driver has in the place of that; thread-safe.

    Asks on an idle connection of the engine's pool. When there is none, or it does not answer, asks on a
    new one beside the pool: a pool that is used up makes the database *degraded*, and a connection which
    a restart of the server broke says nothing. No transaction is left open.

    Raises:
        ValueError: When the time-out is not above 0, or a URL cannot be read.
        TypeError: For an `AsyncEngine`, whose connections belong to the application's event loop; and
            for something else that is no engine.

    Example:
        >>> DatabaseCheck("sqlite://")()
        {'dialect': 'sqlite'}
    """

    target: Engine | URL | str = field(repr=False)
    """An `Engine` of the project's, or a URL, with which every look makes a connection of its own."""
    _: KW_ONLY
    timeout: float = TIMEOUT
    """Seconds, above 0, after which a connection that does not answer is cut, where the driver
    tells its socket (those of PostgreSQL do). With a URL, connecting has this long too, in whole
    seconds; an engine connects as its `connect_args` say, so give it a time-out. A look makes at
    most two attempts."""

    def __post_init__(self) -> None:
        check_timeout(self, self.timeout)
        if isinstance(self.target, str):
            _url(self.target)
        elif hasattr(self.target, "sync_engine"):
            raise TypeError(
                "DatabaseCheck cannot use an AsyncEngine, whose connections belong to the event loop of "
                "the application: give it a URL with a synchronous driver, such as postgresql+psycopg://"
            )
        elif not isinstance(cast("object", self.target), (Engine, URL)):
            raise TypeError(
                f"DatabaseCheck needs an Engine or a URL, not {type(self.target).__name__}"
            )

    def __call__(self) -> dict[str, object] | Finding:
        """Ask it."""
        engine = _engine(self.target, self.timeout)
        details: dict[str, object] = {"dialect": engine.dialect.name, **_figures(engine.pool)}
        try:
            self._ask(engine)
        except Exception as error:  # noqa: BLE001  # a driver may raise anything
            details["error"] = text_of(error)
            said = f"the database does not answer: {type(error).__name__}"
            return failed(said, **details)
        if _is_used_up(engine.pool):
            return degraded("every connection of the pool is in use", **details)
        return details

    def _ask(self, engine: Engine) -> None:
        if not (_is_empty(engine.pool) or isinstance(engine.pool, NullPool)):
            with suppress(Exception):  # the connection may be older than the server
                self._ask_of(engine.pool, engine)
                return
        beside = engine.pool.recreate()
        try:
            self._ask_of(beside, engine)
        finally:
            beside.dispose()

    def _ask_of(self, pool: Pool, engine: Engine) -> None:
        connection = pool.connect()
        try:
            with _cut_after(self.timeout, connection):
                engine.dialect.do_ping(_of_driver(connection))
        except BaseException:
            connection.invalidate()
            raise
        finally:
            connection.close()


def _url(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):  # whose text may have the password
        raise ValueError(
            "DatabaseCheck: the URL cannot be read; it is dialect+driver://user:password@host/database, "
            "and the password has to be percent-encoded"
        ) from None


def _engine(target: Engine | URL | str, timeout: float) -> Engine:
    if isinstance(target, Engine):
        return target
    url = make_url(target)
    option = _CONNECT_TIMEOUTS.get(url.get_dialect().driver)
    bounded = {option: max(1, ceil(timeout))} if option and option not in url.query else {}
    return create_engine(url, poolclass=NullPool, connect_args=bounded)


def _is_empty(pool: Pool) -> bool:
    return isinstance(pool, QueuePool) and not pool.checkedin()


def _is_used_up(pool: Pool) -> bool:
    """Tell whether whoever asks a pool for a connection has to wait."""
    if not isinstance(pool, QueuePool) or pool.checkedin():
        return False
    most: int = cast("Any", pool)._max_overflow  # noqa: SLF001  # told nowhere else
    return most > -1 and pool.overflow() >= most


def _figures(pool: Pool) -> Mapping[str, object]:
    if not isinstance(pool, QueuePool):
        return {}
    return {"size": pool.size(), "in_use": pool.checkedout(), "idle": pool.checkedin()}


def _of_driver(connection: PoolProxiedConnection) -> "DBAPIConnection":
    found = connection.dbapi_connection
    if found is None:
        raise ConnectionError("the connection is gone")
    return found


@contextmanager
def _cut_after(seconds: float, connection: PoolProxiedConnection) -> Generator[None]:
    """Shut the socket of a connection down when the block takes too long, so that it ends.

    Raises:
        TimeoutError: When it was.
    """
    fileno = getattr(connection.driver_connection, "fileno", None)
    if not callable(fileno):
        yield
        return
    cut = threading.Event()

    def shut() -> None:
        cut.set()
        with suppress(OSError):
            same.shutdown(socket.SHUT_RDWR)

    with socket.socket(fileno=os.dup(cast("int", fileno()))) as same:
        timer = threading.Timer(seconds, shut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception as error:
            if cut.is_set():
                raise TimeoutError(f"no answer in {seconds:g} s") from error
            raise
        finally:
            timer.cancel()
            timer.join()
