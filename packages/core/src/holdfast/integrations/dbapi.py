"""Connections of the usual drivers by URL, for leases in SQL that are named on a command line."""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Final, cast
from urllib.parse import SplitResult, unquote

from holdfast.hooks.jobs.lease import split_url
from holdfast.hooks.jobs.sql import Connection, Dialect, SqlLeases

TIMEOUT: Final = 5
"""Seconds that connecting may take."""
_DRIVERS: Final[dict[Dialect, tuple[str, ...]]] = {
    "postgresql": ("psycopg", "psycopg2"),
    "mysql": ("pymysql", "MySQLdb"),
    "sqlite": ("sqlite3",),
}
_DIALECTS: Final[dict[str, Dialect]] = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}


def leases(url: str) -> SqlLeases:
    """Return the leases kept by the database at a URL.

    Args:
        url: `postgresql://user:password@host:5432/name`, `mysql://…`, `mariadb://…`, or
            `sqlite:////folder/file.db`. What follows the first scheme's `+` is not looked at.

    Raises:
        ValueError: When it is no such URL.
        ImportError: When no driver for it is installed.

    Example:
        >>> leases("oracle://host/name")
        Traceback (most recent call last):
        ...
        ValueError: a lock in SQL takes the URL of postgresql, mysql, mariadb or sqlite, not of 'oracle'
    """
    parts = split_url(url)
    scheme = parts.scheme.partition("+")[0]
    dialect = _DIALECTS.get(scheme)
    if dialect is None:
        raise ValueError(
            "a lock in SQL takes the URL of postgresql, mysql, mariadb or sqlite, "
            f"not of {scheme!r}"
        )
    driver = _driver(dialect)
    return SqlLeases(_CONNECT[dialect](driver, parts), dialect)


def _driver(dialect: Dialect) -> ModuleType:
    for name in _DRIVERS[dialect]:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ImportError(f"a lock in {dialect} needs a driver: {' or '.join(_DRIVERS[dialect])}")


def _postgresql(driver: ModuleType, parts: SplitResult) -> Callable[[], Connection]:
    url = parts._replace(scheme="postgresql").geturl()
    return lambda: cast("Connection", driver.connect(url, connect_timeout=TIMEOUT))


def _mysql(driver: ModuleType, parts: SplitResult) -> Callable[[], Connection]:
    told: dict[str, object] = {
        "host": parts.hostname or "127.0.0.1",
        "port": parts.port or 3306,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": parts.path.lstrip("/"),
        "connect_timeout": TIMEOUT,
        "read_timeout": TIMEOUT,
    }
    return lambda: cast("Connection", driver.connect(**told))


def _sqlite(driver: ModuleType, parts: SplitResult) -> Callable[[], Connection]:
    path = unquote(parts.path)
    if parts.netloc or not path.startswith("//"):
        raise ValueError(
            "an SQLite URL has four slashes and an absolute path: sqlite:////var/jobs.db"
        )
    return lambda: cast("Connection", driver.connect(path[1:], timeout=TIMEOUT))


_CONNECT: Final = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}
