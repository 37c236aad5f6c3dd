"""Sentry is told of every untrusted error once, of no caller's fault, and of no secret."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TypeVar, cast

import pytest

from tests.integrations.conftest import need

need("sentry_sdk")

import sentry_sdk  # noqa: E402  # not before it is known to be there
from sentry_sdk.envelope import Envelope  # noqa: E402
from sentry_sdk.transport import Transport  # noqa: E402
from sentry_sdk.types import Event as SentryEvent  # noqa: E402
from sentry_sdk.types import Hint  # noqa: E402
from sentry_sdk.utils import event_from_exception  # noqa: E402

from holdfast import environment  # noqa: E402
from holdfast.boundaries import error_boundary  # noqa: E402
from holdfast.codes import ErrorCode, Severity  # noqa: E402
from holdfast.context import bind, work_context  # noqa: E402
from holdfast.errors import (  # noqa: E402
    AppError,
    DatabaseError,
    DeadlineExceededError,
    ValidationError,
)
from holdfast.events import Event  # noqa: E402
from holdfast.integrations import sentry  # noqa: E402
from holdfast.origin import Origin  # noqa: E402
from holdfast.record import ErrorHandled, ErrorRecord  # noqa: E402
from holdfast.runtime import Runtime  # noqa: E402
from holdfast.settings import HooksSettings, ReportingSettings, Settings, SettingsError  # noqa: E402
from holdfast.testing import FakeClock, RecordingRuntime  # noqa: E402

DSN = "https://key@sentry.invalid/1"
ORIGIN = Origin(boundary="django.request", operation="GET /orders/<id>", path="/orders/7")
# Without the bridge from logging: these tests show what becomes of the events Sentry makes itself.
INLINE = Settings(
    service="shop",
    reporters=("sentry",),
    reporting=ReportingSettings(inline=True),
    hooks=HooksSettings(logging=False),
)
Error = TypeVar("Error", bound=BaseException)
LOG = logging.getLogger("shop.payments")


class Capturing(Transport):
    """Keeps what would go to Sentry's server: the one part that cannot run here."""

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """Keep one envelope."""
        self.envelopes.append(envelope)

    @property
    def events(self) -> list[dict[str, object]]:
        """The error events, oldest first, as the server would read them."""
        return [
            json.loads(item.get_bytes())
            for envelope in self.envelopes
            for item in envelope.items
            if item.type == "event"
        ]

    @property
    def text(self) -> str:
        """Everything that would leave the process."""
        return "".join(envelope.serialize().decode() for envelope in self.envelopes)


