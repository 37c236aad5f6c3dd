"""The checks of a project's databases, caches and storages."""

import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.cache.backends.locmem import LocMemCache
from django.core.files.base import ContentFile, File
from django.core.files.storage import InMemoryStorage
from django.core.management import call_command
from django.db import OperationalError, connections
from django.test import override_settings

from holdfast import environment
from holdfast.health import Finding, HealthRegistry, HealthStatus
from holdfast.health.check import CheckFunction
from holdfast_django import current
from holdfast_django.conf import DjangoHealthSettings
from holdfast_django.health import CacheCheck, DatabaseCheck, MigrationsCheck, StorageCheck
from holdfast_django.health.databases import register_databases

MARKER = f"holdfast-{os.getpid()}"
SERVERS: dict[str, dict[str, Any]] = {
    "postgresql": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "test",
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "CONN_MAX_AGE": None,
        "OPTIONS": {"application_name": MARKER},
    },
    "mariadb": {
        "ENGINE": "django.db.backends.mysql",
        "NAME": "test",
        "USER": "root",
        "HOST": "127.0.0.1",
        "CONN_MAX_AGE": None,
    },
}
EVERY_SERVER = [
    pytest.param(
        "postgresql", marks=[pytest.mark.service("postgresql"), pytest.mark.extra("psycopg")]
    ),
    pytest.param("mariadb", marks=[pytest.mark.service("mariadb"), pytest.mark.extra("pymysql")]),
]
POSTGRESQL = EVERY_SERVER[:1]
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "none": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
    "shared": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:6379/0",
    },
    "away": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
    },
    "forgetful": {"BACKEND": f"{__name__}.Forgetful"},
    "synchronous": {"BACKEND": f"{__name__}.Synchronous"},
}


class Forgetful(LocMemCache):
    """Keeps nothing, and does not say so."""

    def set(self, *_: object, **__: object) -> None:
        """Drop it."""


class Synchronous:
    """Has no asynchronous methods, and none of Django's parents."""

    def __init__(self, *_: object) -> None:
        self.kept: dict[str, object] = {}

    def set(self, key: str, value: object, timeout: float) -> None:
        """Keep it."""
        self.kept[key] = value

    def get(self, key: str) -> object:
        """Give it back."""
        return self.kept.get(key)

    def delete(self, key: str) -> None:
        """Forget it."""
        del self.kept[key]

    def close(self) -> None:
        """Fail if something is left."""
        assert not self.kept


class Lossy(InMemoryStorage):
    """Gives back something else."""

    def open(self, name: str, mode: str = "rb") -> "File[bytes]":
        """Open another file."""
        return ContentFile(b"something else")


@pytest.fixture(autouse=True)
def databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the project have databases on servers, and in a file, beside its own."""
    if importlib.util.find_spec("pymysql"):
        monkeypatch.setitem(sys.modules, "MySQLdb", importlib.import_module("pymysql"))
    file = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "shop.sqlite3")}
    away = {**SERVERS["postgresql"], "PORT": 1}
    told = {"default": {}, "file": file, "away": away, **SERVERS}
    known = connections.configure_settings({name: dict(each) for name, each in told.items()})
    for alias in {"file", "away", *SERVERS}:
        monkeypatch.setitem(connections.settings, alias, known[alias])
    yield
    connections.close_all()
    for alias in {"file", "away", *SERVERS}:
        with suppress(AttributeError):  # not used by this thread
            del connections[alias]


def status(found: Finding | None) -> HealthStatus:
    """Return what a check said."""
    return HealthStatus.PASS if found is None else found.status


def tell(query: str) -> int:
    """Ask PostgreSQL on a connection that the tests do not count."""
    connection = connections.create_connection("postgresql")
    connection.settings_dict = {**connection.settings_dict, "OPTIONS": {}}
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return int(cursor.fetchone()[0])
    finally:
        connection.close()


def connected() -> int:
    """Count what the project has open on PostgreSQL."""
    return tell(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{MARKER}'")  # noqa: S608  # ours


def restart() -> None:
    """Break every connection of the project, as a server that restarts does."""
    tell(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "  # noqa: S608  # ours
        f"WHERE application_name = '{MARKER}'"
    )


def query(alias: str = "postgresql") -> bool:
    """Use a database as a project's check does."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


async def aquery() -> bool:
    """Use it as an asynchronous check does."""
    return await sync_to_async(query)()


@pytest.mark.parametrize("alias", [*EVERY_SERVER, "file"])
def test_a_database_that_answers_passes(alias: str) -> None:
    """On every kind of server."""
    DatabaseCheck(alias)()

    # Not on this thread's own, which may be within a transaction.
    assert alias not in {each.alias for each in connections.all(initialized_only=True)}


@pytest.mark.extra("psycopg")
def test_a_database_that_is_away_fails(registry: HealthRegistry) -> None:
    """With the class of the error, and its text among the details."""
    registry.register_check("database", DatabaseCheck("away"))

    (result,) = registry.run_all_checks().values()

    assert result.status is HealthStatus.FAIL
    assert result.output.endswith("OperationalError")


