"""Errors and reports as Prometheus metrics. Extra: `pip install "holdfast[prometheus]"`.

What is told is taken from the statistics of the runtime, so that no error is missing because its
event found a queue full. A registry is brought up to date when it is scraped.

With several worker processes (gunicorn) set `PROMETHEUS_MULTIPROC_DIR` to an empty directory before
anything imports prometheus_client: every worker then counts into a file there, and `exposition`
adds them up, whichever worker answers. Each worker bounds its labels by itself. It brings its file
up to date with every event, within a second of a request, and when it ends; what one counted that
was killed stays in its file, and so does what a worker counted whose place another took. The gauges of
policies are sums of living processes, so that `holdfast_circuit_state` says in how many workers a
circuit is open: call `prometheus_client.multiprocess.mark_process_dead` when one has ended, as for any
gauge. No other metric needs it.

The metrics made so far are global, by registry, because a registry takes each name but once.
"""

import os
import weakref
from collections.abc import Iterable, Mapping
from typing import Protocol

from holdfast.events import Event
from holdfast.forks import ForkSafeLock
from holdfast.reporting.bound import MAX_VALUE, Bound
from holdfast.reporting.channel import OUTCOMES
from holdfast.reporting.dispatcher import Dispatcher
from holdfast.reporting.statistics import ErrorStatistics, Labels, Pulse, Taken
from holdfast.resilience.measures import INSTRUMENTS, Growth, Instrument, Measure

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.metrics_core import Metric
    from prometheus_client.multiprocess import MultiProcessCollector
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError(
        'the reporter "prometheus" needs prometheus-client: pip install "holdfast[prometheus]"'
    ) from error

MAX_ERRORS = 500
"""Combinations of code, kind, fault and boundary that are told apart."""
MAX_OPERATIONS = 200
"""Operations that are told apart."""
MAX_CODES = 200
"""Codes of errors that were recovered from that are told apart."""
MAX_REPORTERS = 100
MAX_POLICIES = 100
"""Policies that are told apart."""
MAX_EVENTS = 50
"""Names of events whose durations are told apart."""
BUCKETS = (0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0, 3600.0)
"""Upper bounds in seconds: from an attempt to a nightly job."""


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

    @property
    def statistics(self) -> ErrorStatistics:
        """Count."""
        ...

    def policy_measures(self) -> Iterable[Measure]:
        """Return the numbers of the policies at work."""
        ...


def reporter(runtime: Host) -> "PrometheusReporter":
    """Make the reporter that settings call `prometheus`."""
    return PrometheusReporter(runtime)


