"""Whether a database answers, through SQLAlchemy: real servers that hang, start anew, or are away."""

import contextlib
import re
import threading
from collections.abc import Generator
from typing import Any, cast

import pytest

from tests.integrations.conftest import need
from tests.integrations.health_checks import SECRET, SHORT, course, left_behind, run, said
from tests.integrations.proxy import proxied

need("sqlalchemy")

from sqlalchemy import Engine, create_engine, event, make_url, text  # noqa: E402  # needed above
from sqlalchemy.pool import NullPool  # noqa: E402

from holdfast.integrations.sqlalchemy_health import DatabaseCheck  # noqa: E402

POSTGRESQL = "postgresql+psycopg://root@127.0.0.1:{}/test"
MARIADB = "mysql+pymysql://root@127.0.0.1:{}/test"
PATIENT = {"connect_timeout": 2}

postgresql = [pytest.mark.service("postgresql"), pytest.mark.extra("psycopg")]
mariadb = [pytest.mark.service("mariadb"), pytest.mark.extra("pymysql")]
databases = pytest.mark.parametrize(
    ("url", "port"),
    [
        pytest.param(POSTGRESQL, 5432, marks=postgresql, id="postgresql"),
        pytest.param(MARIADB, 3306, marks=mariadb, id="mariadb"),
    ],
)


def on_postgresql(function: Any) -> Any:  # noqa: ANN401  # a test
    """Mark a test that needs PostgreSQL."""
    for mark in postgresql:
        function = mark(function)
    return function


@contextlib.contextmanager
def engine_on(url: str, **options: Any) -> Generator[Engine]:  # noqa: ANN401  # of create_engine
    """Give an engine with one idle connection."""
    engine = create_engine(url, **options)
    engine.connect().close()
    try:
        yield engine
    finally:
        engine.dispose()


@databases
def test_a_database_that_answers_passes(url: str, port: int) -> None:
    """By an engine with its pool's figures, by a URL with a connection of its own."""
    with engine_on(url.format(port)) as engine:
        pooled = run(DatabaseCheck(engine))
    own = run(DatabaseCheck(make_url(url.format(port))))

    name = engine.dialect.name
    assert (pooled.status.value, own.status.value) == ("pass", "pass")
    assert pooled.details == {"dialect": name, "size": 5, "in_use": 0, "idle": 1}
    assert own.details == {"dialect": name}


@databases
def test_a_database_that_is_away_fails_and_recovers(url: str, port: int) -> None:
    """Also with connections in the pool."""
    with proxied(port) as proxy, engine_on(url.format(proxy.port)) as engine:
        checks = [DatabaseCheck(engine), DatabaseCheck(url.format(proxy.port))]
        proxy.cut()
        away = [run(check).status.value for check in checks]
        proxy.restore()
        back = [run(check).status.value for check in checks]

    assert (away, back) == (["fail"] * 2, ["pass"] * 2)


@databases
def test_connections_that_a_restart_broke_say_nothing(url: str, port: int) -> None:
    """A healthy database passes at the first look, whatever is in the pool."""
    with proxied(port) as proxy, engine_on(url.format(proxy.port)) as engine:
        proxy.drop()

        assert said(DatabaseCheck(engine)) == ("pass", "")
        assert engine.pool.status().startswith("Pool size: 5  Connections in pool: 1")
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 2")) == 2


@on_postgresql
def test_a_database_that_hangs_fails_in_its_time_out() -> None:
    """Its pooled connection is cut, and a new one is given up."""
    found: list[str] = []
    with (
        proxied(5432) as proxy,
        engine_on(POSTGRESQL.format(proxy.port), connect_args=PATIENT) as engine,
    ):
        check = DatabaseCheck(engine, timeout=SHORT)
        for happen in (proxy.stall, proxy.restore):
            happen()
            found.append(run(check).status.value)

    assert found == ["fail", "pass"]


@on_postgresql
def test_a_connection_that_hangs_does_not_make_a_database_look_dead() -> None:
    """As after a failover that nobody told the clients of: a new one is asked."""
    with proxied(5432) as proxy, engine_on(POSTGRESQL.format(proxy.port)) as engine:
        proxy.hook = lambda _: b""  # swallows what is asked, until the next connection
        connected: list[object] = []

        @event.listens_for(engine.pool, "connect")
        def restore(*_: object) -> None:
            connected.append(_)

        @event.listens_for(engine.pool, "invalidate")
        def back(*_: object) -> None:
            proxy.restore()

        result = run(DatabaseCheck(engine, timeout=SHORT))

    assert (result.status.value, len(connected)) == ("pass", 1)


@on_postgresql
def test_a_url_that_hangs_fails_in_time() -> None:
    """A connection of one's own has a time-out of its own."""
    statuses = [
        status
        for status, _ in course(
            lambda port: DatabaseCheck(POSTGRESQL.format(port), timeout=SHORT), 5432
        )
    ]

    assert statuses == ["pass", "fail", "pass", "fail", "pass"]


