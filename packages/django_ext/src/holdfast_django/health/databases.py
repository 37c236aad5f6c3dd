"""The project's databases as health checks: whether they answer, and have every migration."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from holdfast.health import Finding, HealthRegistry, HealthStatus, Ttl
from holdfast.health.check import STARTUP

APPLIED: Final = Ttl(passing=3600.0, warning=5.0, failing=5.0)
"""Migrations do not get lost while a process runs; looking for them takes a while."""
_NO_DATABASE: Final = "django.db.backends.dummy"
_MAX_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class DatabaseCheck:
    """Asks a database for nothing, on a connection of its own that is closed after it.

    So a connection that a restart of the server has broken fails no check, and none is kept by the
    threads of checks.

    Example:
        >>> DatabaseCheck("replica")
        DatabaseCheck(alias='replica')
    """

    alias: str = "default"
    """Of the database, in `DATABASES`."""

    def __call__(self) -> None:
        """Look; an exception of the driver's is for whoever runs the check."""
        with _connection(self.alias) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT 1{connection.features.bare_select_suffix}")
            cursor.fetchone()


@dataclass(frozen=True, slots=True)
class MigrationsCheck:
    """Fails as long as a database lacks migrations of this code; for `startup`, and with a long `ttl`.

    Loads every migration of the project: tenths of a second, the first time.

    Example:
        >>> MigrationsCheck("default")
        MigrationsCheck(alias='default')
    """

    alias: str = "default"
    """Of the database, in `DATABASES`."""

    def __call__(self) -> Finding | None:
        """Look; an exception of the driver's is for whoever runs the check."""
        with _connection(self.alias) as connection:
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if not plan:
            return None
        names = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
        return Finding(
            status=HealthStatus.FAIL,
            output=f"migrations that are not applied: {len(names)}",
            details={"first": names[:_MAX_SHOWN]},
        )


def register_databases(
    registry: HealthRegistry, asked: tuple[str, ...], migrated: tuple[str, ...] = ()
) -> None:
    """Let readiness ask databases, and startup their migrations, as far as the project has them.

    Args:
        registry: Where to.
        asked: Aliases for readiness.
        migrated: Aliases for startup.
    """
    for alias in asked:
        if exists(alias):
            registry.register_check(_named("database", alias), DatabaseCheck(alias))
    for alias in migrated:
        if exists(alias):
            registry.register_check(
                _named("migrations", alias), MigrationsCheck(alias), groups=(STARTUP,), ttl=APPLIED
            )


def exists(alias: str) -> bool:
    """Tell whether the project has a database of this alias."""
    # By its settings: a connection object that nobody needs costs every request 3 µs.
    engine = connections.settings.get(alias, {}).get("ENGINE", _NO_DATABASE)
    return bool(engine != _NO_DATABASE)


def _named(what: str, alias: str) -> str:
    return what if alias == "default" else f"{what} {alias}"


@contextmanager
def _connection(alias: str) -> Generator[BaseDatabaseWrapper, None, None]:
    """Open a connection that is nobody else's, and close it."""
    connection = connections.create_connection(alias)
    try:
        yield connection
    finally:
        connection.close()
