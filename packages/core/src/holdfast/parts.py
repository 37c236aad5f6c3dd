"""Parts of a runtime that its settings say how to make."""

import importlib
import os
import weakref
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from holdfast.clock import Clock
from holdfast.codes import Severity
from holdfast.environment import Environment, activated
from holdfast.events import Event
from holdfast.health import HealthRegistry
from holdfast.health.own import own_checks
from holdfast.hooks.leaving import departure
from holdfast.loading import Loader
from holdfast.redact import Redactor
from holdfast.reporting.dispatcher import Reporter
from holdfast.reporting.logging import LoggingReporter
from holdfast.settings import UNNAMED, Settings
from holdfast.strict import Notation

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from holdfast.health.monitor import HealthMonitor
    from holdfast.health.probes import Probes
    from holdfast.reporting.alerts.engine import Alerts
    from holdfast.reporting.alerts.news import News
    from holdfast.resilience.circuit.exchanging import Exchanger
    from holdfast.resilience.circuit.sharing import Store


SHIPPED_REPORTERS: Final = {
    "logging": "holdfast.parts:logging_reporter",
    "opentelemetry": "holdfast.integrations.opentelemetry:reporter",
    "prometheus": "holdfast.integrations.prometheus:reporter",
    "sentry": "holdfast.integrations.sentry:reporter",
    "structlog": "holdfast.integrations.structlog:reporter",
    "webhook": "holdfast.reporting.webhook:reporter",
}
"""Reporters by the name that settings use, and where their factories are."""


class Owner(Protocol):
    """The runtime that a part belongs to."""

    @property
    def settings(self) -> Settings:
        """What it was told."""
        ...

    @property
    def redactor(self) -> Redactor:
        """Cleans what is told beside records, which are clean."""
        ...


def logging_reporter(runtime: Owner) -> Reporter:
    """Make the reporter that writes log lines, with the handler the settings ask for."""
    told = runtime.settings
    settings = told.logging
    if settings.format != "none":
        attach = importlib.import_module("holdfast.integrations.jsonlogger").attach_handler
        attach(settings.logger, settings.format, settings.level)
    return LoggingReporter(
        logger=settings.logger,
        traceback=settings.traceback,
        level=Severity[settings.level],
        labels={
            "service": told.service,
            "environment": told.environment,
            "release": told.release,
        },
        redactor=runtime.redactor,
    )


def make_alerts(runtime: Owner, loader: Loader, notation: Notation) -> "Alerts | None":
    """Return the alerts that the settings ask for; without rules and channels nothing is loaded."""
    told = runtime.settings.alerts
    if not (told.rules or told.channels):
        return None
    made = importlib.import_module("holdfast.alerting").make_alerts
    return cast("Alerts", made(runtime, loader, notation))


class Healthy(Owner, Protocol):
    """A runtime whose health is asked."""

    @property
    def clock(self) -> Clock:
        """What time is measured by."""
        ...

    @property
    def health(self) -> HealthRegistry:
        """Its checks."""
        ...


def make_health(owner: Healthy) -> HealthRegistry:
    """Return the registry of a runtime, which its checks find as the current one."""
    told = owner.settings.health
    registry = HealthRegistry(
        owner.clock,
        owner.redactor,
        stopping=departure.stopping,
        threads=told.threads,
        ttl=told.ttl.ttl(),
        timeout=told.timeout,
        own=own_checks(told.own, told.timeout),
    )
    found = weakref.ref(owner)

    def around() -> AbstractContextManager[object]:
        runtime = found()
        return nullcontext() if runtime is None else activated(cast("Environment", runtime))

    registry.around = around
    return registry


def make_probes(owner: Healthy, allow: object) -> "Probes":
    """Return what answers the health endpoints of a runtime.

    Args:
        owner: The runtime.
        allow: The project's function that says who sees details.
    """
    from holdfast.health.disclosure import Disclosure  # noqa: PLC0415  # for the first probe
    from holdfast.health.probes import Probes  # noqa: PLC0415  # for the first probe

    told = owner.settings.health
    return Probes(
        owner.health,
        Disclosure(
            details=told.details,
            token=told.token,
            networks=told.networks,
            allow=cast("Callable[[object], object] | None", allow),
        ),
        time_limit=told.time_limit,
        retry_after=told.ttl.failing,
        service=owner.settings.service,
        release=owner.settings.release,
    )


