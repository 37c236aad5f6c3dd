"""Errors and reports as Prometheus metrics. Extra: `pip install "holdfast[prometheus]"`.

With several worker processes (gunicorn) set `PROMETHEUS_MULTIPROC_DIR` to an empty directory before
anything imports prometheus_client: every worker then counts into a file there, and `exposition`
adds them up, whichever worker answers. Each worker bounds its labels by itself, and brings its
`holdfast_reports_total` up to date with its next error, scrape or end.

The metrics made so far are global, by registry, because a registry takes each name but once.
"""

import os
import weakref
from collections.abc import Iterable, Mapping
from typing import Protocol

from holdfast.events import Event
from holdfast.forks import ForkSafeLock
from holdfast.record import ErrorHandled
from holdfast.reporting.dispatcher import Dispatcher

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.metrics_core import Metric
    from prometheus_client.multiprocess import MultiProcessCollector
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError(
        'the reporter "prometheus" needs prometheus-client: pip install "holdfast[prometheus]"'
    ) from error

OTHER = "other"
"""Stands for every value beyond a bound."""
MAX_ERRORS = 500
"""Combinations of code, kind, fault and boundary that are told apart."""
MAX_OPERATIONS = 200
"""Operations that are told apart."""
MAX_REPORTERS = 100
MAX_LABEL = 200
"""Characters kept of one label's value."""


class _Settings(Protocol):
    @property
    def service(self) -> str: ...


class Host(Protocol):
    """What the reporter needs of the runtime that owns it."""

    @property
    def settings(self) -> _Settings:
        """Names the service."""
        ...

    @property
    def dispatcher(self) -> Dispatcher:
        """Knows what became of events; there once the runtime is made."""
        ...


def reporter(runtime: Host) -> "PrometheusReporter":
    """Make the reporter that settings call `prometheus`."""
    return PrometheusReporter(runtime)


class PrometheusReporter:
    """Counts errors, and what became of reports.

    | counter | labels |
    |---|---|
    | `holdfast_errors_total` | service, code, kind, fault, boundary |
    | `holdfast_operation_errors_total` | service, operation, fault |
    | `holdfast_reports_total` | service, reporter, outcome |

    Args:
        host: The runtime.
        registry: Where the counters are registered; those of one registry are shared.
    """

    name = "prometheus"

    def __init__(self, host: Host, *, registry: CollectorRegistry = REGISTRY) -> None:
        self._host = host
        self._service = _text(host.settings.service)
        self._metrics = _metrics_of(registry)
        self._told: dict[tuple[str, str], int] = {}
        self._lock = ForkSafeLock()
        self._metrics.follow(self)

    def report(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, ErrorHandled):
            self._metrics.count(self._service, event)
        self.refresh()

    def refresh(self) -> None:
        """Bring `holdfast_reports_total` up to date; scraping the registry does it too."""
        dispatcher: Dispatcher | None = getattr(self._host, "dispatcher", None)
        if dispatcher is None:  # the runtime is still being made
            return
        with self._lock:
            for delivery in dispatcher.deliveries():
                self._add(delivery.reporter, delivery.outcomes())

    def close(self) -> None:
        """Count what happened since the last event."""
        self.refresh()

    def _add(self, name: str, outcomes: Mapping[str, int]) -> None:
        for outcome, total in outcomes.items():
            new = total - self._told.get((name, outcome), 0)
            if new > 0:
                self._told[name, outcome] = total
                self._metrics.count_reports(self._service, name, outcome, new)


def exposition(registry: CollectorRegistry | None = None) -> bytes:
    """Return the metrics in the text format, of all workers where there are several.

    Args:
        registry: Whose metrics; default: prometheus_client's own.
    """
    return metrics_response(registry=registry)[1]


def metrics_response(
    accept: str = "", *, registry: CollectorRegistry | None = None
) -> tuple[str, bytes]:
    """Return content type and body for a view at `/metrics`.

    Args:
        accept: The request's `Accept`: decides between the text format and OpenMetrics.
        registry: Whose metrics; default: prometheus_client's own. With several workers all of
            their metrics, in every registry.

    Example:
        >>> metrics_response()[0].split(";")[0]
        'text/plain'
    """
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version in `Accept` that is no number
        encode, content_type = choose_encoder("")
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        for metrics in tuple(_made.values()):
            metrics.refresh()
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # is not annotated
    return content_type, encode(REGISTRY if registry is None else registry)


class _Metrics:
    """The counters of one registry, shared by every reporter that counts there."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reporters: weakref.WeakSet[PrometheusReporter] = weakref.WeakSet()
        self._errors_known = _Bound(MAX_ERRORS)
        self._operations_known = _Bound(MAX_OPERATIONS)
        self._reporters_known = _Bound(MAX_REPORTERS)
        registry.register(_Refresh(self))  # first, because a registry collects in this order
        self._errors = Counter(
            "holdfast_errors",
            "Errors handled.",
            ("service", "code", "kind", "fault", "boundary"),
            registry=registry,
        )
        self._operations = Counter(
            "holdfast_operation_errors",
            "Errors handled, by operation.",
            ("service", "operation", "fault"),
            registry=registry,
        )
        self._reports = Counter(
            "holdfast_reports",
            "Events meant for a reporter, by what became of them.",
            ("service", "reporter", "outcome"),
            registry=registry,
        )

    def follow(self, reporter: PrometheusReporter) -> None:
        self._reporters.add(reporter)

    def refresh(self) -> None:
        for reporter in tuple(self._reporters):
            reporter.refresh()

    def count(self, service: str, event: ErrorHandled) -> None:
        said, origin = event.record.classification, event.record.origin
        kind, fault = str(said.kind), str(said.fault)
        code, boundary = self._errors_known.keep(_text(said.code), _text(origin.boundary))
        (operation,) = self._operations_known.keep(_text(origin.operation))
        self._errors.labels(service, code, kind, fault, boundary).inc()
        self._operations.labels(service, operation, fault).inc()

    def count_reports(self, service: str, reporter: str, outcome: str, new: int) -> None:
        kept = self._reporters_known.keep(_text(reporter), _text(outcome))
        self._reports.labels(service, *kept).inc(new)


class _Refresh(Collector):
    """Has no metrics of its own: being collected, it brings the others up to date."""

    def __init__(self, metrics: _Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        self._metrics.refresh()
        return ()


class _Bound:
    """Keeps the first so many combinations of values; what comes later is `other` throughout."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[tuple[str, ...]] = set()
        self._lock = ForkSafeLock()

    def keep(self, *values: str) -> tuple[str, ...]:
        if values in self._known:
            return values
        with self._lock:
            if len(self._known) < self._most:
                self._known.add(values)
                return values
        return (OTHER,) * len(values)


_made: weakref.WeakKeyDictionary[CollectorRegistry, _Metrics] = weakref.WeakKeyDictionary()
_making = ForkSafeLock()


def _metrics_of(registry: CollectorRegistry) -> _Metrics:
    with _making:
        found = _made.get(registry)
        if found is None:
            found = _made[registry] = _Metrics(registry)
        return found


def _text(value: str) -> str:
    """Return what a metric can carry: UTF-8, of bounded length. A lone surrogate would fail every scrape."""
    return value[:MAX_LABEL].encode("utf-8", "replace").decode()
