"""Every event is one log record with the facts of the error, whoever formats it."""

import logging
import sys
from collections.abc import Generator
from datetime import UTC, datetime
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codes import Severity
from holdfast.context import work_context
from holdfast.errors import ResourceNotFoundError
from holdfast.events import Event, Scalar
from holdfast.origin import Origin
from holdfast.reporting.logging import LoggingReporter, TraceContextFilter
from holdfast.runtime import Runtime
from holdfast.settings import LoggingSettings, RedactSettings, ReportingSettings, Settings

NAME = "holdfast.under_test"
ORIGIN = Origin(boundary="flask.request", operation="GET /orders/<id>", path="/orders/7")
WHEN = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


class Keeping(logging.Handler):
    """Keeps every record, and how the standard formatter would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        self.records.append(record)
        self.lines.append(self.format(record))


@pytest.fixture
def log() -> Generator[Keeping]:
    """Keep what is written to the logger under test."""
    handler, logger = Keeping(), logging.getLogger(NAME)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def runtime(*, traceback: bool = True) -> Runtime:
    """Make a runtime that logs at once."""
    return runtime_of(logging=LoggingSettings(logger=NAME, traceback=traceback))


def runtime_of(
    *,
    logging: LoggingSettings,
    service: str = "app",
    environment: str = "",
    release: str = "",
) -> Runtime:
    """Make a runtime that logs at once, as it is told."""
    return Runtime(
        Settings(
            service=service,
            environment=environment,
            release=release,
            reporters=("logging",),
            reporting=ReportingSettings(inline=True),
            logging=logging,
        )
    )


def raised(error: BaseException) -> BaseException:
    """Raise an exception and catch it, so that it has a traceback."""
    hidden = "local_canary"
    try:
        raise error
    except type(error):
        assert hidden
        return error


def test_an_error_is_one_record_with_its_facts(log: Keeping) -> None:
    """Trace id, code, kind, fingerprint and origin are extra fields of the record."""
    with work_context("4bf92f3577b34da6a3ce929d0e0e4736"):
        verdict = runtime().handle(raised(KeyError("sku")), ORIGIN)

    (record,) = log.records
    assert verdict.record is not None
    assert (record.levelno, record.name) == (logging.ERROR, NAME)
    assert record.getMessage() == "INTERNAL_ERROR at GET /orders/<id>: 'sku'"
    facts = {name: record.__dict__[name] for name in ("trace_id", "code", "kind", "origin")}
    assert facts == {
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "code": "INTERNAL_ERROR",
        "kind": "INTERNAL",
        "origin": "flask.request",
    }
    assert record.__dict__["fingerprint"] == verdict.record.fingerprint
    assert record.created == verdict.record.time.timestamp()


def test_a_traceback_stands_where_every_formatter_looks(log: Keeping) -> None:
    """The standard formatter writes it below the line; it shows no values of variables."""
    runtime().handle(raised(KeyError("sku")), ORIGIN)

    (line,) = log.lines
    assert line.splitlines()[1] == "Traceback (most recent call last):"
    assert line.splitlines()[-1] == "KeyError: 'sku'"
    assert log.records[0].exc_info is None


@pytest.mark.parametrize(
    ("error", "traceback"), [(ResourceNotFoundError("no order 7"), True), (KeyError("sku"), False)]
)
def test_no_traceback_where_none_is_wanted(
    log: Keeping, error: BaseException, *, traceback: bool
) -> None:
    """A caller's mistake has no traceback, and a setting takes away the rest."""
    runtime(traceback=traceback).handle(raised(error), ORIGIN)

    assert "\n" not in log.lines[0]


def test_what_the_level_excludes_is_not_made(log: Keeping) -> None:
    """A logger that is off for a severity gets no record."""
    logging.getLogger(NAME).setLevel(logging.ERROR)

    runtime().handle(ResourceNotFoundError("no order 7"), ORIGIN)

    assert log.records == []


def test_the_level_of_the_settings_holds_without_a_handler_of_ours(log: Keeping) -> None:
    """Where the project's own logging writes, what is less severe is left out all the same."""
    made = runtime_of(logging=LoggingSettings(logger=NAME, format="none", level="ERROR"))

    made.handle(ResourceNotFoundError("no order 7"), ORIGIN)
    made.handle(KeyError("sku"), ORIGIN)

    assert [record.levelname for record in log.records] == ["ERROR"]


