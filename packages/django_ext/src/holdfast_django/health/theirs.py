"""Checks of django-health-check, as our registry knows checks."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from contextvars import copy_context
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeAlias, TypeVar, Unpack, cast

from django.db import connections
from django.utils.module_loading import import_string
from health_check.base import HealthCheck
from health_check.exceptions import ServiceWarning
from health_check.views import HealthCheckView

from holdfast import health_check
from holdfast.health import Finding, HealthStatus
from holdfast.health.registry import CheckOptions

SLACK: Final = 2.0
"""Seconds that we wait longer than they do, who give a check one more second than it has."""

CheckSource: TypeAlias = "type[HealthCheck] | HealthCheck | str"
"""A class of theirs, its dotted path, or an instance."""
Entry: TypeAlias = "type[HealthCheck] | str | tuple[type[HealthCheck] | str, Mapping[str, object]]"
"""An item of `HealthCheckView.as_view(checks=[...])`."""

_Parameters = ParamSpec("_Parameters")
_Returned = TypeVar("_Returned")


@dataclass(frozen=True, slots=True)
class HealthCheckOf:
    """Runs a check of django-health-check; what it raises becomes a finding.

    No error passes, a `ServiceWarning` warns, whatever else fails. The library itself logs what failed.
    """

    check: HealthCheck

    def __call__(self) -> Finding:
        """Run it; blocks, and needs a thread without a running event loop."""
        aside = _Aside()
        try:
            error = asyncio.run(self.check.get_result(aside)).error
        finally:
            aside.join()
        if error is None:
            return Finding(status=HealthStatus.PASS)
        message: str = getattr(error, "message", "")
        if isinstance(error, ServiceWarning):  # written to be read
            return Finding(status=HealthStatus.WARN, output=message)
        # What its message quotes is not for everybody: the text of a driver's error, for one.
        told = {"error": message}
        return Finding(status=HealthStatus.FAIL, output=error.message_type, details=told)


def from_health_check(check: CheckSource, **options: object) -> HealthCheckOf:
    """Make a check of django-health-check one that can be registered with us.

    Args:
        check: Its class, the dotted path of that, or an instance.
        options: What the class is called with.

    Raises:
        TypeError: When it is no check, or options come with an instance.
        ImportError: When there is nothing at the path.

    Example:
        >>> from_health_check("health_check.Mail", alias="default").check
        Mail(alias='default')
    """
    found = import_string(check) if isinstance(check, str) else check
    if isinstance(found, type) and issubclass(found, HealthCheck):
        return HealthCheckOf(found(**options))
    if isinstance(found, HealthCheck) and not options:
        return HealthCheckOf(found)
    what = "options for an instance" if options else "is no check of django-health-check"
    raise TypeError(f"{check!r}: {what}; pass its class, a dotted path of that, or an instance")


def register_health_checks(
    checks: Iterable[Entry], **options: Unpack[CheckOptions]
) -> tuple[str, ...]:
    """Register what `HealthCheckView.as_view(checks=[...])` takes, and return the names.

    Each is named by its `repr`, and gets two seconds more than it gives itself.

    Args:
        checks: Classes, dotted paths, or pairs of one of them and its options.
        options: As of `register_check`, for all of them.

    Raises:
        ValueError: When two have the same `repr`, or a name is taken.
    """
    found: list[HealthCheck] = [*HealthCheckView(checks=list(checks)).get_checks()]
    twice = [name for name, count in Counter(map(repr, found)).items() if count > 1]
    if twice:
        raise ValueError(
            f"{len(twice)} of the health checks have the same repr(): {', '.join(twice)}; leave one out, or "
            "give them fields that tell them apart"
        )
    for check in found:
        given = cast("CheckOptions", {"timeout": _timeout(check), **options})
        health_check.register_check(repr(check), HealthCheckOf(check), **given)
    return tuple(map(repr, found))


def _timeout(check: HealthCheck) -> float:
    return float(check.timeout.total_seconds()) + SLACK


class _Aside(Executor):
    """Runs each call on a daemon thread of its own, and closes the connections that it opened.

    A check that hangs keeps its thread, and with `join` the one that runs it: it is not started again
    meanwhile. Daemons, because the process must not wait for it at its end.
    """

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def submit(
        self,
        fn: Callable[_Parameters, _Returned],
        /,
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> "Future[_Returned]":
        """Run a call now."""
        future: Future[_Returned] = Future()
        future.set_running_or_notify_cancel()  # a loop that gives up on it leaves it be
        context = copy_context()

        def run() -> None:
            try:
                future.set_result(context.run(fn, *args, **kwargs))
            except BaseException as error:  # noqa: BLE001  # whoever waits for it is told
                future.set_exception(error)
            finally:
                connections.close_all()

        thread = threading.Thread(target=run, name="holdfast-health-aside", daemon=True)
        thread.start()
        self._threads.append(thread)
        return future

    def join(self) -> None:
        """Wait for what was begun."""
        for thread in self._threads:
            thread.join()
