"""Errors on OpenTelemetry's spans, in its metrics, and if asked for in its logs.

Extra: `pip install "holdfast[opentelemetry]"`. Needs the API alone; which spans, metrics and logs go
where is the project's, as are its instrumentations, which go on as they are.

An error is recorded on the span that is current where it is handled, at that moment; only counting
is left to the reporter's own thread. As long as a reporter is open, work that begins without an id
of its own takes that of the current span: this module's set of open reporters is global, because
the context is.
"""

import os
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from holdfast import context
from holdfast.events import Event
from holdfast.handler import LOGGED, ErrorHandler
from holdfast.kinds import Fault, Severity
from holdfast.record import ErrorHandled, ErrorRecord
from holdfast.redact import Redactor
from holdfast.reporting.bound import Bound
from holdfast.resilience.measures import INSTRUMENTS, Growth, Instrument, Measure
from holdfast.statuses import SERVER_ERROR

try:
    from opentelemetry import metrics, trace
    from opentelemetry._logs import LogRecord, SeverityNumber, get_logger
    from opentelemetry.metrics import CallbackOptions, Meter, Observation
    from opentelemetry.trace import Span, Status, StatusCode
except ImportError as error:
    raise ImportError(
        'the reporter "opentelemetry" needs opentelemetry-api: pip install "holdfast[opentelemetry]"'
    ) from error

SIGNALS: Final = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"
"""Environment variable by which a project chooses where exceptions are recorded: events of spans,
`logs` in their place, or `logs/dup` for both."""
MAX_ERRORS: Final = 500
"""Combinations of attributes of the counter of errors that are told apart."""
MAX_EVENTS: Final = 200
"""Names of other events that are told apart."""
MAX_POLICIES: Final = 100
"""Policies that are told apart."""
MAX_TEXT: Final = 2000
"""Characters of a message; a backend's own bounds are the exporter's to keep."""
_OTHER: Final = "_OTHER"
_ELSEWHERE: Final = frozenset(
    {LOGGED, "block", "unraisable", "fault", "child", "future", "asyncio"}
)
"""Boundaries whose errors are not the end of what the current span stands for."""
_LEVELS: Final = {
    Severity.DEBUG: SeverityNumber.DEBUG,
    Severity.INFO: SeverityNumber.INFO,
    Severity.WARNING: SeverityNumber.WARN,
    Severity.ERROR: SeverityNumber.ERROR,
    Severity.CRITICAL: SeverityNumber.FATAL,
}


class Host(Protocol):
    """What the reporter needs of the runtime that owns it."""

    @property
    def redactor(self) -> Redactor:
        """Cleans lines of source, and what others recorded before us."""
        ...

    @property
    def handler(self) -> ErrorHandler:
        """Knows which exceptions it has seen; there once the runtime is made."""
        ...

    def policy_measures(self) -> Iterable[Measure]:
        """Return the numbers of the policies at work."""
        ...


def reporter(runtime: Host) -> "OpenTelemetryReporter":
    """Make the reporter that settings call `opentelemetry`."""
    return OpenTelemetryReporter(runtime)


class OpenTelemetryReporter:
    """Records errors where they happen, and counts all events.

    | counter | attributes |
    |---|---|
    | `holdfast.errors` | `error.type`, `holdfast.code`, `holdfast.fault`, `holdfast.boundary` |
    | `holdfast.events` | `holdfast.event`, for what is no error |
    | `holdfast.calls` | `holdfast.policy`, `outcome` |
    | `holdfast.retries`, `holdfast.disturbed_calls` | `holdfast.policy` |
    | `holdfast.cache_answers` | `holdfast.policy`, `outcome` |

    | gauge | attributes |
    |---|---|
    | `holdfast.circuit_state`, `holdfast.bulkhead_calls` | `holdfast.policy`, `state` |
    | `holdfast.retry_budget` | `holdfast.policy` |

    Args:
        host: The runtime.
    """

    name = "opentelemetry"

    def __init__(self, host: Host) -> None:
        self._host = host
        chosen = os.environ.get(SIGNALS, "").lower()
        self._on_spans, self._in_logs = chosen != "logs", chosen in {"logs", "logs/dup"}
        meter = metrics.get_meter("holdfast")
        self._errors = meter.create_counter(
            "holdfast.errors", unit="{error}", description="Errors handled."
        )
        self._events = meter.create_counter(
            "holdfast.events", unit="{event}", description="Further events."
        )
        self._errors_known = Bound(MAX_ERRORS, _OTHER)
        self._events_known = Bound(MAX_EVENTS, _OTHER)
        self._policies_known = Bound(MAX_POLICIES, _OTHER)
        self._growth = Growth()
        self._sums: Counter[tuple[str, str, str]] = Counter()
        self._logger = get_logger("holdfast")
        _open.add(self)
        for instrument in INSTRUMENTS:
            _observe(meter, instrument)
        context.follow(current_trace)

    def hear(self, event: Event) -> None:
        """Record an error on the current span, on the thread that handles it."""
        if not isinstance(event, ErrorHandled):
            return
        record = event.record
        if self._in_logs and record.classification.fault is not Fault.CALLER:
            self._logger.emit(_log(record, self._host.redactor.text))
        span = trace.get_current_span()
        if span.is_recording() and record.origin.boundary not in _ELSEWHERE:
            self._describe(span, record)

    def report(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, ErrorHandled):
            said, record = event.record.classification, event.record
            kept = self._errors_known.keep(
                record.type, said.code, said.fault, record.origin.boundary
            )
            names = ("error.type", "holdfast.code", "holdfast.fault", "holdfast.boundary")
            self._errors.add(1, dict(zip(names, kept, strict=True)))
        else:
            (name,) = self._events_known.keep(event.name)
            self._events.add(1, {"holdfast.event": name})

    def measured(self, instrument: Instrument) -> Iterator[Observation]:
        """Yield what an instrument of policies shows now."""
        for measure in self._host.policy_measures():
            if measure.instrument != instrument:
                continue
            (policy,) = self._policies_known.keep(measure.policy)
            labels = {instrument.label: measure.what} if instrument.label else {}
            value = measure.value
            if instrument.shape == "counter":
                key = (instrument.name, measure.policy, measure.what)
                self._sums[key] += int(self._growth.since_last(key, value))
                value = self._sums[key]
            yield Observation(value, {"holdfast.policy": policy, **labels})

    def close(self) -> None:
        """Let work begin with ids of its own again, unless another reporter is open."""
        _open.discard(self)
        if not _open:
            context.follow(None)

    def _describe(self, span: Span, record: ErrorRecord) -> None:
        span.set_attributes(_facts(record))
        current = current_trace()
        if current is not None and current[0] != record.trace_id:
            span.set_attribute("holdfast.trace_id", record.trace_id)
        if not _failed(record):
            return
        span.set_attribute("error.type", record.type)
        said = f"{record.type}: {record.message}" if record.message else record.type
        span.set_status(Status(StatusCode.ERROR, said[:MAX_TEXT]))
        if not self._on_spans or self._is_recorded(span, record):
            return
        clean = self._host.redactor.text
        span.add_event("exception", _exception(record, clean), _nanoseconds(record))
        _keep_to_one(span, self._host.handler.saw)

    def _is_recorded(self, span: Span, record: ErrorRecord) -> bool:
        """Tell whether an instrumentation has recorded the same exception on the span before us."""
        clean = self._host.redactor.text
        for event in getattr(span, "events", ()):
            told: Mapping[str, object] = event.attributes or {}
            same = told.get("exception.type") == record.type
            if same and clean(str(told.get("exception.message", ""))) == record.message:
                return True
        return False