@on_postgresql
def test_a_pool_that_is_used_up_is_degraded() -> None:
    """The look does not wait for a connection, and is answered by one beside the pool."""
    with engine_on(
        POSTGRESQL.format(5432), pool_size=1, max_overflow=1, pool_timeout=600
    ) as engine:
        check = DatabaseCheck(engine)
        with engine.connect():
            one = said(check)
            with engine.connect():
                both = run(check)
        after = said(check)

    assert (one, after) == (("pass", ""), ("pass", ""))
    assert (both.status.value, both.output) == ("warn", "every connection of the pool is in use")
    assert both.details == {"dialect": "postgresql", "size": 1, "in_use": 2, "idle": 0}


@on_postgresql
def test_a_pool_that_is_used_up_hides_no_outage() -> None:
    """The database is asked all the same."""
    with proxied(5432) as proxy:
        options = {"pool_size": 1, "max_overflow": 0}
        with engine_on(POSTGRESQL.format(proxy.port), **options) as engine:
            connection = engine.connect()
            proxy.cut()
            result = run(DatabaseCheck(engine))
            connection.invalidate()
            connection.close()

    assert result.status.value == "fail"


@databases
def test_no_transaction_is_left_open(url: str, port: int) -> None:
    """The connection it asked on is idle, and the next who takes it begins afresh."""
    with engine_on(url.format(port)) as engine:
        told: list[str] = []
        event.listen(engine.pool, "reset", lambda *_: told.append("reset"))
        assert said(DatabaseCheck(engine)) == ("pass", "")
        connection = engine.raw_connection()
        driver = cast("Any", connection.driver_connection)
        state = driver.info.transaction_status if port == 5432 else driver.server_status & 1
        connection.close()

    assert (state, told[:1]) == (0, ["reset"])


@databases
def test_runs_leave_nothing_behind(url: str, port: int) -> None:
    """No thread and no connection: from the pool, beside it, and when it is away."""
    with engine_on(url.format(port), pool_size=1, max_overflow=0) as engine:
        assert left_behind(DatabaseCheck(engine), 10) == (0, 0)
        with engine.connect():
            assert left_behind(DatabaseCheck(engine), 10) == (0, 0)
    with proxied(port) as proxy:
        proxy.cut()
        assert left_behind(DatabaseCheck(url.format(proxy.port))) == (0, 0)


@on_postgresql
def test_an_engine_without_a_pool_is_asked_as_it_is() -> None:
    """Each look connects, once."""
    engine = create_engine(POSTGRESQL.format(5432), poolclass=NullPool)
    connected: list[object] = []
    event.listen(engine, "connect", lambda *_: connected.append(threading.get_ident()))

    assert [said(DatabaseCheck(engine)) for _ in range(3)] == [("pass", "")] * 3
    assert len(connected) == 3


def test_a_database_in_memory_passes() -> None:
    """It is the engine's own, with what is in it."""
    engine = create_engine("sqlite://")

    assert run(DatabaseCheck(engine)).details == {"dialect": "sqlite"}
    engine.dispose()


@mariadb[0]
@mariadb[1]
def test_a_wrong_password_is_not_told() -> None:
    """Who was refused is, to whoever may see details."""
    check = DatabaseCheck(f"mysql+pymysql://root:{SECRET}@127.0.0.1/test")

    result = run(check)

    assert (result.status.value, result.output) == (
        "fail",
        "the database does not answer: OperationalError",
    )
    assert "Access denied" in str(result.details["error"])
    assert SECRET not in repr((check, result))


@pytest.mark.parametrize(
    ("target", "timeout", "complaint"),
    [
        ("sqlite://", 0, "timeout must be above 0 seconds and at most 86,400, not 0"),
        (f"postgresql://shop:{SECRET}/x@host:port/db", 1, "the URL cannot be read"),
        (f"no URL, {SECRET}", 1, "the URL cannot be read"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    target: str, timeout: float, complaint: str
) -> None:
    """The message names it, and shows no password."""
    with pytest.raises(ValueError, match=re.escape(complaint)) as refused:
        DatabaseCheck(target, timeout=timeout)

    assert SECRET not in str(refused.value)


class Asynchronous:
    """What an `AsyncEngine` is known by; a real one needs greenlet."""

    sync_engine = None


def test_what_is_no_synchronous_engine_is_refused() -> None:
    """The message says what to give instead."""
    with pytest.raises(TypeError, match="give it a URL with a synchronous driver"):
        DatabaseCheck(cast("Any", Asynchronous()))
    with pytest.raises(TypeError, match="needs an Engine or a URL, not dict"):
        DatabaseCheck(cast("Any", {}))
