"""What databases say of broken constraints and lost connections, asked of the real ones."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.classify import Classifier
from holdfast.codes import ErrorCode
from holdfast.database import (
    integrity_error,
    is_contended,
    is_lost,
    is_unreachable,
    violation_of,
)

Execute = Callable[[str], object]

TABLES = (
    "CREATE TABLE hf_parent (id integer PRIMARY KEY)",
    """
    CREATE TABLE hf_child (
        id integer PRIMARY KEY, email varchar(40) NOT NULL, quantity integer, parent_id integer,
        CONSTRAINT uq_email UNIQUE (email),
        CONSTRAINT positive CHECK (quantity > 0),
        CONSTRAINT fk_parent FOREIGN KEY (parent_id) REFERENCES hf_parent (id)
    )
    """,
    "INSERT INTO hf_parent VALUES (1)",
    "INSERT INTO hf_child VALUES (1, 'a@b.cz', 1, 1)",
)
REFUSED = [
    ("2, 'x', 1, 99", ErrorCode.FOREIGN_KEY_CONSTRAINT, {"constraint": "fk_parent", "table": "hf_child", "column": "parent_id"}),
    ("2, 'a@b.cz', 1, 1", ErrorCode.UNIQUE_CONSTRAINT, {"constraint": "uq_email"}),
    ("2, NULL, 1, 1", ErrorCode.NOT_NULL_CONSTRAINT, {"column": "email"}),
    ("2, 'x', 0, 1", ErrorCode.CHECK_CONSTRAINT, {"constraint": "positive", "table": "hf_child"}),
]  # fmt: skip


@pytest.fixture
def postgresql() -> Iterator[Execute]:
    """Open a schema of our own, gone afterwards."""
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect("host=127.0.0.1 user=root dbname=postgres", autocommit=True) as opened:
        opened.execute("CREATE SCHEMA hf_test")
        opened.execute("SET search_path TO hf_test")
        try:
            yield opened.execute
        finally:
            opened.execute("DROP SCHEMA hf_test CASCADE")


@pytest.fixture
def mariadb() -> Iterator[Execute]:
    """Open a database of our own, gone afterwards."""
    pymysql: Any = pytest.importorskip("pymysql")
    opened = pymysql.connect(host="127.0.0.1", user="root", autocommit=True)
    cursor = opened.cursor()
    cursor.execute("CREATE DATABASE hf_test")
    cursor.execute("USE hf_test")
    try:
        yield cursor.execute
    finally:
        cursor.execute("DROP DATABASE hf_test")
        opened.close()


@pytest.mark.parametrize(
    "execute",
    [
        pytest.param(
            "postgresql", marks=[pytest.mark.service("postgresql"), pytest.mark.extra("psycopg")]
        ),
        pytest.param(
            "mariadb", marks=[pytest.mark.service("mariadb"), pytest.mark.extra("pymysql")]
        ),
    ],
)
def test_a_broken_constraint_is_learned_from_a_real_server(
    execute: str, request: pytest.FixtureRequest
) -> None:
    """Code, constraint, table and column are read; the values are not."""
    run: Execute = request.getfixturevalue(execute)
    for statement in TABLES:
        run(statement)

    for values, code, facts in REFUSED:
        with pytest.raises(Exception, match=r".") as raised:
            run(f"INSERT INTO hf_child VALUES ({values})")  # noqa: S608  # the table above
        violation = violation_of(raised.value)
        assert violation is not None
        assert violation.code is code
        assert facts.items() <= violation.facts.items()
        assert "a@b.cz" not in str(violation.facts)


class FakeError(Exception):
    """An error as a driver makes it."""

    def __init__(self, *args: object, **attributes: object) -> None:
        super().__init__(*args)
        self.__dict__.update(attributes)


class OperationalError(FakeError):
    """One of psycopg's."""

    __module__ = "psycopg"


@pytest.mark.parametrize(
    ("error", "unreachable", "lost", "contended"),
    [
        (OperationalError("connection failed: connection to server at …"), True, True, False),
        (OperationalError("the connection is closed"), False, True, False),
        (OperationalError("terminating connection", sqlstate="57P01"), False, True, False),
        (OperationalError("too many clients", sqlstate="53300"), True, False, False),
        (OperationalError("deadlock detected", sqlstate="40P01"), False, False, True),
        (FakeError("deadlock detected", pgcode="40P01"), False, False, True),
        (FakeError(2003, "Can't connect to MySQL server"), True, False, False),
        (FakeError(2013, "Lost connection to MySQL server during query"), False, True, False),
        (FakeError(1213, "Deadlock found"), False, False, True),
        (FakeError("database is locked", sqlite_errorname="SQLITE_BUSY"), False, False, True),
        (FakeError("no such table: x", sqlite_errorname="SQLITE_ERROR"), False, False, False),
        (FakeError(1045, "Access denied"), False, False, False),
    ],
)
def test_connections_and_locks_are_told_apart(
    error: Exception, *, unreachable: bool, lost: bool, contended: bool
) -> None:
    """Not sent, in doubt, or worth another attempt."""
    assert (is_unreachable(error), is_lost(error), is_contended(error)) == (
        unreachable,
        lost,
        contended,
    )


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("Duplicate entry 'a' for key 'hf_child.uq_email'", {"table": "hf_child", "constraint": "uq_email"}),
        ("Duplicate entry 'a' for key 'uq_email'", {"constraint": "uq_email"}),
        ("Duplicate entry 'for key 'x'' for key 'uq_email'", {"constraint": "uq_email"}),
        ("something new", {}),
    ],
)  # fmt: skip
def test_the_texts_of_mysql_and_mariadb_are_read(text: str, facts: dict[str, str]) -> None:
    """MySQL names the table with the key; a value that looks like a name is none."""
    violation = violation_of(FakeError(1062, text))

    assert violation is not None
    assert violation.facts == facts


def test_what_is_no_violation_is_left_alone() -> None:
    """Other errors of a database are not explained."""
    assert integrity_error(FakeError("disk full")) is None
    assert integrity_error(FakeError()) is None


def test_a_driver_needs_no_framework_to_be_understood(tmp_path: Path) -> None:
    """What sqlite3 raises is classified by the built-in rules, and the constraint is learned."""
    opened = sqlite3.connect(tmp_path / "shop.db")
    opened.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, sku TEXT UNIQUE)")
    opened.execute("INSERT INTO orders VALUES (1, 'A')")

    with pytest.raises(sqlite3.IntegrityError) as refused:
        opened.execute("INSERT INTO orders VALUES (2, 'A')")
    with pytest.raises(sqlite3.OperationalError) as broken:
        opened.execute("SELECT * FROM nowhere")
    opened.close()

    reading = Classifier().read(refused.value)
    assert reading.classification.code == ErrorCode.UNIQUE_CONSTRAINT
    assert reading.spoken is not None
    assert reading.spoken.learned == {"table": "orders", "column": "sku"}
    said = Classifier().classify(broken.value)
    assert (said.code, said.trusted) == ("DATABASE_ERROR", False)