def current_trace() -> tuple[str, str] | None:
    """Return the current span's trace id, and the `traceparent` of what it calls; None outside of any."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    trace_id = f"{span.trace_id:032x}"
    return trace_id, f"00-{trace_id}-{span.span_id:016x}-{span.trace_flags & 1:02x}"


_open: "weakref.WeakSet[OpenTelemetryReporter]" = weakref.WeakSet()


def _observe(meter: Meter, instrument: Instrument) -> None:
    """Have a meter ask the open reporters; it keeps the first that asks for a name."""
    make = (
        meter.create_observable_counter
        if instrument.shape == "counter"
        else meter.create_observable_gauge
    )
    make(
        f"holdfast.{instrument.name}",
        callbacks=[partial(_observed, instrument)],
        description=instrument.said,
    )


def _observed(instrument: Instrument, _: CallbackOptions) -> Iterable[Observation]:
    for reporter in tuple(_open):
        yield from reporter.measured(instrument)


class _RecordOnce:
    """In the place of one span's `record_exception`: leaves out what our handler has seen."""

    def __init__(self, span: Span, saw: Callable[[BaseException], bool]) -> None:
        self._span = weakref.ref(span)
        self._saw = saw

    def __call__(self, exception: BaseException, *args: object, **options: object) -> None:
        span = self._span()
        if span is None or self._saw(exception):
            return
        record: Callable[..., None] = type(span).record_exception
        record(span, exception, *args, **options)


def _keep_to_one(span: Span, saw: Callable[[BaseException], bool]) -> None:
    """Keep instrumentations from recording the same exception once more when the span ends.

    There is no other way to know: they record what comes out of the framework, and whether it does
    is decided after us.
    """
    with suppress(AttributeError, TypeError):  # a span that cannot be told
        setattr(span, "record_exception", _RecordOnce(span, saw))  # noqa: B010  # one span's


def _failed(record: ErrorRecord) -> bool:
    """Tell whether an error fails its span: of a request only a server's error, of other work all."""
    is_request = record.origin.boundary.endswith(".request")
    return not is_request or record.classification.status >= SERVER_ERROR


def _facts(record: ErrorRecord) -> dict[str, str]:
    said = record.classification
    return {
        "holdfast.code": said.code,
        "holdfast.kind": said.kind.value,
        "holdfast.fault": said.fault.value,
        "holdfast.fingerprint": record.fingerprint,
        "holdfast.record_id": record.id,
    }


def _exception(record: ErrorRecord, clean: Callable[[str], str]) -> dict[str, str]:
    return {
        "exception.type": record.type,
        "exception.message": record.message[:MAX_TEXT],
        "exception.stacktrace": record.traceback(clean),
    }


def _log(record: ErrorRecord, clean: Callable[[str], str]) -> LogRecord:
    severity = Severity(record.classification.severity)
    return LogRecord(
        timestamp=_nanoseconds(record),
        severity_number=_LEVELS[severity],
        severity_text=severity.name,
        body=f"{record.classification.code}: {record.message}"[:MAX_TEXT],
        attributes={**_exception(record, clean), **_facts(record)},
        event_name="exception",
    )


def _nanoseconds(record: ErrorRecord) -> int:
    return int(record.time.timestamp() * 1_000_000) * 1000