class Monitored(Healthy, Protocol):
    """A runtime whose health is monitored."""

    @property
    def chance(self) -> "random.Random":
        """Draws what is left to chance."""
        ...

    @property
    def alerts(self) -> "Alerts | None":
        """Through which people are told."""
        ...

    def emit(self, event: Event) -> None:
        """Tell the reporters."""
        ...


def make_monitor(owner: Monitored) -> "HealthMonitor":
    """Return the monitor of a runtime; it is not begun."""
    from holdfast.health import monitor  # noqa: PLC0415  # for whoever monitors

    told, alerts = owner.settings.health.monitor, owner.alerts
    is_shared = monitor.IS_SHARED and not owner.settings.reporting.inline  # tests share nothing
    seat = monitor.Seat(told.state, _host_wide(owner.settings)) if is_shared else None

    def announce(news: "News", settled: "Callable[[], None]") -> None:
        if alerts is not None:
            alerts.announce(news, told.channels, settled)

    return monitor.HealthMonitor(
        owner.health,
        watch=told.watch(),
        follows=told.enabled,
        history=told.history,
        ties=monitor.Ties(
            emit=owner.emit,
            announce=None if alerts is None else announce,
            **({} if alerts is None else {"flush": alerts.flush}),
            seat=seat,
        ),
        chance=owner.chance,
    )


def _host_wide(settings: Settings) -> str:
    """Return what tells a service from the others of its host."""
    is_named = settings.service != UNNAMED
    return settings.service if is_named else f"{settings.service} in {Path.cwd()}"


def notes() -> list[Reporter]:
    """Return who tells `holdfast run`, if that started this process, what was recorded already."""
    if not os.environ.get("HOLDFAST_RUN"):
        return []
    told = importlib.import_module("holdfast.hooks.jobs.told")
    return cast("list[Reporter]", told.notes())


def make_redactor(settings: Settings) -> Redactor:
    """Return what cleans everything that leaves the process."""
    wanted = settings.redact
    return Redactor(
        keys=wanted.keys,
        allowed_keys=wanted.allowed_keys,
        patterns=wanted.patterns,
        mask=wanted.mask,
        max_depth=wanted.max_depth,
        max_items=wanted.max_items,
        max_length=wanted.max_length,
    )


class Sharer(Owner, Protocol):
    """A runtime whose circuits may be shared."""

    @property
    def clock(self) -> Clock:
        """What time is measured by."""
        ...

    @property
    def chance(self) -> "random.Random":
        """Draws what is left to chance."""
        ...

    @property
    def notation(self) -> Notation:
        """How the settings were written."""
        ...

    def emit(self, event: Event) -> None:
        """Tell the reporters."""
        ...


def exchanger(owner: Sharer, loader: Loader) -> "Exchanger | None":
    """Return what the circuits are shared by, if the settings ask for it; nothing connects yet."""
    told = owner.settings.circuits
    if not told.shared:
        return None
    place = owner.notation.path("circuits", "shared")
    connect = loader.attempt(place, "shared circuits", lambda: _connection(owner.settings))
    if connect is None:
        return None
    make = importlib.import_module("holdfast.resilience.circuit.exchanging").Exchanger
    made = make(
        connect,
        quorum=told.quorum,
        clock=owner.clock,
        chance=owner.chance,
        tell=partial(_tell_of_sharing, owner),
        threaded=not owner.settings.reporting.inline,
    )
    return cast("Exchanger", made)


def _connection(settings: Settings) -> "Callable[[], Store]":
    """Return what makes the store; raises now what would be wrong with every one that it makes."""
    made = importlib.import_module("holdfast.integrations.redis_circuits").RedisStore
    told = settings.circuits
    connect = partial(made, told.shared, settings.service, told.pybreaker)
    connect()
    return cast("Callable[[], Store]", connect)


def _tell_of_sharing(owner: Sharer, failure: Exception | None) -> None:
    is_lost = failure is not None
    event = Event(
        name="sharing.lost" if is_lost else "sharing.restored",
        severity=Severity.WARNING if is_lost else Severity.INFO,
        time=owner.clock.now(),
        attributes={"of": "circuits", **({"type": type(failure).__name__} if is_lost else {})},
    )
    owner.emit(event)