class PrometheusReporter:
    """Shows what the statistics counted, and what became of reports.

    | metric | labels |
    |---|---|
    | `holdfast_errors_total` | service, code, kind, fault, boundary |
    | `holdfast_operation_errors_total` | service, operation, fault |
    | `holdfast_recovered_errors_total` | service, code |
    | `holdfast_last_error_timestamp_seconds` | service, fault |
    | `holdfast_requests_total` | service |
    | `holdfast_event_duration_seconds` | service, event |
    | `holdfast_reports_total` | service, reporter, outcome |
    | `holdfast_calls_total` | service, policy, outcome |
    | `holdfast_circuit_state` | service, policy, state |
    | `holdfast_retries_total` | service, policy |
    | `holdfast_retry_budget` | service, policy |
    | `holdfast_bulkhead_calls` | service, policy, state |
    | `holdfast_cache_answers_total` | service, policy, outcome |
    | `holdfast_disturbed_calls_total` | service, policy |

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
        self._growth = Growth()
        self._lock = ForkSafeLock()
        self._tap = host.statistics.tap()
        self._pulse = Pulse(host.statistics, self.refresh) if _has_workers() else None
        self._metrics.follow(self)

    def report(self, event: Event) -> None:  # noqa: ARG002  # it is counted already
        """Show what was counted."""
        self.refresh()

    def refresh(self) -> None:
        """Bring the metrics up to date; scraping the registry does it too."""
        dispatcher: Dispatcher | None = getattr(self._host, "dispatcher", None)
        if dispatcher is None:  # the runtime is still being made
            return
        with self._lock:
            self._metrics.count(self._service, self._tap.take())
            for delivery in dispatcher.deliveries():
                self._add(delivery.reporter, delivery.outcomes())
            for measure in self._host.policy_measures():
                self._metrics.measure(self._service, measure, self._growth)

    def close(self) -> None:
        """Show what was counted since the last event."""
        if self._pulse is not None:
            self._pulse.stop()
        self.refresh()

    def begin_anew(self) -> None:
        """Forget what was told of our own counts, which begin anew in a forked child.

        Those of policies go on there: what they were before is the parent's to show.
        """
        self._told = {key: told for key, told in self._told.items() if key[1] not in OUTCOMES}
        for measure in self._host.policy_measures():
            self._metrics.pass_over(measure, self._growth)

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
    if _has_workers():
        for metrics in tuple(_made.values()):
            metrics.refresh()
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # is not annotated
    return content_type, encode(REGISTRY if registry is None else registry)


class _Metrics:
    """The counters of one registry, shared by every reporter that counts there."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reporters: weakref.WeakSet[PrometheusReporter] = weakref.WeakSet()
        self._errors_known = Bound(MAX_ERRORS)
        self._operations_known = Bound(MAX_OPERATIONS)
        self._reporters_known = Bound(MAX_REPORTERS)
        self._recovered_known = Bound(MAX_CODES)
        self._events_known = Bound(MAX_EVENTS)
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
        self._recovered = Counter(
            "holdfast_recovered_errors",
            "Errors handled that came to nobody, because something else was returned.",
            ("service", "code"),
            registry=registry,
        )
        self._last = Gauge(
            "holdfast_last_error_timestamp_seconds",
            "Time of the last error, since 1970.",
            ("service", "fault"),
            registry=registry,
            multiprocess_mode="max",
        )
        self._requests = Counter(
            "holdfast_requests",
            "Requests, tasks, runs of jobs and messages that began.",
            ("service",),
            registry=registry,
        )
        self._durations = Histogram(
            "holdfast_event_duration_seconds",
            "Durations that events told of.",
            ("service", "event"),
            registry=registry,
            buckets=BUCKETS,
        )
        self._reports = Counter(
            "holdfast_reports",
            "Events meant for a reporter, by what became of them.",
            ("service", "reporter", "outcome"),
            registry=registry,
        )

        self._policies_known = Bound(MAX_POLICIES)
        self._of_policies = {each: _made_of(each, registry) for each in INSTRUMENTS}

    def follow(self, reporter: PrometheusReporter) -> None:
        self._reporters.add(reporter)

    def refresh(self) -> None:
        for reporter in tuple(self._reporters):
            reporter.refresh()

    def begin_anew(self) -> None:
        for reporter in tuple(self._reporters):
            reporter.begin_anew()

    def count(self, service: str, taken: Taken) -> None:
        if taken.requests:
            self._requests.labels(service).inc(taken.requests)
        for labels, number in taken.errors.items():
            self._count_errors(service, labels, number)
        for fault, time in taken.last.items():
            self._last.labels(service, fault).set(time.timestamp())
        for name, seconds in taken.durations:
            (event,) = self._events_known.keep(_text(name))
            self._durations.labels(service, event).observe(seconds)

    def _count_errors(self, service: str, labels: Labels, number: int) -> None:
        kind, fault = labels.kind, labels.fault
        code, boundary = self._errors_known.keep(labels.code, labels.boundary)
        (operation,) = self._operations_known.keep(labels.operation)
        self._errors.labels(service, code, kind, fault, boundary).inc(number)
        self._operations.labels(service, operation, fault).inc(number)
        if labels.recovered:
            (code,) = self._recovered_known.keep(labels.code)
            self._recovered.labels(service, code).inc(number)

    def measure(self, service: str, measure: Measure, growth: Growth) -> None:
        instrument, value = measure.instrument, measure.value
        (policy,) = self._policies_known.keep(_text(measure.policy))
        metric = self._of_policies[instrument]
        labels = (service, policy, *((measure.what,) if instrument.label else ()))
        if isinstance(metric, Gauge):
            metric.labels(*labels).set(value)
        else:
            metric.labels(*labels).inc(self.pass_over(measure, growth))

    @staticmethod
    def pass_over(measure: Measure, growth: Growth) -> float:
        key = (measure.instrument.name, measure.policy, measure.what)
        return growth.since_last(key, measure.value)

    def count_reports(self, service: str, reporter: str, outcome: str, new: int) -> None:
        kept = self._reporters_known.keep(_text(reporter), _text(outcome))
        self._reports.labels(service, *kept).inc(new)


def _made_of(instrument: Instrument, registry: CollectorRegistry) -> Counter | Gauge:
    name, said = f"holdfast_{instrument.name}", instrument.said
    labels = ("service", "policy", *((instrument.label,) if instrument.label else ()))
    if instrument.shape == "counter":
        return Counter(name, said, labels, registry=registry)
    return Gauge(name, said, labels, registry=registry, multiprocess_mode="livesum")


class _Refresh(Collector):
    """Has no metrics of its own: being collected, it brings the others up to date."""

    def __init__(self, metrics: _Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        self._metrics.refresh()
        return ()


_made: weakref.WeakKeyDictionary[CollectorRegistry, _Metrics] = weakref.WeakKeyDictionary()
_making = ForkSafeLock()


def _metrics_of(registry: CollectorRegistry) -> _Metrics:
    with _making:
        found = _made.get(registry)
        if found is None:
            found = _made[registry] = _Metrics(registry)
        return found


def _begin_anew() -> None:
    for metrics in tuple(_made.values()):
        metrics.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _has_workers() -> bool:
    """Tell whether prometheus_client adds up processes."""
    return bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))


def _text(value: str) -> str:
    """Return what a metric can carry: UTF-8, of bounded length. A lone surrogate would fail every scrape."""
    return value[:MAX_VALUE].encode("utf-8", "replace").decode()
