"""Errors on real spans and in real metrics and logs of the SDK, kept in memory."""

import threading
from collections.abc import Generator
from contextlib import ExitStack, suppress

import pytest

from holdfast import (
    AppError,
    CircuitOpenError,
    Origin,
    Runtime,
    Severity,
    ValidationError,
    environment,
)
from holdfast.context import current_context, current_trace_id, work_context
from holdfast.errors import ServiceUnavailableError
from holdfast.events import Event
from holdfast.reporting.bound import Bound
from holdfast.resilience.breaking import Breaker
from holdfast.resilience.policy import Policy
from holdfast.settings import ReportingSettings, Settings
from tests.integrations.conftest import need

need("opentelemetry.sdk")

from opentelemetry import _logs, metrics, trace  # noqa: E402  # is optional
from opentelemetry.sdk._logs import LoggerProvider  # noqa: E402  # is optional
from opentelemetry.sdk._logs.export import (  # noqa: E402  # is optional
    InMemoryLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.metrics import MeterProvider  # noqa: E402  # is optional
from opentelemetry.sdk.metrics.export import (  # noqa: E402  # is optional
    InMemoryMetricReader,
    NumberDataPoint,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider  # noqa: E402  # is optional
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402  # is optional
from opentelemetry.sdk.trace.export.in_memory_span_exporter import (  # noqa: E402  # is optional
    InMemorySpanExporter,
)
from opentelemetry.trace import SpanKind, StatusCode, use_span  # noqa: E402  # is optional

from holdfast.integrations import opentelemetry as ours  # noqa: E402  # needs it

SPANS, LOGS, METRICS = InMemorySpanExporter(), InMemoryLogRecordExporter(), InMemoryMetricReader()  # type: ignore[no-untyped-call]  # is not annotated
TRACES = TracerProvider()
TRACES.add_span_processor(SimpleSpanProcessor(SPANS))
TRACER = TRACES.get_tracer("tests")
REQUEST = Origin(boundary="flask.request", operation="GET /orders/<id>")
JOB = Origin(boundary="job", operation="import")


@pytest.fixture(scope="module", autouse=True)
def _providers() -> None:
    """Be a project that has set OpenTelemetry up; it takes each provider but once."""
    trace.set_tracer_provider(TRACES)
    metrics.set_meter_provider(MeterProvider([METRICS]))
    logs = LoggerProvider()
    logs.add_log_record_processor(SimpleLogRecordProcessor(LOGS))
    _logs.set_logger_provider(logs)


@pytest.fixture
def stack() -> Generator[ExitStack]:
    """What is closed after the test."""
    with ExitStack() as made:
        yield made


@pytest.fixture
def runtime(stack: ExitStack) -> Runtime:
    """A runtime that reports to OpenTelemetry, on the thread of the error."""
    return reporting(stack)


def reporting(stack: ExitStack, *, inline: bool = True) -> Runtime:
    """Return a runtime that reports to OpenTelemetry."""
    SPANS.clear()
    LOGS.clear()
    made = Runtime(
        Settings(reporters=("opentelemetry",), reporting=ReportingSettings(inline=inline))
    )
    stack.callback(made.close)
    return made


def span_of(runtime: Runtime, error: Exception, origin: Origin = REQUEST) -> ReadableSpan:
    """Return the span in which an error was handled."""
    with TRACER.start_as_current_span("request", kind=SpanKind.SERVER):
        handle(runtime, error, origin)
    (span,) = SPANS.get_finished_spans()
    return span


def handle(runtime: Runtime, error: Exception, origin: Origin = REQUEST) -> None:
    """Raise an error and have it handled."""
    try:
        raise error
    except type(error) as caught:
        runtime.handle(caught, origin)


def counted(name: str) -> dict[tuple[object, ...], float]:
    """Return a counter's values, by the values of its attributes."""
    data = METRICS.get_metrics_data()
    assert data is not None
    return {
        tuple((point.attributes or {}).values()): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint)
    }


def test_an_error_is_an_event_of_the_current_span(runtime: Runtime) -> None:
    """By the semantic conventions, with what we know beside it."""
    span = span_of(runtime, ServiceUnavailableError("stock is away, password=hunter2-canary"))

    (event,) = span.events
    attributes = dict(span.attributes or {})
    told = dict(event.attributes or {})
    assert event.name == "exception"
    assert told["exception.type"] == "holdfast.errors.ServiceUnavailableError"
    assert str(told["exception.message"]).startswith("stock is away")
    assert "raise error" in str(told["exception.stacktrace"])
    assert attributes["error.type"] == "holdfast.errors.ServiceUnavailableError"
    assert attributes["holdfast.code"] == "SERVICE_UNAVAILABLE"
    assert attributes["holdfast.kind"] == "UNAVAILABLE"
    assert attributes["holdfast.fault"] == "DEPENDENCY"
    assert span.status.status_code is StatusCode.ERROR
    assert "canary" not in span.to_json()


def test_a_callers_mistake_does_not_fail_the_request(runtime: Runtime) -> None:
    """As the conventions of HTTP have it: a server's span fails by the server alone."""
    span = span_of(runtime, ValidationError("no such date"))

    attributes = dict(span.attributes or {})
    assert span.status.status_code is StatusCode.UNSET
    assert span.events == ()
    assert "error.type" not in attributes
    assert attributes["holdfast.code"] == "VALIDATION_FAILED"


def test_a_callers_mistake_fails_a_job(runtime: Runtime) -> None:
    """There is no caller to tell: the work was not done."""
    assert span_of(runtime, ValidationError("no"), JOB).status.status_code is StatusCode.ERROR


def test_an_error_that_is_not_the_end_of_the_work_leaves_the_span(runtime: Runtime) -> None:
    """It was logged, and the request went on; or a finaliser failed that the collector called."""
    for boundary in ("log", "block", "unraisable"):
        SPANS.clear()
        span = span_of(runtime, ValueError(boundary), Origin(boundary=boundary))

        assert span.status.status_code is StatusCode.UNSET
        assert span.events == ()


def test_the_span_is_that_of_the_thread_which_handles_the_error(stack: ExitStack) -> None:
    """Not of the thread that reports it."""
    runtime = reporting(stack, inline=False)

    span = span_of(runtime, ValueError("no"))

    assert runtime.flush(5)
    assert [event.name for event in span.events] == ["exception"]


def test_an_instrumentation_that_records_after_us_does_not_record_twice(runtime: Runtime) -> None:
    """It ends its span with what came out of the framework."""
    error = ValueError("no")

    with suppress(ValueError), TRACER.start_as_current_span("request"):
        handle(runtime, error)
        raise error

    (span,) = SPANS.get_finished_spans()
    assert [event.name for event in span.events] == ["exception"]
    assert span.status.status_code is StatusCode.ERROR


def test_an_instrumentation_that_recorded_before_us_is_believed(runtime: Runtime) -> None:
    """Its event says the same."""
    error = ValueError("no")
    with TRACER.start_as_current_span("request") as current:
        current.record_exception(error)
        handle(runtime, error)

    (span,) = SPANS.get_finished_spans()
    assert len(span.events) == 1
    assert span.status.status_code is StatusCode.ERROR


def test_another_error_of_the_same_span_is_recorded(runtime: Runtime) -> None:
    """Only what we have told is left out."""
    with TRACER.start_as_current_span("request") as current:
        handle(runtime, ValueError("ours"))
        current.record_exception(KeyError("another's"))

    (span,) = SPANS.get_finished_spans()
    assert len(span.events) == 2


def test_an_error_handled_twice_is_recorded_once(runtime: Runtime) -> None:
    """By two boundaries within each other."""
    error = ValueError("no")
    with TRACER.start_as_current_span("request"):
        handle(runtime, error)
        handle(runtime, error)

    (span,) = SPANS.get_finished_spans()
    assert len(span.events) == 1


def test_without_a_span_that_records_nothing_happens(runtime: Runtime) -> None:
    """Outside of any, in one that is not sampled, and in one that has ended."""
    ended = TRACER.start_span("ended")
    ended.end()

    handle(runtime, ValueError("outside"))
    with use_span(trace.INVALID_SPAN):
        handle(runtime, ValueError("not sampled"))
    with use_span(ended):
        handle(runtime, ValueError("ended"))

    (span,) = SPANS.get_finished_spans()
    assert span.events == ()


@pytest.mark.parametrize(
    ("chosen", "events", "logs"),
    [("", 1, 0), ("logs", 0, 1), ("logs/dup", 1, 1), ("nonsense", 1, 0)],
)
def test_a_project_chooses_where_exceptions_are_recorded(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, chosen: str, events: int, logs: int
) -> None:
    """As for every other instrumentation, by the variable that the conventions name."""
    monkeypatch.setenv(ours.SIGNALS, chosen)

    span = span_of(reporting(stack), ValueError("password=hunter2-canary"))

    told = LOGS.get_finished_logs()
    assert (len(span.events), len(told)) == (events, logs)
    assert span.status.status_code is StatusCode.ERROR
    for log in told:
        record = log.log_record
        assert record.attributes is not None
        assert record.attributes["exception.type"] == "ValueError"
        assert record.trace_id == span.get_span_context().trace_id  # type: ignore[union-attr]  # it has one
        assert "canary" not in f"{record.body!r} {record.attributes}"


def test_errors_are_counted_with_bounded_attributes(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By class, code, fault and boundary; what comes beyond the bound counts as other."""
    monkeypatch.setattr(runtime.dispatcher.reporters[0], "_errors_known", Bound(1, "_OTHER"))
    origin = Origin(boundary="counted")
    before = counted("holdfast.errors")

    for _ in range(2):
        handle(runtime, ValueError("no"), origin)
    handle(runtime, KeyError("no"), origin)
    handle(runtime, TypeError("no"), origin)

    now = counted("holdfast.errors")
    assert now[("ValueError", "INTERNAL_ERROR", "SERVICE", "counted")] == 2
    assert now[("_OTHER",) * 4] - before.get(("_OTHER",) * 4, 0) == 2


def test_further_events_are_counted_by_name(runtime: Runtime) -> None:
    """Retries, circuits, jobs."""
    event = Event(name="cache.purged", severity=Severity.WARNING, time=runtime.clock.now())

    runtime.emit(event)

    assert counted("holdfast.events")[("cache.purged",)] == 1


def test_work_that_begins_in_a_span_is_part_of_its_trace(runtime: Runtime) -> None:
    """One id finds the log line, the record and the trace."""
    with TRACER.start_as_current_span("request") as span, work_context():
        context = span.get_span_context()
        work = current_context()

        assert current_trace_id() == f"{context.trace_id:032x}"
        assert work is not None
        assert work.traceparent == f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def test_an_id_that_came_in_stays(runtime: Runtime) -> None:
    """The span then says it."""
    with TRACER.start_as_current_span("request"), work_context("order-42"):
        handle(runtime, ValueError("no"))
        assert current_trace_id() == "order-42"

    (span,) = SPANS.get_finished_spans()
    assert dict(span.attributes or {})["holdfast.trace_id"] == "order-42"


def test_without_an_open_reporter_work_has_ids_of_its_own(stack: ExitStack) -> None:
    """Closing the last one leaves the context as it was."""
    first, second = reporting(stack), reporting(stack)
    with TRACER.start_as_current_span("request") as span:
        trace_id = f"{span.get_span_context().trace_id:032x}"
        first.close()
        with work_context():
            assert current_trace_id() == trace_id
        second.close()
        with work_context():
            assert current_trace_id() != trace_id


def test_spans_of_many_threads_do_not_mix(runtime: Runtime) -> None:
    """Each error is on the span of its own request."""
    together = threading.Barrier(8)

    def serve(number: int) -> None:
        with TRACER.start_as_current_span(str(number)):
            together.wait(10)
            handle(runtime, AppError(str(number)))

    threads = [threading.Thread(target=serve, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    said = {
        span.name: [dict(event.attributes or {})["exception.message"] for event in span.events]
        for span in SPANS.get_finished_spans()
    }
    assert said == {str(n): [str(n)] for n in range(8)}


def observed() -> dict[tuple[str, str, str], float]:
    """Return what is measured of policies now: by instrument, policy, and state or outcome."""
    data = METRICS.get_metrics_data()
    assert data is not None
    found: dict[tuple[str, str, str], float] = {}
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    told = dict(point.attributes or {})
                    policy = told.pop("holdfast.policy", None)
                    if policy is not None and isinstance(point, NumberDataPoint):
                        what = "".join(map(str, told.values()))
                        found[metric.name, str(policy), what] = point.value
    return found


def test_policies_are_measured_when_somebody_asks(runtime: Runtime) -> None:
    """Calls by outcome and the state of the circuit; what is counted stays when it is reset."""
    policy = Policy("observed", Breaker(failure_threshold=1))
    with environment.activated(runtime):
        policy.call(len, "881")
        before = observed()
        with pytest.raises(ServiceUnavailableError):
            policy.call(fail)
        with pytest.raises(CircuitOpenError):
            policy.call(len, "881")
        found = observed()
        runtime.policies.circuit("observed").reset()
        policy.call(len, "881")
        after = observed()

    calls = "holdfast.calls"
    assert before[calls, "observed", "success"] == found[calls, "observed", "success"] == 1
    assert found[calls, "observed", "failure"] == found[calls, "observed", "rejected"] == 1
    assert after[calls, "observed", "success"] == 2
    assert after[calls, "observed", "failure"] == 1
    assert before["holdfast.circuit_state", "observed", "closed"] == 1
    assert found["holdfast.circuit_state", "observed", "open"] == 1


def test_a_closed_reporter_is_asked_no_more(stack: ExitStack) -> None:
    """Its policies are gone with its runtime."""
    runtime, policy = reporting(stack), Policy("closed", Breaker())
    with environment.activated(runtime):
        policy.call(len, "881")
    assert ("holdfast.calls", "closed", "success") in observed()

    runtime.close()
    other = reporting(stack)
    with environment.activated(other):
        Policy("open", Breaker()).call(len, "881")

    assert {policy for _, policy, _ in observed()} >= {"open"}
    assert other.policies.names()


def fail() -> None:
    """Fail as a dependency does."""
    raise ServiceUnavailableError("down")