def test_every_line_says_which_service_where_and_which_release(log: Keeping) -> None:
    """The settings stand in the lines of errors and of other events."""
    made = runtime_of(
        logging=LoggingSettings(logger=NAME), service="shop", environment="test", release="1.2"
    )

    made.handle(KeyError("sku"), ORIGIN)
    made.dispatcher.emit(Event(name="circuit.opened", severity=Severity.WARNING, time=WHEN))

    said = [
        [record.__dict__.get(name) for name in ("service", "environment", "release")]
        for record in log.records
    ]
    assert said == [["shop", "test", "1.2"]] * 2


def test_what_is_not_said_of_the_service_is_left_out(log: Keeping) -> None:
    """Without environment and release no line has empty fields for them."""
    runtime().handle(KeyError("sku"), ORIGIN)

    (record,) = log.records
    assert record.__dict__["service"] == "app"
    assert {"environment", "release"}.isdisjoint(record.__dict__)


def test_an_events_own_service_is_kept_beside_ours(log: Keeping) -> None:
    """An attribute of the same name gets an underscore; ours says who wrote the line."""
    event = Event(
        name="circuit.opened",
        severity=Severity.WARNING,
        time=WHEN,
        attributes={"service": "payments", "release": "7"},
    )

    LoggingReporter(logger=NAME, labels={"service": "shop"}).report(event)

    (record,) = log.records
    assert record.__dict__["service"] == "shop"
    assert record.__dict__["service_"] == "payments"
    assert record.__dict__["release"] == "7"


def test_another_event_is_logged_under_its_name(log: Keeping) -> None:
    """Attributes become fields, and are said behind it; names that logging keeps get an underscore."""
    event = Event(
        name="circuit.opened",
        severity=Severity.WARNING,
        time=WHEN,
        attributes={"name": "payments", "failures": 5, "message": "x", "taskName": "y"},
    )

    LoggingReporter(logger=NAME).report(event)

    (record,) = log.records
    assert record.getMessage() == "circuit.opened name=payments failures=5 message=x taskName=y"
    assert record.created == WHEN.timestamp()
    assert {k: record.__dict__[k] for k in ("name_", "failures", "message_", "taskName_")} == {
        "name_": "payments",
        "failures": 5,
        "message_": "x",
        "taskName_": "y",
    }


def told(log: Keeping, **attributes: Scalar) -> str:
    """Return the line of an event with attributes."""
    event = Event(
        name="job.failed", severity=Severity.WARNING, time=WHEN, attributes=dict(attributes)
    )
    LoggingReporter(logger=NAME).report(event)
    return log.lines[-1]


def test_an_events_line_says_what_happened(log: Keeping) -> None:
    """Numbers and words as they are, what has spaces in quotation marks; what is empty is left out."""
    line = told(
        log,
        job="nightly",
        trace_id="job-42",
        exit_status=9,
        reason='disk "a" full',
        code="",
        n=None,
    )

    assert line == r'job.failed job=nightly exit_status=9 reason="disk \"a\" full"'
    assert log.records[-1].msg == "job.failed%s"


def test_an_events_line_has_bounds(log: Keeping) -> None:
    """Neither one attribute nor many make a line without end."""
    assert told(log, output="x" * 10_000) == f"job.failed output={'x' * 199}…"
    assert len(told(log, **{f"fact{n}": "y" * 100 for n in range(100)})) <= 1020


def test_an_attribute_can_forge_no_other(log: Keeping) -> None:
    """What could be taken for a further attribute, or a format, is only text."""
    assert told(log, sku="7 exit_status=0") == 'job.failed sku="7 exit_status=0"'
    assert told(log, sku="100%s%(n)d") == "job.failed sku=100%s%(n)d"


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"), min_size=1))
def test_an_attribute_never_makes_a_second_line(name: str, value: str) -> None:
    """Line breaks of any kind are escaped, in names and in values."""
    handler, logger = Keeping(), logging.getLogger(f"{NAME}.forged")
    logger.propagate = False
    logger.handlers = [handler]
    event = Event(
        name="a%b", severity=Severity.ERROR, time=WHEN, attributes={f"n{name}": value, "end": 1}
    )

    LoggingReporter(logger=logger.name).report(event)

    assert len(handler.lines[0].splitlines()) == 1
    assert handler.lines[0].startswith("a%b n")


