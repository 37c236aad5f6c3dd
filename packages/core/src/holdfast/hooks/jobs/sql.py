"""Leases in a table, through the driver of any database that knows one of three dialects.

    CREATE TABLE holdfast_leases (
        name varchar(100) PRIMARY KEY, owner varchar(200) NOT NULL, expires double precision NOT NULL)

is made when it is missing. Times are the database's.
"""

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Final, Literal, Protocol, TypeAlias, cast

Dialect: TypeAlias = Literal["postgresql", "mysql", "sqlite"]
"""`mysql` is also MariaDB's."""


class Cursor(Protocol):
    """What is needed of a cursor of PEP 249."""

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed."""
        ...

    def execute(self, statement: str, parameters: Sequence[object], /) -> object:
        """Run a statement."""
        ...

    def fetchone(self) -> Sequence[object] | None:
        """Return the next row."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


class Connection(Protocol):
    """What is needed of a connection of PEP 249."""

    def cursor(self) -> Cursor:
        """Return a cursor."""
        ...

    def commit(self) -> None:
        """End the transaction."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


_NOW: dict[str, str] = {
    "postgresql": "cast(extract(epoch from clock_timestamp()) as double precision)",
    "mysql": "(timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) * 1e-6)",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}
_NAME_TYPE = {"mysql": "varchar(100) character set ascii collate ascii_bin"}
_NO_TABLE: Final = frozenset({"42P01", "42S02", "1146"})
"""The state by which PostgreSQL says so, that of MariaDB and MySQL, and their number."""
_TABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")


def _is_missing_table(error: Exception) -> bool:
    """Tell, for drivers of PEP 249, whether a statement failed because its table is not there."""
    said = cast("object", error.args[0]) if error.args else None
    text = str(said)
    state: object = None
    if isinstance(said, dict):  # pg8000
        state = cast("dict[str, object]", said).get("C")
    told = (getattr(error, "sqlstate", None), getattr(error, "pgcode", None), state, text)
    if _NO_TABLE.intersection(map(str, told)) or text.startswith("no such table"):
        return True
    # Whoever keeps drivers apart, as an ORM does, raises an error of its own.
    behind = error.__cause__
    return isinstance(behind, Exception) and _is_missing_table(behind)


class SqlLeases:
    """Leases in a table of a database.

    Args:
        connect: Opens a connection, which is used once and closed; should give up after a few
            seconds. Called on any thread.
        dialect: What the database understands.
        table: The table's name, with a schema or without.
        placeholder: How the driver writes a parameter; by default `?` for SQLite, else `%s`.

    Raises:
        ValueError: When dialect or table is none.

    Example:
        >>> import sqlite3, tempfile
        >>> path = tempfile.mkdtemp() + "/jobs.db"
        >>> leases = SqlLeases(lambda: sqlite3.connect(path), "sqlite")
        >>> leases.take("nightly", "host-1", 60.0), leases.take("nightly", "host-2", 60.0)
        (True, False)
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        dialect: Dialect,
        *,
        table: str = "holdfast_leases",
        placeholder: str = "",
    ) -> None:
        if dialect not in _NOW:
            raise ValueError(f"dialect is one of {', '.join(_NOW)}, not {dialect!r}")
        if not _TABLE.fullmatch(table):
            raise ValueError(f"table is a name such as 'holdfast_leases', not {table!r}")
        self._connect = connect
        self._dialect = dialect
        self._words = {
            "table": table,
            "now": _NOW[dialect],
            "p": placeholder or ("?" if dialect == "sqlite" else "%s"),
            "name_type": _NAME_TYPE.get(dialect, "varchar(100)"),
            "insert": "insert ignore into" if dialect == "mysql" else "insert into",
            "keep": "" if dialect == "mysql" else "on conflict (name) do nothing",
        }

    def take(self, job: str, owner: str, seconds: float) -> bool:
        """Get the lease of a job unless somebody has it; True when it was got."""
        try:
            return self._take(job, owner, seconds)
        except Exception as error:
            if not _is_missing_table(error):
                raise
        with suppress(Exception):  # another process may be making it, too
            self._make_table()
        return self._take(job, owner, seconds)

    def renew(self, job: str, owner: str, seconds: float) -> bool:
        """Begin the time of a lease again; False when the owner does not have it any more."""
        changed = self._change(
            "update {table} set expires = {now} + {p} where name = {p} and owner = {p}",
            (seconds, job, owner),
        )
        return changed == 1

    def drop(self, job: str, owner: str) -> None:
        """Give a lease back, unless somebody else has it."""
        self._change("delete from {table} where name = {p} and owner = {p}", (job, owner))

    def owner(self, job: str) -> str:
        """Return who has the lease of a job, or an empty text."""
        with self._cursor() as cursor:
            self._execute(cursor, "select owner from {table} where name = {p}", (job,))
            row = cursor.fetchone()
        return "" if row is None else str(row[0])

    def _take(self, job: str, owner: str, seconds: float) -> bool:
        # Two steps, each of them atomic: over what has ended, else where there is none.
        taken = self._change(
            "update {table} set owner = {p}, expires = {now} + {p} "
            "where name = {p} and expires < {now}",
            (owner, seconds, job),
        )
        taken = taken or self._change(
            "{insert} {table} (name, owner, expires) values ({p}, {p}, {now} + {p}) {keep}",
            (job, owner, seconds),
        )
        return taken == 1

    def _make_table(self) -> None:
        self._change(
            "create table if not exists {table} (name {name_type} primary key, "
            "owner varchar(200) not null, expires double precision not null)",
            (),
        )

    def _change(self, statement: str, parameters: Sequence[object]) -> int:
        with self._cursor() as cursor:
            self._execute(cursor, statement, parameters)
            return cursor.rowcount

    def _execute(self, cursor: Cursor, statement: str, parameters: Sequence[object]) -> None:
        cursor.execute(statement.format_map(self._words), parameters)

    @contextmanager
    def _cursor(self) -> Generator[Cursor, None, None]:
        with closing(self._connect()) as connection:
            with closing(connection.cursor()) as cursor:
                yield cursor
            connection.commit()