@pytest.mark.parametrize("alias", POSTGRESQL)
def test_a_restart_of_the_server_fails_no_check(alias: str, registry: HealthRegistry) -> None:
    """Neither ours nor those of the project, asynchronous or not, that leave connections open."""
    registry.register_check("ours", DatabaseCheck(alias))
    registry.register_check("theirs", query)
    registry.register_check("asynchronous", aquery)

    before = registry.run_all_checks()
    restart()
    after = registry.run_all_checks()

    assert {result.status for result in (*before.values(), *after.values())} == {HealthStatus.PASS}


@pytest.mark.parametrize("alias", POSTGRESQL)
@pytest.mark.parametrize("check", [query, aquery, DatabaseCheck("postgresql")])
def test_checks_leave_no_connection_behind(
    check: CheckFunction, alias: str, registry: HealthRegistry
) -> None:
    """However often they run, and on however many threads."""
    for number in range(8):
        registry.register_check(f"check-{number}", check)

    for _ in range(5):
        registry.run_all_checks()

    for _ in range(500):  # the server takes note a moment later
        if not connected():
            break
        threading.Event().wait(0.01)
    assert connected() == 0


def test_a_check_finds_its_runtime_within_the_surroundings(registry: HealthRegistry) -> None:
    """They keep what checks ran within before."""
    found: list[object] = []
    registry.register_check("orders", lambda: found.append(environment.current()))

    registry.run_all_checks()

    assert found == [current.project_runtime()]


def test_an_asynchronous_check_that_fails_is_surrounded_too(registry: HealthRegistry) -> None:
    """Its thread is given back."""
    ended: list[threading.Thread] = []

    def leave() -> None:
        ended.append(threading.current_thread())
        raise OperationalError("gone")

    registry.register_check("orders", sync_to_async(leave))

    (result,) = registry.run_all_checks().values()

    assert result.status is HealthStatus.FAIL
    assert not ended[0].is_alive()


@pytest.mark.parametrize("alias", [*EVERY_SERVER, "file"])
def test_missing_migrations_fail(alias: str) -> None:
    """And are named; nothing is created by looking."""
    found = MigrationsCheck(alias)()

    connection = connections.create_connection(alias)
    try:
        tables = connection.introspection.table_names()
    finally:
        connection.close()
    assert found is not None
    assert (found.status, found.output) == (
        HealthStatus.FAIL,
        "migrations that are not applied: 14",
    )
    assert "contenttypes.0001_initial" in str(found.details["first"])
    assert "django_migrations" not in tables


def test_applied_migrations_pass() -> None:
    """All of them."""
    call_command("migrate", database="file", verbosity=0)

    assert MigrationsCheck("file")() is None


def test_only_databases_that_the_project_has_are_asked() -> None:
    """A typing error in a probe must not take a service down."""
    registry = HealthRegistry()

    register_databases(registry, ("default", "nowhere"), ("default", "nowhere"))

    told: dict[str, tuple[object, object]] = {
        check.name: (check.run, check.groups) for check in registry.checks
    }
    assert told == {
        "database": (DatabaseCheck("default"), {"ready"}),
        "migrations": (MigrationsCheck("default"), {"startup"}),
    }


def test_settings_say_which_databases_are_asked() -> None:
    """Read as all settings are."""
    told = {"HEALTH": {"DATABASES": ["default", "replica"], "MIGRATIONS": ["default"]}}
    with override_settings(HOLDFAST=told):
        assert current.project_settings().health == DjangoHealthSettings(
            databases=("default", "replica"), migrations=("default",)
        )


@override_settings(CACHES=CACHES)
@pytest.mark.parametrize(
    "alias",
    [
        "default",
        "none",
        "synchronous",
        pytest.param("shared", marks=[pytest.mark.service("redis"), pytest.mark.extra("redis")]),
    ],
)
def test_a_cache_that_keeps_what_it_is_given_passes(alias: str, registry: HealthRegistry) -> None:
    """Any backend does, one without asynchronous methods and one that keeps nothing on purpose."""
    registry.register_check("cache", CacheCheck(alias))

    (result,) = registry.run_all_checks().values()

    assert result.status is HealthStatus.PASS


@override_settings(CACHES=CACHES)
@pytest.mark.extra("redis")
@pytest.mark.parametrize("alias", ["forgetful", "away"])
def test_a_cache_that_forgets_or_is_away_fails(alias: str, registry: HealthRegistry) -> None:
    """As whoever relies on it would see."""
    registry.register_check("cache", CacheCheck(alias))

    (result,) = registry.run_all_checks().values()

    assert result.status is HealthStatus.FAIL


def test_a_storage_that_keeps_what_it_is_given_passes(tmp_path: Path) -> None:
    """And nothing stays in it."""
    backend = "django.core.files.storage.FileSystemStorage"
    told = {"default": {"BACKEND": backend, "OPTIONS": {"location": str(tmp_path / "files")}}}
    with override_settings(STORAGES=told):
        assert status(StorageCheck()()) is HealthStatus.PASS

    assert [*(tmp_path / "files").iterdir()] == []


@override_settings(STORAGES={"lossy": {"BACKEND": f"{__name__}.Lossy"}})
def test_a_storage_that_gives_back_something_else_fails() -> None:
    """And nothing stays in it."""
    assert status(StorageCheck("lossy")()) is HealthStatus.FAIL