def test_a_percent_sign_is_only_text(log: Keeping) -> None:
    """A message is never taken for a format."""
    runtime().handle(ResourceNotFoundError("100 %s of %(orders)d"), ORIGIN)

    assert log.lines == ["RESOURCE_NOT_FOUND at GET /orders/<id>: 100 %s of %(orders)d"]


@given(st.text(st.characters(codec="utf-8")))
def test_a_message_never_makes_a_second_line(text: str) -> None:
    """Whatever a caller gets into a message, it cannot write log lines of its own."""
    handler, logger = Keeping(), logging.getLogger(f"{NAME}.forged")
    logger.propagate = False
    logger.handlers = [handler]
    event = Event(name=f"a{text}b", severity=Severity.ERROR, time=WHEN)

    LoggingReporter(logger=logger.name).report(event)

    assert len(handler.lines[0].splitlines()) == 1


def test_a_message_never_makes_a_second_line_below_the_traceback(log: Keeping) -> None:
    """Line breaks of a message, or of that of a cause, are escaped in the traceback too."""
    forged = "x\n2024-01-15T10:30:00Z ERROR shop [-] forged\u2028again"
    error = ValueError(forged)
    error.__cause__ = raised(KeyError("sku"))
    cause = OSError(forged)
    error.__cause__.__cause__ = cause

    runtime().handle(raised(error), ORIGIN)

    (line,) = log.lines
    assert r"ValueError: x\n2024-01-15T10:30:00Z ERROR shop [-] forged\nagain" in line
    assert r"OSError: x\n2024" in line
    assert not [part for part in line.splitlines() if part.startswith(("2024", "again"))]


def test_control_characters_are_escaped_readably(log: Keeping) -> None:
    """Line breaks and escape sequences show as what they are; letters of any language stay."""
    runtime().handle(ResourceNotFoundError("à la\n2024-01-15 ERROR forged\x1b[31m"), ORIGIN)

    assert log.lines[0].endswith(r": à la\n2024-01-15 ERROR forged\x1b[31m")


def test_sentry_is_told_once_that_our_lines_are_no_errors(
    log: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as Sentry's logging integration is loaded, before or after us, it ignores our logger."""
    ignored: list[str] = []
    monkeypatch.delitem(sys.modules, "sentry_sdk.integrations.logging", raising=False)
    made = runtime()
    made.handle(ResourceNotFoundError("before"), ORIGIN)
    sentry = ModuleType("sentry_sdk.integrations.logging")
    sentry.ignore_logger = ignored.append  # type: ignore[attr-defined]  # stands for the real one
    monkeypatch.setitem(sys.modules, sentry.__name__, sentry)

    made.handle(ResourceNotFoundError("after"), ORIGIN)
    made.handle(ResourceNotFoundError("again"), ORIGIN)

    assert ignored == [NAME]
    assert len(log.records) == 3


def test_the_applications_own_records_get_the_trace_id() -> None:
    """The filter lets every record pass, with the id of its piece of work, and changes none."""
    record, ours = logging.makeLogRecord({}), logging.makeLogRecord({"trace_id": "kept"})

    with work_context("job-42"):
        assert TraceContextFilter().filter(record)
        assert TraceContextFilter().filter(ours)

    assert (record.__dict__["trace_id"], ours.__dict__["trace_id"]) == ("job-42", "kept")


def test_source_lines_are_redacted_by_the_settings_of_the_runtime(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What a project calls secret is taken out of the source lines of tracebacks as well."""
    settings = Settings(
        redact=RedactSettings(patterns=(r"CANARY-\d+",)),
        reporting=ReportingSettings(inline=True),
    )
    runtime = Runtime(settings)

    try:
        raise KeyError("CANARY-123")
    except KeyError as error:
        runtime.handle(error, Origin(boundary="test"))

    written = caplog.records[-1].exc_text or ""
    assert "raise KeyError" in written
    assert "CANARY-123" not in written