def init(transport: Transport, **options: object) -> None:
    """Initialise Sentry as a project would; integrations of frameworks are the adapters' to test."""
    sentry_sdk.init(DSN, transport=transport, auto_enabling_integrations=False, **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # options as they come


@pytest.fixture
def server() -> Generator[Capturing]:
    """Initialise Sentry, and take it away afterwards."""
    transport = Capturing()
    init(transport)
    yield transport
    sentry_sdk.get_global_scope().set_client(None)
    sentry_sdk.get_isolation_scope().clear()
    sentry_sdk.get_current_scope().clear()


@pytest.fixture
def runtime() -> Generator[Runtime]:
    """Make the current runtime, with the reporter on."""
    made = Runtime(INLINE)
    with environment.activated(made):
        yield made
    made.close()


def reporter_of(runtime: Runtime) -> sentry.SentryReporter:
    """Return the runtime's reporter."""
    (found,) = (r for r in runtime.dispatcher.reporters if isinstance(r, sentry.SentryReporter))
    return found


def raised(make: Callable[[], BaseException]) -> BaseException:
    """Raise an exception and catch it, so that it has a traceback."""
    local_secret = {"password": "hunter2"}
    try:
        raise make()
    except BaseException as error:  # noqa: BLE001  # whatever a test makes
        assert local_secret
        return error


def part(event: dict[str, object], *path: str | int) -> object:
    """Return what is at a path of an event."""
    found: object = event
    for step in path:
        found = cast("dict[object, object]", found)[step]
    return found


def test_a_recovered_error_is_a_warning(server: Capturing) -> None:
    """Nobody has to act on what a handler went on from."""
    recording = RecordingRuntime()
    recording.on(KeyError, lambda _, __, ___: "from the cache")
    recording.handle(raised(lambda: KeyError("sku")), ORIGIN)

    reporter = sentry.SentryReporter(recording, least=Severity.WARNING)
    reporter.report(recording.recorded.events[0])
    reporter.close()

    (event,) = server.events
    assert event["level"] == "warning"
    assert part(event, "exception", "values", 0, "mechanism", "handled") is True


def test_an_untrusted_error_becomes_one_event_with_what_we_know(
    server: Capturing, runtime: Runtime
) -> None:
    """Code, kind, fault, origin, fingerprint, trace and record id are where Sentry looks for them."""
    with (
        work_context("4bf92f3577b34da6a3ce929d0e0e4736", boundary="django.request"),
        bind(customer=7),
    ):
        verdict = runtime.handle(raised(lambda: KeyError("sku")), ORIGIN)

    (event,) = server.events
    record = cast("ErrorRecord", verdict.record)
    assert event["event_id"] == record.id
    assert event["level"] == "error"
    assert event["fingerprint"] == [record.fingerprint]
    assert event["transaction"] == "GET /orders/<id>"
    assert event["tags"] == {
        "code": "INTERNAL_ERROR",
        "kind": "INTERNAL",
        "fault": "SERVICE",
        "boundary": "django.request",
        "trusted": "false",
        "service": "shop",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    assert part(event, "contexts", "trace") == {
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": record.span_id,
    }
    assert part(event, "extra", "fields") == {"customer": 7}
    assert part(event, "extra", "path") == "/orders/7"


def test_the_stack_has_source_and_no_values_of_variables(
    server: Capturing, runtime: Runtime
) -> None:
    """Frames show function, line and source; local variables never leave the process."""
    runtime.handle(raised(lambda: KeyError("sku")), ORIGIN)

    (event,) = server.events
    exception = cast("dict[str, object]", part(event, "exception", "values", 0))
    frame = cast("dict[str, object]", part(exception, "stacktrace", "frames", 0))
    assert (exception["type"], exception["value"]) == ("KeyError", "'sku'")
    assert exception["mechanism"] == {"type": "holdfast", "handled": False, "exception_id": 0}
    assert frame["function"] == "raised"
    assert frame["context_line"] == "        raise make()"
    assert frame["in_app"] is True
    assert "vars" not in server.text


def test_source_stays_here_when_the_project_keeps_it_out_of_sentry(runtime: Runtime) -> None:
    """Sentry's own option about source holds for our events too."""
    server = Capturing()
    init(server, include_source_context=False)

    runtime.handle(raised(lambda: KeyError("sku")), ORIGIN)

    assert "context_line" not in server.text
    assert "test_sentry.py" in server.text


def chained() -> BaseException:
    """Make an error with a cause."""
    refused = raised(lambda: ConnectionRefusedError("refused"))
    return raised(lambda: because_of(refused, RuntimeError("no stock")))


def because_of(cause: BaseException, error: Error) -> Error:
    """Give an exception its cause, as `raise … from` does."""
    error.__cause__ = cause
    return error


def test_causes_come_along_innermost_first(server: Capturing, runtime: Runtime) -> None:
    """The chain arrives as Sentry draws it, each link pointing to what it explains."""
    runtime.handle(chained(), ORIGIN)

    values = cast("list[dict[str, object]]", part(server.events[0], "exception", "values"))
    assert [value["type"] for value in values] == ["ConnectionRefusedError", "RuntimeError"]
    assert values[0]["mechanism"] == {
        "type": "chained",
        "handled": True,
        "exception_id": 1,
        "parent_id": 0,
        "source": "__cause__",
    }


def test_members_of_a_group_come_along(server: Capturing, runtime: Runtime) -> None:
    """A group arrives with its members as its children."""
    group = ExceptionGroup("two", [KeyError("a"), because_of(ValueError("c"), OSError("b"))])

    runtime.handle(raised(lambda: group), ORIGIN)

    values = cast("list[dict[str, object]]", part(server.events[0], "exception", "values"))
    links = {
        str(value["type"]): (
            part(value, "mechanism", "parent_id"),
            part(value, "mechanism", "source"),
        )
        for value in values[:-1]
    }
    assert part(values[-1], "mechanism", "is_exception_group") is True
    assert links["KeyError"] == (0, "exceptions[0]")
    assert links["OSError"] == (0, "exceptions[1]")
    assert links["ValueError"][1] == "__cause__"


@pytest.mark.parametrize(
    "error",
    [
        ValidationError("a date is required"),
        AppError(ErrorCode.TOKEN_EXPIRED),
        TimeoutError("slow"),
        SystemExit(1),
    ],
)
def test_a_callers_fault_a_warning_and_control_flow_are_no_events(
    server: Capturing, runtime: Runtime, error: BaseException
) -> None:
    """Only what somebody has to repair is told."""
    runtime.handle(error, ORIGIN)

    assert server.envelopes == []
    assert runtime.dispatcher.deliveries()[0].failed == 0


def test_a_callers_fault_is_never_an_event_however_grave(server: Capturing) -> None:
    """A lower threshold lets warnings through, and still no caller's fault."""
    runtime = Runtime(Settings(reporters=(), reporting=ReportingSettings(inline=True)))
    told = sentry.SentryReporter(runtime, least=Severity.DEBUG)

    for error in (ValidationError("no date"), TimeoutError("slow")):
        record = cast("ErrorRecord", runtime.handle(error, ORIGIN).record)
        told.report(
            _handled(record),
        )
    told.close()

    assert [part(event, "tags", "code") for event in server.events] == ["DEADLINE_EXCEEDED"]


def _handled(record: ErrorRecord) -> Event:
    severity = Severity(record.classification.severity)
    return ErrorHandled(name="error.handled", severity=severity, time=record.time, record=record)


def test_an_error_that_is_logged_after_it_was_handled_is_told_once(
    server: Capturing, runtime: Runtime
) -> None:
    """Flask logs what it has signalled; that line is no second event."""
    error = raised(lambda: KeyError("sku"))

    runtime.handle(error, ORIGIN)
    LOG.error("request failed", exc_info=error)
    sentry_sdk.capture_exception(error)

    assert len(server.events) == 1


@pytest.mark.parametrize(
    "error",
    [DeadlineExceededError("late: password=hunter2"), ValidationError("password=hunter2")],
)
def test_what_the_project_captures_itself_comes_through_if_we_keep_it_quiet(
    server: Capturing, runtime: Runtime, error: AppError
) -> None:
    """An error we have seen and do not send is the project's to send, cleansed, and told of once."""
    with error_boundary("import", reraise=False) as boundary:
        raise error
    LOG.error("import failed", exc_info=boundary.error)
    framework_event(error, "celery")
    assert server.envelopes == []

    sentry_sdk.capture_exception(boundary.error)
    sentry_sdk.capture_exception(boundary.error)

    (event,) = server.events
    assert part(event, "tags", "code") == error.code
    assert "hunter2" not in server.text
    assert reporter_of(runtime).counts()["escaped"] >= 1


def test_what_the_project_captures_of_a_recovered_error_comes_through(
    server: Capturing, runtime: Runtime
) -> None:
    """We keep quiet about what somebody went on from, so a capture of the project's is no second event."""
    runtime.on(KeyError, lambda _, __, ___: "from the cache")
    error = raised(lambda: KeyError("sku"))
    runtime.handle(error, replace(ORIGIN, resumable=True))
    assert server.envelopes == []

    sentry_sdk.capture_exception(error)

    assert len(server.events) == 1


def test_an_error_that_is_logged_and_then_raised_is_told_once(
    server: Capturing, runtime: Runtime
) -> None:
    """The line's event stays the only one, and has our tags, trace and fingerprint."""
    with work_context(boundary="django.request") as current:
        error = raised(lambda: KeyError("sku"))
        LOG.error("payment failed", exc_info=error)
        verdict = runtime.handle(error, ORIGIN)

    (event,) = server.events
    record = cast("ErrorRecord", verdict.record)
    assert part(event, "logentry", "message") == "payment failed"
    assert part(event, "tags", "code") == "INTERNAL_ERROR"
    assert part(event, "tags", "trace_id") == current.trace_id
    assert event["fingerprint"] == [record.fingerprint]
    assert reporter_of(runtime).counts() == {"escaped": 1, "lost": 0, "repeated": 1}


def test_an_error_that_is_only_logged_is_told_by_us(server: Capturing) -> None:
    """With the bridge from logging a logged error is handled, and Sentry's own event is not sent."""
    bridged = replace(INLINE, hooks=HooksSettings())
    runtime = Runtime(bridged).install()
    try:
        LOG.error("payment failed", exc_info=raised(lambda: KeyError("sku")))
    finally:
        runtime.uninstall()
        runtime.close()

    (event,) = server.events
    assert part(event, "tags", "boundary") == "log"


def test_a_wrapped_error_is_told_once(server: Capturing, runtime: Runtime) -> None:
    """Handled inside and wrapped, or logged inside and handled wrapped: one event each."""
    inner = raised(lambda: KeyError("sku"))
    runtime.handle(inner, ORIGIN)
    outer = raised(lambda: because_of(inner, RuntimeError("no stock")))
    LOG.error("again", exc_info=outer)
    runtime.handle(outer, ORIGIN)
    assert len(server.events) == 1

    with work_context(boundary="django.request"):
        logged = raised(lambda: OSError("disk"))
        LOG.error("first", exc_info=logged)
        runtime.handle(raised(lambda: because_of(logged, RuntimeError("no stock"))), ORIGIN)
    assert len(server.events) == 2


def test_interleaved_errors_are_told_once_each(server: Capturing, runtime: Runtime) -> None:
    """A, B and A again: Sentry alone remembers only the last and would send three."""
    first, second = raised(lambda: KeyError("a")), raised(lambda: KeyError("b"))

    for error in (first, second, first, second):
        runtime.handle(error, ORIGIN)
        LOG.error("seen", exc_info=error)

    assert len(server.events) == 2


def test_an_error_that_changes_threads_is_told_once(server: Capturing, runtime: Runtime) -> None:
    """Handled here and logged there is one event; Sentry alone would send two."""
    errors = [raised(lambda: KeyError("sku")) for _ in range(8)]

    def log_and_handle() -> None:
        for error in errors:
            runtime.handle(error, ORIGIN)
            LOG.error("seen", exc_info=error)

    for error in errors:
        runtime.handle(error, ORIGIN)
    threads = [threading.Thread(target=log_and_handle) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(server.events) == 8


def test_distinct_errors_of_one_site_in_different_work_are_all_told(
    server: Capturing, runtime: Runtime
) -> None:
    """What was logged in one request hides nothing of the next."""
    with work_context(boundary="django.request"):
        LOG.error("failed", exc_info=raised(lambda: KeyError("a")))
    with work_context(boundary="django.request"):
        runtime.handle(raised(lambda: KeyError("b")), ORIGIN)

    assert len(server.events) == 2


@pytest.mark.parametrize("reporters", [("logging",), ("logging", "sentry")])
def test_our_own_log_lines_are_no_events(server: Capturing, reporters: tuple[str, ...]) -> None:
    """With our reporter off as well as on, the line about an error is no error of its own."""
    settings = Settings(reporters=reporters, reporting=ReportingSettings(inline=True))
    runtime = Runtime(settings)

    runtime.handle(raised(lambda: KeyError("sku")), ORIGIN)
    runtime.close()

    assert len(server.events) == len(reporters) - 1


def test_without_our_reporter_sentry_behaves_as_without_us(server: Capturing) -> None:
    """With our reporter off, Sentry's own events come out as they are, handled by us or not."""
    runtime = Runtime(Settings(reporters=("logging",), reporting=ReportingSettings(inline=True)))
    error = raised(lambda: KeyError("sku"))

    runtime.handle(error, ORIGIN)
    sentry_sdk.capture_exception(error)

    (event,) = server.events
    assert "code" not in cast("dict[str, object]", event.get("tags", {}))


def test_closing_leaves_sentry_as_it_was(server: Capturing) -> None:
    """After the runtime is closed, Sentry's own events come through again."""
    runtime = Runtime(INLINE)
    error = raised(lambda: KeyError("sku"))
    runtime.handle(error, ORIGIN)
    runtime.close()

    sentry_sdk.capture_exception(error)

    assert len(server.events) == 2


def test_sentry_may_be_initialised_late_and_again(runtime: Runtime) -> None:
    """The client of the moment gets the events, and none of them twice."""
    for _ in range(2):
        server = Capturing()
        init(server)
        error = raised(lambda: KeyError("sku"))

        runtime.handle(error, ORIGIN)
        LOG.error("seen", exc_info=error)

        assert len(server.events) == 1
    sentry_sdk.get_global_scope().set_client(None)


def test_the_projects_before_send_has_the_last_word(runtime: Runtime) -> None:
    """It sees our event with the record in the hint, may change and may drop it."""
    server = Capturing()
    hints: list[object] = []

    def before_send(event: dict[str, object], hint: dict[str, object]) -> dict[str, object] | None:
        hints.append(hint.get(sentry.HINT))
        return None if "drop" in str(event) else {**event, "release": "theirs"}

    init(server, before_send=before_send)

    verdict = runtime.handle(raised(lambda: KeyError("sku")), ORIGIN)
    runtime.handle(raised(lambda: KeyError("drop")), ORIGIN)
    sentry_sdk.capture_message("something of the project's", level="error")

    assert [event["release"] for event in server.events] == ["theirs", "theirs"]
    assert hints[0] is verdict.record
    assert len(hints) == 3
    sentry_sdk.get_global_scope().set_client(None)


def test_ignored_errors_are_ignored_in_our_events_too(runtime: Runtime) -> None:
    """Sentry's `ignore_errors` holds, by class and by name."""
    server = Capturing()
    init(server, ignore_errors=[ArithmeticError, "KeyError", "builtins.OSError", DatabaseError])

    for make in (KeyError, ZeroDivisionError, OSError, IndexError, DatabaseError):
        runtime.handle(raised(make), ORIGIN)

    types = [part(event, "exception", "values", 0, "type") for event in server.events]
    assert types == ["IndexError"]
    sentry_sdk.get_global_scope().set_client(None)


def framework_event(error: BaseException, mechanism: str = "django") -> None:
    """Capture an exception as Sentry's integration of a framework does."""
    event, hint = event_from_exception(
        error,
        client_options=sentry_sdk.get_client().options,
        mechanism={"type": mechanism, "handled": False},
    )
    sentry_sdk.capture_event(event, hint=hint)


@pytest.mark.parametrize("mechanism", ["django", "flask"])
def test_what_the_framework_hands_sentry_within_our_request_waits_for_us(
    server: Capturing, runtime: Runtime, mechanism: str
) -> None:
    """Sentry's receiver is connected first; our event, or for a caller's fault none, takes its place."""
    with work_context(boundary=f"{mechanism}.request"):
        framework_event(error := raised(lambda: KeyError("sku")), mechanism)
        runtime.handle(error, ORIGIN)
        framework_event(bad := raised(lambda: ValidationError("no date")), mechanism)
        runtime.handle(bad, ORIGIN)

    (event,) = server.events
    assert part(event, "tags", "boundary") == "django.request"
    assert reporter_of(runtime).counts()["escaped"] == 0


def test_djangos_own_lines_about_suspicious_requests_are_no_events(
    server: Capturing, runtime: Runtime
) -> None:
    """`django.security` logs a caller's fault at ERROR before any handler is asked."""
    error = raised(lambda: ValidationError("Invalid HTTP_HOST header"))

    with work_context(boundary="django.request"):
        logging.getLogger("django.security.DisallowedHost").error("bad host", exc_info=error)
        runtime.handle(error, ORIGIN)

    assert server.events == []


def test_what_nobody_covers_comes_through_and_is_counted(
    server: Capturing, runtime: Runtime
) -> None:
    """Outside a request of ours Sentry's own events pass, with our tags, and count as escaped."""
    framework_event(raised(lambda: KeyError("sku")))
    LOG.error("no exception here")
    sentry_sdk.capture_message("deployed", level="info")

    assert [event["level"] for event in server.events] == ["error", "error", "info"]
    assert part(server.events[0], "tags", "code") == "INTERNAL_ERROR"
    assert reporter_of(runtime).counts()["escaped"] == 2


def test_another_applications_errors_are_left_to_sentry(
    server: Capturing, runtime: Runtime
) -> None:
    """An application without our reporter gets what Sentry does, although another one has it on."""
    other = Runtime(Settings(reporters=()))

    with environment.activated(other), work_context(boundary="flask.request"):
        framework_event(raised(lambda: KeyError("sku")), "flask")

    (event,) = server.events
    assert "code" not in cast("dict[str, object]", event.get("tags", {}))
    assert reporter_of(runtime).counts()["escaped"] == 0


def test_an_event_of_sentry_makes_no_runtime(
    server: Capturing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking whose error it is does not install a default runtime behind the project's back."""
    monkeypatch.setattr(environment, "_default", [])
    runtime = Runtime(INLINE)

    sentry_sdk.capture_message("hello", level="error")
    runtime.close()

    assert environment.default() is None
    assert reporter_of(runtime).counts()["escaped"] == 1


def as_django(event: SentryEvent, hint: Hint) -> SentryEvent:
    """Add the request to an event, as Sentry's integrations of frameworks do."""
    event["request"] = {"url": "/first"}
    return event


def test_the_request_that_started_the_thread_does_not_stick_to_later_events(
    server: Capturing,
) -> None:
    """Sentry hands a thread the scope it was started in; our events take nothing from it."""
    runtime = Runtime(Settings(reporters=("sentry",)))
    with sentry_sdk.isolation_scope() as scope:
        scope.set_tag("request", "first")
        scope.add_event_processor(as_django)
        sentry_sdk.add_breadcrumb(message="first breadcrumb")
        runtime.handle(raised(lambda: KeyError("a")), ORIGIN)
        assert runtime.flush()
    runtime.handle(raised(lambda: KeyError("b")), ORIGIN)
    runtime.close()

    assert len(server.events) == 2
    assert "first" not in server.text


def test_tags_of_the_whole_process_stay(server: Capturing, runtime: Runtime) -> None:
    """What a project sets on Sentry's global scope is on our events."""
    sentry_sdk.get_global_scope().set_tag("region", "eu")

    runtime.handle(raised(lambda: KeyError("a")), ORIGIN)

    sentry_sdk.get_global_scope().remove_tag("region")
    assert part(server.events[0], "tags", "region") == "eu"


def test_an_id_that_is_no_trace_id_is_a_tag(server: Capturing, runtime: Runtime) -> None:
    """A request id from outside is searchable; the trace keeps a form Sentry accepts."""
    with work_context("order-42"):
        runtime.handle(raised(lambda: KeyError("a")), ORIGIN)

    (event,) = server.events
    assert part(event, "tags", "trace_id") == "order-42"
    assert part(event, "contexts", "trace", "trace_id") == event["event_id"]


def test_another_grave_event_is_told_too(server: Capturing, runtime: Runtime) -> None:
    """What happens beside errors is told from severity ERROR on."""
    now = FakeClock().now()
    for severity in (Severity.WARNING, Severity.CRITICAL):
        runtime.dispatcher.emit(
            Event(name="circuit.opened", severity=severity, time=now, attributes={"name": "pay"})
        )

    (event,) = server.events
    assert (event["level"], part(event, "extra", "name")) == ("fatal", "pay")
    assert reporter_of(runtime).counts()["escaped"] == 0


def test_without_init_events_count_as_failed(capsys: pytest.CaptureFixture[str]) -> None:
    """A reporter whose library was never initialised says so once and hurts nobody."""
    sentry_sdk.get_global_scope().set_client(None)
    runtime = Runtime(INLINE)

    for _ in range(2):
        assert runtime.handle(raised(lambda: KeyError("a")), ORIGIN).answer is not None

    assert runtime.dispatcher.deliveries()[0].failed == 2
    assert capsys.readouterr().err == (
        "holdfast: reporter 'sentry' raised SentryInactiveError; "
        "further failures are only counted\n"
    )
    runtime.close()


def test_events_that_cannot_be_sent_are_counted(runtime: Runtime) -> None:
    """With Sentry's own transport and nobody listening, what is lost shows in the deliveries."""
    sentry_sdk.init("http://key@127.0.0.1:1/1", auto_enabling_integrations=False)

    runtime.handle(raised(lambda: KeyError("a")), ORIGIN)
    sentry_sdk.flush(10)
    sentry_sdk.get_global_scope().set_client(None)

    (delivery,) = runtime.dispatcher.deliveries()
    assert (delivery.delivered, delivery.further["lost"]) == (1, 1)


def test_a_missing_library_is_a_mistake_in_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Naming the reporter without its library says which extra to install."""
    monkeypatch.delitem(sys.modules, "holdfast.integrations.sentry")
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)

    with pytest.raises(SettingsError, match=r'pip install "holdfast\[sentry\]"'):
        Runtime(INLINE)


def test_a_database_error_keeps_its_code(server: Capturing, runtime: Runtime) -> None:
    """A trusted error of ours is told as handled, under its own class and code."""
    runtime.handle(raised(lambda: DatabaseError("disk full", details={"table": "orders"})), ORIGIN)

    (event,) = server.events
    exception = cast("dict[str, object]", part(event, "exception", "values", 0))
    assert (exception["module"], exception["type"]) == ("holdfast.errors", "DatabaseError")
    assert part(exception, "mechanism", "handled") is True
    assert part(event, "tags", "code") == "DATABASE_ERROR"
    assert part(event, "extra", "details") == {"table": "orders"}


@pytest.mark.parametrize("allowed", [True, False])
def test_whose_work_it_was_is_told_if_the_project_lets_it(runtime: Runtime, allowed: bool) -> None:  # noqa: FBT001  # a parameter
    """By id alone, from the adapter or from what was bound; by Sentry's own option."""
    transport = Capturing()
    init(transport, data_collection={"user_info": allowed})
    origin = Origin(boundary="job", attributes={"user_id": "7041", "shard": 3})

    runtime.handle(raised(ValueError), origin)
    with work_context(), bind(user_id=9001):
        runtime.handle(raised(KeyError), Origin(boundary="job"))

    first, second = transport.events
    told = [event.get("user") for event in (first, second)]
    assert told == ([{"id": "7041"}, {"id": "9001"}] if allowed else [None, None])
    assert part(first, "extra", "attributes") == {"shard": 3}
